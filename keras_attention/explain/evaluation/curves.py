"""Probabilities of the target as an input loses or gains elements, in the order of rankings."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keras_attention.explain.attribution.question import Question
from keras_attention.explain.evaluation import ranks
from keras_attention.explain.evaluation.measured import FRACTIONS, Measured


@dataclass(frozen=True)
class Curves:
    """Probabilities of the target along a ranking, an array for each input.

    Attributes:
        deleted, inserted: with as many of the first elements away, or alone there, as
            `ranks.counts` says.
        without, alone: the same for each of the `FRACTIONS` of the elements.
    """

    deleted: list[np.ndarray]
    inserted: list[np.ndarray]
    without: list[np.ndarray]
    alone: list[np.ndarray]

    def measure(
        self, whole: np.ndarray, sizes: np.ndarray, steps: int, leave_one_out: np.ndarray
    ) -> Measured:
        """Returns the measures of the ranking.

        Args:
            whole: `(B,)` probability with all elements.
            sizes: `(B,)` numbers of elements.
            steps: points of a curve beside the first.
            leave_one_out: `(B,)` correlation of the ranking with leave-one-out.
        """
        shares = [ranks.counts(size, steps) / size for size in sizes]
        return Measured(
            deletion_curve=_at_steps(shares, self.deleted, steps),
            insertion_curve=_at_steps(shares, self.inserted, steps),
            deletion=_areas(shares, self.deleted),
            insertion=_areas(shares, self.inserted),
            comprehensiveness_at=whole[:, None] - np.stack(self.without),
            sufficiency_at=whole[:, None] - np.stack(self.alone),
            leave_one_out=leave_one_out,
        )


def compute_curves(
    question: Question,
    blank: Question,
    places: Mapping[str, np.ndarray],
    *,
    steps: int,
    batch_size: int,
) -> dict[str, Curves]:
    """Returns the curves of rankings by their names.

    All rankings are computed at once, since many of their sets of elements are the same.

    Args:
        question: the inputs, from which elements are taken away.
        blank: the same inputs, with what stands for elements that are not inserted yet; may be
            `question` itself.
        places: by ranking `(B, E)`, as `ranks.ranking` gives.
        steps: points of a curve beside the first.
        batch_size: inputs computed at a time.
    """
    present = question.elements.present
    sizes = present.sum(axis=1)
    points = [ranks.counts(size, steps) for size in sizes]
    fractions = [np.array([ranks.share(f, size) for f in FRACTIONS]) for size in sizes]
    lines = (  # in the order of the fields of `Curves`: whom to ask, how many, and what is removed
        (question, points, "first"),
        (blank, points, "others"),
        (question, fractions, "first"),
        (question, fractions, "others"),
    )
    requests: dict[Question, list[tuple[np.ndarray, np.ndarray]]] = {}
    for of_elements in places.values():
        for asked, counts, removed in lines:
            rows = np.repeat(np.arange(len(counts)), [len(of_input) for of_input in counts])
            first = of_elements[rows] < np.concatenate(counts)[:, None]
            chosen = first if removed == "first" else ~first
            requests.setdefault(asked, []).append((rows, chosen & present[rows]))
    answers = {asked: iter(_ask(asked, sets, batch_size)) for asked, sets in requests.items()}
    return {
        name: Curves(*(_by_input(next(answers[asked]), counts) for asked, counts, _ in lines))
        for name in places
    }


def _ask(
    question: Question, sets: list[tuple[np.ndarray, np.ndarray]], batch_size: int
) -> list[np.ndarray]:
    """Returns the probabilities for each of some sets `(rows, removed)`, computed together."""
    values = question.probabilities(
        np.concatenate([removed for _, removed in sets]),
        np.concatenate([rows for rows, _ in sets]),
        batch_size=batch_size,
    )
    return np.split(values, np.cumsum([len(rows) for rows, _ in sets])[:-1])


def _by_input(values: np.ndarray, counts: list[np.ndarray]) -> list[np.ndarray]:
    return np.split(values, np.cumsum([len(of_input) for of_input in counts])[:-1])


def _at_steps(shares: list[np.ndarray], curves: list[np.ndarray], steps: int) -> np.ndarray:
    """Returns curves `(B, steps + 1)` at evenly spaced shares of the elements."""
    grid = np.linspace(0, 1, steps + 1)
    return np.stack([np.interp(grid, x, y) for x, y in zip(shares, curves, strict=True)])


def _areas(shares: list[np.ndarray], curves: list[np.ndarray]) -> np.ndarray:
    return np.array([ranks.area(y, x) for x, y in zip(shares, curves, strict=True)])
