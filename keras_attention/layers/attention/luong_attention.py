"""Global and local attention of Luong et al."""

from typing import Any

import keras
from keras import ops

from keras_attention import kernels
from keras_attention.layers.attention.memory_attention import MemoryAttention
from keras_attention.layers.entrance import tensors
from keras_attention.layers.weights import add_kernel
from keras_attention.ops import additive, attention, checks, masks
from keras_attention.ops.precision import alike


@keras.saving.register_keras_serializable(package="keras_attention")
class LuongAttention(MemoryAttention):
    """Global and local attention of Luong et al., 2015 (https://arxiv.org/abs/1508.04025).

    The score of equation 8 (section 3.1) is `"dot"`, `q . k`; `"general"`, `q . W_a k`; or
    `"concat"`, `v_a . tanh(W_a [q; k])`. The alignment (section 3.2) is

    - `"global"`: softmax over all of the memory,
    - `"local_m"`: softmax over positions `p_t - window` to `p_t + window` with `p_t = t`,
    - `"local_p"`: the same around the predicted `p_t = S sigmoid(v_p . tanh(W_p q))`
      (equation 9), times the Gaussian `exp(-(s - p_t)^2 / (2 (window / 2)^2))` (equation 10);
      these weights sum to less than 1.

    Positions count from 0 at the first unmasked element, and S is the number of unmasked ones.

    Args:
        score: `"dot"`, `"general"` or `"concat"`.
        alignment: `"global"`, `"local_m"` or `"local_p"`.
        window: the paper's D, for the local alignments.
        units: hidden width of the concat score and of the prediction of p_t; the query's
            width if `None`.
        dropout: share of the attention weights that training drops.
        kernel_initializer: of all weights.
        seed: of the dropout.

    Call arguments:
        query: `(B, T, D_q)`, decoder states.
        value: `(B, S, D_v)`, the memory.
        key: `(B, S, D_k)`; `value` if `None`. For `"dot"`, D_k must equal D_q.
        query_mask: `(B, T)` boolean; a masked query attends to nothing.
        value_mask, key_mask: `(B, S)` boolean, ANDed.
        attention_mask: boolean, broadcastable to `(B, T, S)`.
        training: whether to apply dropout.
        return_attention_scores: return the weights as well.

    Output:
        `(B, T, D_v)`, and `(B, T, S)` weights before dropout if `return_attention_scores=True`.

    Raises:
        ValueError: query and key differ in width for the dot score, key and value in length,
            or a mask has the wrong shape or dtype.
    """

    takes = tensors(query="(B, T, D)", value="(B, S, D_v)", key="(B, S, D_k)")
    kernel_names = ("kernel", "query_kernel", "key_kernel", "position_kernel")

    def __init__(
        self,
        score: str = "general",
        alignment: str = "global",
        window: int = 10,
        units: int | None = None,
        dropout: float = 0.0,
        kernel_initializer: Any = "glorot_uniform",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dropout=dropout, seed=seed, **kwargs)
        checks.one_of("score", score, ("dot", "general", "concat"))
        checks.one_of("alignment", alignment, ("global", "local_m", "local_p"))
        checks.positive_int(window=window)
        if units is not None:
            checks.positive_int(units=units)
        self.score = score
        self.alignment = alignment
        self.window = window
        self.units = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None) -> None:
        key_shape = key_shape or value_shape
        self._check_widths(query_shape, value_shape, key_shape)
        width, key_width = query_shape[-1], key_shape[-1]
        units = self.units or width
        if self.score == "general":
            self.kernel = add_kernel(self, "kernel", (width, key_width))
        elif self.score == "concat":
            self.query_kernel = add_kernel(self, "query_kernel", (width, units))
            self.key_kernel = add_kernel(self, "key_kernel", (key_width, units))
            self.vector = add_kernel(self, "vector", (units, 1))
        if self.alignment == "local_p":
            self.position_kernel = add_kernel(self, "position_kernel", (width, units))
            self.position_vector = add_kernel(self, "position_vector", (units, 1))
        self.built = True

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        self._check(query, value, key, query_mask, value_mask, key_mask, attention_mask)
        memory_mask = masks.both(value_mask, key_mask)
        return self._attend(
            query,
            self.remember(value, memory_mask, key=key, query_mask=query_mask),
            query_mask=query_mask,
            attention_mask=attention_mask,
            training=training,
            return_attention_scores=return_attention_scores,
        )

    def _weigh(self, query: Any, memory: dict[str, Any], mask: Any, first_position: Any) -> Any:
        logits = self._score(query, memory["key"])
        if self.alignment == "global":
            return attention.masked_softmax(logits, mask)
        if self.alignment == "local_m":
            center = self._monotonic_center(ops.shape(query)[1], memory, first_position)
        else:
            center = self._predicted_center(query, memory)
        distance = self._key_positions(memory)[:, None, :] - center  # s - p_t: (B, T, S)
        near = ops.abs(distance) <= self.window
        weights = attention.masked_softmax(logits, masks.both(mask, near))
        if self.alignment == "local_m":
            return weights
        deviation = self.window / 2
        gaussian = ops.exp(-ops.square(distance) / (2 * deviation**2))  # equation 10
        return weights * ops.cast(gaussian, weights.dtype)

    def _project(self, key: Any) -> Any:
        if self.score == "dot":
            return key
        if self.score == "general":
            return ops.matmul(key, ops.transpose(kernels.value_of(self.kernel)))
        return kernels.multiply(key, self.key_kernel)

    def _score(self, query: Any, projected_key: Any) -> Any:
        """Returns equation 8: `(B, T, S)`."""
        if self.score == "concat":
            projected_query = kernels.multiply(query, self.query_kernel)
            return additive.scores(projected_query, projected_key, self.vector[:, 0])
        query, projected_key = alike(query, projected_key)
        return ops.matmul(query, ops.swapaxes(projected_key, -1, -2))

    def _notes(self, query_mask: Any) -> dict[str, Any]:
        if self.alignment != "local_m" or query_mask is None:
            return {}
        return {"start": masks.first_valid(query_mask)}  # the position from which p_t counts

    def _key_positions(self, memory: dict[str, Any]) -> Any:
        """Returns s: `(1 or B, S)` in float32."""
        positions = masks.positions(ops.shape(memory["key"])[1])[None]
        if "mask" in memory:
            positions = positions - masks.first_valid(memory["mask"])[:, None]
        return ops.cast(positions, "float32")

    @staticmethod
    def _monotonic_center(length: Any, memory: dict[str, Any], first_position: Any) -> Any:
        """Returns `p_t = t`: `(1 or B, T, 1)` in float32."""
        time = masks.positions(length, first_position)[None]
        if "start" in memory:
            time = time - memory["start"][:, None]
        return ops.cast(time, "float32")[:, :, None]

    def _predicted_center(self, query: Any, memory: dict[str, Any]) -> Any:
        """Returns `p_t` of equation 9: `(B, T, 1)` in float32."""
        hidden = ops.tanh(kernels.multiply(query, self.position_kernel))
        predicted = ops.cast(ops.matmul(hidden, self.position_vector), "float32")
        if "mask" in memory:
            size = ops.sum(ops.cast(memory["mask"], "float32"), axis=-1)[:, None, None]
        else:
            size = ops.cast(masks.count(ops.shape(memory["key"])[1]), "float32")
        return size * ops.sigmoid(predicted)

    def _check_widths(self, query_shape: tuple, value_shape: tuple, key_shape: tuple) -> None:
        super()._check_widths(query_shape, value_shape, key_shape)
        if self.score == "dot":
            checks.same_size(
                "query",
                query_shape,
                "key",
                key_shape,
                axis=-1,
                what="width for score='dot'; score='general' takes different ones",
            )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "score": self.score,
            "alignment": self.alignment,
            "window": self.window,
            "units": self.units,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
