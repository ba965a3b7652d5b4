"""The position-wise feed-forward network."""

from typing import Any

import keras

from keras_attention import kernels
from keras_attention.layers.composite import Composite
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.layers.weights import add_projection
from keras_attention.ops import activations, checks, masks
from keras_attention.types import Bool, Float, Tensor

_GATED = {"swiglu": "silu", "geglu": "gelu", "geglu_tanh": "gelu_tanh", "reglu": "relu"}


@keras.saving.register_keras_serializable(package="keras_attention")
class FeedForward(Entrance, Composite):
    """Position-wise feed-forward network (Vaswani et al., 2017, section 3.3, equation 2).

    `"swiglu"`, `"geglu"`, `"geglu_tanh"` and `"reglu"` are the gated variants of Shazeer, 2020
    (https://arxiv.org/abs/2002.05202, equation 6): `(act(x W) * x V) W_2`. They have a third
    kernel of the same size; the paper shrinks `intermediate_dim` to 2/3 to compare.

    Args:
        intermediate_dim: width between the two projections.
        activation: `"relu"`, `"gelu"` (exact), `"gelu_tanh"` and `"quick_gelu"` (its
            approximations by tanh and by a sigmoid of 1.702 x, section 2 of
            https://arxiv.org/abs/1606.08415), `"swiglu"`, `"geglu"`, `"geglu_tanh"`, `"reglu"`,
            or any other of `keras.activations` by name.
        dropout: share of the activations that training drops.
        use_bias: whether the projections have biases.
        kernel_initializer, bias_initializer: of the projections.
        seed: of the dropout.

    Call arguments:
        inputs: `(B, T, D)`.
        mask: `(B, T)` boolean; masked positions are computed as if they were zero.
        training: whether to apply dropout.

    Output:
        `(B, T, D)`.
    """

    takes = tensors(inputs="(B, T, D)")
    built_for = ("D",)
    kernel_names = ("input_kernel", "gate_kernel", "output_kernel")

    def __init__(
        self,
        intermediate_dim: int,
        activation: str = "gelu",
        dropout: float = 0.0,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(intermediate_dim=intermediate_dim)
        checks.rate(dropout=dropout)
        self.intermediate_dim = intermediate_dim
        self.activation = activation
        self._activation = activations.get(_GATED.get(activation, activation))
        self._gated = activation in _GATED
        self.dropout = dropout
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed) if dropout else None
        self.supports_masking = True

    def build(self, inputs_shape: tuple) -> None:
        checks.rank("inputs", inputs_shape, "(B, T, D)")
        checks.known("inputs", inputs_shape)
        width = inputs_shape[-1]
        self.input_kernel, self.input_bias = self._add("input", width, self.intermediate_dim)
        if self._gated:
            self.gate_kernel, self.gate_bias = self._add("gate", width, self.intermediate_dim)
        self.output_kernel, self.output_bias = self._add("output", self.intermediate_dim, width)
        self.built = True

    def _add(self, name: str, input_dim: int, output_dim: int) -> tuple[Any, Any]:
        return add_projection(self, name, input_dim, output_dim, use_bias=self.use_bias)

    def call(
        self,
        inputs: Float[Tensor, "B T D"],
        mask: Bool[Tensor, "B T"] | None = None,
        training: bool | None = None,
    ) -> Float[Tensor, "B T D"]:
        self._check(inputs, mask)
        return self.transform(masks.zero_masked(inputs, mask), training)

    def transform(
        self, x: Float[Tensor, "B T D"], training: bool | None = None
    ) -> Float[Tensor, "B T D"]:
        """Does what `call` does once its arguments are checked and masked positions are finite.

        For blocks, which have seen to both: it skips what Keras does around every call.
        """
        hidden = kernels.linear(x, self.input_kernel, self.input_bias)
        if self._gated:
            gate = self._activation(kernels.linear(x, self.gate_kernel, self.gate_bias))
            hidden = gate * hidden
        else:
            hidden = self._activation(hidden)
        if training and self.dropout:
            hidden = keras.random.dropout(hidden, self.dropout, seed=self.seed_generator)
        return kernels.linear(hidden, self.output_kernel, self.output_bias)

    def _check(self, inputs: Tensor, mask: Tensor | None) -> None:
        checks.sequence_mask("mask", mask, "inputs", inputs.shape)

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        return tuple(inputs_shape)

    def compute_output_spec(
        self, inputs: Tensor, mask: Tensor | None = None, training: bool | None = None
    ) -> keras.KerasTensor:
        self._check(inputs, mask)
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "intermediate_dim": self.intermediate_dim,
            "activation": self.activation,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "seed": self.seed,
        }
