"""What stands at the positions of a model's sequences, for each input of a batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_attention import prediction, roles
from keras_attention.explain.attribution.elements import (
    Elements,
    Frames,
    ImagePatches,
    elements,
)
from keras_attention.explain.attribution.elements.frames import framing
from keras_attention.explain.maps.stream import Stream
from keras_attention.explain.pages.image import Patches, Picture, Spectrogram

Item = str | Picture | None  # nothing where there is padding


class Positions:
    """Names of the positions of sequences, in each input of a batch.

    Args:
        model: functional.
        inputs: a batch, arrays or raw values.
        items: by the name of an input, for each row what stands at its elements, where it is known.
    """

    def __init__(
        self,
        model: keras.Model,
        inputs: Any,
        *,
        items: Mapping[str, Sequence[list[Item]]] | None = None,
    ) -> None:
        self.model = model
        self.encoders = prediction.encoders(model)
        self.elements: dict[str, Elements] = {}
        for tensor in model.inputs:
            try:
                self.elements[tensor.name] = elements(model, inputs, name=tensor.name)
            except ValueError:  # of no kind that has elements, such as columns of a table
                continue
        self._items = dict(items or {})
        self._images: dict[tuple[str, int], Patches] = {}
        self._spectrograms: dict[str, Any] = {}  # layers and what they make, by input
        self._pictures: dict[tuple[str, int, int], Spectrogram] = {}

    def of_input(self, name: str, row: int) -> list[Item]:
        """Returns what stands at the positions of an input; nothing if that is not known."""
        elements = self.elements.get(name)
        if isinstance(elements, Frames):
            return self._of_frames(name, elements, row, elements.bands)
        if elements is not None:
            return self.of_elements(name, row)
        return list(getattr(self.encoders.get(name), "names", ()))  # columns of a table

    def of_elements(self, name: str, row: int) -> list[Item]:
        """Returns what stands at the elements of an input, as explanations have them."""
        elements = self.elements[name]
        if name in self._items:
            return self._items[name][row]
        if isinstance(elements, Frames):
            return self._of_frames(name, elements, row, 1)
        if isinstance(elements, ImagePatches):
            return [self._image(name, elements, row)] * elements.present.shape[1]
        labels = [*elements.labels[row], *[""] * elements.present.shape[1]]
        return [
            label if there else None
            for label, there in zip(labels, elements.present[row], strict=False)
        ]

    def of_stream(self, stream: Stream, row: int, length: int) -> list[Item]:
        """Returns what stands at the `length` positions of a sequence, by numbers if that is not
        known."""
        items = self._of_parts(stream, row)
        if stream.name in self.elements and 0 < len(items) < length:  # the rest is padding
            items += [None] * (length - len(items))
        if len(items) == length:
            return items
        return [stream.name] if length == 1 else list(map(str, range(length)))

    def _of_parts(self, stream: Stream, row: int) -> list[Item]:
        if not stream.parts:
            return self.of_input(stream.name, row)
        first = stream.parts[0][1] or 0
        added = ["class", *(f"register {i}" for i in range(1, first))]  # by what puts tokens before
        items: list[Item] = [*added[: max(0, first)]]
        for part in _once(stream):
            items += self._of_parts(part, row)
        return items

    def _image(self, name: str, elements: ImagePatches, row: int) -> Patches:
        """Returns the image of a row: one object, by which its sequences are told to be one."""
        if (name, row) not in self._images:
            pixels = np.clip(elements.array[row], 0, 255).astype(np.uint8)
            self._images[name, row] = Patches(pixels, elements.grid)
        return self._images[name, row]

    def _of_frames(self, name: str, elements: Frames, row: int, bands: int) -> list[Item]:
        stretches = int(elements.present[row].sum())
        if not stretches:
            return []
        key = (name, row, bands)
        if key not in self._pictures:
            if name not in self._spectrograms:
                layer: Any = framing(self.model, name)
                several = len(self.model.inputs) > 1
                whole_input = self.model.inputs if several else self.model.inputs[0]
                whole = keras.Model(whole_input, layer.output)(elements.inputs, training=False)
                self._spectrograms[name] = (layer, keras.ops.convert_to_numpy(whole))
            layer, whole = self._spectrograms[name]
            length = stretches * (elements.hop // layer.hop_length)
            frames = whole[row].reshape(whole.shape[1], -1)[:length]
            labels = elements.labels[row][:stretches]
            self._pictures[key] = Spectrogram(frames, (stretches, bands), labels)
        return [self._pictures[key]] * (stretches * bands)


def _once(stream: Stream) -> list[Stream]:
    """Returns what a sequence was put together of, once where it is a part again: behind a series
    its last value may be repeated, before it is cut."""
    return list({part.name: part for part, _ in stream.parts}.values())


def name_stream(stream: Stream) -> str:
    """Returns the name of a sequence as a reader would say it: of what it is made."""
    if not stream.parts:
        return name_input_of(stream.name)
    names = [name_stream(part) for part in _once(stream)]
    return " + ".join(["class", *names] if (stream.parts[0][1] or 0) > 0 else names)


def name_input_of(name: str) -> str:
    """Returns the name of a model's input as a reader would say it."""
    named = {"token_ids": "tokens", "features": "nodes"}
    return named.get(name, name.removesuffix("_ids").replace("_", " "))


def name_example(model: keras.Model, inputs: Any, row: int) -> str:
    """Returns a line by which a reader knows an input of a batch: its text, or its number."""
    if isinstance(inputs, Mapping):
        texts = [
            str(values[row])
            for name, values in inputs.items()
            if roles.encodes(prediction.encoders(model).get(name)) == "texts"
            and isinstance(values[row], str)
        ]
        return " / ".join(texts) or f"input {row + 1}"
    text = inputs[row]
    return text if isinstance(text, str) else f"input {row + 1}"
