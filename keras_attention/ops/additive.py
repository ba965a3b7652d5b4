"""Additive attention scores, in bounded memory."""

from keras import ops

from keras_attention import kernels
from keras_attention.ops.precision import alike

_CHUNK = 16  # queries in a chunk where S is not known


def scores(query, key, vector, activation=None):
    """`v . activation(q_t + k_s)`: `(..., T, S)` (Bahdanau et al., 2015, appendix A.1.2).

    For large T x S x U the queries go in chunks, row after row of the batch, recomputed in the
    backward pass: only one chunk of the hidden layer is ever held, and on a CPU it stays in its
    cache. The sum over U is a matrix product; as a reduction it takes twice as long.

    Args:
        query: projected queries, `(..., T, U)`.
        key: projected keys, `(..., S, U)`.
        vector: v, `(U,)`, or `(..., U)` with the leading axes of the others.
        activation: pointwise function; tanh if `None`, which PyTorch has a kernel for.
    """
    query, key, vector = alike(query, key, vector)
    *lead, length, units = ops.shape(query)
    key_length = ops.shape(key)[-2]
    if activation is None and len(vector.shape) == 1 and query.shape[0] != 0:
        found = kernels.additive_scores(query, key, vector)
        if found is not None:
            return found
    activation = activation or ops.tanh

    def of_chunk(query, key, vector):
        hidden = activation(query[..., :, None, :] + key[..., None, :, :])
        if len(vector.shape) > 1:
            return ops.sum(hidden * vector[..., None, None, :], axis=-1)
        flat = ops.reshape(hidden, (-1, units))
        return ops.reshape(ops.matmul(flat, vector[:, None]), ops.shape(hidden)[:-1])

    chunk = _chunk_length(query.shape[-2], key.shape[-2], units)
    if chunk is None:
        return of_chunk(query, key, vector)

    # (rows, chunks, C, U) queries; the last chunk is filled up.
    chunks = (length + chunk - 1) // chunk
    padding = [[0, 0]] * len(lead) + [[0, chunks * chunk - length], [0, 0]]
    query = ops.reshape(ops.pad(query, padding), (-1, chunks, chunk, units))
    key = ops.reshape(key, (-1, key_length, units))
    vector = ops.reshape(ops.broadcast_to(vector, (*lead, units)), (-1, units))
    one_chunk = kernels.recompute(of_chunk)
    result = ops.map(
        lambda row: ops.map(lambda q: one_chunk(q, row[1], row[2]), row[0]), (query, key, vector)
    )
    result = ops.reshape(result, (*lead, chunks * chunk, key_length))
    return result[..., :length, :]


def _chunk_length(length, key_length, units):
    """Queries that go at once, or `None` for all of them."""
    if any(not isinstance(size, int | None) for size in (length, key_length)):
        return None  # symbols of an export, or tensors of a trace, which keeps the chunks it saw
    if key_length is None or units is None:
        chunk = _CHUNK
    else:
        chunk = max(1, kernels.chunk_numbers() // max(1, key_length * units))
    return None if length is not None and length <= chunk else chunk
