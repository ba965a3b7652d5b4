"""Attention that a recurrent decoder asks step by step."""

from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import ops

from keras_attention import scope
from keras_attention.layers.attention.memory_attention import MemoryAttention
from keras_attention.ops import attention, masks, recurrent
from keras_attention.ops.precision import weights_dtype
from keras_attention.types import Bool, Float, Tensor

Tensors = dict[str, Tensor]


class Inputs(NamedTuple):
    """The inputs of a decoder's call.

    Attributes:
        query: what the decoder reads, zero where it is masked.
        value: the memory, which is `None` without attention.
        keep_weights: whether the attention weights are wanted.
    """

    query: Float[Tensor, "B T D"]
    query_mask: Bool[Tensor, "B T"] | None
    value: Float[Tensor, "B S D_v"]
    value_mask: Bool[Tensor, "B S"] | None
    training: bool
    keep_weights: bool


class AttentionInLoop:
    """An attention layer inside a loop over time, asked by one state in each step.

    The memory is read before the loop, and the weights are recorded after it. What changes the
    weights from step to step goes into the loop beside the input: a nudge, and the factors of
    dropout, which are drawn before it because a seed must not change inside a loop.
    """

    def __init__(self, layer: MemoryAttention, inputs: Inputs) -> None:
        query, value = inputs.query, inputs.value
        self._layer = layer
        self._query_mask = inputs.query_mask
        self._memory = layer.remember(value, inputs.value_mask, query_mask=inputs.query_mask)
        self._capturing = scope.capturing(layer)
        self._keeps_weights = inputs.keep_weights or self._capturing
        (batch, length), key_length = ops.shape(query)[:2], ops.shape(value)[1]
        self._beside = {"position": masks.positions(length, scope.first_position())}
        if inputs.training and layer.dropout:
            self._beside["factors"] = keras.random.dropout(
                ops.ones((length, batch, 1, key_length)), layer.dropout, seed=layer.seed_generator
            )
        nudge = scope.nudge(layer)  # (B, 1, T, S)
        if nudge is not None:
            self._beside["nudge"] = ops.transpose(nudge, (2, 0, 1, 3))
        self._zeros = {"context": ops.zeros((batch, value.shape[-1]), value.dtype)}
        if self._keeps_weights:
            dtype = weights_dtype(layer.compute_dtype)
            self._zeros["weights"] = ops.zeros((batch, key_length), dtype)

    def ask(self, hidden: Float[Tensor, "B U"], x: Tensors) -> Tensors:
        """Returns the `"context"` `(B, D_v)` of a step's state, and the `"weights"` if kept.

        `x` has the tensors of the step, as `scan` hands them to it.
        """
        weights = self._layer.weigh(
            hidden[:, None], self._memory, query_mask=x.get("mask"), first_position=x["position"]
        )  # (B, 1, S)
        used = weights
        if "factors" in x:
            used = used * ops.cast(x["factors"], used.dtype)
        if "nudge" in x:
            used = used + ops.cast(x["nudge"], used.dtype)
        context = attention.weighted_sum(used[:, None], self._memory["value"][:, None])
        answer = {"context": context[:, 0, 0]}
        return {**answer, "weights": weights[:, 0]} if self._keeps_weights else answer

    def scan(
        self,
        step: Callable[[Tensors, Tensors], tuple[Tensors, Tensors]],
        state: Tensors,
        gates: Float[Tensor, "B T G"],
    ) -> tuple[Tensors, Tensors]:
        """Runs `step(state, x) -> (state, answer)` over time, and records the weights.

        Returns:
            The last state; and states and answers of all steps, `(B, T, ...)`.
        """
        state, steps = recurrent.scan(
            step, state, self._zeros, gates, self._beside, self._query_mask
        )
        if self._capturing:
            scope.record(self._layer, steps["weights"][:, None])
        return state, steps
