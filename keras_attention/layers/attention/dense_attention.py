"""Dense attention, the mechanism of multi-head attention unless another is given."""

from keras import ops

from keras_attention.layers.attention.mechanism import Mechanism, Memory
from keras_attention.layers.positions.position_strategy import PositionStrategy
from keras_attention.ops import attention
from keras_attention.ops.softmax import Softmax
from keras_attention.ops.visibility import EVERYTHING, Visibility
from keras_attention.types import Float, Tensor


class DenseAttention(Mechanism):
    """Softmax of the products of all queries and keys, on the kernel that is fastest.

    Args:
        position: what it adds to the logits, and to the output by the weights.
    """

    takes_bias = True

    def __init__(self, position: PositionStrategy | None = None) -> None:
        self.position = position or PositionStrategy()

    def needs_weights(self, visibility: Visibility) -> bool:
        return self.position.needs_weights

    def attend(
        self,
        query: Float[Tensor, "B N T H"],
        memory: Memory,
        visibility: Visibility,
        softmax: Softmax,
    ) -> Float[Tensor, "B N T H"]:
        causal, window = visibility.pattern if visibility.aligned else EVERYTHING
        return attention.dot_product_attention(
            query,
            memory.key,
            memory.value,
            mask=visibility.kernel_mask(),
            bias=self._bias(query, visibility, softmax.scale),
            causal=causal,
            window=window,
            softmax=softmax,
        )

    def attention_weights(
        self,
        query: Float[Tensor, "B N T H"],
        memory: Memory,
        visibility: Visibility,
        scale: float,
    ) -> Float[Tensor, "B N T S"]:
        bias = self._bias(query, visibility, scale)
        mask = visibility.mask()
        return attention.attention_weights(query, memory.key, mask=mask, bias=bias, scale=scale)

    def apply_weights(
        self, weights: Float[Tensor, "B N T S"], memory: Memory, visibility: Visibility
    ) -> Float[Tensor, "B N T H"]:
        y = attention.weighted_sum(weights, memory.value)
        if not self.position.needs_weights:
            return y
        context = self.position.context(weights, *visibility.positions())
        return y + ops.cast(context, y.dtype)

    def _bias(
        self, query: Float[Tensor, "B N T H"], visibility: Visibility, scale: float | None
    ) -> Float[Tensor, "B N T S"] | None:
        if not self.position.needs_logits:
            return visibility.bias
        bias = self.position.bias(query * scale, *visibility.positions())
        given = visibility.bias
        return bias if given is None else bias + ops.cast(given, bias.dtype)
