"""The hierarchical attention network: its cases for the contract, and its segments."""

import numpy as np
import pytest

from tests.zoo.models.contracts import ModelCase, recorded
from tests.zoo.models.test_text_classifier import padded, token_ids
from zoo.models.hierarchical_classifier import VARIANTS, hierarchical_classifier

pytestmark = pytest.mark.runs_on("tensorflow")

CASES = [
    ModelCase(
        model=hierarchical_classifier,
        sizes=VARIANTS["tiny"],
        inputs=token_ids,
        maps=2,
        config={"vocabulary_size": 30, "num_classes": 3},
        padded=padded,
    )
]
PARAMETERS = {"default": 186_499, "tiny": 1_099}


def test_words_weigh_within_their_segment_and_segments_within_the_text():
    model, ids = CASES[0].make(), np.array([[3, 4, 5, 6, 7, 0, 0, 0]], "int32")
    _, maps = recorded(model, {"token_ids": ids})
    words, segments = (maps[f"{name}_attention"][0, 0] for name in ("word", "segment"))
    seen = np.zeros((3, 8), bool)
    seen[0, :3] = seen[1, 3:5] = True  # three words each, then padding
    np.testing.assert_array_equal(words > 0, seen)
    np.testing.assert_allclose(words.sum(axis=-1), [1, 1, 0], atol=1e-6)
    np.testing.assert_array_equal(segments > 0, [[True, True, False]])
    np.testing.assert_allclose(segments.sum(), 1, atol=1e-6)
