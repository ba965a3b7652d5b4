"""Files with an input of the test data, to ask a trained model about."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_attention import roles
from keras_attention.prediction import encoders
from keras_attention.saving.files import complete

_ROWS = 3  # of a table


def write(model: keras.Model, x: Any, folder: Path) -> None:
    """Writes `example.png`, `.wav`, `.csv` or `.npz` to a folder: the first of the raw inputs `x`,
    or the first rows, where images, recordings, a table or several arrays are what it reads."""
    layers = {roles.encodes(layer): name for name, layer in encoders(model).items()}
    for kind, (suffix, draw) in _KINDS.items():
        if kind in layers:
            named = x[layers[kind]] if isinstance(x, Mapping) and layers[kind] in x else x
            with complete(folder / f"example{suffix}") as temporary:
                draw(encoders(model)[layers[kind]], named, temporary)
    if set(layers) == {None} and isinstance(x, Mapping):
        with complete(folder / "example.npz") as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **{name: array[:1] for name, array in x.items()})


def _image(layer: Any, images: np.ndarray, path: Path) -> None:
    from PIL import Image

    pixels = layer.encode(images[:1])[0].astype(np.uint8)  # files are read
    pixels = pixels[..., 0] if pixels.shape[2:] == (1,) else pixels
    Image.fromarray(pixels).save(path, format="PNG")


def _recording(layer: Any, recordings: Any, path: Path) -> None:
    import soundfile

    (waveform,) = layer.encode(recordings[:1])  # files are read
    soundfile.write(path, waveform[~np.isnan(waveform)], layer.sampling_rate, format="WAV")


def _table(layer: Any, rows: Any, path: Path) -> None:
    names = list(rows) if isinstance(rows, Mapping) else layer.row_names
    columns = rows.values() if isinstance(rows, Mapping) else np.transpose(rows)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(zip(*(column[:_ROWS] for column in columns), strict=True))


_KINDS: dict[str, tuple[str, Callable[..., None]]] = {
    "images": (".png", _image),
    "recordings": (".wav", _recording),
    "tables": (".csv", _table),
}
