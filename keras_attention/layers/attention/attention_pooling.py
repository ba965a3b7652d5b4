"""Attention pooling with a learned context vector."""

from typing import Any

import keras
from keras import ops

from keras_attention import kernels, scope
from keras_attention.layers.composite import Composite
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.layers.weights import add_kernel
from keras_attention.ops import attention, checks, masks
from keras_attention.ops.precision import weights_dtype


@keras.saving.register_keras_serializable(package="keras_attention")
class AttentionPooling(Entrance, Composite):
    """Attention pooling of Yang et al., 2016, "Hierarchical Attention Networks"
    (https://aclanthology.org/N16-1174, equations 5 to 7): a sequence to one vector.

    `u = tanh(W h + b)`, `a = softmax(u . u_c)`, output `sum a h`, with a learned context
    vector u_c. Several heads have a context vector each and pool their share of the channels.
    A sequence that is masked as a whole pools to exact zeros.

    Args:
        units: width of u; the width of the sequence if `None`.
        num_heads: number of context vectors, a divisor of the width.
        dropout: share of the attention weights that training drops.
        kernel_initializer: of W and u_c.
        seed: of the dropout.

    Call arguments:
        value: `(B, S, D)`.
        mask: `(B, S)` boolean padding mask.
        training: whether to apply dropout.
        return_attention_scores: return the weights as well.

    Output:
        `(B, D)`, and `(B, num_heads, S)` weights before dropout if
        `return_attention_scores=True`.

    Raises:
        ValueError: the width is not divisible by `num_heads`, or the mask has the wrong shape
            or dtype.
    """

    takes = tensors(value="(B, S, D)")
    built_for = ("D",)
    reads = "pool"
    kernel_names = ("kernel",)

    def __init__(
        self,
        units: int | None = None,
        num_heads: int = 1,
        dropout: float = 0.0,
        kernel_initializer: Any = "glorot_uniform",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(num_heads=num_heads)
        if units is not None:
            checks.positive_int(units=units)
        checks.rate(dropout=dropout)
        self.units = units
        self.num_heads = num_heads
        self.dropout = dropout
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed) if dropout else None
        self.supports_masking = True

    def build(self, value_shape: tuple) -> None:
        checks.rank("value", value_shape, "(B, S, D)")
        checks.known("value", value_shape)
        width = value_shape[-1]
        checks.divisible("value width", width, "num_heads", self.num_heads)
        units = self.units or width
        self.kernel = add_kernel(self, "kernel", (width, units))
        self.bias = self.add_weight(name="bias", shape=(units,), initializer="zeros")
        self.context = add_kernel(self, "context", (units, self.num_heads))
        self.built = True

    def call(
        self,
        value: Any,
        mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        self._check(value, mask)
        value = masks.zero_masked(value, mask)
        logits = self._score(value)  # (B, N, S)
        weights = attention.masked_softmax(logits, None if mask is None else mask[:, None])
        recorded = scope.record(self, weights[:, :, None])  # (B, N, 1, S)
        pooled = self._pool(recorded, value, training)[:, 0]  # (B, D)
        return (pooled, weights) if return_attention_scores else pooled

    def _score(self, value: Any) -> Any:
        """Returns `u . u_c` with the u of equation 5: `(B, N, S)`."""
        u = ops.tanh(kernels.multiply(value, self.kernel) + self.bias)
        return ops.transpose(ops.matmul(u, self.context), (0, 2, 1))

    def _pool(self, weights: Any, value: Any, training: bool | None) -> Any:
        """Returns weights `(B, N, T, S)` on the heads of `value` `(B, S, D)`: `(B, T, D)`."""
        used = attention.apply_dropout(
            weights, self.dropout, self.seed_generator if training else None
        )
        batch, length, width = ops.shape(value)
        heads = ops.reshape(value, (batch, length, self.num_heads, width // self.num_heads))
        heads = ops.transpose(heads, (0, 2, 1, 3))  # (B, N, S, H)
        pooled = ops.transpose(attention.weighted_sum(used, heads), (0, 2, 1, 3))  # (B, T, N, H)
        return ops.reshape(pooled, (batch, ops.shape(pooled)[1], width))

    def _check(self, value: Any, mask: Any) -> None:
        checks.sequence_mask("mask", mask, "value", value.shape)

    def compute_mask(self, value: Any, previous_mask: Any) -> None:
        return None

    def compute_output_shape(self, value_shape: tuple) -> tuple:
        return (value_shape[0], value_shape[-1])

    def compute_output_spec(
        self,
        value: Any,
        mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        self._check(value, mask)
        batch, length, width = value.shape
        output = keras.KerasTensor((batch, width), dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        return output, keras.KerasTensor(
            (batch, self.num_heads, length), dtype=weights_dtype(self.compute_dtype)
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "seed": self.seed,
        }
