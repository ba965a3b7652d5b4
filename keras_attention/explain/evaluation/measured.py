"""The results of `faithfulness`: for each input, as a table, and one ranking against another."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from keras_attention.explain import plots
from keras_attention.explain.attribution.explanation import Explanation
from keras_attention.explain.evaluation import ranks
from keras_attention.ops import checks

FRACTIONS = (0.01, 0.05, 0.1, 0.2, 0.5)
# By measure: its name in a table, and whether more is better.
MEASURES = {
    "deletion": ("deletion", False),
    "insertion": ("insertion", True),
    "comprehensiveness": ("comprehensiveness", True),
    "sufficiency": ("sufficiency", False),
    "leave_one_out": ("correlation with leave-one-out", True),
}


@dataclass(frozen=True)
class Measured:
    """The measures of a ranking of the elements of each of B inputs.

    Attributes:
        deletion_curve, insertion_curve: `(B, steps + 1)` probability of the target at evenly
            spaced fractions of the elements, 0 to 1; straight between those that were computed.
        deletion, insertion: `(B,)` areas under the curves that were computed.
        comprehensiveness_at, sufficiency_at: `(B, 5)` at each of `FRACTIONS`.
        leave_one_out: `(B,)` rank correlation with leave-one-out; NaN where one is constant.
    """

    deletion_curve: np.ndarray
    insertion_curve: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray
    comprehensiveness_at: np.ndarray
    sufficiency_at: np.ndarray
    leave_one_out: np.ndarray

    @property
    def comprehensiveness(self) -> np.ndarray:
        """Returns `(B,)` the mean over the fractions."""
        return self.comprehensiveness_at.mean(axis=1)

    @property
    def sufficiency(self) -> np.ndarray:
        """Returns `(B,)` the mean over the fractions."""
        return self.sufficiency_at.mean(axis=1)


@dataclass(frozen=True)
class Comparison:
    """One ranking against another, on the same inputs.

    Attributes:
        wins: share of inputs on which the first is better; ties count half.
        difference: mean of first minus second.
        interval: of the difference, 95 %, by bootstrap over inputs.
        p: of the sign test, two-sided.
        better: whether the first is better on average, and the interval is without zero.
    """

    wins: float
    difference: float
    interval: tuple[float, float]
    p: float
    better: bool


@dataclass(frozen=True)
class Faithfulness:
    """The results of `faithfulness`.

    Attributes:
        measured: by ranking: each method, `"random"`, then each `"method, reversed"`.
        explanations: by method.
        whole: `(B,)` probability of the target of the inputs as they are.
        empty: `(B,)` probability without any element.
        sizes: `(B,)` number of elements.
        draws: random rankings, of which `"random"` is the mean.
        seed: of these, and of the order of elements with the same score.
        skipped: why methods do not apply to the model, of those that nobody named.
    """

    measured: Mapping[str, Measured]
    explanations: Mapping[str, Explanation]
    whole: np.ndarray
    empty: np.ndarray
    sizes: np.ndarray
    draws: int
    seed: int
    skipped: Mapping[str, str]

    def compare(self, first: str, second: str, measure: str = "deletion") -> Comparison:
        """Compares the first ranking with the second on each input, by one of `MEASURES`."""
        checks.one_of("measure", measure, tuple(MEASURES))
        for name, ranking in (("first", first), ("second", second)):
            checks.one_of(name, ranking, tuple(self.measured))
        one, other = (getattr(self.measured[name], measure) for name in (first, second))
        differences = (one - other)[~np.isnan(one - other)]
        if not differences.size:
            return Comparison(0.5, 0.0, (0.0, 0.0), 1.0, False)
        gains = differences if MEASURES[measure][1] else -differences
        low, high = ranks.bootstrap(differences, seed=self.seed)
        return Comparison(
            wins=float((0.5 + 0.5 * np.sign(gains)).mean()),
            difference=float(differences.mean()),
            interval=(low, high),
            p=ranks.sign_test(differences),
            better=bool(gains.mean() > 0 and low * high > 0),
        )

    def table(self) -> str:
        """Returns mean ± standard error over inputs in Markdown, a row for each ranking."""
        heads = [f"{name} {'↑' if more else '↓'}" for name, more in MEASURES.values()]
        lines = [f"| ranking | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
        for name, measured in self.measured.items():
            cells = [format_mean(getattr(measured, measure)) for measure in MEASURES]
            lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
        return "\n".join(lines)

    def figure(self, *, title: str = "") -> Any:
        """Draws the curves of deletion and insertion, see `plots.faithfulness_curves`."""
        return plots.faithfulness_curves(self, title=title)

    def as_dict(self) -> dict[str, Any]:
        """Returns all but the explanations as JSON has it: of curves the mean, else each input's
        value."""
        content = {}
        for name, measured in self.measured.items():
            values = {field.name: getattr(measured, field.name) for field in fields(Measured)}
            content[name] = {
                field: round_values(x if x.ndim == 1 else x.mean(axis=0))
                for field, x in values.items()
            }
            for field in ("comprehensiveness", "sufficiency"):
                content[name][field] = round_values(getattr(measured, field))
        return {
            "inputs": len(self.whole),
            "draws": self.draws,
            "seed": self.seed,
            "fractions": list(FRACTIONS),
            "sizes": self.sizes.tolist(),
            "whole": round_values(self.whole),
            "empty": round_values(self.empty),
            "skipped": dict(self.skipped),
            "measured": content,
        }


def format_mean(values: np.ndarray) -> str:
    """Returns mean ± standard error of the values that are not NaN."""
    values = values[~np.isnan(values)]
    if not values.size:
        return "none"
    if values.size == 1:
        return f"{values[0]:.3f}"
    return f"{values.mean():.3f} ± {values.std(ddof=1) / np.sqrt(values.size):.3f}"


def round_values(values: np.ndarray) -> list[float | None]:
    """Returns values with four digits, and `None` for NaN, which JSON lacks."""
    return [None if np.isnan(x) else round(float(x), 4) for x in values]
