"""A bias of attention logits that several layers share."""

from typing import Any

import keras
from keras import ops

from keras_attention import scope
from keras_attention.layers import strategy
from keras_attention.layers.composite import Composite
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.layers.positions.alibi import ALiBi
from keras_attention.layers.positions.logits_bias import LogitsBias
from keras_attention.layers.positions.relative_position_bias import RelativePositionBias
from keras_attention.ops import checks, masks
from keras_attention.ops.visibility import Span
from keras_attention.types import Float, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class AttentionBias(Entrance, Composite):
    """Bias of the attention logits that all blocks of a model share, as in T5 and MPNet.

    Raffel et al., 2020 (https://arxiv.org/abs/1910.10683), section 2.1: "we share the position
    embedding parameters across all layers". Unlike `position` of a block, of which each block has
    a copy, it is computed once and passed to them. Inside a cache scope it continues as they do.

    ```python
    bias = ka.layers.AttentionBias(num_heads=12)(x)
    for i in range(12):
        x = ka.layers.TransformerBlock(12, 3072, name=f"block_{i}")(x, attention_bias=bias)
    ```

    Args:
        num_heads: heads N of the layers that share it.
        position: `"relative_bias"`, `"alibi"`, or a `RelativePositionBias` or `ALiBi` with other
            settings, of which a copy is kept. For causal attention T5 has
            `RelativePositionBias(bidirectional=False)`.

    Call arguments:
        inputs: `(B, T, D)`, the sequence that the layers attend to; its length alone is read.

    Output:
        `(1, N, T, T)`, in a step of a cache scope `(1, N, T, max_length)`.
    """

    takes = tensors(inputs="(B, T, D)")

    def __init__(self, num_heads: int, position: Any = "relative_bias", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        checks.positive_int(num_heads=num_heads)
        self.num_heads = num_heads
        named = {"relative_bias": RelativePositionBias, "alibi": ALiBi}
        self.position: LogitsBias = strategy.copy_of(position, named, LogitsBias, "position")
        self.supports_masking = True

    def build(self, inputs_shape: tuple) -> None:
        checks.rank("inputs", inputs_shape, "(B, T, D)")
        self.position.build((None, self.num_heads, None, None))
        self.built = True

    def call(self, inputs: Float[Tensor, "B T D"]) -> Float[Tensor, "1 N T S"]:
        steps = Span.of(inputs, scope.first_position()).positions()
        bias = self.position.bias(None, steps, masks.positions(self._count_keys(inputs)))
        return ops.cast(bias, self.compute_dtype)

    def _count_keys(self, inputs: Float[Tensor, "B T D"]) -> Any:
        """Returns how many keys there are, in a step all that the cache has room for."""
        cache = scope.current_cache()
        if cache is not None:
            slot = cache.slot(self)
            if slot.filled:
                return slot.read()["room"].shape[1]
            # Its size tells the room. All that a cache holds has a row for each of the batch.
            slot.write(room=ops.ones((ops.shape(inputs)[0], cache.max_length), "bool"))
        return Span.of(inputs).length

    def compute_mask(self, inputs: Tensor, previous_mask: Any = None) -> None:
        """Returns no mask: the output has no row for each position of the inputs."""
        return None

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        return (1, self.num_heads, inputs_shape[1], inputs_shape[1])

    def compute_output_spec(self, inputs: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "position": strategy.config_of(self.position),
        }
