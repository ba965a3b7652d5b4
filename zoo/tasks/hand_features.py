"""The simpler method beside taggers: logistic regression on hand-made features of words."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import SGDClassifier

from zoo.data import Arrays, Splits


def list_features(words: Sequence[str]) -> Iterator[list[str]]:
    """Yields the features of each word: itself, its shape, beginnings, ends and neighbours."""
    lower = ["<s>", "<s>", *(word.lower() for word in words), "</s>", "</s>"]
    for i, word in enumerate(words, 2):
        own = lower[i]
        shape = "".join(
            "X" if c.isupper() else "x" if c.islower() else "d" if c.isdigit() else c for c in word
        )
        yield [
            f"word {own}",
            f"shape {shape[:12]}",
            f"capital {word[:1].isupper()}, first {i == 2}",
            *(f"ends {own[-n:]}" for n in (1, 2, 3, 4)),
            *(f"begins {own[:n]}" for n in (1, 2, 3)),
            *(f"{by} word {lower[i + by]}" for by in (-2, -1, 1, 2)),
            *(f"{by} ends {lower[i + by][-3:]}" for by in (-1, 1)),
            f"pair {lower[i - 1]} {own}",
        ]


def logistic_regression(splits: Splits, *parts: Arrays) -> list[np.ndarray]:
    """Returns log probabilities `(B, T, C)` of each part, by logistic regression on features."""
    hasher = FeatureHasher(2**20, input_type="string", alternate_sign=False)

    def matrix(sentences: Sequence[Sequence[str]]) -> Any:
        return hasher.transform(row for words in sentences for row in list_features(words))

    x, y, weights = splits.train
    model = SGDClassifier(loss="log_loss", alpha=1e-6, max_iter=10, tol=None, random_state=0)
    model.fit(matrix(x), y[weights > 0])
    results = []
    for x, y, weights in parts:
        log_probabilities = np.full((*y.shape, len(splits.class_names)), np.log(1e-12))
        rows = log_probabilities[weights > 0]
        rows[:, model.classes_] = np.log(model.predict_proba(matrix(x)) + 1e-12)
        log_probabilities[weights > 0] = rows
        results.append(log_probabilities)
    return results
