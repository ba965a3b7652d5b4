"""Additive attention scores, in bounded memory."""

from keras import ops

from keras_attention import kernels

CHUNK = 16  # queries whose scores are held at once
_CHUNK_FROM = 4096  # T x S up to which they are computed in one piece


def scores(query, key, vector, activation=ops.tanh):
    """`v . activation(q_t + k_s)`: `(..., T, S)` (Bahdanau et al., 2015, appendix A.1.2).

    For large T x S the queries go in chunks of `CHUNK`, recomputed in the backward pass, so
    that T x S x U numbers are never held at once.

    Args:
        query: projected queries, `(..., T, U)`.
        key: projected keys, `(..., S, U)`.
        vector: v, `(U,)`, or broadcastable to `(..., T, S, U)`.
        activation: pointwise function.
    """

    def of_chunk(query, key, vector):
        return ops.sum(activation(query[..., :, None, :] + key[..., None, :, :]) * vector, -1)

    length, key_length = query.shape[-2], key.shape[-2]
    if length is not None and (length <= CHUNK or length * (key_length or 2**31) <= _CHUNK_FROM):
        return of_chunk(query, key, vector)

    *lead, length, units = ops.shape(query)
    chunks = (length + CHUNK - 1) // CHUNK
    padding = [[0, 0]] * len(lead) + [[0, chunks * CHUNK - length], [0, 0]]
    query = ops.reshape(ops.pad(query, padding), (*lead, chunks, CHUNK, units))
    one_chunk = kernels.recompute(of_chunk)
    result = ops.map(lambda q: one_chunk(q, key, vector), ops.moveaxis(query, -3, 0))
    result = ops.moveaxis(result, 0, -3)  # (..., chunks, CHUNK, S)
    result = ops.reshape(result, (*lead, chunks * CHUNK, ops.shape(key)[-2]))
    return result[..., :length, :]
