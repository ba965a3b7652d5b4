"""Whether explanations depend on what the model has learned."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.explain.attribution.question import Question
from keras_attention.explain.evaluation import ranks
from keras_attention.explain.evaluation.candidates import Method, Methods, explain, name_methods
from keras_attention.explain.evaluation.measured import format_mean, round_values
from keras_attention.ops import checks


@dataclass(frozen=True)
class Randomization:
    """The results of `randomization`.

    Attributes:
        stages: names of the layers in the order in which they lost what they had learned.
        correlations: by method `(stages, B)`: rank correlation of the scores after each stage with
            those before the first; NaN where either are constant.
        limit: mean correlation after the last stage above which a method fails.
    """

    stages: Sequence[str]
    correlations: Mapping[str, np.ndarray]
    limit: float = 0.5

    @property
    def failed(self) -> list[str]:
        """Returns methods that rank elements for random weights as for the trained ones."""
        last = {name: stages[-1] for name, stages in self.correlations.items()}
        return [
            name for name, x in last.items() if not np.isnan(x).all() and np.nanmean(x) > self.limit
        ]

    def table(self) -> str:
        """Returns mean ± standard error over inputs in Markdown, a row for each stage."""
        names = [name.replace("_", " ") for name in self.correlations]
        lines = [f"| random from | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
        for i, stage in enumerate(self.stages):
            cells = [format_mean(values[i]) for values in self.correlations.values()]
            lines.append(f"| {stage} | {' | '.join(cells)} |")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Returns all of it as JSON has it."""
        return {
            "stages": list(self.stages),
            "limit": self.limit,
            "failed": self.failed,
            "correlations": {
                name: [round_values(stage) for stage in stages]
                for name, stages in self.correlations.items()
            },
        }


def randomization(
    model: keras.Model,
    inputs: Any,
    methods: Methods = None,
    *,
    target: Any = None,
    position: Any = None,
    seed: int = 0,
    limit: float = 0.5,
    batch_size: int = 64,
    **how: Any,
) -> Randomization:
    """Runs the sanity check of Adebayo et al., 2018 (https://arxiv.org/abs/1810.03292, section 3):
    explanations of a model whose layers lose their weights one after the other, from the output on.

    Where a method gives the same scores as before, these depend on the input or the architecture
    and not on what the model has learned. The target stays that of the trained model.

    Unlike in the paper the entries of each weight are shuffled, not drawn anew. Their distribution
    stays that of the trained layer, whatever its initializer, and all backends shuffle alike. The
    model has its weights back at the end, also when something fails.

    Args:
        model, inputs, target, position, batch_size, how: see `faithfulness`.
        methods: names or functions, as of `faithfulness`.
        seed: of the shuffling.
        limit: mean rank correlation that a method must not keep to the end.

    Raises:
        ValueError: there is no such method, or the model has no weights.
    """
    checks.positive_int(batch_size=batch_size)
    question = Question(model, inputs, target, position, how)
    stages = list(_stages(model))
    if not stages:
        raise ValueError(f"The model {model.name!r} has no weights to randomise.")
    scores: dict[str, np.ndarray] = {}
    applicable: dict[str, Method] = {}
    for name, method in name_methods(methods):
        try:
            explanation = explain(question, method, batch_size=batch_size, **how)
        except ValueError:
            if methods is not None:
                raise
            continue
        name = name or explanation.method
        scores[name], applicable[name] = explanation.scores, method
    correlations: dict[str, list[np.ndarray]] = {name: [] for name in scores}
    rng = np.random.default_rng(seed)
    with _weights_restored(model):
        for _, variables in stages:
            for variable in variables:
                values = ops.convert_to_numpy(ops.cast(variable, "float32"))
                variable.assign(rng.permutation(values.ravel()).reshape(values.shape))
            for name, method in applicable.items():
                explanation = explain(question, method, batch_size=batch_size, **how)
                correlations[name].append(
                    ranks.spearman(explanation.scores, scores[name], question.elements.present)
                )
    return Randomization(
        [name for name, _ in stages], {n: np.stack(x) for n, x in correlations.items()}, limit
    )


def _stages(model: keras.Model) -> Iterator[tuple[str, list[Any]]]:
    """Yields layers with their weights, from the output to the input; shared weights once."""
    seen: set[int] = set()
    for layer in _layers(model):
        variables = [
            variable
            for variable in layer.weights
            if id(variable) not in seen and "float" in str(variable.dtype)
        ]
        seen |= {id(variable) for variable in variables}
        if variables:
            yield layer.name, variables


def _layers(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in reversed(model.layers):
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        else:
            yield layer


@contextmanager
def _weights_restored(model: keras.Model) -> Iterator[None]:
    """Gives the model back the weights that it had before."""
    values = [ops.convert_to_numpy(ops.cast(x, "float32")).copy() for x in model.weights]
    try:
        yield
    finally:
        for variable, value in zip(model.weights, values, strict=True):
            variable.assign(value)
