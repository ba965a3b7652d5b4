"""One step of `fit` of an encoder, beside a native loop and the same of Keras's layers."""

import importlib
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np

import keras_attention as ka
from benchmarks import measure, peers
from benchmarks.case import Case, Peer, Run

CLASSES, LAYERS = 10, 4


class Size(NamedTuple):
    """Sizes of an encoder and of its training; `steps` are those of the epoch that is timed."""

    length: int
    width: int
    heads: int
    intermediate: int
    batch: int
    steps: int


LARGE = Size(length=128, width=256, heads=8, intermediate=1024, batch=32, steps=2)
SMALL = Size(length=32, width=64, heads=4, intermediate=256, batch=32, steps=64)
SIZES = {
    "quick": [SMALL._replace(steps=8)],
    "cpu": [LARGE, SMALL],
    "gpu": [LARGE._replace(length=1024, width=1024, heads=16, intermediate=4096, steps=32), SMALL],
}
# Time at most, beside the native loop, and beside that of plain PyTorch.
REACH = {
    ("torch", LARGE): 1.05,
    ("torch", SMALL): 1.3,
    ("jax", LARGE): 0.75,
    ("jax", SMALL): 0.75,
    ("tensorflow", LARGE): 0.9,
    ("tensorflow", SMALL): 0.9,
}
REACH_OF_TORCH = {("jax", LARGE): 1.2}


def cases(*, scale: str) -> Iterator[Case]:
    for size in SIZES[scale]:
        x, y = _data(size)
        backend = keras.backend.backend()
        native = Peer(
            name="native loop",
            make=partial(_native, size, x, y),
            reach=_time(REACH.get((backend, size))),
        )
        of_torch = Peer(
            name="plain torch loop",
            make=partial(_native, size, x, y, library="torch"),
            library="torch",
            reach=_time(REACH_OF_TORCH.get((backend, size))),
        )
        of_keras = Peer(
            name="keras layers", make=partial(_fit, _keras_block, keras.optimizers.Adam, size, x, y)
        )
        yield Case(
            name=f"{LAYERS} layers, B{size.batch} T{size.length} D{size.width} H{size.heads}",
            ours=partial(_fit, _our_block, ka.optimizers.Adam, size, x, y),
            peers=[native, *([] if backend == "torch" else [of_torch]), of_keras],
            steps=size.steps,
        )


def _time(bound: float | None) -> dict[str, float]:
    return {"time": bound} if bound else {}


def _data(size: Size) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    examples = size.batch * size.steps
    x = random.standard_normal((examples, size.length, size.width), dtype="float32")
    return x, np.arange(examples, dtype="int32") % CLASSES


def _fit(
    block: Callable[[Any, Size], Any],
    optimizer: type[keras.optimizers.Optimizer],
    size: Size,
    x: np.ndarray,
    y: np.ndarray,
) -> Run:
    """One epoch of `fit` of an encoder made of such blocks."""
    inputs = h = keras.Input((size.length, size.width))
    for _ in range(LAYERS):
        h = block(h, size)
    logits = keras.layers.Dense(CLASSES)(keras.layers.GlobalAveragePooling1D()(h))
    model = keras.Model(inputs, logits)
    model.compile(optimizer(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def epoch() -> measure.Elapsed:
        clock = Clock()
        history = model.fit(x, y, batch_size=size.batch, verbose=0, callbacks=[clock]).history
        _require_finite(history["loss"][-1])
        return measure.Elapsed(clock.seconds)

    return epoch


class Clock(keras.callbacks.Callback):
    """Seconds of the steps of an epoch alone: `fit` also prepares and cleans up, once."""

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if batch == 0:
            self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.seconds = time.perf_counter() - self.start


def _our_block(h: Any, size: Size) -> Any:
    return ka.layers.TransformerBlock(size.heads, size.intermediate)(h)


def _keras_block(h: Any, size: Size) -> Any:
    layers = keras.layers
    x = layers.LayerNormalization(epsilon=1e-5)(h)
    h = layers.Add()([h, layers.MultiHeadAttention(size.heads, size.width // size.heads)(x, x)])
    x = layers.LayerNormalization(epsilon=1e-5)(h)
    x = layers.Dense(size.width)(layers.Dense(size.intermediate, activation="gelu")(x))
    return layers.Add()([h, x])


def _native(size: Size, x: np.ndarray, y: np.ndarray, *, library: str | None = None) -> Run:
    """An epoch of a loop of the backend, or of another `library`."""
    native = importlib.import_module(f"benchmarks.peers.{library}") if library else peers
    epoch = native.encoder_epoch(
        x,
        y,
        batch_size=size.batch,
        layers=LAYERS,
        heads=size.heads,
        intermediate=size.intermediate,
    )
    return lambda: _require_finite(epoch())


def _require_finite(loss: float) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(f"The loss is {loss}")
