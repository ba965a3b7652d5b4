"""The embeddings of distances that the layers of DeBERTa share."""

from typing import Any

import keras
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks
from keras_attention.types import Float, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class RelativeEmbedding(Entrance, keras.layers.Layer):
    """Embeddings of distances, which all layers of an encoder share.

    The matrix P of He et al., 2021 (https://arxiv.org/abs/2006.03654), section 3.1, for
    `DisentangledAttention`. DeBERTa v2 and v3 normalise its rows.

    ```python
    relative = RelativeEmbedding(512)(x)
    for block in blocks:
        x = block(x, relative)
    ```

    Args:
        input_dim: number of rows R, `num_rows` of the attention layers.
        normalize: whether the rows pass through a LayerNorm.
        epsilon: of the LayerNorm.
        embeddings_initializer: of the rows.

    Call arguments:
        inputs: `(B, T, D)`, whose width the rows have. The values are not read.

    Output:
        `(R, D)`.
    """

    takes = tensors(inputs="(B, T, D)")
    built_for = ("D",)

    def __init__(
        self,
        input_dim: int,
        *,
        normalize: bool = True,
        epsilon: float = 1e-7,
        embeddings_initializer: Any = "uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(input_dim=input_dim)
        self.input_dim = input_dim
        self.normalize = normalize
        self.epsilon = epsilon
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.norm = keras.layers.LayerNormalization(
            epsilon=epsilon, name="norm", dtype=self.dtype_policy
        )
        self.supports_masking = True

    def build(self, inputs_shape: tuple) -> None:
        checks.rank("inputs", inputs_shape, "(B, T, D)")
        checks.known("inputs", inputs_shape)
        shape = (self.input_dim, inputs_shape[-1])
        self.embeddings = self.add_weight(
            name="embeddings", shape=shape, initializer=self.embeddings_initializer
        )
        if self.normalize:
            self.norm.build(shape)
        self.built = True

    def call(self, inputs: Float[Tensor, "B T D"]) -> Float[Tensor, "R D"]:
        rows = ops.cast(self.embeddings, self.compute_dtype)
        return self.norm.call(rows) if self.normalize else rows

    def compute_mask(self, inputs: Tensor, previous_mask: Any = None) -> None:
        """Returns `None`: no row stands for padding."""

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        return (self.input_dim, inputs_shape[-1])

    def compute_output_spec(self, inputs: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "normalize": self.normalize,
            "epsilon": self.epsilon,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
        }
