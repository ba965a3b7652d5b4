"""From raw input to a named answer, by the file of a model alone."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention import inference, kernels, reading, roles, token_answers
from keras_attention.ops import batches


def encode(model: keras.Model, raw: Any, *, max_bytes: int = reading.MAX_BYTES) -> Any:
    """Returns arrays for the inputs of a model, from what a person would hand to it.

    The first layer behind an input, if it is a `roles.Encoder`, turns raw values to that input's
    array: `Tokenizer`, `CharacterFeatures`, `ImageConverter`, `AudioConverter`,
    `NumericColumns`, `CategoricalColumns`, or one of your own. Inputs without such a layer take
    arrays as they are.

    Args:
        model: a functional model.
        raw: raw values of a batch, such as a list of texts or of paths. All encoders get the same
            values, unless `raw` is a mapping with the names of the inputs: then each gets its own,
            as it must where one input takes images and another texts. A pair of texts is a tuple
            of two, `[(question, text), ...]`, or the row of a frame of pandas with two columns.
            A `pathlib.Path` of an `.npz` file stands for such a mapping (pickles are refused), that
            of a `.csv` file with a header for its columns, or, where no layer encodes, for the
            series of its last rows: the columns that the model names, if they are there. A string
            is never taken for a path.
        max_bytes: what such a file may take in memory.

    Returns:
        An array, or arrays by the names of the inputs if there are several.

    Raises:
        FileNotFoundError: there is no such file.
        TypeError: `raw` is no batch, or has values that an encoder does not take.
        ValueError: an input gets nothing, or nothing that its encoder understands; or a file is
            too large.
    """
    inputs = encoders(model)
    raw = as_rows(model, raw)
    if isinstance(raw, os.PathLike):
        raw = _read(Path(raw), model, max_bytes)
    elif isinstance(raw, Iterator):  # which each of several encoders is to go through
        raw = list(raw)
    if isinstance(raw, Mapping) and set(raw) == set(inputs):
        given = dict(raw)
    elif len(inputs) > 1 and None in inputs.values():
        without = ", ".join(name for name, layer in inputs.items() if layer is None)
        raise ValueError(
            f"The model {model.name!r} takes a mapping with an array for each of its inputs "
            f"{', '.join(inputs)}, since {without} takes arrays alone. Received: {_short(raw)}"
        )
    elif len(_kinds(inputs)) > 1:
        each = ", ".join(f"{roles.encodes(layer)} for {name!r}" for name, layer in inputs.items())
        received = f"one with {', '.join(raw)}" if isinstance(raw, Mapping) else _short(raw)
        if writes_text(model) and not (isinstance(raw, Mapping) and "target_ids" in raw):
            raise ValueError(
                f"The model {model.name!r} writes a text about its other inputs: call "
                f"ka.generate(model, prompt, max_new_tokens=50). Received: {received}"
            )
        raise ValueError(
            f"The model {model.name!r} takes a mapping by the names of its inputs: {each}. "
            f"Received: {received}"
        )
    else:
        given = dict.fromkeys(inputs, _cut_into_words(inputs, raw))
    arrays = {
        name: batches.numbers(name, given[name]) if layer is None else layer.encode(given[name])
        for name, layer in inputs.items()
    }
    return arrays if len(arrays) > 1 else next(iter(arrays.values()))


def encoders(model: keras.Model) -> dict[str, Any]:
    """Returns, by the name of each input, the `roles.Encoder` behind it, or `None`."""
    layer_by_input = dict.fromkeys((tensor.name for tensor in model.inputs), None)
    for layer in filter(roles.encodes, model.layers):
        for node in layer._inbound_nodes:
            for tensor in model.inputs:
                if node.input_tensors[0] is tensor:
                    layer_by_input[tensor.name] = layer
    return layer_by_input


def add_image(model: keras.Model, raw: Sequence[Any], *, image: Any = None) -> Any:
    """Returns `raw` values for a model, with an image beside each if they are texts about one.

    Args:
        model: functional.
        raw: a list.
        image: a raw one; must be there if the model reads images and texts, and only then.

    Returns:
        What `predict` takes, or `ka.generate`: a mapping by input, or `raw` as it is.

    Raises:
        ValueError: there is an image too many, or it is missing.
    """
    names = image_and_text(model)
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


def image_and_text(model: keras.Model) -> tuple[str, str] | None:
    """Returns the names of the inputs for images and for texts, of a model that reads these two,
    whether it chooses an answer or writes one; else `None`."""
    read = {name: layer for name, layer in encoders(model).items() if name != "target_ids"}
    names = {roles.encodes(layer): name for name, layer in read.items()}
    if set(names) != {"images", "texts"} or len(read) > 2:
        return None
    return names["images"], names["texts"]


def writes_text(model: keras.Model) -> bool:
    """Whether the model writes a text about its other inputs."""
    return any(tensor.name == "target_ids" for tensor in model.inputs)


def decoder(model: keras.Model) -> Any:
    """Returns the `roles.Decoder` that makes the model's first output, or `None`."""
    return token_answers.find_decoder(model)


def padding_mask(model: keras.Model, arrays: Any) -> np.ndarray | None:
    """Returns `(B, T)`, false where encoded rows are padded; `None` where no encoder tells.

    Of several padded inputs, such as a source and its target, what is padding in all of them.

    Raises:
        ValueError: these differ in their length T.
    """
    masks: dict[str, np.ndarray] = {}
    for name, layer in encoders(model).items():
        array = arrays[name] if isinstance(arrays, dict) else arrays
        if layer is not None and layer.supports_masking and np.ndim(array) == 2:
            mask = layer.compute_mask(array, None)
            if mask is not None:
                masks[name] = np.asarray(ops.convert_to_numpy(mask))
    if len({mask.shape for mask in masks.values()}) > 1:
        shapes = ", ".join(f"{name} {mask.shape}" for name, mask in masks.items())
        raise ValueError(
            f"The inputs that are padded must be padded to the same length. Received: {shapes}"
        )
    return np.any([*masks.values()], axis=0) if masks else None


def predict(
    model: keras.Model, raw: Any, *, batch_size: int = 32, max_bytes: int = reading.MAX_BYTES
) -> Any:
    """Returns named answers to raw input.

    ```python
    model = ka.load_model("intents.keras")
    ka.predict(model, ["what is my balance"])[0].label  # "balance"
    ```

    Several threads may call it at once, and the model stays as it was, whatever is raised. (Of
    `model.predict`, which is Keras's, neither is true on JAX.)

    Args:
        model: functional, whose first layers encode and whose last one decodes, as those of the
            zoo do, see `keras_attention.roles`.
        raw: as `encode` takes it; or one text or path, or a mapping with one for each input, for
            one answer: `{"image": Path("shapes.png"), "question_ids": "what color is the shape?"}`.
        batch_size: rows computed at a time.
        max_bytes: what an `.npz` or `.csv` file may take in memory.

    Returns:
        A list with what the last layer says of each row: an `Answer` of a classifier, pairs
        `(word, Answer)` of a tagger, with `.entities` of one that finds such; a `Span` of a model
        that reads questions, a `Filled` of a masked language model, a list of answers per node of
        a graph, numbers by name of a regression. Rows of the outputs, where no layer decodes; or
        several outputs in their structure.

    Raises:
        FileNotFoundError, TypeError, ValueError: as `encode` does.
    """
    inputs = encoders(model)
    raw = as_rows(model, raw)
    single = _is_one(raw) and not (isinstance(raw, os.PathLike) and reading.holds_batch(Path(raw)))
    if single:
        raw = [raw]
    elif isinstance(raw, Iterator):
        raw = list(raw)
    if isinstance(raw, Mapping) and set(raw) == set(inputs) and all(map(_is_one, raw.values())):
        single, raw = True, {name: [value] for name, value in raw.items()}
    last = decoder(model)
    texts = token_answers.find_texts(model, inputs, raw)
    if texts is not None:
        answers = [*texts.answer(model, encode(model, texts.raw), batch_size)]
        return answers[0] if single else answers
    arrays = encode(model, raw, max_bytes=max_bytes)
    lengths = _find_lengths(model, inputs, arrays) if len(arrays) else None
    if lengths is None:
        outputs = inference.outputs(model, arrays, batch_size=batch_size)
    else:
        ids = _round_up(next(iter(inputs.values())), arrays)
        outputs = inference.outputs_by_length(model, ids, lengths, batch_size=batch_size)
    if last is None and not isinstance(outputs, np.ndarray):  # several, in their structure
        return keras.tree.map_structure(lambda x: x[0] if single else x, outputs)
    first = keras.tree.flatten(outputs)[0]
    answers = last.decode(first) if len(first) and hasattr(last, "decode") else list(first)
    return answers[0] if single else answers


def as_rows(model: keras.Model, raw: Any) -> Any:
    """Returns the rows of a frame of pandas as a model of texts takes them; others as they are.

    Raises:
        ValueError: the frame has other columns than the model takes.
    """
    if not hasattr(raw, "itertuples") or _kinds(encoders(model)) != {"texts"}:
        return raw
    columns = list(map(str, raw.columns))
    if set(columns) == set(encoders(model)):
        return {name: raw[name].tolist() for name in columns}
    rows = list(raw.itertuples(index=False, name=None))
    if len(columns) not in (1, 2):
        raise ValueError(
            f"A frame for the model {model.name!r} must have one column of texts, or two for pairs "
            f"of them. Received: columns {', '.join(columns)}. Select them: frame[['a', 'b']]"
        )
    return rows if len(columns) == 2 else [text for (text,) in rows]


def _find_lengths(model: keras.Model, inputs: Mapping[str, Any], arrays: Any) -> np.ndarray | None:
    """Returns the lengths `(B,)` of encoded texts, without padding.

    `None` where padding must stay: the model reads more than one text, or takes one length alone,
    or has outputs for each token.
    """
    layer = next(iter(inputs.values()))
    sizes = [*model.inputs[0].shape[1:2], *(n for x in model.outputs for n in x.shape[1:])]
    if len(inputs) > 1 or roles.encodes(layer) != "texts" or not layer.supports_masking:
        return None
    if sizes[0] is not None or None in sizes[1:]:
        return None
    visible = (arrays.reshape(*arrays.shape[:2], -1) != roles.padding_id(layer)).any(axis=-1)
    return visible.shape[1] - np.argmax(visible[:, ::-1], axis=1)


def _round_up(encoder: Any, ids: np.ndarray) -> np.ndarray:
    """Returns ids `(B, T)` or `(B, T, ...)` with T rounded up, where the encoder may go so far."""
    most = getattr(encoder, "max_length", None) or 0
    return pad_ids(ids, min(kernels.round_length(ids.shape[1]), most), encoder)


def pad_ids(ids: np.ndarray, length: int, encoder: Any) -> np.ndarray:
    """Returns ids `(B, T)` or `(B, T, ...)`, padded to `length` as the encoder pads; no shorter."""
    more = length - ids.shape[1]
    if more <= 0:
        return ids
    padding = [(0, more if axis == 1 else 0) for axis in range(ids.ndim)]
    return np.pad(ids, padding, constant_values=roles.padding_id(encoder))


def _read(path: Path, model: keras.Model, max_bytes: int) -> Any:
    """Returns the raw values that a file has for all inputs together."""
    inputs = encoders(model)
    if not reading.holds_batch(path):
        raise ValueError(
            f"`raw` must be a list of raw values, an .npz or a .csv file. Received: {path}"
        )
    if path.suffix.lower() == ".npz":
        return reading.arrays(path, inputs, max_bytes)
    table = reading.table(path, max_bytes)
    names = getattr(decoder(model), "names", ())
    return table if any(inputs.values()) else reading.series(table, model.inputs[0], names)


def _cut_into_words(inputs: Mapping[str, Any], raw: Any) -> Any:
    """Returns texts as lists of words, where a tagger's encoders must all see the same ones."""
    taggers = [layer for layer in inputs.values() if roles.cuts_words(layer)]
    if not taggers or isinstance(raw, (Mapping, os.PathLike)):
        return raw
    if (
        batches.ids("raw", raw, "(B, T)" if getattr(raw, "ndim", 2) < 3 else "(B, T, C)")
        is not None
    ):
        return raw
    rows = enumerate(batches.items("raw", raw, "texts"))
    return [batches.words(text, row, taggers[0].split) for row, text in rows]


def _kinds(inputs: Mapping[str, Any]) -> set[str | None]:
    """Returns the kinds of raw values that the encoders take: texts, images and the like."""
    return {roles.encodes(layer) for layer in inputs.values() if layer is not None}


def _is_one(value: Any) -> bool:
    """Whether it is one raw value and not a batch."""
    return isinstance(value, (str, os.PathLike))


def _short(value: Any) -> str:
    text = f"{type(value).__name__} {value!r}"
    return text if len(text) < 200 else f"{text[:200]}..."
