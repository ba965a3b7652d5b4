"""A bias alone."""

from typing import Any

import keras

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks


@keras.saving.register_keras_serializable(package="keras_attention")
class Bias(Entrance, keras.layers.Layer):
    """Adds a learned bias to the last axis.

    Logits over a vocabulary have one behind a table that is not theirs alone, as those of BERT
    (Devlin et al., 2019, https://arxiv.org/abs/1810.04805, appendix A.2):

    ```python
    logits = Bias()(embedding(x, reverse=True))
    ```

    Call arguments:
        inputs: `(B, T, D)`.

    Output:
        `(B, T, D)`, with the mask of `inputs`.
    """

    takes = tensors(inputs="(B, T, D)")
    built_for = ("D",)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, inputs_shape: tuple) -> None:
        checks.known("inputs", inputs_shape)
        self.bias = self.add_weight(name="bias", shape=inputs_shape[-1:], initializer="zeros")
        self.built = True

    def call(self, inputs: Any) -> Any:
        return inputs + self.bias

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        return tuple(inputs_shape)
