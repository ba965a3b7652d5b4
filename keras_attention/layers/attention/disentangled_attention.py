"""The disentangled self-attention of DeBERTa."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_attention.layers.attention.disentangled_logits import DisentangledLogits, Distances
from keras_attention.layers.attention.mechanism import Memory
from keras_attention.layers.attention.multi_head_attention import MultiHeadAttention
from keras_attention.layers.entrance import tensors
from keras_attention.layers.weights import add_projection
from keras_attention.ops import checks, disentangled, masks
from keras_attention.ops.visibility import EVERYTHING, Span, Visibility
from keras_attention.types import Bool, Float, Tensor

TERMS = ("c2p", "p2c")
_ROLES = {"c2p": "key", "p2c": "query"}  # what distances are to the tokens
_MOST_DISTANCES = 2**20  # whose rows each call computes
_WHOLE = 1024  # queries that attend in one piece


@keras.saving.register_keras_serializable(package="keras_attention")
class DisentangledAttention(MultiHeadAttention):
    """Disentangled self-attention of DeBERTa (He et al., 2021,
    https://arxiv.org/abs/2006.03654, equation 4; v3: https://arxiv.org/abs/2111.09543).

    What a token is and where it stands enter the logits apart. Tokens have `q = x W_q + b_q`,
    `k = x W_k + b_k` and `v = x W_v + b_v`. The embeddings P of distances, `q^r = P W_q + b_q` and
    `k^r = P W_k + b_k`:

        A_ij = q_i . k_j  +  q_i . k^r_d(i,j)  +  k_j . q^r_d(i,j)
        y_i  = sum_j softmax_j(A_ij / sqrt(3 H)) v_j

    The terms are content to content, content to position (c2p) and position to content (p2c). The
    row d(i, j) stands for the distance `i - j`, alone or in a bucket of several, as
    `ops.disentangled.distance_rows` says. In the paper p2c has d(j, i); the published code, and so
    all published weights, have d(i, j) in both terms, and so has this layer.

    Unlike `ShawRelativePosition` it has P from outside, for all layers share it, see
    `RelativeEmbedding`. Only the rows that distances of the call reach are projected, and long
    sequences attend block by block, so that memory for the logits is linear in T.

    Args:
        num_heads: heads N.
        num_buckets: buckets of distances to either side, even; `None` for a row per distance.
        max_distance: from which on all distances have one row; the paper's k without buckets.
        terms: `"c2p"`, `"p2c"` or both.
        share_projections: whether W_q and W_k are those of the tokens, as in v2 and v3, or
            `relative_query_kernel` and `relative_key_kernel`, as in the paper.
        scale: factor of the logits; `((1 + number of terms) * head_dim) ** -0.5` if `None`.
        head_dim, output_dim, dropout, use_bias, qk_norm, kernel_initializer, bias_initializer,
        seed: as in `MultiHeadSelfAttention`.

    Call arguments:
        query: `(B, T, D)`.
        relative_embeddings: P, `(num_rows, D)`, or `(B, num_rows, D)` for one of each row of the
            batch.
        query_mask: `(B, T)` boolean padding mask.
        attention_mask: boolean, broadcastable to `(B, T, T)` or `(B, N, T, T)`.
        training: whether to apply dropout.
        return_attention_scores: return the weights as well.

    Output:
        `(B, T, output_dim)`, and `(B, N, T, T)` weights before dropout, in float32 at least, if
        `return_attention_scores=True`.

    Raises:
        ValueError: the width is not divisible by `num_heads`, the buckets do not fit the
            distances, P has another number of rows, or a mask has the wrong shape or dtype.
    """

    takes = tensors(query="(B, T, D)", relative_embeddings="(num_rows, D) or (B, num_rows, D)")
    built_for = ("D",)
    reads = "itself"
    mechanism = DisentangledLogits()

    def __init__(
        self,
        num_heads: int,
        *,
        num_buckets: int | None = 256,
        max_distance: int = 512,
        terms: Sequence[str] = TERMS,
        share_projections: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_heads, **kwargs)
        if self.num_kv_heads != num_heads:
            raise ValueError(
                "Each head has distances of its own, so `num_kv_heads` must be `num_heads` or "
                f"None. Received: num_kv_heads={self.num_kv_heads}, num_heads={num_heads}"
            )
        _check_distances(num_buckets, max_distance)
        if not terms or len({*terms}) < len(terms) or not {*terms} <= {*TERMS}:
            raise ValueError(
                f"`terms` must be 'c2p', 'p2c' or both, in a list. Received: terms={terms!r}"
            )
        self.num_buckets = num_buckets
        self.max_distance = max_distance
        self.terms = tuple(terms)
        self.share_projections = share_projections

    @property
    def num_rows(self) -> int:
        """Returns how many rows the embeddings of distances must have."""
        return 2 * (self.num_buckets or self.max_distance)

    def build(self, query_shape: tuple, relative_embeddings_shape: tuple) -> None:
        checks.rank("query", query_shape, "(B, T, D)")
        checks.known("query", query_shape)
        width = query_shape[-1]
        self._build_projections(width, width, width)
        if self.scale is None:
            self._scale = ((1 + len(self.terms)) * self._head_dim) ** -0.5
        if not self.share_projections:
            for role in (_ROLES[term] for term in self.terms):
                name, biased = f"relative_{role}", getattr(self, f"{role}_bias") is not None
                size = self.num_heads * self._head_dim
                kernel, bias = add_projection(self, name, width, size, use_bias=biased)
                setattr(self, f"{name}_kernel", kernel)
                setattr(self, f"{name}_bias", bias)
        self.built = True

    def call(
        self,
        query: Float[Tensor, "B T D"],
        relative_embeddings: Float[Tensor, "R D"],
        query_mask: Bool[Tensor, "B T"] | None = None,
        attention_mask: Bool[Tensor, "B N T T"] | None = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        self.check(query, query_mask, attention_mask)
        x = masks.zero_masked(query, query_mask)
        output, weights = self.attend(
            x,
            relative_embeddings,
            query_mask,
            attention_mask,
            training,
            return_weights=return_attention_scores,
        )
        return (output, weights) if return_attention_scores else output

    def attend(
        self,
        x: Float[Tensor, "B T D"],
        relative_embeddings: Float[Tensor, "R D"],
        mask: Bool[Tensor, "B T"] | None = None,
        attention_mask: Bool[Tensor, "B N T T"] | None = None,
        training: bool | None = None,
        *,
        return_weights: bool = False,
    ) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B N T T"] | None]:
        """Does what `call` does once its arguments are checked and masked positions are finite.

        For blocks, which have seen to both: it skips what Keras does around every call.
        """
        span = Span.of(x)
        q, k, v = self._project(x, "query", "key", "value")
        relative = self._relate(relative_embeddings, span.length)
        memory = Memory(k, v, mask, span, aligned=True, relative=relative)
        visibility = Visibility.of(
            EVERYTHING,
            queries=span,
            keys=span,
            aligned=True,
            query_mask=mask,
            key_mask=mask,
            attention_mask=attention_mask,
        )
        y, weights = self._attend(q, memory, visibility, training, return_weights)
        return self._project_output(y, visibility.visible_queries()), weights

    def _relate(self, embeddings: Float[Tensor, "R D"], length: Any) -> Distances:
        """Returns keys and queries of the distances in a sequence of this length."""
        known = isinstance(length, int)
        near = self.num_buckets // 2 if self.num_buckets else self.max_distance - 1
        single = known and length <= near  # each distance has a row of its own
        if single:
            middle = self.num_rows // 2
            embeddings = embeddings[..., middle - length : middle + length, :]
        if len(embeddings.shape) == 2:
            embeddings = embeddings[None]
        roles = [_ROLES[term] for term in self.terms]
        prefix = "" if self.share_projections else "relative_"
        heads = self._project(embeddings, *(prefix + role for role in roles))
        if known and length > _WHOLE:
            length = None
        elif not single:
            distance = ops.arange(-length, length, dtype="int32")
            row = disentangled.distance_rows(distance, self.num_buckets, self.max_distance)
            heads = [ops.take(x, row, axis=2) for x in heads]
        relative = dict(zip(roles, heads, strict=True))
        return Distances(relative, length, self.num_buckets, self.max_distance)

    def check(self, query: Tensor, mask: Tensor | None, attention_mask: Tensor | None) -> None:
        """Raises `ValueError` for arguments of `call` that do not fit together."""
        checks.sequence_mask("query_mask", mask, "query", query.shape)
        batch, length, _ = query.shape
        checks.attention_mask(attention_mask, (batch, self.num_heads, length, length))

    def compute_output_shape(self, query_shape: tuple, relative_embeddings_shape: tuple) -> tuple:
        return (*query_shape[:-1], self.output_dim or query_shape[-1])

    def compute_output_spec(
        self,
        query: Tensor,
        relative_embeddings: Tensor,
        query_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        self.check(query, query_mask, attention_mask)
        return self._spec(query, query.shape[1], return_attention_scores)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_buckets": self.num_buckets,
            "max_distance": self.max_distance,
            "terms": list(self.terms),
            "share_projections": self.share_projections,
        }


def _check_distances(num_buckets: int | None, max_distance: int) -> None:
    checks.positive_int(max_distance=max_distance)
    if max_distance > _MOST_DISTANCES:
        raise ValueError(
            f"`max_distance` must be at most {_MOST_DISTANCES}. Received: "
            f"max_distance={max_distance}"
        )
    if num_buckets is None:
        return
    checks.positive_int(num_buckets=num_buckets)
    if num_buckets % 2 or not 1 < num_buckets // 2 < max_distance - 1:
        raise ValueError(
            "`num_buckets` must be even, at least 4, and its half less than `max_distance` - 1. "
            f"Received: num_buckets={num_buckets}, max_distance={max_distance}"
        )
