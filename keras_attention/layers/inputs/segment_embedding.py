"""Which text of a pair a token belongs to."""

from typing import Any

import keras
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks


@keras.saving.register_keras_serializable(package="keras_attention")
class SegmentEmbedding(Entrance, keras.layers.Layer):
    """Adds a learned vector that says which text of a pair a token belongs to.

    The segments of BERT (Devlin et al., 2019, https://arxiv.org/abs/1810.04805, section 3.1,
    figure 2). They are counted in the graph, by the separators before each token, so that a model
    of pairs has one input.

    Args:
        num_segments: rows of the table; tokens behind the last separator stay in the last segment.
        separator_id: the id that ends a text; all tokens are in the first segment if `None`.

    Call arguments:
        inputs: `(B, T, D)`.
        token_ids: `(B, T)` integers.

    Output:
        `(B, T, D)`, with the mask of `inputs`.
    """

    takes = tensors(inputs="(B, T, D)", token_ids="integers (B, T)")
    built_for = ("D",)

    def __init__(
        self, num_segments: int = 2, separator_id: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(num_segments=num_segments)
        self.num_segments = num_segments
        self.separator_id = separator_id
        self.supports_masking = True

    def build(self, inputs_shape: tuple, token_ids_shape: tuple) -> None:
        checks.rank("inputs", inputs_shape, "(B, T, D)")
        checks.known("inputs", inputs_shape)
        self.table = self.add_weight(
            name="table",
            shape=(self.num_segments, inputs_shape[-1]),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )
        self.built = True

    def call(self, inputs: Any, token_ids: Any) -> Any:
        table = ops.cast(self.table, inputs.dtype)
        if self.separator_id is None:
            return inputs + table[0]
        separators = ops.cast(ops.equal(token_ids, self.separator_id), "int32")
        before = ops.cumsum(separators, axis=1) - separators
        return inputs + ops.take(table, ops.minimum(before, self.num_segments - 1), axis=0)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        # Keras gives the masks of both inputs as a list, that of the first first.
        return previous_mask[0] if isinstance(previous_mask, (list, tuple)) else previous_mask

    def compute_output_shape(self, inputs_shape: tuple, token_ids_shape: tuple) -> tuple:
        return tuple(inputs_shape)

    def compute_output_spec(self, inputs: Any, token_ids: Any) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_segments": self.num_segments,
            "separator_id": self.separator_id,
        }
