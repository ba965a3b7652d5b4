"""The base of multi-head self- and cross-attention."""

from collections.abc import Collection
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_attention import kernels, scope
from keras_attention.layers.attention.mechanism import Mechanism, Memory
from keras_attention.layers.composite import Composite
from keras_attention.layers.entrance import Entrance
from keras_attention.layers.weights import add_projection
from keras_attention.ops import attention, checks, masks
from keras_attention.ops.precision import at_least_float32, weights_dtype
from keras_attention.ops.rows import put
from keras_attention.ops.softmax import Softmax
from keras_attention.ops.visibility import Visibility
from keras_attention.types import Bool, Float, Tensor

PROJECTIONS = ("query", "key", "value", "output")


class MultiHeadAttention(Entrance, Composite):
    """Projections by head, attention, output projection (https://arxiv.org/abs/1706.03762).

    Base of `MultiHeadSelfAttention` and `MultiHeadCrossAttention`; see those. Whatever is
    fastest to compute, the weights are always kernels `(D_in, heads * head_dim)`, head by head.
    """

    kernel_names: ClassVar[tuple[str, ...]] = (
        "query_kernel",
        "key_kernel",
        "value_kernel",
        "output_kernel",
    )
    mechanism: Mechanism  # how queries attend

    def __init__(
        self,
        num_heads: int,
        *,
        head_dim: int | None = None,
        num_kv_heads: int | None = None,
        output_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool | Collection[str] = True,
        qk_norm: bool = False,
        scale: float | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        num_kv_heads = num_heads if num_kv_heads is None else num_kv_heads
        checks.positive_int(num_heads=num_heads, num_kv_heads=num_kv_heads)
        checks.divisible("num_heads", num_heads, "num_kv_heads", num_kv_heads)
        if head_dim is not None:
            checks.positive_int(head_dim=head_dim)
        if output_dim is not None:
            checks.positive_int(output_dim=output_dim)
        checks.rate(dropout=dropout)
        self.num_heads = num_heads
        self.head_dim = head_dim
        self.num_kv_heads = num_kv_heads
        self.output_dim = output_dim
        self.dropout = dropout
        biased = checks.names_among("use_bias", use_bias, PROJECTIONS)
        self.use_bias = use_bias if isinstance(use_bias, bool) else biased
        self.qk_norm = qk_norm
        self.scale = scale
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed) if dropout else None
        self.supports_masking = True

    def _build_projections(self, query_dim: int, key_dim: int, value_dim: int) -> None:
        self._head_dim = self._resolve_head_dim(query_dim)
        self._scale = self._head_dim**-0.5 if self.scale is None else self.scale
        output_dim = self.output_dim or query_dim
        all_heads = self.num_heads * self._head_dim
        kv_heads = self.num_kv_heads * self._head_dim
        self.query_kernel, self.query_bias = self._add_projection("query", query_dim, all_heads)
        self.key_kernel, self.key_bias = self._add_projection("key", key_dim, kv_heads)
        self.value_kernel, self.value_bias = self._add_projection("value", value_dim, kv_heads)
        self.output_kernel, self.output_bias = self._add_projection("output", all_heads, output_dim)
        if self.qk_norm:
            self.query_norm_scale = self._add_norm_scale("query_norm_scale")
            self.key_norm_scale = self._add_norm_scale("key_norm_scale")

    def _add_projection(self, name: str, input_dim: int, output_dim: int) -> tuple[Any, Any]:
        biased = checks.names_among("use_bias", self.use_bias, PROJECTIONS)
        return add_projection(self, name, input_dim, output_dim, use_bias=name in biased)

    def _add_norm_scale(self, name: str) -> Any:
        return self.add_weight(name=name, shape=(self._head_dim,), initializer="ones")

    def _resolve_head_dim(self, query_dim: int) -> int:
        if self.head_dim is not None:
            return self.head_dim
        checks.divisible("query width", query_dim, "num_heads", self.num_heads)
        return query_dim // self.num_heads

    def _project(self, x: Float[Tensor, "B T D"], *roles: str) -> list[Float[Tensor, "B N T H"]]:
        """Returns projections of one input as "query", "key" or "value", head-major."""
        projections = [
            (getattr(self, f"{role}_kernel"), getattr(self, f"{role}_bias")) for role in roles
        ]
        heads = []
        for role, y in zip(roles, kernels.linears(x, projections), strict=True):
            y = kernels.split_heads(y, self._head_dim)
            if self.qk_norm and role != "value":
                y = self._rms_norm(y, getattr(self, f"{role}_norm_scale"))
            heads.append(y)
        return heads

    def _rms_norm(self, x: Tensor, scale: Tensor) -> Tensor:
        # Over each head, as in Qwen 3; Dehghani et al., 2023 (https://arxiv.org/abs/2302.05442)
        # normalise with a LayerNorm there.
        y = at_least_float32(x)
        y = y * ops.rsqrt(ops.mean(ops.square(y), axis=-1, keepdims=True) + 1e-6)
        return ops.cast(y * ops.cast(scale, y.dtype), x.dtype)

    def _attend(
        self,
        q: Float[Tensor, "B N T H"],
        memory: Memory,
        visibility: Visibility,
        training: bool | None,
        return_weights: bool,
    ) -> tuple[Float[Tensor, "B N T H"], Float[Tensor, "B N T S"] | None]:
        """Returns what queries get from a memory, and weights unless no one needs them."""
        mechanism = self.mechanism
        softmax = Softmax(self._scale, self.dropout, self.seed_generator if training else None)
        rows = scope.requested_rows(self, q.shape[2])
        wanted = return_weights or (rows is None and scope.capturing(self))
        if wanted or mechanism.needs_weights(visibility):
            weights = mechanism.attention_weights(q, memory, visibility, self._scale)
            used = scope.record(self, weights)
            used = attention.apply_dropout(used, softmax.dropout, softmax.seed)
            return mechanism.apply_weights(used, memory, visibility), weights
        y = mechanism.attend(q, memory, visibility, softmax)
        if rows is not None:
            y = self._record_rows(y, rows, q, memory, visibility)
        return y, None

    def _record_rows(
        self,
        y: Float[Tensor, "B N T H"],
        rows: np.ndarray,
        q: Float[Tensor, "B N T H"],
        memory: Memory,
        visibility: Visibility,
    ) -> Float[Tensor, "B N T H"]:
        """Records the weights of some queries, whose rows of `y` become what these weights give."""
        q, visibility = ops.take(q, rows, axis=2), visibility.take(rows)
        weights = self.mechanism.attention_weights(q, memory, visibility, self._scale)
        weights = scope.record(self, weights, whole=False)
        replacement = self.mechanism.apply_weights(weights, memory, visibility)
        return put(y, rows, replacement, axis=2)

    def _project_output(
        self, y: Float[Tensor, "B N T H"], visible: Bool[Tensor, "B T"] | None
    ) -> Float[Tensor, "B T D"]:
        y = kernels.linear(kernels.merge_heads(y), self.output_kernel, self.output_bias)
        return masks.zero_masked(y, visible)  # a query that sees nothing adds nothing

    def _spec(self, query: Tensor, key_length: int | None, return_attention_scores: bool) -> Any:
        """Returns the symbolic output of `call`, with weights if they are returned as well."""
        batch, length, query_dim = query.shape
        output = keras.KerasTensor(
            (batch, length, self.output_dim or query_dim), dtype=self.compute_dtype
        )
        if not return_attention_scores:
            return output
        shape = (batch, self.num_heads, length, key_length)
        return output, keras.KerasTensor(shape, dtype=weights_dtype(self.compute_dtype))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "head_dim": self.head_dim,
            "num_kv_heads": self.num_kv_heads,
            "output_dim": self.output_dim,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "qk_norm": self.qk_norm,
            "scale": self.scale,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "seed": self.seed,
        }
