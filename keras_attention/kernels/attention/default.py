"""Parts of attention in `keras.ops`."""

from collections.abc import Callable, Sequence

from keras import ops

from keras_attention.kernels import runtime
from keras_attention.kernels.compilation import recompute
from keras_attention.types import Bool, Float, Int, Tensor

_CHUNK = 16  # queries in a chunk where S is not known


def split_heads(x: Float[Tensor, "B T N*H"], head_dim: int) -> Float[Tensor, "B N T H"]:
    """Returns heads of the size `head_dim`."""
    batch, length, width = ops.shape(x)
    x = ops.reshape(x, (batch, length, width // head_dim, head_dim))
    return ops.transpose(x, (0, 2, 1, 3))


def merge_heads(x: Float[Tensor, "B N T H"]) -> Float[Tensor, "B T N*H"]:
    """Returns the heads side by side."""
    batch, heads, length, size = ops.shape(x)
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (batch, length, heads * size))


def split_blocks(x: Float[Tensor, "B N T H"], size: int) -> Sequence[Float[Tensor, "B N size H"]]:
    """Returns `x` in blocks of `size` along T; the last one may be smaller."""
    return [x[:, :, start : start + size] for start in range(0, x.shape[2], size)]


def hides_padding(mask: Bool[Tensor, "B T"]) -> bool:
    """Returns whether padding is known to be on the right alone, where an order hides it."""
    return False  # a graph takes any mask


def spans(
    x: Float[Tensor, "B N S H"], size: int
) -> Callable[[int, int], Float[Tensor, "B N size H"]]:
    """Returns a function of `start`, a multiple of `size`, and `stop`: that span of `x`.

    Put together of blocks, its gradient is of its size; that of a slice has the size of `x`.
    """
    blocks = split_blocks(x, size)
    return lambda start, stop: ops.concatenate(blocks[start // size : -(-stop // size)], axis=2)


def take_columns(
    data: Float[Tensor, "B N T C"], columns: Int[Tensor, "T S"]
) -> Float[Tensor, "B N T S"]:
    """Returns of each row of `data` its own `columns`, which must be inside."""
    shape = (*ops.shape(data)[:2], *ops.shape(columns))
    return ops.take_along_axis(data, ops.broadcast_to(columns[None, None], shape), axis=-1)


def linear_attention(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K S H"],
    value: Float[Tensor, "B K S H"],
    mask: Bool[Tensor, "B S"] | None,
    *,
    feature_map: str,
    causal: bool,
    plain: Callable[..., Float[Tensor, "B N T H"]],
) -> Float[Tensor, "B N T H"]:
    """Returns `plain(query, key, value)`: linear attention of that mask and feature map."""
    return plain(query, key, value)


def additive_scores(
    query: Float[Tensor, "... T U"],
    key: Float[Tensor, "... S U"],
    vector: Float[Tensor, "... U"],
    activation: Callable[[Tensor], Tensor] | None = None,
) -> Float[Tensor, "... T S"]:
    """Returns `vector . activation(q_t + k_s)`; see `ops.additive`.

    For large T x S x U the queries go in chunks, row after row of the batch, recomputed in the
    backward pass: only one chunk of the hidden layer is ever held, and on a CPU it stays in its
    cache. The sum over U is a matrix product; as a reduction it takes twice as long.
    """
    *lead, length, units = ops.shape(query)
    key_length = ops.shape(key)[-2]
    activate = activation or ops.tanh

    def score_chunk(query: Tensor, key: Tensor, vector: Tensor) -> Tensor:
        hidden = activate(query[..., :, None, :] + key[..., None, :, :])
        if len(vector.shape) > 1:
            return ops.sum(hidden * vector[..., None, None, :], axis=-1)
        flat = ops.reshape(hidden, (-1, units))
        return ops.reshape(ops.matmul(flat, vector[:, None]), ops.shape(hidden)[:-1])

    chunk = _chunk_length(query.shape[-2], key.shape[-2], units)
    if chunk is None:
        return score_chunk(query, key, vector)

    # (rows, chunks, C, U) queries; the last chunk is filled up.
    chunks = (length + chunk - 1) // chunk
    padding = [[0, 0]] * len(lead) + [[0, chunks * chunk - length], [0, 0]]
    query = ops.reshape(ops.pad(query, padding), (-1, chunks, chunk, units))
    key = ops.reshape(key, (-1, key_length, units))
    vector = ops.reshape(ops.broadcast_to(vector, (*lead, units)), (-1, units))
    score_again = recompute(score_chunk)
    scores = ops.map(
        lambda row: ops.map(lambda q: score_again(q, row[1], row[2]), row[0]), (query, key, vector)
    )
    scores = ops.reshape(scores, (*lead, chunks * chunk, key_length))
    return scores[..., :length, :]


def _chunk_length(
    length: int | Tensor | None, key_length: int | Tensor | None, units: int | None
) -> int | None:
    """Returns how many queries go at once, or `None` for all of them."""
    if any(not isinstance(size, int | None) for size in (length, key_length)):
        return None  # symbols of an export, or tensors of a trace, which keeps the chunks it saw
    if key_length is None or units is None:
        chunk = _CHUNK
    else:
        chunk = max(1, runtime.chunk_numbers() // max(1, key_length * units))
    return None if length is not None and length <= chunk else chunk
