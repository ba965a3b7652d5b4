"""The order of cell and attention in a recurrent decoder, paper by paper.

An order owns the weights that its paper has beside the cell's, and runs a decoder over time. In
its loop `x["gates"]` is what the gates of the cell read of a step's input.
"""

from typing import Any, ClassVar

from keras import ops

from keras_attention import kernels
from keras_attention.layers.blocks.attention_in_loop import AttentionInLoop, Inputs, Tensors
from keras_attention.layers.weights import add_kernel
from keras_attention.ops import recurrent
from keras_attention.types import Tensor

# The last state, the features of all steps, and their weights where they are wanted.
Decoded = tuple[Tensors, Tensor, Tensor | None]


class Order:
    """The order of a `RecurrentDecoder`, whose weights it makes and reads.

    Attributes:
        feeds_back: whether a state holds the features of the step before, as `"fed"`.
    """

    feeds_back: ClassVar[bool] = False

    def __init__(self, decoder: Any) -> None:
        self.decoder = decoder

    def build(self, width: int, value_width: int) -> None:
        """Adds the paper's weights for inputs of `width` and a memory of `value_width`."""

    def run(self, state: Tensors, inputs: Inputs) -> Decoded:
        """Returns what the decoder makes of all steps of `inputs`, beginning with `state`."""
        raise NotImplementedError

    def _run_cell(self, state: Tensors, inputs: Inputs) -> tuple[Tensors, Tensors]:
        """Returns the last state and all states of a cell that reads its input alone."""
        advance = self.decoder.cell_step()

        def step(state: dict, x: dict) -> tuple[dict, dict]:
            return advance(x["gates"], state), {}

        gates = self.decoder.gates(inputs.query)
        return recurrent.scan(step, state, {}, gates, {}, inputs.query_mask)


class Sutskever(Order):
    """Sutskever et al., 2014 (https://arxiv.org/abs/1409.3215): states, without attention."""

    def run(self, state: Tensors, inputs: Inputs) -> Decoded:
        state, steps = self._run_cell(state, inputs)
        return state, steps["hidden"], None


class Bahdanau(Order):
    """Bahdanau et al., 2015 (https://arxiv.org/abs/1409.0473): attention, then the cell."""

    def build(self, width: int, value_width: int) -> None:
        decoder, units = self.decoder, self.decoder.units
        gates = decoder.bias.shape[0]
        decoder.context_kernel = add_kernel(decoder, "context_kernel", (value_width, gates))
        decoder.readout_kernel = add_kernel(
            decoder, "readout_kernel", (units + width + value_width, 2 * units)
        )
        decoder.readout_bias = decoder.add_weight(
            name="readout_bias", shape=(2 * units,), initializer="zeros"
        )

    def run(self, state: Tensors, inputs: Inputs) -> Decoded:
        attention = AttentionInLoop(self.decoder.attention, inputs)
        advance = self.decoder.cell_step()
        context_kernel = kernels.value_of(self.decoder.context_kernel)

        def step(state: dict, x: dict) -> tuple[dict, dict]:
            answer = attention.ask(state["hidden"], x)  # c_t = attention(s_{t-1})
            gates = x["gates"] + ops.matmul(answer["context"], context_kernel)
            return advance(gates, state), answer  # s_t = cell([x_t; c_t], s_{t-1})

        state, steps = attention.scan(step, state, self.decoder.gates(inputs.query))
        features = self._maxout(steps["hidden"], inputs.query, steps["context"])
        return state, features, steps.get("weights")

    def _maxout(self, hidden: Tensor, query: Tensor, context: Tensor) -> Tensor:
        """Returns t of appendix A.2.2, the larger one of two projections: `(B, T, units)`."""
        decoder = self.decoder
        joined = ops.concatenate([hidden, query, context], axis=-1)
        pairs = kernels.linear(joined, decoder.readout_kernel, decoder.readout_bias)
        largest = ops.maximum(*ops.split(pairs, 2, axis=-1))
        return ops.cast(largest, decoder.compute_dtype)  # on PyTorch Keras joins float64 in float32


class Luong(Order):
    """Luong et al., 2015 (https://arxiv.org/abs/1508.04025): the cell, then attention.

    No step reads what attention gave to the one before, so attention sees all states at once.
    """

    def build(self, width: int, value_width: int) -> None:
        decoder, units = self.decoder, self.decoder.units
        decoder.readout_kernel = add_kernel(decoder, "readout_kernel", (value_width + units, units))

    def run(self, state: Tensors, inputs: Inputs) -> Decoded:
        state, steps = self._run_cell(state, inputs)  # h_t = cell(x_t, h_{t-1})
        context, weights = self.decoder.attention.call(  # c_t = attention(h_t)
            steps["hidden"],
            inputs.value,
            query_mask=inputs.query_mask,
            value_mask=inputs.value_mask,
            training=inputs.training,
            return_attention_scores=True,
        )
        return state, self._attentional(context, steps["hidden"]), weights

    def _attentional(self, context: Tensor, hidden: Tensor) -> Tensor:
        """Returns the attentional vector of equation 5, `tanh(W_c [c; h])`."""
        joined = ops.concatenate([context, hidden], axis=-1)
        return ops.tanh(kernels.linear(joined, self.decoder.readout_kernel))


class LuongInputFeeding(Luong):
    """Luong et al., 2015, section 3.3: the cell reads the attentional vector of the step before."""

    feeds_back = True

    def build(self, width: int, value_width: int) -> None:
        decoder, gates = self.decoder, self.decoder.bias.shape[0]
        decoder.context_kernel = add_kernel(decoder, "context_kernel", (decoder.units, gates))
        super().build(width, value_width)

    def run(self, state: Tensors, inputs: Inputs) -> Decoded:
        attention = AttentionInLoop(self.decoder.attention, inputs)
        advance = self.decoder.cell_step()
        context_kernel = kernels.value_of(self.decoder.context_kernel)

        def step(state: dict, x: dict) -> tuple[dict, dict]:
            gates = x["gates"] + ops.matmul(state["fed"], context_kernel)
            cell_state = advance(gates, state)  # h_t = cell([x_t; fed_{t-1}], h_{t-1})
            answer = attention.ask(cell_state["hidden"], x)  # c_t = attention(h_t)
            fed = self._attentional(answer["context"], cell_state["hidden"])
            return {**cell_state, "fed": fed}, answer

        state, steps = attention.scan(step, state, self.decoder.gates(inputs.query))
        return state, steps["fed"], steps.get("weights")
