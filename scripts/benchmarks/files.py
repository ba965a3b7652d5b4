"""Saving and loading a model of 30 and of 300 MB, beside Keras's own functions.

Keras's write what has to be on the disk when they return to the system's memory alone, replace the
file that was there before the new one is whole, and load without looking at what they read.
"""

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras

import keras_attention as ka
from benchmarks.case import Case, Peer, Run
from zoo.models.encoder import encoder

SMALL = {"num_layers": 4, "hidden_dim": 256, "num_heads": 4, "intermediate_dim": 1024}
LARGE = {"num_layers": 6, "hidden_dim": 768, "num_heads": 12, "intermediate_dim": 3072}
SIZES = {
    "quick": {"1 MB": {**SMALL, "num_layers": 1, "hidden_dim": 64, "vocabulary_size": 100}},
    "cpu": {
        "30 MB": {**SMALL, "vocabulary_size": 16000},
        "300 MB": {**LARGE, "vocabulary_size": 40000},
    },
}
REACH = {"save": 1.3, "load": 1.1}


def cases(*, scale: str) -> Iterator[Case]:
    for size, settings in SIZES.get(scale, SIZES["cpu"]).items():
        for what, ours, theirs in (
            ("save", _save, partial(_save, by_keras=True)),
            ("load", _load, partial(_load, by_keras=True)),
        ):
            reach = {} if scale == "quick" else {"time": REACH[what]}
            yield Case(
                name=f"{what}, {size}",
                ours=partial(ours, size, settings),
                peers=[Peer(name="keras", make=partial(theirs, size, settings), reach=reach)],
            )


def _save(size: str, settings: dict[str, int], *, by_keras: bool = False) -> Run:
    model, path = _model(size, settings), _path(size, by_keras)
    return partial(model.save, path) if by_keras else partial(ka.save_model, model, path)


def _load(size: str, settings: dict[str, int], *, by_keras: bool = False) -> Run:
    _save(size, settings, by_keras=by_keras)()
    return partial(keras.saving.load_model if by_keras else ka.load_model, _path(size, by_keras))


_models: dict[str, keras.Model] = {}


def _model(size: str, settings: dict[str, int]) -> keras.Model:
    if size not in _models:
        _models.clear()  # one at a time, for they are large
        _models[size] = encoder(max_length=512, **settings)
    return _models[size]


def _path(size: str, by_keras: bool) -> Path:
    return Path(_temporary().name, f"{size}-{'keras' if by_keras else 'ours'}.keras")


@cache
def _temporary() -> Any:
    return TemporaryDirectory(prefix="benchmark-")
