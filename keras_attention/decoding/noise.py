"""Random numbers by counting, the same on every backend."""

from typing import Any

import keras
import numpy as np
from keras import ops

# PyTorch has no products of uint32, and JAX no int64.
_DTYPE = "uint32" if keras.backend.backend() == "jax" else "int64"
_BITS = np.array(0xFFFFFFFF, _DTYPE)
_FACTORS = [(16, np.array(0x7FEB352D, _DTYPE)), (15, np.array(0x846CA68B, _DTYPE))]
_OFFSET = np.array(0x9E3779B9, _DTYPE)


def gumbel(seed: Any, step: Any, batch: int, size: int) -> Any:
    """Standard Gumbel noise `(batch, size)`, float32, by two integers, `seed` and `step`.

    The largest of logits and such noise is a draw from their softmax. The bits are a hash of seed,
    step, row and column, so that no generator has to be carried along.
    """
    rows = ops.arange(batch, dtype=_DTYPE)[:, None]
    columns = ops.arange(size, dtype=_DTYPE)[None]
    bits = _mixed(ops.cast(seed, _DTYPE) + ops.convert_to_tensor(_OFFSET))
    bits = _mixed(bits + ops.cast(step, _DTYPE))
    bits = _mixed(_mixed(bits + rows) + columns)  # (batch, size)
    uniform = (ops.cast(ops.right_shift(bits, 8), "float32") + 0.5) * 2.0**-24  # in (0, 1)
    return -ops.log(-ops.log(uniform))


def _mixed(x: Any) -> Any:
    """A bijection of 32 bits in which each bit of x changes about half of them: `lowbias32` of
    https://github.com/skeeto/hash-prospector."""
    x = ops.bitwise_and(x, _BITS)
    for shift, factor in _FACTORS:
        x = ops.bitwise_xor(x, ops.right_shift(x, shift))
        x = ops.bitwise_and(x * ops.convert_to_tensor(factor), _BITS)
    return ops.bitwise_xor(x, ops.right_shift(x, 16))
