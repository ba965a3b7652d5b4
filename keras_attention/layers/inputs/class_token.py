"""Class and register tokens."""

from typing import Any

import keras
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks


@keras.saving.register_keras_serializable(package="keras_attention")
class ClassToken(Entrance, keras.layers.Layer):
    """Prepends a learned class token, as ViT does, and register tokens after it.

    Dosovitskiy et al., 2021 (https://arxiv.org/abs/2010.11929), equation 1; registers of
    Darcet et al., 2024 (https://arxiv.org/abs/2309.16588). The tokens are never masked.

    Args:
        num_registers: register tokens R between the class token and the sequence.

    Call arguments:
        inputs: `(B, T, D)`.

    Output:
        `(B, 1 + R + T, D)`; position 0 is the class token.
    """

    takes = tensors(inputs="(B, T, D)")
    built_for = ("D",)

    def __init__(self, num_registers: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_registers != 0:
            checks.positive_int(num_registers=num_registers)
        self.num_registers = num_registers
        self.supports_masking = True

    @property
    def prepends(self) -> int:
        """How many tokens come before the sequence."""
        return 1 + self.num_registers

    def build(self, inputs_shape: tuple) -> None:
        checks.rank("inputs", inputs_shape, "(B, T, D)")
        checks.known("inputs", inputs_shape)
        self.tokens = self.add_weight(
            name="tokens",
            shape=(1 + self.num_registers, inputs_shape[-1]),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )
        self.built = True

    def call(self, inputs: Any) -> Any:
        shape = (ops.shape(inputs)[0], *self.tokens.shape)
        tokens = ops.broadcast_to(ops.cast(self.tokens, inputs.dtype)[None], shape)
        return ops.concatenate([tokens, inputs], axis=1)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        if previous_mask is None:
            return None
        checks.sequence_mask("mask", previous_mask, "inputs", inputs.shape)
        unmasked = ops.ones_like(previous_mask[:, :1])  # of symbolic shape in a functional model
        unmasked = ops.repeat(unmasked, 1 + self.num_registers, axis=1)
        return ops.concatenate([unmasked, previous_mask], axis=1)

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        batch, length, width = inputs_shape
        return (batch, None if length is None else length + 1 + self.num_registers, width)

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_registers": self.num_registers}
