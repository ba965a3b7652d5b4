"""Random numbers of the samplers, the same on every backend."""

from keras import ops

from keras_attention.ops import hashing
from keras_attention.types import Float, Int, Tensor


def gumbel(
    seed: Int[Tensor, ""], step: Int[Tensor, ""], batch: int, size: int
) -> Float[Tensor, "batch size"]:
    """Returns standard Gumbel noise in float32, by two integers, `seed` and `step`.

    The largest of logits and such noise is a draw from their softmax. The bits are a hash of seed,
    step, row and column, so that no generator has to be carried along.
    """
    rows, columns = ops.arange(batch)[:, None], ops.arange(size)[None]
    bits = hashing.bits(seed, step, rows, columns)  # (batch, size)
    uniform = (ops.cast(bits, "float32") + 0.5) * 2.0**-24  # in (0, 1)
    return -ops.log(-ops.log(uniform))
