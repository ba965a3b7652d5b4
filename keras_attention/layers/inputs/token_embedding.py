"""Token ids to vectors, and vectors back to logits of tokens."""

from typing import Any

import keras
from keras import ops

from keras_attention import kernels
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks


@keras.saving.register_keras_serializable(package="keras_attention")
class TokenEmbedding(Entrance, keras.layers.ReversibleEmbedding):
    """Embedding whose table is the output projection as well (Press and Wolf, 2017,
    https://arxiv.org/abs/1608.05859).

    ```python
    embedding = TokenEmbedding(vocabulary_size, hidden_dim)
    x = embedding(token_ids)
    logits = embedding(x, reverse=True)
    ```

    Unlike `keras.layers.ReversibleEmbedding` it passes the mask of its inputs on, in both
    directions, and has one when it is quantized.

    Args:
        input_dim: number of token ids V.
        output_dim: width D.
        embeddings_initializer, mask_zero and all others: as in `keras.layers.ReversibleEmbedding`;
            `mask_zero` is not needed behind a `Tokenizer`, whose ids have a mask.

    Call arguments:
        inputs: `(B, T)` integers; or `(B, T, D)`, if `reverse`.
        reverse: whether to project vectors to logits.

    Output:
        `(B, T, D)`; or `(B, T, V)`, if `reverse`.
    """

    takes = tensors(inputs="any numbers (...)")

    def __init__(self, input_dim: int, output_dim: int, **kwargs: Any) -> None:
        super().__init__(input_dim, output_dim, **kwargs)
        self.supports_masking = True

    def build(self, inputs_shape: tuple | None = None) -> None:
        super().build(inputs_shape)

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        if reverse:
            width = self.embeddings.shape[-1]
            checks.built_for("inputs", inputs.shape, axis=-1, size=width, what="width")
        plain = self.tie_weights and not self.lora_enabled
        if reverse and plain and self.reverse_dtype is None and self.logit_soft_cap is None:
            # In a model of mixed precision Keras leaves the table in 32 bits.
            dtype = keras.backend.result_type(inputs.dtype, self.embeddings.dtype)
            return kernels.linear(ops.cast(inputs, dtype), self.embeddings, transposed=True)
        return super().call(inputs, reverse=reverse)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        if self.mask_zero and keras.backend.is_int_dtype(inputs.dtype):
            return ops.not_equal(inputs, 0)  # as of `keras.layers.Embedding`
        return previous_mask

    def compute_output_shape(self, inputs_shape: tuple, reverse: bool = False) -> tuple:
        return tuple(super().compute_output_shape(inputs_shape, reverse))

    def quantize(
        self, mode: str | None = None, type_check: bool = True, config: Any = None
    ) -> None:
        # Keras refuses subclasses, which may compute something else: this one does not.
        super().quantize(mode, type_check=False, config=config)
