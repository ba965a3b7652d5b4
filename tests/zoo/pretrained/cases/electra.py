"""ELECTRA."""

from tests.zoo.pretrained.cases import bert
from tests.zoo.pretrained.cases.case import Case, count_from_the_first_token

CASE = Case(
    model_type="electra",
    config={**bert.CASE.config, "embedding_size": 12},
    tasks=bert.CASE.tasks,
    read={**bert.CASE.read, "embedding_size": 24},
    refused=bert.CASE.refused,
    position_ids=count_from_the_first_token,
)
