"""What an explanation gives a number each: tokens, patches, frames or nodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import keras
import numpy as np

from keras_attention import prediction
from keras_attention.explain.maps.attention_maps import arrays
from keras_attention.layers import LogMelSpectrogram, PatchEmbedding

Arrays = Any  # an array, or arrays by the names of inputs


@dataclass(frozen=True)
class Elements:
    """The parts of a batch of inputs that a model may read or not; made by `elements`.

    Attributes:
        inputs: the batch, as the model takes it.
        name: of the input that has them; `None` if the model has one input.
        present: `(B, E)` boolean, false for padding.
        labels: what to write at each, E or fewer for each input, as padding at the end needs
            none; nothing where they are a grid.
        grid: rows and columns of a grid of E; (0, 0) where they are a sequence.
        beside: names of inputs that say more of the same elements, `(B, E, ...)`.
    """

    inputs: Arrays
    name: str | None
    present: np.ndarray
    labels: Sequence[Sequence[str]] = ()
    grid: tuple[int, int] = (0, 0)
    beside: tuple[str, ...] = ()

    kind: ClassVar[str]

    @property
    def array(self) -> np.ndarray:
        """The input that has them."""
        return self.inputs if self.name is None else self.inputs[self.name]

    def without(self, removed: np.ndarray, rows: Any = slice(None)) -> Arrays:
        """The inputs of some `rows` of the batch with elements taken away.

        Args:
            removed: `(rows, E)` boolean.
            rows: indices, which may repeat; all rows if left out.
        """
        removed = np.asarray(removed, bool) & self.present[rows]
        if self.name is None:
            return self._removed(self.inputs[rows], removed, rows)
        inputs = {name: array[rows] for name, array in self.inputs.items()}
        own = (self.name, *self.beside)
        return {**inputs, **{name: self._removed(inputs[name], removed, rows) for name in own}}

    def given(self, array: Any) -> Arrays:
        """The inputs with another array in place of `array`."""
        return array if self.name is None else {**self.inputs, self.name: array}

    def baseline(self) -> np.ndarray:
        """`array` with all elements taken away."""
        return self._removed(self.array, self.present, slice(None))

    def at_elements(self, values: np.ndarray) -> np.ndarray:
        """Values of the shape of `array`, summed up in each element: `(B, E)`."""
        raise NotImplementedError

    def of_tokens(self, scores: np.ndarray) -> np.ndarray:
        """Scores `(B, tokens)` of what the model's attention reads, as scores of elements."""
        if scores.shape[1] != self.present.shape[1]:
            raise ValueError(
                f"The model's attention reads {scores.shape[1]} positions, and the input has "
                f"{self.present.shape[1]} {self.kind}: they cannot be told apart. Use a method "
                "that needs no attention, such as `integrated_gradients`."
            )
        return scores

    def _removed(self, array: np.ndarray, removed: np.ndarray, rows: Any) -> np.ndarray:
        raise NotImplementedError


@dataclass(frozen=True)
class Tokens(Elements):
    """Ids `(B, T)`. What is taken away becomes padding, which the model's masks hide."""

    kind: ClassVar[str] = "tokens"
    replacement: int = 0

    def at_elements(self, values: np.ndarray) -> np.ndarray:
        return values.sum(axis=tuple(range(2, values.ndim)))

    def _removed(self, array: np.ndarray, removed: np.ndarray, rows: Any) -> np.ndarray:
        removed = removed.reshape(*removed.shape, *[1] * (array.ndim - 2))
        return np.where(removed, self.replacement, array).astype(array.dtype)


@dataclass(frozen=True)
class Patches(Elements):
    """Cells of images `(B, height, width, C)`, row by row."""

    kind: ClassVar[str] = "patches"
    filling: np.ndarray = field(default_factory=lambda: np.zeros(()))  # of what is taken away
    edges: tuple[np.ndarray, ...] = ()  # pixels where rows and columns begin, and the end

    def at_elements(self, values: np.ndarray) -> np.ndarray:
        sums = values.sum(axis=-1)  # (B, height, width)
        for axis, edges in enumerate(self.edges, 1):
            sums = np.add.reduceat(sums, edges[:-1], axis=axis)
        return sums.reshape(len(sums), -1)

    def cells(self, scores: np.ndarray) -> np.ndarray:
        """Scores `(B, E)` at pixels: `(B, height, width)`."""
        scores = scores.reshape(-1, *(len(edges) - 1 for edges in self.edges))
        for axis, edges in enumerate(self.edges, 1):
            scores = np.repeat(scores, np.diff(edges), axis=axis)
        return scores

    def _removed(self, array: np.ndarray, removed: np.ndarray, rows: Any) -> np.ndarray:
        return np.where(self.cells(removed)[..., None], self.filling[rows], array)


@dataclass(frozen=True)
class Frames(Elements):
    """Stretches of `hop` samples of waveforms `(B, samples)`; silence where taken away."""

    kind: ClassVar[str] = "frames"
    hop: int = 1
    bands: int = 1  # patches of the spectrogram in a stretch

    def at_elements(self, values: np.ndarray) -> np.ndarray:
        length = self.present.shape[1] * self.hop
        values = np.pad(values, ((0, 0), (0, max(0, length - values.shape[1]))))[:, :length]
        return values.reshape(len(values), -1, self.hop).sum(axis=-1)

    def of_tokens(self, scores: np.ndarray) -> np.ndarray:
        stretches = scores.reshape(len(scores), -1, self.bands).sum(axis=-1)
        # Where the model pads to a multiple of its own, there is more than the recording.
        return super().of_tokens(stretches[:, : self.present.shape[1]])

    def _removed(self, array: np.ndarray, removed: np.ndarray, rows: Any) -> np.ndarray:
        samples = np.repeat(removed, self.hop, axis=1)[:, : array.shape[1]]
        silent = np.where(np.isnan(array), array, 0)  # padding stays
        samples = np.pad(samples, ((0, 0), (0, array.shape[1] - samples.shape[1])))
        return np.where(samples, silent, array).astype(array.dtype)


@dataclass(frozen=True)
class Nodes(Elements):
    """Features `(B, N, F)` of the nodes of graphs; zeros where taken away."""

    kind: ClassVar[str] = "nodes"

    def at_elements(self, values: np.ndarray) -> np.ndarray:
        return values.sum(axis=-1)

    def _removed(self, array: np.ndarray, removed: np.ndarray, rows: Any) -> np.ndarray:
        return np.where(removed[..., None], 0, array).astype(array.dtype)


def elements(
    model: keras.Model,
    inputs: Any,
    *,
    name: str | None = None,
    replacement: Any = None,
    grid: tuple[int, int] | None = None,
) -> Elements:
    """The tokens, patches, frames or nodes of a batch of inputs.

    Integers `(B, T)` are tokens, `(B, height, width, C)` are images of patches, `(B, samples)`
    are waveforms of frames, `(B, N, F)` are nodes or other vectors.

    Args:
        model: functional.
        inputs: a batch: arrays as the model takes them, or raw values as `ka.encode` does.
        name: of the input to be explained; of several the first.
        replacement: what stands for what is taken away: an id of tokens (padding by default, which
            masks hide); of images `"mean"` (of the image's channels, by default), `"blur"`, or a
            number.
        grid: rows and columns of patches, for images of models without a `PatchEmbedding`.

    Raises:
        ValueError: no such input, or it is of no kind that is known.
    """
    names = [tensor.name for tensor in model.inputs]
    given = arrays(model, inputs)
    given_arrays = given is inputs
    given = keras.tree.map_structure(_array, given)
    if isinstance(given, (list, tuple)) and len(names) > 1:
        given = dict(zip(names, given, strict=True))
    if len(names) == 1 or (isinstance(given, Mapping) and set(given) == set(names)):
        given = prediction.encode(model, given)  # arrays pass, and are checked
    if name is not None and name not in names:
        raise ValueError(f"`name` must be one of {', '.join(names)}. Received: name={name!r}")
    name = name or names[0]
    if isinstance(given, Mapping):
        given = {key: np.asarray(x) for key, x in given.items()}
        given = given[names[0]] if len(names) == 1 else given
    else:
        given = np.asarray(given)
    found = Elements(given, None if len(names) == 1 else name, np.ones((0, 0), bool))
    array = found.array
    if array.dtype.kind in "iu" and array.ndim == 2:
        texts = inputs.get(name) if isinstance(inputs, Mapping) else inputs
        if given_arrays or (isinstance(texts, np.ndarray) and texts.dtype.kind in "iu"):
            texts = None
        return _tokens(model, found, texts, name, 0 if replacement is None else replacement)
    if array.ndim == 4:
        return _patches(model, found, replacement, grid)
    audio = array.ndim == 2 and _inside(model, LogMelSpectrogram) is not None
    nodes = array.ndim == 3 and array.dtype.kind == "f"
    if (audio or nodes) and replacement is not None:
        raise ValueError(
            f"What is taken away of {'recordings' if audio else 'nodes'} becomes zeros. Received: "
            f"replacement={replacement!r}"
        )
    if audio:
        return _frames(model, found)
    if nodes:
        # Zeros are what a node is when it is taken away, as they are where graphs are padded.
        labels = _numbered(np.ones(array.shape[:2], bool))
        return Nodes(found.inputs, found.name, (array != 0).any(axis=-1), labels)
    raise ValueError(
        f"The input {name!r} must be ids (B, T), images (B, height, width, C), waveforms "
        f"(B, samples) of a model with a `LogMelSpectrogram`, or vectors (B, N, F). Received: "
        f"{array.dtype} of shape {array.shape}"
    )


def _tokens(model: keras.Model, found: Elements, texts: Any, name: str, replacement: Any) -> Tokens:
    """`texts` are those of the ids, if they are known."""
    array, encoders = found.array, prediction.encoders(model)
    if not isinstance(replacement, (int, np.integer)):
        raise ValueError(
            f"`replacement` of tokens must be an id. Received: replacement={replacement!r}"
        )
    present = array != 0
    encoder = encoders[name]
    labels = _numbered(present)
    if getattr(encoder, "has_vocabulary", False):
        if texts is None:
            vocabulary = encoder.vocabulary
            labels = [[vocabulary[i] if i else "" for i in row] for row in array]
        else:
            labels = [list(encoder.tokens(text)) for text in texts]
    beside = ()
    if isinstance(found.inputs, Mapping):
        beside = tuple(
            other
            for other, x in found.inputs.items()
            if other != name
            and x.dtype.kind in "iu"
            and x.ndim > 2
            and x.shape[:2] == array.shape
            and hasattr(encoders[other], "encode")
        )
    return Tokens(
        found.inputs, found.name, present, labels, replacement=int(replacement), beside=beside
    )


def _patches(
    model: keras.Model, found: Elements, replacement: Any, grid: tuple[int, int] | None
) -> Patches:
    array = found.array.astype(np.float32)
    sizes = array.shape[1:3]
    layer = _inside(model, PatchEmbedding)
    if grid is not None:
        edges = [
            np.linspace(0, size, n + 1).astype(int) for size, n in zip(sizes, grid, strict=True)
        ]
    elif layer is not None:
        edges = _cut(layer, sizes)
    else:
        raise ValueError(
            f"The model {model.name!r} has no `PatchEmbedding`. Pass the `grid` of its patches, "
            "rows and columns."
        )
    if replacement is None or (isinstance(replacement, str) and replacement == "mean"):
        filling = np.broadcast_to(array.mean(axis=(1, 2), keepdims=True), array.shape)
    elif isinstance(replacement, str) and replacement == "blur":
        filling = _blurred(array, max(array.shape[1:3]) / 8)
    elif isinstance(replacement, str):
        raise ValueError(
            "`replacement` of images must be 'mean', 'blur' or a number. Received: "
            f"replacement={replacement!r}"
        )
    else:
        filling = np.full_like(array, replacement)
    inputs = array if found.name is None else {**found.inputs, found.name: array}
    rows, columns = (len(begin) - 1 for begin in edges)
    present = np.ones((len(array), rows * columns), bool)
    return Patches(
        inputs, found.name, present, grid=(rows, columns), filling=filling, edges=tuple(edges)
    )


def _cut(layer: PatchEmbedding, sizes: tuple[int, ...]) -> list[np.ndarray]:
    """Where a layer's patches begin in images of these sizes, and where the last one ends.

    What patches share is cut in the middle; what is left over at the end, which the layer does
    not read, is of the last one.
    """
    seen = [known or size for known, size in zip(layer.input.shape[1:3], sizes, strict=True)]
    edges = []
    for axis, cells in enumerate(layer.grid((None, *seen, None))):
        side = step = 2 ** len(layer.stem or ())
        if layer.stem is None:
            side, step = layer.patch_size[axis], layer.stride[axis]
        begin = np.arange(cells + 1) * step + (side - step) // 2
        begin[0], begin[-1] = 0, seen[axis]
        edges.append(np.round(begin * sizes[axis] / seen[axis]).astype(int))
    return edges


def _frames(model: keras.Model, found: Elements) -> Frames:
    spectrogram = _inside(model, LogMelSpectrogram)
    array = found.array
    hop, bands = spectrogram.hop_length, 1
    rows = -(-array.shape[1] // hop)
    layer = _inside(model, PatchEmbedding)
    if layer is not None:
        rows, bands = layer.grid((None, rows, spectrogram.num_mel_bins, None))
        hop *= 2 ** len(layer.stem) if layer.stem else layer.stride[0]
    real: np.ndarray = ~np.isnan(array[:, : rows * hop])
    real = np.pad(real, ((0, 0), (0, rows * hop - real.shape[1])))
    present = np.any(real.reshape(len(array), rows, hop), axis=-1)
    seconds = [f"{i * hop / spectrogram.sampling_rate:.2f} s" for i in range(rows)]
    return Frames(found.inputs, found.name, present, [seconds] * len(array), hop=hop, bands=bands)


def _inside(model: keras.Model, kind: type) -> Any:
    """The first layer of a kind, in nested models too; or `None`."""
    layers = model._flatten_layers(include_self=False)
    return next((layer for layer in layers if isinstance(layer, kind)), None)


def _array(value: Any) -> Any:
    """A backend's tensor as an array, and everything else as it is."""
    return np.asarray(keras.ops.convert_to_numpy(value)) if keras.ops.is_tensor(value) else value


def _numbered(present: np.ndarray) -> list[list[str]]:
    """Numbers from 0 on, of those that are there."""
    return [
        [str(n) if there else "" for n, there in zip(row.cumsum() - 1, row, strict=True)]
        for row in present
    ]


def _blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of `(B, height, width, C)`, edges repeated."""
    reach = int(3 * sigma) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in (1, 2):
        padding = [(0, 0)] * 4
        padding[axis] = (reach, reach)
        padded = np.pad(images, padding, mode="edge")
        images = sum(
            weight * np.take(padded, np.arange(i, i + images.shape[axis]), axis=axis)
            for i, weight in enumerate(kernel)
        )
    return images.astype(np.float32)
