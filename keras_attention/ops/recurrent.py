"""Recurrent cells, and the loop over time that they run in."""

from keras import ops

from keras_attention.ops import masks


def gru(gates, state, kernel):
    """The gated unit of Cho et al., 2014 (https://arxiv.org/abs/1406.1078), whose reset gate acts
    before the recurrent product.

    Args:
        gates: `(B, 3 U)`, what of update gate, reset gate and candidate depends on the input.
        state: `{"hidden": (B, U)}`.
        kernel: `(U, 3 U)`, of the hidden state.
    """
    hidden = state["hidden"]
    size = 2 * hidden.shape[-1]
    both = ops.sigmoid(gates[:, :size] + ops.matmul(hidden, kernel[:, :size]))
    update, reset = ops.split(both, 2, axis=-1)
    candidate = ops.tanh(gates[:, size:] + ops.matmul(reset * hidden, kernel[:, size:]))
    return {"hidden": candidate + update * (hidden - candidate)}


def lstm(gates, state, kernel):
    """Hochreiter and Schmidhuber's unit, with the forget gate of Gers et al., 2000.

    Args:
        gates: `(B, 4 U)`, what of input gate, forget gate, output gate and candidate depends on
            the input.
        state: `{"hidden": (B, U), "cell": (B, U)}`.
        kernel: `(U, 4 U)`, of the hidden state.
    """
    size = 3 * state["hidden"].shape[-1]
    gates = gates + ops.matmul(state["hidden"], kernel)
    write, keep, show = ops.split(ops.sigmoid(gates[:, :size]), 3, axis=-1)
    cell = keep * state["cell"] + write * ops.tanh(gates[:, size:])
    return {"hidden": show * ops.tanh(cell), "cell": cell}


def scan(step, state, found, gates, beside, mask=None):
    """Runs `step` over time.

    Args:
        step: `f(state, x) -> (state, found)`, dicts of tensors `(B, ...)`; `x` has the tensors of
            a step: `"gates"`, those of `beside`, and `"mask"` `(B, 1)` if there is one.
        state: before the first step.
        found: zeros of the shape and type of what a step finds, which `ops.scan` must know.
        gates: `(B, T, G)`.
        beside: further tensors `(T, ...)` by name.
        mask: `(B, T)` boolean; a step that is masked leaves the state as it was.

    Returns:
        The state after the last step, and states and findings of all steps, `(B, T, ...)`.
    """
    length = gates.shape[1]
    gates = ops.swapaxes(gates, 0, 1)
    if mask is not None:
        beside = {**beside, "mask": ops.swapaxes(mask, 0, 1)[:, :, None]}

    def body(carry, x):
        before = {name: carry[name] for name in state}
        after, other = step(before, x)
        if mask is not None:
            after = {name: ops.where(x["mask"], after[name], before[name]) for name in state}
        carry = {**after, **other}
        return carry, carry

    def looking_up(carry, gates):
        index = carry["index"]
        x = {name: ops.take(tensor, index, axis=0) for name, tensor in beside.items()}
        carry, _ = body(carry, {"gates": gates, **x})
        carry = {**carry, "index": index + 1}
        return carry, carry

    carry = {**state, **found}
    if gates.shape[0] == 1:  # a step of decoding needs no loop
        carry, _ = body(carry, {name: x[0] for name, x in {"gates": gates, **beside}.items()})
        every = {name: _of_length(x[:, None], length) for name, x in carry.items()}
        return {name: carry[name] for name in state}, every
    if gates.shape[0] is None:  # Keras on TensorFlow scans one tensor only of unknown length
        carry, every = ops.scan(looking_up, {**carry, "index": ops.zeros((), "int32")}, gates)
        every.pop("index")
    else:
        carry, every = ops.scan(body, carry, {"gates": gates, **beside})
    every = {n: _of_length(ops.swapaxes(x, 0, 1), length) for n, x in every.items()}
    return {name: carry[name] for name in state}, every


def _of_length(x, length):
    """`x` `(B, T, ...)`.

    A trace of PyTorch's keeps the steps of its example. Looking steps up makes it fail at another
    length, where it would return the steps of the example without a word.
    """
    if length is None or isinstance(length, int):
        return x
    # ONNX Runtime makes a slice, which fails at no length, of indices with no sum in them.
    return x[:, masks.positions(length, offset=length - length)]
