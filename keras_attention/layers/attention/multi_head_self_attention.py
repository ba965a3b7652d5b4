"""Multi-head self-attention."""

from functools import partial
from typing import Any

import keras
from keras import ops

from keras_attention import kernels, scope
from keras_attention.layers import strategy
from keras_attention.layers.attention import mechanism as mechanisms
from keras_attention.layers.attention.mechanism import Mechanism
from keras_attention.layers.attention.multi_head_attention import MultiHeadAttention
from keras_attention.layers.entrance import tensors
from keras_attention.layers.positions import position_strategy
from keras_attention.ops import checks, masks


@keras.saving.register_keras_serializable(package="keras_attention")
class MultiHeadSelfAttention(MultiHeadAttention):
    """Multi-head self-attention of Vaswani et al., 2017, section 3.2
    (https://arxiv.org/abs/1706.03762), with grouped heads, windows and relative positions.

    Unlike `keras.layers.MultiHeadAttention` it takes one sequence, uses a fused kernel with
    masks and dropout too, and gives exact zeros for a query that may attend to nothing, which
    includes every masked query.

    Args:
        num_heads: query heads N.
        head_dim: size H of each head; the width divided by `num_heads` if `None`.
        num_kv_heads: key and value heads K, a divisor of `num_heads`; 1 is multi-query, between
            grouped-query attention (https://arxiv.org/abs/2305.13245).
        output_dim: width of the output; that of the input if `None`.
        causal: hide the positions after each query.
        window: attend only to positions nearer than this; `j > i - window` if causal (the
            sliding window of https://arxiv.org/abs/2310.06825), else `|i - j| < window`.
        position: how positions enter: `None`, `"rotary"`, `"relative_bias"`, `"alibi"`,
            `"shaw"`, or a `RotaryEmbedding`, `RelativePositionBias`, `ALiBi` or
            `ShawRelativePosition` with other settings, of which a copy is kept.
        mechanism: what is computed instead of dense attention, in time and memory linear in T:
            `None`, `"block_sparse"`, `"linear"`, `"shifted_window"`, or a `BlockSparseAttention`,
            `LinearAttention` or `ShiftedWindowAttention` with other settings, of which a copy is
            kept. With an `attention_mask`, and where weights are asked for, it computes them all.
        dropout: share of the attention weights that training drops.
        use_bias: whether the four projections have biases.
        qk_norm: normalise queries and keys per head (RMS, with a learned scale).
        scale: factor of the logits; `head_dim ** -0.5` if `None`.
        kernel_initializer, bias_initializer: of the projections.
        seed: of the dropout.

    Call arguments:
        query: `(B, T, D)`.
        mask, query_mask: `(B, T)` boolean padding mask; either name, ANDed if both, and
            propagated by Keras.
        attention_mask: boolean, broadcastable to `(B, T, T)` or `(B, N, T, T)`.
        training: whether to apply dropout.
        return_attention_scores: return the weights as well.

    Output:
        `(B, T, output_dim)`, and `(B, N, T, T)` weights before dropout, in float32 at least, if
        `return_attention_scores=True`.

    Raises:
        ValueError: the width is not divisible by `num_heads`, `num_heads` not by
            `num_kv_heads`, a mask has the wrong shape or dtype, or the mechanism has no place for
            another setting.
    """

    takes = tensors(query="(B, T, D)")
    built_for = ("D",)
    reads = "itself"

    def __init__(
        self,
        num_heads: int,
        *,
        causal: bool = False,
        window: int | None = None,
        position: Any = None,
        mechanism: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_heads, **kwargs)
        if window is not None:
            checks.positive_int(window=window)
        self.causal = causal
        self.window = window
        self.position = position_strategy.copy_of(position, causal=causal)
        self.mechanism = mechanisms.copy_of(mechanism)
        if self.mechanism is not None:
            self.mechanism.check(self)

    def build(self, query_shape: tuple) -> None:
        checks.rank("query", query_shape, "(B, T, D)")
        checks.known("query", query_shape)
        self._build_projections(*[query_shape[-1]] * 3)
        if self.position is not None:
            self.position.build((None, self.num_heads, None, self._head_dim))
        if self.mechanism is not None:
            keys = (None, self.num_kv_heads, None, self._head_dim)
            self.mechanism.build((None, self.num_heads, None, self._head_dim), keys, keys)
        self.built = True

    def call(
        self,
        query: Any,
        mask: Any = None,
        query_mask: Any = None,
        attention_mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        self.check(query, mask, query_mask, attention_mask)
        mask = masks.both(mask, query_mask)
        x = masks.zero_masked(query, mask)
        output, weights = self.attend(
            x, mask, attention_mask, training, return_weights=return_attention_scores
        )
        return (output, weights) if return_attention_scores else output

    def attend(
        self,
        x: Any,
        mask: Any = None,
        attention_mask: Any = None,
        training: bool | None = None,
        *,
        return_weights: bool = False,
    ) -> tuple[Any, Any]:
        """What `call` does once its arguments are checked and masked positions are finite.

        For blocks, which have seen to both: it skips what Keras does around every call.
        """
        cache = scope.current_cache()
        if cache is not None and not cache.prefill and not self.causal:
            raise ValueError(
                "Only causal self-attention can be continued from a cache. Received: "
                f"causal=False in layer {self.path!r}. Enter the cache scope around the "
                "decoder alone, or pass causal=True."
            )
        q, k, v = self._project(x, "query", "key", "value")
        mechanism = self.mechanism
        ordered = self.causal or self.window is not None or mechanism is not None
        query_positions = key_positions = bias = context = None
        if ordered or self.position is not None or cache is not None:
            query_positions = key_positions = masks.positions(
                ops.shape(x)[1], scope.first_position()
            )
        if self.position is not None:
            q = self.position.rotate(q, query_positions)
            k = self.position.rotate(k, key_positions)
        key_mask = mask
        last = False
        if cache is not None and self.causal:
            if mechanism is not None and mechanism.recurrent and not cache.prefill:
                self._check_step(attention_mask, return_weights)
                return self._step(mechanism, cache.slot(self), q, k, v, mask), None
            k, v, key_mask, key_positions, last = self._remember(cache, k, v, mask, key_positions)
        fresh = key_positions is query_positions  # keys are those of this call
        # A mask of T x S leaves nothing to save, and a step sees all that is in the cache.
        implied = fresh and (mechanism is None or attention_mask is None)
        if self.position is not None:
            bias = self.position.bias(q * self._scale, query_positions, key_positions)
            if self.position.needs_weights:
                context = partial(
                    self.position.context,
                    query_positions=query_positions,
                    key_positions=key_positions,
                )
        return self._attend(
            q,
            k,
            v,
            query_mask=mask,
            key_mask=key_mask,
            attention_mask=attention_mask,
            visible=mask,  # a query sees itself
            causal=self.causal and implied,
            window=self.window if implied else None,
            attend=mechanism.attend if mechanism is not None and implied else None,
            explicit=mechanism is not None and not implied,
            order=lambda rows=None: self._order(
                query_positions if rows is None else ops.take(query_positions, rows),
                key_positions,
                key_mask,
                self.causal and not last,
            ),
            bias=bias,
            context=context,
            training=training,
            return_weights=return_weights,
        )

    def _order(self, query_positions: Any, key_positions: Any, key_mask: Any, causal: bool) -> Any:
        """Who may see whom, broadcastable to `(B, N, T, S)`; `None` for all."""
        if self.mechanism is not None:
            return self.mechanism.sees(
                query_positions, key_positions, causal=self.causal, mask=key_mask
            )
        order = masks.causal_mask(query_positions, key_positions, causal, self.window)
        return None if order is None else order[None, None]

    def _weights(self, q: Any, k: Any, *, mask: Any, bias: Any, rows: Any = None) -> Any:
        if self.mechanism is None:
            return super()._weights(q, k, mask=mask, bias=bias)
        return self.mechanism.attention_weights(q, k, mask=mask, scale=self._scale, rows=rows)

    def _step(
        self, mechanism: Mechanism, slot: scope.Slot, q: Any, k: Any, v: Any, mask: Any
    ) -> Any:
        """The output of a recurrent mechanism that goes on from its state."""
        state = slot.read()["state"]
        y = mechanism.attend(q, k, v, causal=True, mask=mask, state=state)
        slot.write(state=state + mechanism.summed(k, v, mask))
        return self._project_output(y, mask)

    def _check_step(self, attention_mask: Any, return_weights: bool) -> None:
        if attention_mask is not None or return_weights or scope.capturing(self):
            raise ValueError(
                "A cache of linear attention holds sums of keys, not the keys that weights and "
                f"an `attention_mask` are of. Received: a step of the layer {self.path!r}. Call "
                "the model on the whole sequence, outside of the cache scope, to see its weights."
            )

    def _remember(
        self, cache: scope.Cache, k: Any, v: Any, mask: Any, positions: Any
    ) -> tuple[Any, Any, Any, Any, bool]:
        """Keys, values, key mask and key positions to attend to, after storing these.

        And whether the one query is known to come after all keys.
        """
        slot = cache.slot(self)
        batch, _, length, _ = ops.shape(k)
        if cache.prefill:
            checks.at_most(
                "query",
                k.shape[2],
                "max_length",
                cache.max_length,
                "Give the cache scope room for prompt and continuation together.",
            )
            present = scope.padded(mask)
            if self.mechanism is not None and self.mechanism.recurrent:
                slot.write(state=self.mechanism.summed(k, v, present))
                return k, v, present, positions, False
            room = [0, cache.max_length - length]
            state = {
                "key": ops.pad(k, [[0, 0], [0, 0], room, [0, 0]]),
                "value": ops.pad(v, [[0, 0], [0, 0], room, [0, 0]]),
            }
            if present is not None:
                state["mask"] = ops.pad(present, [[0, 0], room], constant_values=True)
            slot.write(**state)
            return k, v, present, positions, False
        state = slot.read()
        store = partial(kernels.store, start=cache.index, in_place=cache.in_place)
        state = {**state, "key": store(state["key"], k), "value": store(state["value"], v)}
        if mask is not None:
            present = state.get("mask")
            if present is None:
                present = ops.ones((batch, state["key"].shape[2]), "bool")
            state["mask"] = store(present, mask, axis=1)
        slot.write(**state)
        # All that is filled, if its size may depend on the index: then nothing is after a query.
        end = kernels.count_filled(cache.index, length) if cache.in_place else None
        k, v, present = state["key"][:, :, :end], state["value"][:, :, :end], state.get("mask")
        present = None if present is None else present[:, :end]
        last = end is not None and length == 1
        return k, v, present, masks.positions(k.shape[2]), last

    def check(self, query: Any, mask: Any, query_mask: Any, attention_mask: Any) -> None:
        """Raises `ValueError` for arguments of `call` that do not fit together."""
        checks.sequence_mask("mask", mask, "query", query.shape)
        checks.sequence_mask("query_mask", query_mask, "query", query.shape)
        batch, length, _ = query.shape
        # A call inside a cache scope may attend to more keys than it has queries.
        key_length = length if scope.current_cache() is None else None
        checks.attention_mask(attention_mask, (batch, self.num_heads, length, key_length))

    def compute_output_shape(self, query_shape: tuple) -> tuple:
        return (*query_shape[:-1], self.output_dim or query_shape[-1])

    def compute_output_spec(
        self,
        query: Any,
        mask: Any = None,
        query_mask: Any = None,
        attention_mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        self.check(query, mask, query_mask, attention_mask)
        return self._spec(query, query.shape[1], return_attention_scores)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "causal": self.causal,
            "window": self.window,
            "position": strategy.config_of(self.position),
            "mechanism": strategy.config_of(self.mechanism),
        }
