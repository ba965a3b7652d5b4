"""RoBERTa, XLM-R and CamemBERT."""

from tests.zoo.pretrained.cases import bert
from tests.zoo.pretrained.cases.case import Case

CASE = Case(
    model_type="roberta",
    config={
        **bert.CASE.config,
        "max_position_embeddings": 18,
        "type_vocab_size": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
    },
    tasks=bert.CASE.tasks,
    read={**bert.CASE.read, "max_position_embeddings": 12},
    refused={**bert.CASE.refused, "pad_token_id": 0},
    padding_id=1,
    unread_positions=2,
    also=("xlm-roberta", "camembert"),
)
