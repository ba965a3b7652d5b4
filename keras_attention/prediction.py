"""From raw input to a named answer, by the file of a model alone."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops


def encode(model: keras.Model, raw: Any) -> Any:
    """Arrays for the inputs of a model, from what a person would hand to it.

    The first layer behind an input, if it has a method `encode`, turns raw values to that input's
    array: `Tokenizer`, `CharacterFeatures`, `ImageConverter`, `AudioConverter`,
    `NumericColumns`, `CategoricalColumns`. Inputs without such a layer take arrays as they are.

    Args:
        model: a functional model.
        raw: raw values of a batch, such as a list of texts or of paths. All encoders get the same
            values, unless `raw` is a mapping with the names of the inputs: then each gets its own,
            as it must where one input takes images and another texts.
            The path of an `.npz` file stands for such a mapping (pickles are refused), that of a
            `.csv` file with a header for its columns, or, where no layer encodes, for the series
            of its last rows.

    Returns:
        An array, or arrays by the names of the inputs if there are several.

    Raises:
        ValueError: an input gets nothing, or nothing that its encoder understands.
    """
    inputs = encoders(model)
    if isinstance(raw, (str, os.PathLike)):
        raw = _read(raw, model)
    if isinstance(raw, Mapping) and set(raw) == set(inputs):
        given = dict(raw)
    elif len(inputs) > 1 and None in inputs.values():
        without = ", ".join(name for name, layer in inputs.items() if layer is None)
        raise ValueError(
            f"The model {model.name!r} takes a mapping with an array for each of its inputs "
            f"{', '.join(inputs)}, since {without} takes arrays alone. Received: {_short(raw)}"
        )
    elif len(_kinds(inputs)) > 1:
        each = ", ".join(
            f"{getattr(layer, 'encodes', 'raw values')} for {name!r}"
            for name, layer in inputs.items()
        )
        received = f"one with {', '.join(raw)}" if isinstance(raw, Mapping) else _short(raw)
        raise ValueError(
            f"The model {model.name!r} takes a mapping by the names of its inputs: {each}. "
            f"Received: {received}"
        )
    else:
        given = dict.fromkeys(inputs, _words(inputs, raw))
    arrays = {
        name: np.asarray(given[name]) if layer is None else layer.encode(given[name])
        for name, layer in inputs.items()
    }
    return arrays if len(arrays) > 1 else next(iter(arrays.values()))


def encoders(model: keras.Model) -> dict[str, Any]:
    """By the name of each input the layer that encodes raw values for it, or `None`."""
    found = dict.fromkeys((tensor.name for tensor in model.inputs), None)
    for layer in model.layers:
        if hasattr(layer, "encode"):
            for tensor in model.inputs:
                if layer.input is tensor:
                    found[tensor.name] = layer
    return found


def paired(model: keras.Model, raw: Sequence[Any], *, image: Any = None) -> Any:
    """`raw` values for a model, with an image beside each of them if they are texts about one.

    Args:
        model: functional.
        raw: a list.
        image: a raw one; must be there if the model reads images and texts, and only then.

    Returns:
        What `predict` takes: a mapping by input, or `raw` as it is.

    Raises:
        ValueError: there is an image too many, or it is missing.
    """
    names = pair(model)
    if names is None:
        if image is not None:
            raise ValueError(
                f"The model {model.name!r} does not read a text and an image together: it takes "
                f"one of them alone. Received: image={str(image)!r} beside {_short(raw)}"
            )
        return raw
    if image is None:
        raise ValueError(
            f"The model {model.name!r} reads texts about an image. Pass the image as well: "
            "--image PATH on the command line. Received: image=None"
        )
    of_image, of_text = names
    return {of_image: [image] * len(raw), of_text: list(raw)}


def pair(model: keras.Model) -> tuple[str, str] | None:
    """The names of the inputs for images and for texts, of a model that has these two and does not
    write the text itself."""
    names = {getattr(layer, "encodes", None): name for name, layer in encoders(model).items()}
    if set(names) != {"images", "texts"} or writes(model):
        return None
    return names["images"], names["texts"]


def writes(model: keras.Model) -> bool:
    """Whether the model writes a text about its other inputs."""
    return any(tensor.name == "target_ids" for tensor in model.inputs)


def decoder(model: keras.Model) -> Any:
    """The layer that turns the model's outputs to answers, or `None`."""
    for layer in reversed(model.layers):
        if hasattr(layer, "decode") and layer.output is model.outputs[0]:
            return layer
    return None


def padding_mask(model: keras.Model, arrays: Any) -> np.ndarray | None:
    """`(B, T)`, false where encoded rows are padded; `None` where no encoder tells.

    Of several padded inputs, such as a source and its target, what is padding in all of them.

    Raises:
        ValueError: these differ in their length T.
    """
    found: dict[str, np.ndarray] = {}
    for name, layer in encoders(model).items():
        array = arrays[name] if isinstance(arrays, dict) else arrays
        if getattr(layer, "supports_masking", False) and np.ndim(array) == 2:
            mask = layer.compute_mask(array, None)
            if mask is not None:
                found[name] = np.asarray(ops.convert_to_numpy(mask))
    if len({mask.shape for mask in found.values()}) > 1:
        shapes = ", ".join(f"{name} {mask.shape}" for name, mask in found.items())
        raise ValueError(
            f"The inputs that are padded must be padded to the same length. Received: {shapes}"
        )
    return np.any([*found.values()], axis=0) if found else None


def predict(model: keras.Model, raw: Any, *, batch_size: int = 32) -> Any:
    """Named answers to raw input.

    ```python
    model = ka.load_model("intents.keras")
    ka.predict(model, ["what is my balance"])[0].label  # "balance"
    ```

    Args:
        model: functional, whose first layers encode and whose last one decodes, as those of the
            zoo do.
        raw: as `encode` takes it; or one string or path, or a mapping with one for each input, for
            one answer: `{"image": "shapes.png", "question_ids": "what color is the shape?"}`.
        batch_size: rows computed at a time.

    Returns:
        A list with what the last layer's `decode` says of each row: an `Answer` of a classifier,
        pairs `(word, Answer)` of a tagger, a list of answers per node of a graph, numbers by name
        of a regression. Rows of the outputs, where no layer decodes.
    """
    inputs = encoders(model)
    single = _is_one(raw) and not str(raw).endswith((".npz", ".csv"))
    raw = [raw] if single else raw
    if isinstance(raw, Mapping) and set(raw) == set(inputs) and all(map(_is_one, raw.values())):
        single, raw = True, {name: [value] for name, value in raw.items()}
    words = _words(inputs, raw)
    arrays = encode(model, words)
    outputs = model.predict(arrays, batch_size=batch_size, verbose=0)
    last = decoder(model)
    answers = list(outputs) if last is None else last.decode(outputs)
    if words is not raw and answers and isinstance(answers[0], list):  # one for each word
        answers = [
            list(zip(row, answer, strict=False)) for row, answer in zip(words, answers, strict=True)
        ]
    return answers[0] if single else answers


def read_table(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The columns of a CSV file with a header, as object arrays of strings."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, skipinitialspace=True))
    if len(rows) < 2:
        raise ValueError(f"{path} has no row below its header.")
    header, *rows = (row for row in rows if row)
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise ValueError(
                f"Row {number} of {path} has {len(row)} fields, and the header {len(header)}."
            )
    return {name: np.array(column, object) for name, *column in zip(header, *rows, strict=True)}


def _read(path: str | os.PathLike, model: keras.Model) -> Any:
    """What a file holds for all inputs together."""
    suffix = Path(path).suffix.lower()
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    if suffix == ".csv":
        table = read_table(path)
        return table if any(encoders(model).values()) else _series(table, model.inputs[0])
    raise ValueError(
        f"`raw` must be a list of raw values, an .npz or a .csv file. Received: {path}"
    )


def _series(table: Mapping[str, np.ndarray], series: Any) -> np.ndarray:
    """The last rows `(1, T, C)` of the columns of numbers, as many as the input takes."""
    columns = []
    for column in table.values():
        try:
            columns.append(column.astype(np.float32))
        except ValueError:  # names or dates
            continue
    _, length, width = series.shape
    if len(columns) != width or len(columns[0]) < (length or 1):
        raise ValueError(
            f"The input {series.name!r} takes {length} rows of {width} columns of numbers. "
            f"Received: {len(columns)} such columns, of {len(next(iter(table.values())))} rows"
        )
    return np.stack(columns, axis=-1)[None, -(length or 0) :]


def _words(inputs: Mapping[str, Any], raw: Any) -> Any:
    """Texts cut into words once, where a tagger's encoders must all see the same ones."""
    for layer in inputs.values():
        if getattr(layer, "words", False):
            return [layer.split(text) if isinstance(text, str) else list(text) for text in raw]
    return raw


def _kinds(inputs: Mapping[str, Any]) -> set[str]:
    """What the encoders read: texts, images and the like, by those that say so."""
    return {layer.encodes for layer in inputs.values() if hasattr(layer, "encodes")}


def _is_one(value: Any) -> bool:
    """Whether it is one raw value and not a batch."""
    return isinstance(value, (str, os.PathLike))


def _short(value: Any) -> str:
    text = f"{type(value).__name__} {value!r}"
    return text if len(text) < 200 else f"{text[:200]}..."
