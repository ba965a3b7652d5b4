"""Linear attention: a kernel in place of the softmax, so that keys and values can be summed first.

Katharopoulos et al., 2020 (https://arxiv.org/abs/2006.16236). The sums are a state
`(B, K, H, H + 1)` in float32 at least: of phi(k) v^T (equation 10), and in its last column of
phi(k) (equation 11).
"""

from collections.abc import Callable

from keras import ops

from keras_attention import kernels
from keras_attention.ops.attention import by_head_group
from keras_attention.ops.precision import at_least_float32
from keras_attention.types import Bool, Float, Tensor

_CHUNK = 64  # elements of a chunk: about H, where its T x C products and its state are as large

FEATURE_MAPS: dict[str, Callable[[Tensor], Tensor]] = {
    # By its two branches: near -1 the sum of elu(x) and 1 has few digits left, or none.
    "elu": lambda x: ops.where(x > 0, x + 1, ops.exp(ops.minimum(x, 0))),
    "relu": ops.relu,
    "softplus": ops.softplus,
}


def weights(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K S H"],
    *,
    feature_map: str,
    mask: Bool[Tensor, "B N T S"] | None = None,
) -> Float[Tensor, "B N T S"]:
    """Returns `phi(q_t) . phi(k_s)`, divided by their sum over s (equation 4).

    Args:
        query, key: of N and of K heads.
        feature_map: a name in `FEATURE_MAPS`.
        mask: broadcastable to `(B, N, T, S)`; zeros where it is False.
    """
    query, key = _features(query, feature_map), _features(key, feature_map)
    similarity = by_head_group(query, ops.swapaxes(key, -1, -2))
    if mask is not None:
        similarity = ops.where(mask, similarity, 0.0)
    return _divide(similarity, ops.sum(similarity, axis=-1, keepdims=True))


def attention(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K S H"],
    value: Float[Tensor, "B K S H"],
    *,
    feature_map: str,
    causal: bool,
    mask: Bool[Tensor, "B S"] | None = None,
    state: Float[Tensor, "B K H H+1"] | None = None,
) -> Float[Tensor, "B N T H"]:
    """Returns attention in time and memory linear in T, backward too (equation 5).

    Args:
        feature_map: a name in `FEATURE_MAPS`.
        causal: each query sees keys up to its own, and all in `state` (equation 8); else all.
        mask: padding mask of the keys.
        state: of `sum_up`, for what came before; only if causal.
    """

    def plain(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        query, key, value = _prepare(query, key, value, feature_map, mask)
        if not causal:
            sums = by_head_group(query, ops.matmul(ops.swapaxes(key, -1, -2), value))
        else:
            sums = _causal(query, key, value, state)
        return _divide(sums[..., :-1], sums[..., -1:])

    if state is not None:
        return plain(query, key, value)
    return kernels.linear_attention(
        query, key, value, mask, feature_map=feature_map, causal=causal, plain=plain
    )


def sum_up(
    key: Float[Tensor, "B K S H"],
    value: Float[Tensor, "B K S H"],
    *,
    feature_map: str,
    mask: Bool[Tensor, "B S"] | None = None,
) -> Float[Tensor, "B K H H+1"]:
    """Returns the state after keys and values (equations 18 and 19, from zero)."""
    _, key, value = _prepare(key, key, value, feature_map, mask)
    return ops.matmul(ops.swapaxes(key, -1, -2), value)


def _prepare(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K S H"],
    value: Float[Tensor, "B K S H"],
    feature_map: str,
    mask: Bool[Tensor, "B S"] | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns features of queries and keys, none of masked keys; values with a column of ones."""
    query, key = _features(query, feature_map), _features(key, feature_map)
    if mask is not None:
        key = ops.where(mask[:, None, :, None], key, 0.0)
    value = at_least_float32(value)
    return query, key, ops.concatenate([value, ops.ones_like(value[..., :1])], axis=-1)


def _causal(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K T H"],
    value: Float[Tensor, "B K T U"],
    state: Float[Tensor, "B K H U"] | None,
) -> Float[Tensor, "B N T U"]:
    """Returns the sums of `value` up to each query, by chunks.

    Within a chunk the quadratic form, and of all chunks before their state: no loop over time,
    and no more numbers than T times C or H.
    """
    batch, heads, length, _ = ops.shape(query)
    kv_heads, groups = key.shape[1], query.shape[1] // key.shape[1]
    known = isinstance(query.shape[2], int)  # and no symbol or tensor, as in a trace
    chunk = min(_CHUNK, query.shape[2] or _CHUNK) if known else _CHUNK
    chunks = (length + chunk - 1) // chunk

    # A shape in the annotation of an inner function would break the graph of `torch.compile`.
    def cut(x: Tensor) -> Tensor:
        """Returns chunks of C elements, `(B, K, chunks, G * C, U)`; G is 1 but for queries."""
        x = ops.pad(x, [[0, 0], [0, 0], [0, chunks * chunk - length], [0, 0]])
        x = ops.reshape(x, (batch, kv_heads, -1, chunks, chunk, x.shape[-1]))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (batch, kv_heads, chunks, -1, x.shape[-1]))

    query, key, value = cut(query), cut(key), cut(value)
    similarity = ops.matmul(query, ops.swapaxes(key, -1, -2))  # (B, K, chunks, G * C, C)
    earlier = ops.tile(ops.tril(ops.ones((chunk, chunk), "bool")), (groups, 1))
    sums = ops.matmul(ops.where(earlier, similarity, 0.0), value)
    before = _before(ops.matmul(ops.swapaxes(key, -1, -2), value), state)
    sums = sums + ops.matmul(query, before)
    sums = ops.reshape(sums, (batch, kv_heads, chunks, groups, chunk, value.shape[-1]))
    sums = ops.transpose(sums, (0, 1, 3, 2, 4, 5))
    return ops.reshape(sums, (batch, heads, chunks * chunk, value.shape[-1]))[:, :, :length]


def _before(
    sums: Float[Tensor, "B K chunks H U"], state: Float[Tensor, "B K H U"] | None
) -> Float[Tensor, "B K chunks H U"]:
    """Returns the state before each chunk, from the `sums` of each."""
    state = ops.zeros_like(sums[:, :, :1]) if state is None else state[:, :, None]
    return ops.cumsum(ops.concatenate([state, sums[:, :, :-1]], axis=2), axis=2)


def _features(x: Float[Tensor, "..."], feature_map: str) -> Float[Tensor, "..."]:
    return FEATURE_MAPS[feature_map](at_least_float32(x))


def _divide(x: Float[Tensor, "..."], total: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Returns `x / total`; zeros where nothing is seen, with gradients of zero."""
    return ops.where(total > 0, x / ops.where(total > 0, total, 1.0), 0.0)
