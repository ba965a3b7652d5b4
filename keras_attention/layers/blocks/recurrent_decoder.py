"""The recurrent decoder of sequence-to-sequence models, with attention in its loop."""

from typing import Any

import keras
from keras import ops

from keras_attention import kernels, scope
from keras_attention.layers.attention.bahdanau_attention import BahdanauAttention
from keras_attention.layers.attention.memory_attention import MemoryAttention
from keras_attention.layers.composite import Composite
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import attention as functions
from keras_attention.ops import checks, masks, recurrent
from keras_attention.ops.initializers import fresh
from keras_attention.ops.precision import weights_dtype

_CELLS = {"gru": recurrent.gru, "lstm": recurrent.lstm}
_GATES = {"gru": 3, "lstm": 4}


@keras.saving.register_keras_serializable(package="keras_attention")
class RecurrentDecoder(Entrance, Composite):
    """The decoder of Bahdanau et al., 2015 (https://arxiv.org/abs/1409.0473), or of Luong et al.,
    2015 (https://arxiv.org/abs/1508.04025), in the order of the attention's paper.

    With `BahdanauAttention` the previous state attends, and the cell reads what it found:
    `c_t = attention(s_{t-1})`, `s_t = cell([x_t; c_t], s_{t-1})`. Features are the maxout of a
    projection of state, input and context (equation 4 and appendix A.2.2, with s_t as in the
    equation).

    With `LuongAttention` the new state attends: `h_t = cell(x_t, h_{t-1})`,
    `c_t = attention(h_t)`. Features are the attentional vectors `tanh(W_c [c_t; h_t])` (equation
    5), which the next step reads beside its input if `input_feeding` (section 3.3).

    Without attention features are the states (https://arxiv.org/abs/1409.3215), which know the
    source from the initial state alone.

    Unlike a `keras.layers.RNN` it decodes incrementally in a cache scope, like the layers of
    transformers. Its GRU is the paper's, `keras.layers.GRU(reset_after=False)`. Padded steps
    keep the state, on either side. PyTorch's traces and exports, to ONNX too, have as many steps
    as their example, and fail at another length.

    Args:
        units: width of the states and of the features.
        cell: `"gru"` or `"lstm"`.
        attention: `BahdanauAttention`, `LuongAttention` or `None`; the decoder keeps a copy.
        input_feeding: whether a step reads the attentional vector of the step before; without,
            attention runs over all steps at once. Of `LuongAttention` alone.
        doubly_stochastic: weight of the regulariser of Xu et al., 2015, section 4.2.1
            (https://arxiv.org/abs/1502.03044), for all of the memory to be read at some time:
            `sum over S of (1 - sum over T of the weights) ** 2`, the mean over B of which joins
            the loss in training. Padding counts on neither side.
        kernel_initializer: of all weights but the recurrent ones, which begin orthogonal.

    Call arguments:
        query: `(B, T, E)`, what the decoder reads: embeddings of the target, shifted right.
        value: `(B, S, D_v)`, the memory, where there is attention.
        query_mask: `(B, T)` boolean padding mask of `query`.
        value_mask: `(B, S)` boolean padding mask of `value`.
        initial_state: `(B, state_size)`, of an LSTM hidden and cell state one after the other;
            zeros if `None`.
        training: whether to apply the attention's dropout.

    Output:
        `(B, T, units)`. Weights `(B, 1, T, S)` are captured under the path of the attention.

    Raises:
        ValueError: there is one of attention and `value` alone, `doubly_stochastic` is negative
            or without attention, or a shape does not fit.
    """

    takes = tensors(query="(B, T, D)", value="(B, S, D_v)", initial_state="(B, state_size)")
    built_for = ("D", "D_v")

    def __init__(
        self,
        units: int,
        cell: str = "gru",
        attention: MemoryAttention | dict | None = None,
        input_feeding: bool = True,
        doubly_stochastic: float = 0.0,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(units=units)
        checks.one_of("cell", cell, tuple(_GATES))
        self.units = units
        self.cell = cell
        self.attention: Any = _copy_of(attention, self.dtype_policy)
        self.input_feeding = input_feeding
        self.doubly_stochastic = _weight_of(doubly_stochastic, self.attention)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.supports_masking = True
        # As those of `keras.layers.LSTM`: XLA must know how long a loop is to have its gradient.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    @property
    def state_size(self) -> int:
        """Width of `initial_state`: `units`, or twice as many for hidden and cell state."""
        return self.units * (2 if self.cell == "lstm" else 1)

    @property
    def _attends_first(self) -> bool:
        return isinstance(self.attention, BahdanauAttention)

    @property
    def _loops(self) -> bool:
        """Whether a step needs what attention found before it."""
        return self._attends_first or (self.attention is not None and self.input_feeding)

    def build(
        self,
        query_shape: tuple,
        value_shape: tuple | None = None,
        initial_state_shape: tuple | None = None,
    ) -> None:
        self._check_shapes(query_shape, value_shape, initial_state_shape)
        checks.known("query", query_shape)
        width, units = query_shape[-1], self.units
        gates = _GATES[self.cell] * units
        self.input_kernel = self._add("input_kernel", (width, gates))
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel", shape=(units, gates), initializer=_orthogonal
        )
        self.bias = self.add_weight(name="bias", shape=(gates,), initializer=self._bias)
        if value_shape is not None:
            self.attention.build((*query_shape[:-1], units), tuple(value_shape))
            found = value_shape[-1]
            if self._loops:
                fed = found if self._attends_first else units
                self.context_kernel = self._add("context_kernel", (fed, gates))
            if self._attends_first:
                self.readout_kernel = self._add(
                    "readout_kernel", (units + width + found, 2 * units)
                )
                self.readout_bias = self.add_weight(
                    name="readout_bias", shape=(2 * units,), initializer="zeros"
                )
            else:
                self.readout_kernel = self._add("readout_kernel", (found + units, units))
        self.built = True

    def _add(self, name: str, shape: tuple) -> Any:
        return self.add_weight(name=name, shape=shape, initializer=fresh(self.kernel_initializer))

    def _bias(self, shape: tuple, dtype: Any = None) -> Any:
        """Zeros, but 1 for an LSTM to remember at first (Jozefowicz et al., 2015)."""
        bias = ops.zeros(shape, dtype)
        if self.cell == "gru":
            return bias
        return ops.concatenate(
            [bias[: self.units], bias[: self.units] + 1, bias[2 * self.units :]], axis=0
        )

    def call(
        self,
        query: Any,
        value: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        initial_state: Any = None,
        training: bool | None = None,
    ) -> Any:
        self._check(query, value, query_mask, value_mask, initial_state)
        if query.shape[0] == 0:  # PyTorch's loop begins with the first row
            return ops.zeros((0, ops.shape(query)[1], self.units), self.compute_dtype)
        query_mask = scope.padded(query_mask)
        query = masks.zero_masked(query, query_mask)
        slot = _slot(self)
        if slot is not None and slot.filled:
            state = slot.read()
        else:
            state = self._begin(query, initial_state)
        if self._loops:
            state, found = self._with_attention(
                state, query, value, query_mask, value_mask, training
            )
        else:
            state, found = self._alone(state, query, query_mask)
        if slot is not None:
            slot.write(**state)
        if self.attention is None:
            return found["hidden"]
        if self._attends_first:
            return self._maxout(found["hidden"], query, found["context"])
        if self._loops:
            return found["fed"]
        regularised = bool(training and self.doubly_stochastic)
        context = self.attention.call(
            found["hidden"],
            value,
            query_mask=query_mask,
            value_mask=value_mask,
            training=training,
            return_attention_scores=regularised,
        )
        if regularised:
            context, weights = context
            self._regularise(weights, value_mask)
        return self._attentional(context, found["hidden"])

    def _begin(self, query: Any, initial_state: Any) -> dict[str, Any]:
        """What the first step is given."""
        zeros = ops.zeros((ops.shape(query)[0], self.units), query.dtype)
        names = ["hidden", *(["cell"] if self.cell == "lstm" else [])]
        given = [zeros] * len(names)
        if initial_state is not None:
            given = ops.split(initial_state, len(names), axis=-1)
        state = dict(zip(names, given, strict=True))
        return {**state, "fed": zeros} if self._loops and not self._attends_first else state

    def _gates(self, query: Any) -> Any:
        """What of all gates depends on the input alone, for all steps at once: `(B, T, G)`."""
        return ops.matmul(query, self.input_kernel) + self.bias

    def _alone(
        self, state: dict[str, Any], query: Any, query_mask: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The cell over all steps: the last state, and all of them."""
        kernel = ops.convert_to_tensor(self.recurrent_kernel)

        def step(state: dict[str, Any], x: dict[str, Any]) -> tuple[dict, dict]:
            return _CELLS[self.cell](x["gates"], state, kernel), {}

        return recurrent.scan(step, state, {}, self._gates(query), {}, query_mask)

    def _with_attention(
        self,
        state: dict[str, Any],
        query: Any,
        value: Any,
        query_mask: Any,
        value_mask: Any,
        training: bool | None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Cell and attention over all steps, each of which continues a cache with the memory."""
        memory = self._memory(query, value, query_mask, value_mask)
        value = masks.zero_masked(value, value_mask)
        batch, length, key_length = ops.shape(query)[0], ops.shape(query)[1], ops.shape(value)[1]
        beside = {"position": masks.positions(length, scope.first_position())}
        if training and self.attention.dropout:  # drawn here: a seed must not change in a loop
            beside["factors"] = keras.random.dropout(
                ops.ones((length, batch, 1, 1, key_length)),
                self.attention.dropout,
                seed=self.attention.seed_generator,
            )
        kernel = ops.convert_to_tensor(self.recurrent_kernel)
        context_kernel = ops.convert_to_tensor(self.context_kernel)
        capturing = scope.capturing(self.attention)
        regularised = bool(training and self.doubly_stochastic)
        keeping = capturing or regularised
        nudge = scope.nudge(self.attention)  # (B, 1, T, S)
        if nudge is not None:
            beside["nudge"] = ops.transpose(nudge, (2, 0, 1, 3))

        def attend(hidden: Any, x: dict[str, Any]) -> dict[str, Any]:
            with scope.capture(), scope.cache(memory, index=x["position"]):
                context, weights = self.attention.call(
                    hidden[:, None], value, query_mask=x.get("mask"), return_attention_scores=True
                )
            if "factors" in x:
                used = weights[:, None] * x["factors"]  # (B, 1, 1, S)
                context = functions.weighted_sum(used, value[:, None])[:, 0]
            if "nudge" in x:
                nudged = functions.weighted_sum(x["nudge"][:, :, None], value[:, None])[:, 0]
                context = context + nudged
            found = {"context": context[:, 0]}
            return {**found, "weights": weights[:, 0]} if keeping else found

        def advance(state: dict[str, Any], x: dict[str, Any], fed: Any) -> dict[str, Any]:
            gates = x["gates"] + ops.matmul(fed, context_kernel)
            return _CELLS[self.cell](gates, state, kernel)

        def attend_first(state: dict[str, Any], x: dict[str, Any]) -> tuple[dict, dict]:
            found = attend(state["hidden"], x)
            return advance(state, x, found["context"]), found

        def attend_last(state: dict[str, Any], x: dict[str, Any]) -> tuple[dict, dict]:
            state = advance(state, x, state["fed"])
            found = attend(state["hidden"], x)
            fed = self._attentional(found["context"], state["hidden"])
            return {**state, "fed": fed}, found

        found = {"context": ops.zeros((batch, value.shape[-1]), value.dtype)}
        if keeping:
            dtype = weights_dtype(self.attention.compute_dtype)
            found["weights"] = ops.zeros((batch, key_length), dtype)
        step = attend_first if self._attends_first else attend_last
        state, found = recurrent.scan(step, state, found, self._gates(query), beside, query_mask)
        if capturing:
            scope.record(self.attention, found["weights"][:, None])
        if regularised:
            self._regularise(found["weights"], value_mask)
        return state, found

    def _regularise(self, weights: Any, value_mask: Any) -> None:
        """Adds what `doubly_stochastic` weighs to the loss; weights `(B, T, S)`."""
        missing = 1 - ops.sum(weights, axis=1)  # (B, S); a padded step reads nothing
        if value_mask is not None:
            missing = ops.where(value_mask, missing, 0)
        self.add_loss(self.doubly_stochastic * ops.mean(ops.sum(ops.square(missing), axis=-1)))

    def _memory(
        self, query: Any, value: Any, query_mask: Any, value_mask: Any
    ) -> dict[str, dict[str, Any]]:
        """The state of a cache in which the attention has seen its memory."""
        slot = _slot(self.attention)
        if slot is not None and slot.filled:
            return {self.attention.path: slot.read()}
        first = ops.zeros((ops.shape(query)[0], 1, self.units), query.dtype)
        with scope.capture(), scope.cache(max_length=1) as cache:
            self.attention.call(first, value, value_mask=value_mask)
        (memory,) = cache.state.values()
        if query_mask is not None and getattr(self.attention, "alignment", None) == "local_m":
            memory["start"] = masks.first_valid(query_mask)  # which one query cannot tell
        if slot is not None:
            slot.write(**memory)
        return {self.attention.path: memory}

    def _attentional(self, context: Any, hidden: Any) -> Any:
        """`tanh(W_c [c; h])`."""
        both = ops.concatenate([context, hidden], axis=-1)
        return ops.tanh(kernels.linear(both, self.readout_kernel))

    def _maxout(self, hidden: Any, query: Any, context: Any) -> Any:
        """The larger one of two projections, `(B, T, units)`."""
        both = ops.concatenate([hidden, query, context], axis=-1)
        pairs = kernels.linear(both, self.readout_kernel, self.readout_bias)
        largest = ops.maximum(*ops.split(pairs, 2, axis=-1))
        return ops.cast(largest, self.compute_dtype)  # for PyTorch Keras joins float64 as float32

    def _check(
        self, query: Any, value: Any, query_mask: Any, value_mask: Any, initial_state: Any
    ) -> None:
        self._check_shapes(
            query.shape,
            None if value is None else value.shape,
            None if initial_state is None else initial_state.shape,
        )
        checks.sequence_mask("query_mask", query_mask, "query", query.shape)
        if value is not None:
            checks.sequence_mask("value_mask", value_mask, "value", value.shape)

    def _check_shapes(
        self,
        query_shape: tuple,
        value_shape: tuple | None,
        initial_state_shape: tuple | None,
    ) -> None:
        checks.rank("query", query_shape, "(B, T, D)")
        if (value_shape is None) != (self.attention is None):
            raise ValueError(
                "`value` is the memory of the attention: there must be both or none. Received: "
                f"value of shape {value_shape and tuple(value_shape)}, "
                f"attention={self.attention and type(self.attention).__name__}"
            )
        if value_shape is not None:
            checks.rank("value", value_shape, "(B, S, D)")
        if initial_state_shape is not None:
            expected = (query_shape[0], self.state_size)
            checks.matches("initial_state", initial_state_shape, expected, "(B, state_size)")

    def compute_output_shape(
        self,
        query_shape: tuple,
        value_shape: tuple | None = None,
        initial_state_shape: tuple | None = None,
    ) -> tuple:
        return (*query_shape[:-1], self.units)

    def compute_output_spec(
        self,
        query: Any,
        value: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        initial_state: Any = None,
        training: bool | None = None,
    ) -> keras.KerasTensor:
        self._check(query, value, query_mask, value_mask, initial_state)
        return keras.KerasTensor(self.compute_output_shape(query.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        attention = None
        if self.attention is not None:
            attention = keras.saving.serialize_keras_object(self.attention)
            attention.pop("build_config", None)
        return {
            **super().get_config(),
            "units": self.units,
            "cell": self.cell,
            "attention": attention,
            "input_feeding": self.input_feeding,
            "doubly_stochastic": self.doubly_stochastic,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _copy_of(attention: Any, dtype: Any) -> MemoryAttention | None:
    """The attention, which may be a layer or a layer's config, in the dtype of the decoder."""
    if isinstance(attention, dict):
        attention = keras.saving.deserialize_keras_object(attention)
    if attention is None:
        return None
    if not isinstance(attention, MemoryAttention):
        raise ValueError(
            "`attention` must be None, a `BahdanauAttention` or a `LuongAttention`. Received: "
            f"attention={attention!r}"
        )
    return type(attention).from_config({**attention.get_config(), "dtype": dtype})


def _weight_of(doubly_stochastic: float, attention: Any) -> float:
    if doubly_stochastic < 0 or (doubly_stochastic and attention is None):
        raise ValueError(
            "`doubly_stochastic` must not be negative, and must be 0 without attention, whose "
            f"weights it is about. Received: doubly_stochastic={doubly_stochastic}, "
            f"attention={attention and type(attention).__name__}"
        )
    return float(doubly_stochastic)


def _orthogonal(shape: tuple, dtype: Any = None) -> Any:
    """Drawn in float32: PyTorch has no decomposition in 16 bits."""
    return ops.cast(keras.initializers.Orthogonal()(shape, "float32"), dtype)


def _slot(layer: keras.Layer) -> scope.Slot | None:
    cache = scope.current_cache()
    return None if cache is None else cache.slot(layer)
