"""Linear attention."""

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from keras_attention import scope
from keras_attention.layers.attention.mechanism import MechanismLayer, Memory
from keras_attention.layers.positions.position_strategy import PositionStrategy
from keras_attention.ops import checks, linear
from keras_attention.ops.softmax import Softmax
from keras_attention.ops.visibility import Visibility
from keras_attention.types import Float, Tensor

if TYPE_CHECKING:
    from keras_attention.layers.attention.multi_head_self_attention import MultiHeadSelfAttention


@keras.saving.register_keras_serializable(package="keras_attention")
class LinearAttention(MechanismLayer):
    """Linear attention of Katharopoulos et al., 2020 (https://arxiv.org/abs/2006.16236).

    The similarity of query and key is `phi(q) . phi(k)` instead of the exponential of their scaled
    product, so keys and values are summed once for all queries (equation 5). As `mechanism` of
    causal `MultiHeadSelfAttention` it decodes as a recurrent network (section 3.4): a cache keeps
    `H x (H + 1)` numbers per head, however long the text. Its weights, where they are asked for,
    are the similarities divided by their sum (equation 4). There are none to drop, and positions
    must be absolute ones, added before the layer.

    Args:
        feature_map: phi: `"elu"` (the paper's `elu(x) + 1`, equation 7), `"relu"` or `"softplus"`.

    Call arguments:
        query: `(B, N, T, H)`.
        key, value: `(B, K, T, H)`; K divides N.
        causal: whether to hide the positions after each query.

    Output:
        `(B, N, T, H)`, summed in float32 at least.
    """

    def __init__(self, feature_map: str = "elu", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        checks.one_of("feature_map", feature_map, tuple(linear.FEATURE_MAPS))
        self.feature_map = feature_map

    def check(self, layer: "MultiHeadSelfAttention") -> None:
        if layer.dropout:
            raise ValueError(
                "`LinearAttention` has no weights that training could drop. Received: "
                f"dropout={layer.dropout}. Drop the layer's output instead, with `keras.layers."
                "Dropout` or by `dropout` of a block."
            )
        if layer.scale is not None:
            raise ValueError(
                "`scale` is of the logits of a softmax, which `LinearAttention` has not. Received: "
                f"scale={layer.scale}. Leave it out."
            )
        if type(layer.position) is not PositionStrategy:
            raise ValueError(
                "`LinearAttention` knows no relative positions. Received: "
                f"position={type(layer.position).__name__}. Add absolute ones before the layer, "
                "with `PositionalEncoding`."
            )
        super().check(layer)

    def begin(self, slot: scope.Slot, memory: Memory) -> None:
        slot.write(state=self._sums(memory))

    def resume(self, slot: scope.Slot, memory: Memory) -> Memory:
        state = slot.read()["state"]
        slot.write(state=state + self._sums(memory))
        return memory._replace(state=state)

    def _sums(self, memory: Memory) -> Float[Tensor, "B K H U"]:
        return linear.sum_up(
            memory.key, memory.value, feature_map=self.feature_map, mask=memory.mask
        )

    def attend(
        self,
        query: Float[Tensor, "B N T H"],
        memory: Memory,
        visibility: Visibility,
        softmax: Softmax,
    ) -> Float[Tensor, "B N T H"]:
        output = linear.attention(
            query,
            memory.key,
            memory.value,
            feature_map=self.feature_map,
            causal=visibility.pattern.causal,
            mask=memory.mask,
            state=memory.state,
        )
        return ops.cast(output, memory.value.dtype)

    def attention_weights(
        self,
        query: Float[Tensor, "B N T H"],
        memory: Memory,
        visibility: Visibility,
        scale: float,
    ) -> Float[Tensor, "B N T S"]:
        if memory.state is not None:
            raise ValueError(
                "A cache of linear attention holds sums of keys, not the keys that weights and "
                f"an `attention_mask` are of. Received: a step of the layer {self.path!r}. Call "
                "the model on the whole sequence, outside of the cache scope, to see its weights."
            )
        return linear.weights(
            query, memory.key, feature_map=self.feature_map, mask=visibility.mask()
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "feature_map": self.feature_map}
