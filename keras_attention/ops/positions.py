"""Positions: sinusoids, rotations, relative distances, buckets and slopes.

Angles are computed in float32: in bfloat16 neighbouring positions become the same row.
"""

import math
from collections.abc import Sequence

from keras import ops

from keras_attention.ops.precision import at_least_float32
from keras_attention.types import Float, Int, Tensor


def sinusoids(
    positions: Int[Tensor, "..."], dim: int, max_wavelength: float = 10_000.0
) -> Float[Tensor, "... dim"]:
    """Returns the sinusoidal encoding of Vaswani et al., 2017, section 3.5, in float32.

    Even channels are sines, odd ones cosines; an odd `dim` ends on a sine.

    Args:
        positions: of any shape.
        dim: number of channels.
        max_wavelength: the longest wavelength is 2 pi times this.
    """
    pairs = (dim + 1) // 2
    frequencies = [max_wavelength ** (-2.0 * i / dim) for i in range(pairs)]
    angles = _angles(positions, frequencies)
    waves = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)  # (..., pairs, 2)
    return ops.reshape(waves, (*ops.shape(positions), 2 * pairs))[..., :dim]


def rotary_frequencies(
    dim: int, max_wavelength: float = 10_000.0, scaling: str | None = None, factor: float = 1.0
) -> tuple[float, ...]:
    """Returns the angles per position of rotary embedding, `dim / 2` floats.

    Su et al., 2021 (https://arxiv.org/abs/2104.09864), equation 15. `scaling="linear"` divides
    positions by `factor` (https://arxiv.org/abs/2306.15595); `"ntk"` stretches the base by
    `factor ** (dim / (dim - 2))`, which keeps the highest frequency and divides the lowest by
    `factor` (NTK-aware interpolation, https://arxiv.org/abs/2309.00071, section 3.1).
    """
    if scaling == "ntk":
        max_wavelength = max_wavelength * factor ** (dim / (dim - 2))
    divisor = factor if scaling == "linear" else 1.0
    return tuple(max_wavelength ** (-i / dim) / divisor for i in range(0, dim, 2))


def rotate(
    x: Float[Tensor, "B N T H"],
    positions: Int[Tensor, " T"],
    frequencies: Sequence[float],
    interleaved: bool = False,
) -> Float[Tensor, "B N T H"]:
    """Rotates pairs of channels of `x` by `position * frequency`.

    The first `2 * len(frequencies)` channels turn, the others pass. Channel i is paired with
    channel i + len(frequencies), or with its neighbour if `interleaved`.
    """
    dim = 2 * len(frequencies)
    angles = _angles(positions, frequencies)  # (T, dim / 2)
    turned = at_least_float32(x[..., :dim])
    cos, sin = (ops.cast(f(angles), turned.dtype) for f in (ops.cos, ops.sin))
    if interleaved:
        a, b = turned[..., 0::2], turned[..., 1::2]
    else:
        a, b = turned[..., : dim // 2], turned[..., dim // 2 :]
    a, b = a * cos - b * sin, a * sin + b * cos
    if interleaved:
        turned = ops.reshape(ops.stack([a, b], axis=-1), ops.shape(turned))
    else:
        turned = ops.concatenate([a, b], axis=-1)
    turned = ops.cast(turned, x.dtype)
    return turned if x.shape[-1] == dim else ops.concatenate([turned, x[..., dim:]], axis=-1)


def relative_positions(
    query_positions: Int[Tensor, " T"], key_positions: Int[Tensor, " S"]
) -> Int[Tensor, "T S"]:
    """Returns key position minus query position."""
    return key_positions[None, :] - query_positions[:, None]


def relative_position_buckets(
    relative: Int[Tensor, "T S"], num_buckets: int, max_distance: int, bidirectional: bool
) -> Int[Tensor, "T S"]:
    """Returns T5's buckets (Raffel et al., 2020, https://arxiv.org/abs/1910.10683, section 2.1).

    Half of the buckets hold one distance each, the other half grow logarithmically up to
    `max_distance`; the last one takes everything beyond.

    Args:
        relative: key minus query.
        bidirectional: whether keys after the query get half of the buckets, or bucket 0.
    """
    buckets = ops.zeros_like(relative)
    if bidirectional:
        num_buckets //= 2
        buckets = ops.where(relative > 0, num_buckets, 0)
        distance = ops.abs(relative)
    else:
        distance = ops.maximum(-relative, 0)
    exact = num_buckets // 2
    ratio = ops.cast(ops.maximum(distance, exact), "float32") / exact
    steps = ops.log(ratio) / math.log(max_distance / exact) * (num_buckets - exact)
    far = ops.minimum(exact + ops.cast(steps, "int32"), num_buckets - 1)
    return ops.cast(buckets + ops.where(distance < exact, distance, far), "int32")


def alibi_slopes(num_heads: int) -> tuple[float, ...]:
    """Returns one slope per head.

    Press et al., 2022 (https://arxiv.org/abs/2108.12409), section 3: a geometric sequence from
    `2 ** (-8 / num_heads)`; for other than powers of two the sequence of the power below,
    filled up with every other slope of the power above.
    """
    power = 2 ** int(math.log2(num_heads))
    slopes = [2.0 ** (-8.0 / power * i) for i in range(1, power + 1)]
    extra = [2.0 ** (-4.0 / power * i) for i in range(1, 2 * (num_heads - power), 2)]
    return (*slopes, *extra)


def _angles(
    positions: Int[Tensor, "..."], frequencies: Sequence[float]
) -> Float[Tensor, "... pairs"]:
    # Frequencies are plain tuples: torch.compile traces neither NumPy's arrays nor Keras's lists.
    frequencies = ops.convert_to_tensor(frequencies, dtype="float32")
    return ops.multiply(ops.cast(positions, "float32")[..., None], frequencies)
