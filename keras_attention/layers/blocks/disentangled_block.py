"""The encoder block of DeBERTa."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_attention import kernels
from keras_attention.layers.attention.disentangled_attention import TERMS, DisentangledAttention
from keras_attention.layers.blocks.feed_forward import FeedForward
from keras_attention.layers.composite import Composite
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks, masks
from keras_attention.types import Bool, Float, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class DisentangledBlock(Entrance, Composite):
    """Disentangled self-attention and feed-forward network, each with a residual and a LayerNorm
    behind it (He et al., 2021, https://arxiv.org/abs/2006.03654).

    Unlike `TransformerBlock` it is called with the embeddings of distances too, which all blocks
    of an encoder share, see `RelativeEmbedding`.

    Args:
        num_heads, head_dim, num_buckets, max_distance, terms, share_projections: of the attention,
            see `DisentangledAttention`.
        intermediate_dim, activation: of the feed-forward network, see `FeedForward`.
        epsilon: of the norms.
        dropout: share dropped of each sub-layer's output, and of the embeddings of distances.
        attention_dropout: share dropped of the attention weights.
        use_bias: whether projections have biases.
        kernel_initializer, bias_initializer: of the projections.
        seed: of the dropouts.

    Call arguments:
        query: `(B, T, D)`.
        relative_embeddings: `(R, D)`, or `(B, R, D)` for one of each row of the batch, with R the
            `num_rows` of the attention.
        query_mask: `(B, T)` boolean padding mask.
        attention_mask: boolean, broadcastable to `(B, T, T)` or `(B, N, T, T)`.
        training: whether to drop.

    Output:
        `(B, T, D)`.
    """

    takes = tensors(query="(B, T, D)", relative_embeddings="(R, D) or (B, R, D)")
    built_for = ("D", "R")

    def __init__(
        self,
        num_heads: int,
        intermediate_dim: int,
        *,
        head_dim: int | None = None,
        num_buckets: int | None = 256,
        max_distance: int = 512,
        terms: Sequence[str] = TERMS,
        share_projections: bool = True,
        activation: str = "gelu",
        epsilon: float = 1e-7,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.rate(dropout=dropout, attention_dropout=attention_dropout)
        projection = {
            "use_bias": use_bias,
            "kernel_initializer": keras.initializers.get(kernel_initializer),
            "bias_initializer": keras.initializers.get(bias_initializer),
            "dtype": self.dtype_policy,
        }
        self.attention = DisentangledAttention(
            num_heads,
            head_dim=head_dim,
            num_buckets=num_buckets,
            max_distance=max_distance,
            terms=terms,
            share_projections=share_projections,
            dropout=attention_dropout,
            seed=seed,
            name="attention",
            **projection,
        )
        self.feed_forward = FeedForward(
            intermediate_dim, activation, name="feed_forward", **projection
        )
        self.epsilon = epsilon
        self.dropout = dropout
        self.attention_norm = self._make_norm("attention_norm")
        self.feed_forward_norm = self._make_norm("feed_forward_norm")
        self._drop = keras.layers.Dropout(
            dropout,
            seed=None if seed is None else seed + 1,  # no two drop alike
            name="dropout",
            dtype=self.dtype_policy,
        )
        self.supports_masking = True

    def _make_norm(self, name: str) -> keras.layers.Layer:
        return keras.layers.LayerNormalization(
            epsilon=self.epsilon, name=name, dtype=self.dtype_policy
        )

    def build(self, query_shape: tuple, relative_embeddings_shape: tuple) -> None:
        checks.rank("query", query_shape, "(B, T, D)")
        self.attention.build(query_shape, relative_embeddings_shape)
        for layer in (self.attention_norm, self.feed_forward, self.feed_forward_norm):
            layer.build(query_shape)
        self.built = True

    def call(
        self,
        query: Float[Tensor, "B T D"],
        relative_embeddings: Float[Tensor, "R D"],
        query_mask: Bool[Tensor, "B T"] | None = None,
        attention_mask: Bool[Tensor, "B N T T"] | None = None,
        training: bool | None = None,
    ) -> Float[Tensor, "B T D"]:
        self.attention.check(query, query_mask, attention_mask)

        def drop(x: Tensor) -> Tensor:
            return self._drop.call(x, training=True) if training else x

        x = masks.zero_masked(query, query_mask)
        relative = drop(relative_embeddings)
        y, _ = self.attention.attend(x, relative, query_mask, attention_mask, training)
        x = kernels.normalize(self.attention_norm, x + drop(y))
        y = self.feed_forward.transform(x, training)
        return kernels.normalize(self.feed_forward_norm, x + drop(y))

    def compute_output_shape(self, query_shape: tuple, relative_embeddings_shape: tuple) -> tuple:
        return tuple(query_shape)

    def compute_output_spec(
        self,
        query: Tensor,
        relative_embeddings: Tensor,
        query_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        training: bool | None = None,
    ) -> keras.KerasTensor:
        self.attention.check(query, query_mask, attention_mask)
        return keras.KerasTensor(query.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        attention = self.attention.get_config()
        shared = ["num_heads", "head_dim", "num_buckets", "max_distance", "terms"]
        shared += [
            "share_projections",
            "use_bias",
            "kernel_initializer",
            "bias_initializer",
            "seed",
        ]
        return {
            **super().get_config(),
            **{name: attention[name] for name in shared},
            "intermediate_dim": self.feed_forward.intermediate_dim,
            "activation": self.feed_forward.activation,
            "epsilon": self.epsilon,
            "dropout": self.dropout,
            "attention_dropout": self.attention.dropout,
        }
