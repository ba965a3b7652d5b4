"""The recurrent decoder of sequence-to-sequence models, with attention in its loop."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_attention import kernels, scope
from keras_attention.layers import strategy
from keras_attention.layers.attention.memory_attention import MemoryAttention
from keras_attention.layers.blocks import recurrent_orders
from keras_attention.layers.blocks.attention_in_loop import Inputs
from keras_attention.layers.composite import Composite
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.layers.weights import add_kernel
from keras_attention.ops import checks, masks, recurrent


class _Cell(NamedTuple):
    """A recurrent cell.

    Attributes:
        step: `f(gates, state, kernel) -> state`.
        gates: how many, times `units`.
        state: names of the tensors of a state.
    """

    step: Callable
    gates: int
    state: tuple[str, ...]


_CELLS = {
    "gru": _Cell(recurrent.gru, 3, ("hidden",)),
    "lstm": _Cell(recurrent.lstm, 4, ("hidden", "cell")),
}


@keras.saving.register_keras_serializable(package="keras_attention")
class RecurrentDecoder(Entrance, Composite):
    """The decoder of Bahdanau et al., 2015 (https://arxiv.org/abs/1409.0473), or of Luong et al.,
    2015 (https://arxiv.org/abs/1508.04025), in the order of the attention's paper.

    With `BahdanauAttention` the previous state attends, and the cell reads the context:
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
    kernel_names = ("input_kernel", "recurrent_kernel", "context_kernel", "readout_kernel")

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
        checks.one_of("cell", cell, tuple(_CELLS))
        self.units = units
        self.cell = cell
        self.attention: Any = strategy.copy_of(
            attention,
            {},
            MemoryAttention,
            "attention",
            such_as="a `BahdanauAttention` or a `LuongAttention`",
            dtype=self.dtype_policy,
        )
        self.input_feeding = input_feeding
        self.doubly_stochastic = _checked_weight(doubly_stochastic, self.attention)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.supports_masking = True
        # As those of `keras.layers.LSTM`: XLA must know how long a loop is to have its gradient.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    @property
    def state_size(self) -> int:
        """Width of `initial_state`: `units`, or twice as many for hidden and cell state."""
        return self.units * len(_CELLS[self.cell].state)

    @property
    def _order(self) -> recurrent_orders.Order:
        if self.attention is None:
            return recurrent_orders.Sutskever(self)
        if self.attention.attends_first:
            return recurrent_orders.Bahdanau(self)
        if self.input_feeding:
            return recurrent_orders.LuongInputFeeding(self)
        return recurrent_orders.Luong(self)

    def build(
        self,
        query_shape: tuple,
        value_shape: tuple | None = None,
        initial_state_shape: tuple | None = None,
    ) -> None:
        self._check_shapes(query_shape, value_shape, initial_state_shape)
        checks.known("query", query_shape)
        width, units = query_shape[-1], self.units
        gates = _CELLS[self.cell].gates * units
        self.input_kernel = add_kernel(self, "input_kernel", (width, gates))
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel", shape=(units, gates), initializer=_draw_orthogonal
        )
        self.bias = self.add_weight(name="bias", shape=(gates,), initializer=self._make_bias)
        if value_shape is not None:
            self.attention.build((*query_shape[:-1], units), tuple(value_shape))
            self._order.build(width, value_shape[-1])
        self.built = True

    def _make_bias(self, shape: tuple, dtype: Any = None) -> Any:
        """Returns zeros, but 1 for an LSTM to remember at first (Jozefowicz et al., 2015)."""
        bias = ops.zeros(shape, dtype)
        if self.cell == "gru":
            return bias
        write, forget, rest = ops.split(bias, [self.units, 2 * self.units])
        return ops.concatenate([write, forget + 1, rest])

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
        regularised = bool(training and self.doubly_stochastic)
        inputs = Inputs(query, query_mask, value, value_mask, bool(training), regularised)
        slot = scope.slot(self)
        state = slot.read() if slot.filled else self._first_state(query, initial_state)
        state, features, weights = self._order.run(state, inputs)
        slot.write(**state)
        if regularised:
            self._regularise(weights, value_mask)
        return features

    def _first_state(self, query: Any, initial_state: Any) -> dict[str, Any]:
        """Returns the state before the first step, tensors `(B, units)` by name."""
        names = _CELLS[self.cell].state
        zeros = ops.zeros((ops.shape(query)[0], self.units), query.dtype)
        if initial_state is None:
            state = dict.fromkeys(names, zeros)
        else:
            state = dict(zip(names, ops.split(initial_state, len(names), axis=-1), strict=True))
        return {**state, "fed": zeros} if self._order.feeds_back else state

    def gates(self, query: Any) -> Any:
        """Returns what the gates read of the input, for all steps at once: `(B, T, G)`."""
        return kernels.multiply(query, self.input_kernel) + self.bias

    def cell_step(self) -> Callable[[Any, dict[str, Any]], dict[str, Any]]:
        """Returns the cell as a function of a step's gates `(B, G)` and a state."""
        step, kernel = _CELLS[self.cell].step, kernels.value_of(self.recurrent_kernel)
        return lambda gates, state: step(gates, state, kernel)

    def _regularise(self, weights: Any, value_mask: Any) -> None:
        """Adds what `doubly_stochastic` weighs to the loss; weights `(B, T, S)`."""
        missing = 1 - ops.sum(weights, axis=1)  # (B, S); a padded step reads nothing
        if value_mask is not None:
            missing = ops.where(value_mask, missing, 0)
        self.add_loss(self.doubly_stochastic * ops.mean(ops.sum(ops.square(missing), axis=-1)))

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
        return {
            **super().get_config(),
            "units": self.units,
            "cell": self.cell,
            "attention": strategy.config_of(self.attention),
            "input_feeding": self.input_feeding,
            "doubly_stochastic": self.doubly_stochastic,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _checked_weight(doubly_stochastic: float, attention: Any) -> float:
    """Returns the weight of the regulariser, or raises `ValueError` if it has nothing to be of."""
    if doubly_stochastic < 0 or (doubly_stochastic and attention is None):
        raise ValueError(
            "`doubly_stochastic` must not be negative, and must be 0 without attention, whose "
            f"weights it is about. Received: doubly_stochastic={doubly_stochastic}, "
            f"attention={attention and type(attention).__name__}"
        )
    return float(doubly_stochastic)


def _draw_orthogonal(shape: tuple, dtype: Any = None) -> Any:
    """Returns an orthogonal matrix, drawn in float32: PyTorch has no decomposition in 16 bits."""
    return ops.cast(keras.initializers.Orthogonal()(shape, "float32"), dtype)
