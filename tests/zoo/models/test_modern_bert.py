"""ModernBERT: its cases for the contract. `tests/references` has its numbers."""

import numpy as np
import pytest

from tests.zoo.models.contracts import ModelCase
from zoo.models.modern_bert import VARIANTS, modern_bert

pytestmark = pytest.mark.runs_on("tensorflow")


def token_ids(rng, batch):
    """Rows of different lengths, padded at their ends."""
    ids = rng.integers(1, 30, (batch, 7))
    lengths = rng.integers(2, 8, (batch, 1))
    return {"token_ids": np.where(np.arange(7) < lengths, ids, 0).astype("int32")}


def padded(inputs, by):
    return {"token_ids": np.pad(inputs["token_ids"], ((0, 0), (0, by)))}


CASES = [
    ModelCase(
        model=modern_bert,
        sizes=VARIANTS["tiny"],
        inputs=token_ids,
        maps=2,
        config={"vocabulary_size": 30},
        padded=padded,
        rows=True,
        classes=False,
        features=True,
    )
]
# Of 30 ids. Of its own 50,368 the default has 149,014,272.
PARAMETERS = {"default": 110_354_688, "large": 343_235_584, "tiny": 1_368}
