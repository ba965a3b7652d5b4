"""Random bits by counting, the same on every backend."""

import keras
from keras import ops

from keras_attention import kernels
from keras_attention.types import Int, Tensor

# PyTorch has no products of uint32, and JAX no int64.
_DTYPE = "uint32" if keras.backend.backend() == "jax" else "int64"
_FACTORS = ((16, 0x7FEB352D), (15, 0x846CA68B))
_OFFSET = 0x9E3779B9


def bits(seed: Int[Tensor, "..."], *counters: Int[Tensor, "..."]) -> Int[Tensor, "..."]:
    """Returns 24 random bits as int32, by a seed and counters that broadcast with each other.

    They are a hash of all these integers, so that no generator has to be carried along.
    """
    mixed = _mix(ops.cast(seed, _DTYPE) + _number(_OFFSET))
    for counter in counters:
        mixed = _mix(mixed + ops.cast(counter, _DTYPE))
    return ops.cast(ops.right_shift(mixed, 8), "int32")


def _mix(x: Int[Tensor, "..."]) -> Int[Tensor, "..."]:
    """Returns a bijection of 32 bits in which each bit of `x` changes about half of them.

    It is `lowbias32` of https://github.com/skeeto/hash-prospector.
    """
    all_bits = _number(0xFFFFFFFF)
    x = ops.bitwise_and(x, all_bits)
    for shift, factor in _FACTORS:
        x = kernels.xor(x, ops.right_shift(x, shift))
        x = ops.bitwise_and(x * _number(factor), all_bits)
    return kernels.xor(x, ops.right_shift(x, 16))


def _number(value: int) -> Int[Tensor, ""]:
    # From a plain integer: torch.compile does not trace arrays of NumPy.
    return ops.convert_to_tensor(value, dtype=_DTYPE)
