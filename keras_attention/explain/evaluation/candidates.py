"""The methods that are evaluated, and their explanations of one question."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from keras_attention.explain.attribution import methods as functions
from keras_attention.explain.attribution.explanation import Explanation
from keras_attention.explain.attribution.question import Question
from keras_attention.ops import checks

Method = str | Callable[..., Explanation] | Explanation
Methods = Mapping[str, Method] | Sequence[Method] | Method | None

METHODS = (
    "relevance",
    "rollout",
    "attention",
    "attention_gradient",
    "gradient_x_input",
    "integrated_gradients",
    "leave_one_out",
)


def name_methods(methods: Methods) -> Iterator[tuple[str, Method]]:
    """Yields methods with their names, which are empty where the explanation has one.

    All of `METHODS` are yielded for `None`.
    """
    if methods is None:
        yield from zip(METHODS, METHODS, strict=True)
    elif isinstance(methods, Mapping):
        yield from methods.items()
    elif isinstance(methods, (str, Explanation)) or callable(methods):
        yield "", methods
    else:
        yield from (("", method) for method in methods)


def explain(question: Question, method: Method, *, batch_size: int = 64, **how: Any) -> Explanation:
    """Returns the explanation of a method for the inputs of a question, `batch_size` at a time.

    Raises:
        ValueError: there is no such method, or it does not apply to the model; or this is an
            explanation of something else.
    """
    if isinstance(method, Explanation):
        _check_same(method, question)
        return method
    if isinstance(method, str):
        checks.one_of("methods", method, METHODS)
    function = getattr(functions, method) if isinstance(method, str) else method
    batch, inputs = len(question.target), question.elements.inputs
    explanations = []
    for start in range(0, batch, batch_size):
        # The last input again and again in the last batch, which so has the size of the others.
        rows = np.minimum(np.arange(start, start + min(batch_size, batch)), batch - 1)
        some = (
            {name: array[rows] for name, array in inputs.items()}
            if isinstance(inputs, Mapping)
            else inputs[rows]
        )
        position = None if question.position is None else question.position[rows]
        explanations.append(
            function(question.model, some, target=question.target[rows], position=position, **how)
        )
    scores = np.concatenate([explanation.scores for explanation in explanations])[:batch]
    return question.answer(explanations[0].method, scores)


def _check_same(explanation: Explanation, question: Question) -> None:
    """Raises `ValueError` if an explanation is not of a question."""
    if (
        explanation.scores.shape != question.elements.present.shape
        or not np.array_equal(explanation.target, question.target)
        or not np.array_equal(np.asarray(explanation.position), np.asarray(question.position))
    ):
        raise ValueError(
            f"The explanation {explanation.method!r} is of another batch, target or position: of "
            f"scores {explanation.scores.shape} for targets {explanation.target.tolist()}, where "
            f"these are {question.elements.present.shape} and {question.target.tolist()}."
        )
