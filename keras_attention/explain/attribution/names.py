"""Names of what is explained, and of the elements that explain it."""

from collections.abc import Sequence

import keras
import numpy as np

from keras_attention import prediction, roles
from keras_attention.explain.attribution.explanation import Explanation


def class_names(model: keras.Model) -> Sequence[str]:
    """Returns the names of the model's outputs; none where no layer has them.

    Those of a model that fills masks are the tokens of its vocabulary.
    """
    decoder = prediction.decoder(model)
    if decoder is None or roles.class_names(decoder):
        return roles.class_names(decoder)
    layers = map(roles.vocabulary, prediction.encoders(model).values())
    of_texts = (layer.vocabulary for layer in layers if layer and layer.has_vocabulary)
    return next((tokens for tokens in of_texts if len(tokens) == model.outputs[0].shape[-1]), ())


def class_index(model: keras.Model, name: str | None) -> int | None:
    """Returns the index of a class, by its name or its index in writing; `None` for no name.

    Raises:
        ValueError: there is no such class.
    """
    if name is None:
        return None
    names = list(class_names(model))
    if name in names:
        return names.index(name)
    if name.lstrip("-").isdigit():
        return int(name)
    raise ValueError(
        f"`target` must be an index or one of {', '.join(names[:20])}"
        f"{', ...' if len(names) > 20 else ''}. Received: target={name!r}"
    )


def name_targets(model: keras.Model, explanation: Explanation) -> list[str]:
    """Returns for each input a line that names the output that is explained."""
    names = class_names(model)
    targets = [names[target] if names else str(target) for target in explanation.target]
    if explanation.position is None:
        return [f"for {name}" for name in targets]
    return [
        f"for {name} at {position}"
        for name, position in zip(targets, explanation.position, strict=True)
    ]


def name_highest(explanation: Explanation, count: int = 5) -> list[tuple[str, float]]:
    """Returns the names of the elements of the first input with the largest scores, and these."""
    return _highest(explanation, 0, count)


def name_reasons(model: keras.Model, explanation: Explanation) -> list[str]:
    """Returns for each input two lines: the output that is explained, and the element that has the
    largest score."""
    lines = []
    for row, target in enumerate(name_targets(model, explanation)):
        highest = _highest(explanation, row, 1)
        lines.append(f"{target}\nmost: {highest[0][0]}" if highest else target)
    return lines


def _highest(explanation: Explanation, row: int, count: int) -> list[tuple[str, float]]:
    scores, elements = explanation.scores[row], explanation.elements
    order = np.argsort(-np.abs(scores), kind="stable")[: min(count, elements.present[row].sum())]
    columns = max(1, elements.grid[1])

    def name(index: int) -> str:
        if elements.labels:
            return elements.labels[row][index]
        return f"row {index // columns + 1}, column {index % columns + 1}"

    return [(name(int(i)), float(scores[i])) for i in order]
