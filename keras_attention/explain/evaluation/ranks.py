"""Rankings of elements, and the arithmetic of measures on them, in NumPy."""

import math

import numpy as np

# What a random ranking is called, and what follows the name of one that is reversed.
RANDOM, REVERSED = "random", ", reversed"


def ranking(scores: np.ndarray, present: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """Returns `(B, E)` places of the elements, 0 for the highest score, E where there is none.

    Args:
        scores: `(B, E)`.
        present: `(B, E)` boolean.
        ties: `(B, E)`: of elements with one score, the one with the lower number comes first.
    """
    descending = np.where(present, -scores, np.inf)
    order = np.lexsort((ties, descending, ~present), axis=-1)
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(order.shape[1])[None], axis=1)
    return np.where(present, places, present.shape[1])


def counts(size: int, steps: int) -> np.ndarray:
    """Returns how many of `size` elements are taken at each point of a curve: every number of them,
    or `steps` + 1 evenly spaced ones if there are more."""
    return np.unique(np.rint(np.linspace(0, size, min(size, steps) + 1)).astype(int))


def share(fraction: float, size: int) -> int:
    """Returns how many elements a `fraction` of `size` is, rounded up: one at least."""
    return max(1, math.ceil(fraction * size - 1e-9))


def area(y: np.ndarray, x: np.ndarray) -> float:
    """Returns the area under a curve, by the trapezoidal rule."""
    return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum())


def spearman(a: np.ndarray, b: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Returns Spearman's rank correlation `(B,)` of two scores of the elements present.

    Tied scores have their mean rank. The correlation is NaN where either is constant.
    """
    correlations = np.full(len(a), np.nan)
    for row, (x, y, mask) in enumerate(zip(a, b, present, strict=True)):
        x, y = _mean_ranks(x[mask]), _mean_ranks(y[mask])
        spread = math.sqrt((x**2).sum() * (y**2).sum())
        if spread > 0:
            correlations[row] = (x * y).sum() / spread
    return correlations


def _mean_ranks(values: np.ndarray) -> np.ndarray:
    """Returns ranks less their mean."""
    ordered = np.sort(values)
    ranks = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return ranks / 2 - len(values) / 2


def sign_test(differences: np.ndarray) -> float:
    """Returns the two-sided p of so many differences of one sign if both signs were equally likely.

    Zeros do not count.
    """
    above, below = int((differences > 0).sum()), int((differences < 0).sum())
    size = above + below
    tail = sum(math.comb(size, i) for i in range(min(above, below) + 1))
    return min(1.0, 2 * tail / 2**size)


def bootstrap(
    values: np.ndarray, *, seed: int = 0, draws: int = 2000, level: float = 0.95
) -> tuple[float, float]:
    """Returns an interval of the mean: quantiles of means of `draws` samples with replacement."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(len(values), size=(draws, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
