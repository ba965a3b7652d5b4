"""Out-of-scope recall at an in-scope precision, by counting."""

import numpy as np
import pytest

from zoo.recipes.text_clinc import out_of_scope_recall

pytestmark = pytest.mark.runs_on("torch")


def by_counting(inside, outside, precision):
    for threshold in sorted({*inside, *outside}):
        kept, wrong = sum(inside >= threshold), sum(outside >= threshold)
        if kept / (kept + wrong) >= precision:
            return 1 - wrong / len(outside)
    return 1.0


@pytest.mark.parametrize("seed", range(5))
def test_recall_at_the_lowest_threshold_of_enough_precision(seed):
    rng = np.random.default_rng(seed)
    inside, outside = rng.beta(4, 1, 80).round(2), rng.beta(1, 1, 30).round(2)
    for precision in (0.5, 0.9, 0.95, 0.999):
        recall = out_of_scope_recall(inside, outside, precision)
        assert recall == pytest.approx(by_counting(inside, outside, precision))


def test_extremes():
    low, high = np.array([0.1, 0.2]), np.array([0.8, 0.9])
    assert out_of_scope_recall(high, low) == 1.0
    assert out_of_scope_recall(low, high) == 1.0  # by refusing everything
    assert out_of_scope_recall(np.linspace(0.5, 1, 99), np.array([0.1])) == 0.0
