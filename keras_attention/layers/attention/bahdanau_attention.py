"""Additive attention."""

from typing import Any

import keras
from keras import ops

from keras_attention import kernels
from keras_attention.layers.attention.memory_attention import MemoryAttention
from keras_attention.layers.entrance import tensors
from keras_attention.layers.weights import add_kernel
from keras_attention.ops import additive, attention, checks, masks


@keras.saving.register_keras_serializable(package="keras_attention")
class BahdanauAttention(MemoryAttention):
    """Additive attention of Bahdanau et al., 2015 (https://arxiv.org/abs/1409.0473).

    `e = v . tanh(W_q q + W_k k)` (appendix A.1.2, with U_a called W_k). Unlike
    `keras.layers.AdditiveAttention` it learns W_q, W_k and v. Large T x S are computed in
    chunks, so memory grows with `S x units`, not `T x S x units`.

    Args:
        units: width of the hidden layer, the paper's n'.
        dropout: share of the attention weights that training drops.
        kernel_initializer: of W_q, W_k and v.
        seed: of the dropout.

    Call arguments:
        query: `(B, T, D_q)`, decoder states.
        value: `(B, S, D_v)`, the memory.
        key: `(B, S, D_k)`; `value` if `None`.
        query_mask: `(B, T)` boolean; a masked query attends to nothing.
        value_mask, key_mask: `(B, S)` boolean, ANDed.
        attention_mask: boolean, broadcastable to `(B, T, S)`.
        training: whether to apply dropout.
        return_attention_scores: return the weights as well.
        projected_key: `(B, S, units)` from `project_key`, so that a decoder projects its memory
            once and not in every step; inside a cache scope this happens by itself.

    Output:
        `(B, T, D_v)`, and `(B, T, S)` weights before dropout if `return_attention_scores=True`.

    Raises:
        ValueError: key and value differ in length, or a mask has the wrong shape or dtype.
    """

    attends_first = True
    kernel_names = ("query_kernel", "key_kernel")

    takes = tensors(
        query="(B, T, D)", value="(B, S, D_v)", key="(B, S, D_k)", projected_key="(B, S, units)"
    )

    def __init__(
        self,
        units: int,
        dropout: float = 0.0,
        kernel_initializer: Any = "glorot_uniform",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dropout=dropout, seed=seed, **kwargs)
        checks.positive_int(units=units)
        self.units = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(
        self,
        query_shape: tuple,
        value_shape: tuple,
        key_shape: tuple | None = None,
        projected_key_shape: tuple | None = None,
    ) -> None:
        key_shape = key_shape or value_shape
        self._check_widths(query_shape, value_shape, key_shape)
        self.query_kernel = add_kernel(self, "query_kernel", (query_shape[-1], self.units))
        self.key_kernel = add_kernel(self, "key_kernel", (key_shape[-1], self.units))
        self.vector = add_kernel(self, "vector", (self.units, 1))
        self.built = True

    def project_key(self, key: Any, key_mask: Any = None) -> Any:
        """Returns `W_k k`: `(B, S, units)`, to be passed as `projected_key` in every decoder step.

        Args:
            key: `(B, S, D_k)`, the memory.
            key_mask: `(B, S)` boolean; masked positions are taken as zero.

        Raises:
            ValueError: the layer is not built yet.
        """
        if not self.built:
            raise ValueError(
                f"Layer {self.name!r} has no weights yet to project keys with. Call it once, or "
                "`build(query_shape, value_shape)`."
            )
        return self._project(masks.zero_masked(ops.cast(key, self.compute_dtype), key_mask))

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
        projected_key: Any = None,
    ) -> Any:
        self._check(query, value, key, query_mask, value_mask, key_mask, attention_mask)
        memory_mask = masks.both(value_mask, key_mask)
        return self._attend(
            query,
            self.remember(value, memory_mask, key=key, projected_key=projected_key),
            query_mask=query_mask,
            attention_mask=attention_mask,
            training=training,
            return_attention_scores=return_attention_scores,
        )

    def _project(self, key: Any) -> Any:
        # Cast, since `project_key` may be called outside of Keras's own casting.
        kernel = ops.cast(kernels.value_of(self.key_kernel), self.compute_dtype)
        return ops.matmul(ops.cast(key, self.compute_dtype), kernel)  # W_k k

    def _weigh(self, query: Any, memory: dict[str, Any], mask: Any, first_position: Any) -> Any:
        projected_query = kernels.multiply(query, self.query_kernel)  # W_q q
        logits = additive.scores(projected_query, memory["key"], self.vector[:, 0])
        return attention.masked_softmax(logits, mask)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
