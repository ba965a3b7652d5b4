"""What the benchmark of encoders compares has the same numbers, or is not timed."""

import benchmarks
import numpy as np
import pytest
from benchmarks import encoder
from benchmarks.runner import keep_installed

CASES = list(benchmarks.load("encoder")(scale="quick"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_peers_compute_what_ours_computes(case):
    present = keep_installed(case.peers)
    assert [peer.name for peer in present] == ["transformers", "keras_hub"]
    for peer in present:
        peer.make()  # which compares


def test_other_numbers_are_refused():
    numbers = np.ones((2, 3), "float32")
    for wrong in (numbers + 1e-3, numbers * np.nan):
        with pytest.raises(ValueError, match="Its numbers are others"):
            encoder._require_same(wrong, numbers)
