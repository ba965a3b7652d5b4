"""Recurrent cells, and the loop over time that they run in."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from keras import ops

from keras_attention.ops import masks
from keras_attention.types import Bool, Float, Shaped, Tensor

State: TypeAlias = dict[str, Float[Tensor, "B U"]]
Step: TypeAlias = Callable[[State, dict[str, Tensor]], tuple[State, dict[str, Tensor]]]


def gru(gates: Float[Tensor, "B 3*U"], state: State, kernel: Float[Tensor, "U 3*U"]) -> State:
    """Returns the next state of the gated unit of Cho et al., 2014 (https://arxiv.org/abs/1406.1078).

    Its reset gate acts before the recurrent product.

    Args:
        gates: the part of update gate, reset gate and candidate that depends on the input.
        state: `{"hidden": ...}`.
        kernel: of the hidden state.
    """
    hidden = state["hidden"]
    size = 2 * hidden.shape[-1]
    both = ops.sigmoid(gates[:, :size] + ops.matmul(hidden, kernel[:, :size]))
    update, reset = ops.split(both, 2, axis=-1)
    candidate = ops.tanh(gates[:, size:] + ops.matmul(reset * hidden, kernel[:, size:]))
    return {"hidden": candidate + update * (hidden - candidate)}


def lstm(gates: Float[Tensor, "B 4*U"], state: State, kernel: Float[Tensor, "U 4*U"]) -> State:
    """Returns the next state of Hochreiter and Schmidhuber's unit.

    It has the forget gate of Gers et al., 2000.

    Args:
        gates: the part of input gate, forget gate, output gate and candidate that depends on the
            input.
        state: `{"hidden": ..., "cell": ...}`.
        kernel: of the hidden state.
    """
    size = 3 * state["hidden"].shape[-1]
    gates = gates + ops.matmul(state["hidden"], kernel)
    write, keep, show = ops.split(ops.sigmoid(gates[:, :size]), 3, axis=-1)
    cell = keep * state["cell"] + write * ops.tanh(gates[:, size:])
    return {"hidden": show * ops.tanh(cell), "cell": cell}


def scan(
    step: Step,
    state: State,
    outputs: Mapping[str, Shaped[Tensor, "B ..."]],
    gates: Float[Tensor, "B T G"],
    beside: Mapping[str, Shaped[Tensor, "T ..."]],
    mask: Bool[Tensor, "B T"] | None = None,
) -> tuple[State, dict[str, Shaped[Tensor, "B T ..."]]]:
    """Runs `step` over time.

    Args:
        step: `f(state, x) -> (state, outputs)`, dicts of tensors `(B, ...)`; `x` has the tensors of
            a step: `"gates"`, those of `beside`, and `"mask"` `(B, 1)` if there is one.
        state: before the first step.
        outputs: zeros of the shape and type of a step's outputs, which `ops.scan` must know.
        gates: of all steps.
        beside: further tensors by name.
        mask: a step that is masked leaves the state as it was.

    Returns:
        The state after the last step, and states and outputs of all steps.
    """
    length = gates.shape[1]
    gates = ops.swapaxes(gates, 0, 1)
    if mask is not None:
        beside = {**beside, "mask": ops.swapaxes(mask, 0, 1)[:, :, None]}

    def take_step(carry: dict, x: dict) -> tuple[dict, dict]:
        before = {name: carry[name] for name in state}
        after, others = step(before, x)
        if mask is not None:
            after = {name: ops.where(x["mask"], after[name], before[name]) for name in state}
        carry = {**after, **others}
        return carry, carry

    def look_up_and_step(carry: dict, gates: Tensor) -> tuple[dict, dict]:
        index = carry["index"]
        x = {name: ops.take(tensor, index, axis=0) for name, tensor in beside.items()}
        carry, _ = take_step(carry, {"gates": gates, **x})
        carry = {**carry, "index": index + 1}
        return carry, carry

    carry = {**state, **outputs}
    if gates.shape[0] == 1:  # a step of decoding needs no loop
        carry, _ = take_step(carry, {name: x[0] for name, x in {"gates": gates, **beside}.items()})
        every = {name: _of_length(x[:, None], length) for name, x in carry.items()}
        return {name: carry[name] for name in state}, every
    if gates.shape[0] is None:  # Keras on TensorFlow scans one tensor only of unknown length
        start = {**carry, "index": ops.zeros((), "int32")}
        carry, every = ops.scan(look_up_and_step, start, gates)
        every.pop("index")
    else:
        carry, every = ops.scan(take_step, carry, {"gates": gates, **beside})
    every = {n: _of_length(ops.swapaxes(x, 0, 1), length) for n, x in every.items()}
    return {name: carry[name] for name in state}, every


def _of_length(
    x: Shaped[Tensor, "B T ..."], length: int | Tensor | None
) -> Shaped[Tensor, "B T ..."]:
    """Returns `x`, in a trace of PyTorch's as a slice of `length`.

    Such a trace keeps the steps of its example. Looking steps up makes it fail at another length,
    where it would return the steps of the example without a word.
    """
    if length is None or isinstance(length, int):
        return x
    # ONNX Runtime makes a slice, which fails at no length, of indices with no sum in them.
    return x[:, masks.positions(length, offset=length - length)]
