"""One step of Adam alone on the weights of a BERT, beside PyTorch's own and Keras's."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import keras
import numpy as np

import keras_attention as ka
from benchmarks import peers
from benchmarks.case import Case, Peer, Run

# Vocabulary, width, layers; of BERT-small on a CPU, of BERT-base on a GPU.
SIZES = {"quick": (50, 16, 1), "cpu": (30522, 512, 4), "gpu": (30522, 768, 12)}
RULES = {
    "Adam": ("Adam", {}),
    "AdamW clipped": ("AdamW", {"weight_decay": 0.01, "global_clipnorm": 1.0}),
}
REACH = {True: {"time": 1.1}, False: {"time": 0.3}}  # of Adam beside torch.optim, fused or not


def cases(*, scale: str) -> Iterator[Case]:
    shapes = _shapes(*SIZES[scale])
    numbers = sum(map(np.prod, shapes)) / 1e6
    for name, (rule, settings) in RULES.items():
        judged = keras.backend.backend() == "torch" and scale == "cpu" and name == "Adam"
        yield Case(
            name=f"{name}, {numbers:.1f} M weights",
            ours=partial(_of_keras, ka.optimizers, rule, settings, shapes),
            peers=[
                *(
                    Peer(
                        name="torch.optim, fused" if fused else "torch.optim",
                        library="torch",
                        make=partial(_of_torch, rule, settings, shapes, fused=fused),
                        reach=reach if judged else {},
                    )
                    for fused, reach in REACH.items()
                ),
                Peer(
                    name="keras",
                    make=partial(_of_keras, keras.optimizers, rule, settings, shapes),
                ),
            ],
            memory=False,
        )


def _shapes(vocabulary: int, width: int, layers: int) -> list[tuple[int, ...]]:
    projection = [(width, width), (width,)]
    network = [(width, 4 * width), (4 * width,), (4 * width, width), (width,)]
    norm = [(width,), (width,)]
    block = [*projection * 4, *norm, *network, *norm]
    return [(vocabulary, width), (512, width), (2, width), *norm, *block * layers]


def _arrays(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.standard_normal(shape, dtype="float32") * 0.02 for shape in shapes]


def _of_keras(
    module: Any, rule: str, settings: dict[str, float], shapes: list[tuple[int, ...]]
) -> Run:
    """A step of an optimizer of `module`, as the backend's trainer takes it."""
    variables = [keras.Variable(array, dtype="float32") for array in _arrays(shapes)]
    gradients = [keras.ops.convert_to_tensor(array) for array in _arrays(shapes)]
    optimizer = getattr(module, rule)(**settings)
    optimizer.build(variables)
    return peers.optimizer_step(optimizer, variables, gradients)


def _of_torch(
    rule: str, settings: dict[str, float], shapes: list[tuple[int, ...]], *, fused: bool
) -> Run:
    from benchmarks.peers import torch_optim  # an optional library on the other backends

    return torch_optim.step(rule, settings, _arrays(shapes), fused=fused)
