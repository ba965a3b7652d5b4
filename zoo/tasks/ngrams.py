"""A simpler language model: counts of short sequences of tokens."""

import math

import numpy as np

_BITS = 62  # of the numbers that stand for sequences


def find_order(vocabulary: int, *, most: int = 5) -> int:
    """Returns how long the sequences of so many tokens may be that `ngram_loss` can count."""
    return max(1, min(most, int(_BITS / math.log2(vocabulary + 1))))


def ngram_loss(train: np.ndarray, test: np.ndarray, order: int, *, size: int) -> float:
    """Returns the test loss, in nats per token, of counts of up to `order` tokens.

    Each order is mixed with the shorter one as by Witten and Bell, 1991
    (https://doi.org/10.1109/18.87000, method C).

    Args:
        train, test: ids of windows, `(B, T)`, none of which overlap by more than a token. Nothing
            is asked of the first token of a window.
        order: tokens of the longest sequences that are counted.
        size: of the vocabulary; each of its tokens has a share of what is not known.
    """
    train, test = train.astype(np.int64), test.astype(np.int64)
    base = int(max(train.max(), test.max())) + 1

    def number_grams(windows: np.ndarray, length: int) -> np.ndarray:
        """Returns a number for each sequence of `length` tokens, by where it ends."""
        stop = windows.shape[1] - length + 1
        return sum(windows[:, i : i + stop] * base ** (length - 1 - i) for i in range(length))

    probability = np.full(test[:, 1:].shape, 1 / size)
    for length in range(1, order + 1):
        known, counts = np.unique(number_grams(train, length), return_counts=True)
        contexts, context = np.unique(known // base, return_inverse=True)
        totals, kinds = np.bincount(context, counts), np.bincount(context)
        # Nothing is asked of a first token.
        asked = number_grams(test, length)[:, int(length == 1) :]
        count = np.where(_has(known, asked), counts[_locate(known, asked)], 0)
        seen, place = _has(contexts, asked // base), _locate(contexts, asked // base)
        shorter = probability[:, -asked.shape[1] :]
        mixed = (count + kinds[place] * shorter) / (totals[place] + kinds[place])
        probability[:, -asked.shape[1] :] = np.where(seen, mixed, shorter)
    return float(-np.log(probability).mean())


def _locate(known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Returns the places of numbers among sorted ones, as far as they are there."""
    return np.minimum(np.searchsorted(known, asked), len(known) - 1)


def _has(known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    return known[_locate(known, asked)] == asked
