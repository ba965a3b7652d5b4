"""The encoder block of the transformer."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import keras

from keras_attention import kernels
from keras_attention.layers import strategy
from keras_attention.layers.attention.multi_head_attention import PROJECTIONS
from keras_attention.layers.attention.multi_head_self_attention import MultiHeadSelfAttention
from keras_attention.layers.blocks.feed_forward import FeedForward
from keras_attention.layers.composite import Composite
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks, masks
from keras_attention.types import Bool, Float, Tensor

_NORMS = {"layer": keras.layers.LayerNormalization, "rms": keras.layers.RMSNormalization}


@keras.saving.register_keras_serializable(package="keras_attention")
class TransformerBlock(Entrance, Composite):
    """Self-attention and feed-forward network with residuals (https://arxiv.org/abs/1706.03762).

    `norm_first=True` normalises before each sub-layer (https://arxiv.org/abs/2002.04745),
    `False` after each residual, as section 3.1 of Vaswani et al., 2017. With `causal=True` it
    is the block of a decoder-only model.

    Args:
        num_heads, head_dim, num_kv_heads, qk_norm, scale, causal, window, position, mechanism: of
            the attention, see `MultiHeadSelfAttention`.
        intermediate_dim, activation: of the feed-forward network, see `FeedForward`.
        norm: `"layer"` (LayerNorm), `"rms"` (RMSNorm, https://arxiv.org/abs/1910.07467), or a layer
            with other settings, such as `keras.layers.LayerNormalization(center=False)`, of which
            each norm is a copy.
        norm_first: pre-norm or post-norm.
        attention_norm: whether there is a norm at the attention: not in the first block of
            ModernBERT, whose input is normalised (https://arxiv.org/abs/2412.13663).
        epsilon: of the norms, 1e-5 if `None`; a layer has its own.
        dropout: share dropped of each sub-layer's output (section 5.4).
        attention_dropout: share dropped of the attention weights.
        activation_dropout: share dropped between the feed-forward network's projections.
        stochastic_depth: probability that training skips a sub-layer for a whole sample
            (https://arxiv.org/abs/1603.09382).
        use_bias: whether projections have biases, or the names of those that have: `"query"`,
            `"key"`, `"value"`, `"output"` of the attention, and `"feed_forward"`.
        kernel_initializer, bias_initializer: of the projections.
        seed: of the dropouts.

    Call arguments:
        query: `(B, T, D)`.
        mask, query_mask: `(B, T)` boolean padding mask; either name, ANDed if both.
        attention_mask: boolean, broadcastable to `(B, T, T)` or `(B, N, T, T)`.
        attention_bias: added to the logits of the attention, `(B, N, T, T)` or broadcastable in the
            first two, such as an `AttentionBias` that all blocks share.
        training: whether to drop.

    Output:
        `(B, T, D)`.
    """

    takes = tensors(query="(B, T, D)", attention_bias="(..., T, S)")
    built_for = ("D", "D_v")

    def __init__(
        self,
        num_heads: int,
        intermediate_dim: int,
        *,
        head_dim: int | None = None,
        num_kv_heads: int | None = None,
        activation: str = "gelu",
        norm: Any = "layer",
        norm_first: bool = True,
        attention_norm: bool = True,
        epsilon: float | None = None,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        activation_dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        causal: bool = False,
        window: int | None = None,
        position: Any = None,
        mechanism: Any = None,
        qk_norm: bool = False,
        scale: float | None = None,
        use_bias: bool | Collection[str] = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(norm, keras.Layer | dict):
            checks.one_of("norm", norm, tuple(_NORMS))
        elif epsilon is not None:
            raise ValueError(
                "`epsilon` is of norms that are named; a layer has its own. Received: "
                f"epsilon={epsilon}, norm={norm!r}. Give it to the layer."
            )
        checks.rate(
            dropout=dropout,
            attention_dropout=attention_dropout,
            activation_dropout=activation_dropout,
            stochastic_depth=stochastic_depth,
        )
        biased = checks.names_among("use_bias", use_bias, (*PROJECTIONS, "feed_forward"))
        self.use_bias = use_bias if isinstance(use_bias, bool) else biased
        projection = {
            "kernel_initializer": keras.initializers.get(kernel_initializer),
            "bias_initializer": keras.initializers.get(bias_initializer),
            "dtype": self.dtype_policy,
        }
        seeds = [None] * 4 if seed is None else range(seed, seed + 4)  # no two drop alike
        self._heads = {
            "num_heads": num_heads,
            "head_dim": head_dim,
            "num_kv_heads": num_kv_heads,
            "qk_norm": qk_norm,
            "scale": scale,
            "use_bias": use_bias
            if isinstance(use_bias, bool)
            else tuple(name for name in biased if name in PROJECTIONS),
            "dropout": attention_dropout,
            "seed": seeds[0],
            **projection,
        }
        self.attention = MultiHeadSelfAttention(
            causal=causal,
            window=window,
            position=position,
            mechanism=mechanism,
            name="attention",
            **self._heads,
        )
        self.feed_forward = FeedForward(
            intermediate_dim,
            activation,
            activation_dropout,
            use_bias="feed_forward" in biased,
            seed=seeds[1],
            name="feed_forward",
            **projection,
        )
        self.norm = strategy.config_of(norm) if isinstance(norm, keras.Layer) else norm
        self.epsilon = 1e-5 if epsilon is None and isinstance(norm, str) else epsilon
        self.norm_first = norm_first
        self.dropout = dropout
        self.stochastic_depth = stochastic_depth
        self.attention_norm = (
            self._make_norm("attention_norm")
            if attention_norm
            else keras.layers.Identity(name="attention_norm", dtype=self.dtype_policy)
        )
        self.feed_forward_norm = self._make_norm("feed_forward_norm")
        self._drop = keras.layers.Dropout(
            dropout, seed=seeds[2], name="dropout", dtype=self.dtype_policy
        )
        self._drop_path = keras.layers.Dropout(
            stochastic_depth,
            noise_shape=(None, 1, 1),
            seed=seeds[3],
            name="stochastic_depth",
            dtype=self.dtype_policy,
        )
        self.supports_masking = True

    def _make_norm(self, name: str) -> keras.layers.Layer:
        settings = {"name": name, "dtype": self.dtype_policy}
        named = {
            key: partial(norm, epsilon=self.epsilon, **settings) for key, norm in _NORMS.items()
        }
        return strategy.copy_of(self.norm, named, keras.Layer, "norm", **settings)

    def build(self, query_shape: tuple) -> None:
        checks.rank("query", query_shape, "(B, T, D)")
        for layer in (
            self.attention,
            self.attention_norm,
            self.feed_forward,
            self.feed_forward_norm,
        ):
            layer.build(query_shape)
        self.built = True

    def call(
        self,
        query: Float[Tensor, "B T D"],
        mask: Bool[Tensor, "B T"] | None = None,
        query_mask: Bool[Tensor, "B T"] | None = None,
        attention_mask: Bool[Tensor, "B N T T"] | None = None,
        training: bool | None = None,
        attention_bias: Float[Tensor, "B N T T"] | None = None,
    ) -> Float[Tensor, "B T D"]:
        self.attention.check(query, mask, query_mask, attention_mask, attention_bias)
        mask = masks.both(mask, query_mask)

        def attend(x: Tensor) -> Tensor:
            output, _ = self.attention.attend(
                x, mask, attention_mask, training, attention_bias=attention_bias
            )
            return output

        def feed_forward(x: Tensor) -> Tensor:
            return self.feed_forward.transform(x, training)

        x = masks.zero_masked(query, mask)
        x = self._residual(x, attend, self.attention_norm, training)
        return self._residual(x, feed_forward, self.feed_forward_norm, training)

    def _residual(
        self,
        x: Float[Tensor, "B T D"],
        sublayer: Callable[[Tensor], Tensor],
        norm: keras.layers.Layer,
        training: bool | None,
    ) -> Float[Tensor, "B T D"]:
        # One call of a Keras layer, the block's own, per step: another for each part would cost
        # more than the computation of a small model.
        y = sublayer(kernels.normalize(norm, x) if self.norm_first else x)
        if training:
            y = self._drop_path.call(self._drop.call(y, training=True), training=True)
        return x + y if self.norm_first else kernels.normalize(norm, x + y)

    def compute_output_shape(self, query_shape: tuple) -> tuple:
        return tuple(query_shape)

    def compute_output_spec(
        self,
        query: Tensor,
        mask: Tensor | None = None,
        query_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        training: bool | None = None,
        attention_bias: Tensor | None = None,
    ) -> keras.KerasTensor:
        self.attention.check(query, mask, query_mask, attention_mask, attention_bias)
        return keras.KerasTensor(query.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        attention = self.attention.get_config()
        shared = ["num_heads", "head_dim", "num_kv_heads", "qk_norm", "scale", "causal", "window"]
        shared += ["position", "mechanism", "kernel_initializer", "bias_initializer"]
        return {
            **super().get_config(),
            **{name: attention[name] for name in [*shared, "seed"]},
            "intermediate_dim": self.feed_forward.intermediate_dim,
            "activation": self.feed_forward.activation,
            "norm": self.norm,
            "norm_first": self.norm_first,
            "attention_norm": not isinstance(self.attention_norm, keras.layers.Identity),
            "epsilon": self.epsilon,
            "use_bias": self.use_bias,
            "dropout": self.dropout,
            "attention_dropout": self.attention.dropout,
            "activation_dropout": self.feed_forward.dropout,
            "stochastic_depth": self.stochastic_depth,
        }
