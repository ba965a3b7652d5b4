"""Linear attention."""

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from keras_attention.layers.attention.mechanism import Mechanism
from keras_attention.ops import checks, linear

if TYPE_CHECKING:
    from keras_attention.layers.attention.multi_head_self_attention import MultiHeadSelfAttention


@keras.saving.register_keras_serializable(package="keras_attention")
class LinearAttention(Mechanism):
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

    recurrent = True

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
        if layer.position is not None:
            raise ValueError(
                "`LinearAttention` knows no relative positions. Received: "
                f"position={type(layer.position).__name__}. Add absolute ones before the layer, "
                "with `PositionalEncoding`."
            )
        super().check(layer)

    def attend(
        self,
        query: Any,
        key: Any,
        value: Any,
        *,
        causal: bool,
        mask: Any = None,
        scale: float | None = None,
        dropout: float = 0.0,
        seed: Any = None,
        state: Any = None,
    ) -> Any:
        output = linear.attention(
            query,
            key,
            value,
            feature_map=self.feature_map,
            causal=causal,
            mask=mask,
            state=state,
        )
        return ops.cast(output, value.dtype)

    def summed(self, key: Any, value: Any, mask: Any) -> Any:
        return linear.summed(key, value, feature_map=self.feature_map, mask=mask)

    def attention_weights(
        self, query: Any, key: Any, *, mask: Any, scale: float | None, rows: Any = None
    ) -> Any:
        return linear.weights(query, key, feature_map=self.feature_map, mask=mask)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "feature_map": self.feature_map}
