"""What disentangled attention computes of distances (https://arxiv.org/abs/2006.03654)."""

import math

from keras import ops

from keras_attention.types import Float, Int, Tensor


def distance_rows(
    distance: Int[Tensor, "..."], num_buckets: int | None, max_distance: int
) -> Int[Tensor, "..."]:
    """Returns the row of DeBERTa's relative embeddings for distances from query to key.

    He et al., 2021, equation 3: `i - j + k` between 0 and 2k - 1, with k = `max_distance`. With
    buckets, as in v2 and v3, k = `num_buckets`. The nearer half of them hold one distance each, and
    the others grow logarithmically up to `max_distance`.

    Args:
        distance: `i - j`.
        num_buckets: to either side, even; `None` for none.
        max_distance: from which on all distances have the outermost rows.
    """
    if num_buckets is None:
        return ops.clip(distance + max_distance, 0, 2 * max_distance - 1)
    # Logarithms are taken once of each distance, of which there are fewer than pairs.
    every = ops.arange(-max_distance, max_distance + 1, dtype="int32")
    exact = num_buckets // 2
    ratio = ops.cast(ops.maximum(ops.abs(every), exact), "float32") / exact
    steps = ops.log(ratio) * ((exact - 1) / math.log((max_distance - 1) / exact))
    # Of `max_distance - 1` it is a whole number, which rounding must not carry to the next.
    far = exact + ops.cast(ops.ceil(steps - 5e-5), "int32")
    bucket = ops.where(ops.abs(every) <= exact, every, ops.sign(every) * far)
    row = ops.clip(bucket + num_buckets, 0, 2 * num_buckets - 1)
    return ops.take(row, ops.clip(distance, -max_distance, max_distance) + max_distance, axis=0)


def take_diagonals(
    x: Float[Tensor, "B N T 2*T"], first: int | Int[Tensor, ""]
) -> Float[Tensor, "B N T T"]:
    """Returns T columns of each row, from `first` on in row 0 and one earlier in each further row.

    `first` is at most T. Reshaping takes a tenth of the time of gathering them, and on JAX so does
    its gradient.
    """
    batch, heads, length, columns = ops.shape(x)
    flat = ops.reshape(x, (batch, heads, length * columns))
    flat = flat[..., first : first + length * (columns - 1)]
    return ops.reshape(flat, (batch, heads, length, columns - 1))[..., :length]
