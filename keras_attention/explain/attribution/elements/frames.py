"""Frames of recordings."""

from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from keras_attention import roles
from keras_attention.explain.attribution.elements.base import Batch, Elements
from keras_attention.explain.maps import graph


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

    def _remove(self, array: np.ndarray, removed: np.ndarray, rows: Any) -> np.ndarray:
        samples = np.repeat(removed, self.hop, axis=1)[:, : array.shape[1]]
        silent = np.where(np.isnan(array), array, 0)  # padding stays
        samples = np.pad(samples, ((0, 0), (0, array.shape[1] - samples.shape[1])))
        return np.where(samples, silent, array).astype(array.dtype)


def framing(model: keras.Model, name: str) -> roles.FrameCutter | None:
    """Returns the layer that cuts the waveforms of an input to frames, or `None`."""
    layers = (layer for layer, _ in graph.layers_behind(model, name))
    return next((layer for layer in layers if roles.cuts(layer) == "frames"), None)


def frames(model: keras.Model, batch: Batch, name: str) -> Frames:
    """Returns the frames of an input of waveforms, or patches of frames where a layer cuts them.

    Args:
        model: functional, which cuts the input to frames.
        batch: of the input.
        name: of the input.
    """
    waveforms = batch.array
    layer = framing(model, name)
    assert layer is not None
    hop, bands = layer.hop_length, 1
    rows = -(-waveforms.shape[1] // hop)
    for cutting, _ in graph.layers_behind(model, name):
        if roles.cuts(cutting) == "patches":
            rows, bands = cutting.grid((None, rows, layer.num_mel_bins, None))
            hop *= cutting.steps[0]
            break
    real: np.ndarray = ~np.isnan(waveforms[:, : rows * hop])
    real = np.pad(real, ((0, 0), (0, rows * hop - real.shape[1])))
    present = np.any(real.reshape(len(waveforms), rows, hop), axis=-1)
    seconds = [f"{i * hop / layer.sampling_rate:.2f} s" for i in range(rows)]
    labels = [seconds] * len(waveforms)
    return Frames(batch.inputs, batch.name, present, labels, hop=hop, bands=bands)
