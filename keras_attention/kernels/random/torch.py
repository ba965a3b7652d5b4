"""Random numbers for PyTorch, and its own generator."""

import base64
import math
from collections.abc import Sequence

import keras
import numpy as np
import torch

from keras_attention.kernels.runtime.torch import becomes_graph, on_cpu
from keras_attention.types import Float, Int, Tensor


def apply_dropout(
    weights: Float[Tensor, "..."], rate: float, seed: keras.random.SeedGenerator
) -> Float[Tensor, "..."]:
    """Returns `weights` with dropout.

    On a CPU drawing takes most of the time, so `dropout_factors` takes 16 bits for each.
    """
    if becomes_graph() or not on_cpu(weights):
        return keras.random.dropout(weights, rate, seed=seed)
    return weights * dropout_factors(seed.next(), 0, weights.shape, rate)


def dropout_factors(
    seed: Int[Tensor, "2"], index: int | Int[Tensor, ""], shape: Sequence[int], rate: float
) -> Float[Tensor, "..."]:
    """Returns 0 with probability `rate`, else `1 / (1 - rate)`, by a Keras seed and an integer.

    Four share 64 random bits: the rate is rounded to a multiple of 2^-16.
    """
    seeds = tuple(int(part) for part in (*seed, index))
    generator = torch.Generator().manual_seed(hash(seeds))
    number = math.prod(shape)
    bits = torch.empty((number + 3) // 4, dtype=torch.int64)
    bits = bits.random_(-(2**63), None, generator=generator).view(torch.int16)
    values_to_drop = min(round(rate * 2**16), 2**16 - 1)
    keep = bits[:number].view(shape) >= values_to_drop - 2**15
    return keep.to(torch.float32).mul_(1 / (1 - values_to_drop / 2**16))


def xor(x: Int[Tensor, "..."], y: Int[Tensor, "..."]) -> Int[Tensor, "..."]:
    """Returns the bits in which `x` and `y` differ, of integers that are not negative."""
    if torch.jit.is_tracing():  # the export to ONNX knows it of booleans alone
        return x + y - 2 * (x & y)
    return x ^ y


def random_state() -> str | None:
    """Returns the state of PyTorch's own generator as text."""
    return base64.b64encode(torch.get_rng_state().numpy().tobytes()).decode()


def set_random_state(state: str) -> None:
    """Sets what `random_state` returned.

    Raises:
        ValueError: PyTorch would read outside of its 624 numbers, which it does not check.
    """
    content = np.frombuffer(base64.b64decode(state, validate=True), "uint8")
    if content.size == torch.get_rng_state().numel():
        left, position = content[8:12].view("int32")[0], content[16:24].view("uint64")[0]
        fresh = left == 1 and position == 0  # seeded, no number drawn
        if not fresh and not (1 <= left <= 624 and position == 625 - left):
            raise ValueError(f"position {position} with {left} numbers left of PyTorch's 624")
    torch.set_rng_state(torch.from_numpy(content.copy()))
