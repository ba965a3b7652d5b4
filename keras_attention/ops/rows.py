"""Some rows of a tensor."""

import numpy as np
from keras import ops


def take(x, rows, axis=-2):
    """The `rows` of a mask or bias along an axis, unless it broadcasts there; `None` stays."""
    return x if x is None or x.shape[axis] == 1 else ops.take(x, rows, axis=axis)


def put(x, rows, replacement, *, axis):
    """`x` with `replacement` in place of its own `rows`, along an axis of known length."""
    length = x.shape[axis]
    place = np.zeros(length, np.int32)
    place[rows] = np.arange(len(rows))
    chosen = np.isin(np.arange(length), rows)
    chosen = chosen.reshape(length, *[1] * (len(x.shape) - axis - 1))
    return ops.where(chosen, ops.take(replacement, place, axis=axis), x)
