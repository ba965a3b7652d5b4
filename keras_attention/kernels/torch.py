"""PyTorch."""

import base64
import math

import keras
import numpy as np
import torch
import torch.nn.functional as F
from torch.fx.experimental.proxy_tensor import get_proxy_mode
from torch.utils.checkpoint import checkpoint

from keras_attention.kernels import loop_weights, torch_additive, torch_loop
from keras_attention.kernels.torch_graph import WeightedSegmentSum

INDEX_DTYPE = "int64"  # `index_add` takes nine times as long with int32 ids.

BRANCHES = ("explicit", "fused", "rows", "tiled")  # of attention, see the table in `kernels`


def attention_branch(query, key, *, window, dropout):
    """The computation of attention that is fastest here, by name."""
    length, key_length = query.shape[2], key.shape[2]
    known = isinstance(length, int) and isinstance(key_length, int)  # a trace takes any length
    if dropout and query.device.type == "cpu":
        return "rows" if known and length * key_length >= 2048 * 2048 else "explicit"
    if window is not None and not dropout and known and length >= max(4 * window, 256):
        return "rows"
    return "fused"


def fused_attention(query, key, value, *, mask=None, causal=False, scale, dropout=0.0):
    """`F.scaled_dot_product_attention`, head-major: `(B, N, T, H)` on `(B, K, S, H)`.

    `mask` is boolean, or a float to add with -inf where it hides: with a large negative number
    instead, the CPU kernel's gradient of a fully masked row is wrong. Not with `causal`. The
    dropout is drawn from PyTorch's own generator.
    """
    groups = int(query.shape[1]) // int(key.shape[1])  # of tensors, in a trace
    if groups > 1 and torch.jit.is_tracing():  # ONNX knows no groups
        key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
        groups = 1
    return F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        is_causal=causal,
        scale=scale,
        dropout_p=dropout,
        enable_gqa=groups > 1,
    )


def linear(x, kernel, bias=None, *, transposed=False):
    """`x W + b`, of the variables W `(D, U)`, or `(U, D)` if `transposed`, and b `(U,)`."""
    found = loop_weights.find(x, [kernel], transposed)
    weights, transposed = found or (kernel.value, transposed)
    return _product(x, weights, None if bias is None else bias.value, transposed, found is not None)


def linears(x, projections):
    """`linear` of one input for each (kernel, bias).

    Without gradients as one product, which reads the input once; with them the gradients of
    the pieces would cost what that saves, and for few rows the copy of the kernels would, which
    a loop keeps.
    """
    variables = [kernel for kernel, _ in projections]
    biases = [bias.value for _, bias in projections if bias is not None]
    alike = len(biases) in (0, len(projections))
    found = loop_weights.find(x, variables, False) if alike else None
    rows = x[..., 0].numel()
    known = isinstance(rows, int)  # and not a symbol or a tensor, in a trace
    few = not known or (rows < 64 and not loop_weights.active())
    if few or torch.is_grad_enabled() or not alike:
        return [linear(x, kernel, bias) for kernel, bias in projections]
    weights, transposed = found or (torch.cat([v.value for v in variables], dim=1), False)
    bias = torch.cat(biases) if biases else None
    y = _product(x, weights, bias, transposed, found is not None)
    return y.split([variable.shape[1] for variable in variables], dim=-1)


_AS_COLUMNS = range(2, 49)  # rows: more take the same time both ways


def _product(x, weights, bias, transposed, in_loop):
    """`x W + b`, of W `(D, U)`, or `(U, D)` if `transposed`."""
    if not (in_loop and transposed and x[..., 0].numel() in _AS_COLUMNS):
        return F.linear(x, weights if transposed else weights.T, bias)
    columns = x.reshape(-1, x.shape[-1]).T
    y = weights @ columns if bias is None else torch.addmm(bias[:, None], weights, columns)
    return y.T.contiguous().view(*x.shape[:-1], -1)  # fused attention wants rows


def store(buffer, update, start, *, axis=2, in_place=False):
    """`buffer` with `update` from index `start` of an axis on; a copy of it unless `in_place`."""
    length = update.shape[axis]
    if in_place and isinstance(start, int):
        buffer.narrow(axis, start, length).copy_(update)
        return buffer
    index = torch.arange(length, device=buffer.device) + start
    write = buffer.index_copy_ if in_place else buffer.index_copy
    return write(axis, index, update.to(buffer.dtype))


def filled(index, length):
    """How many positions are filled, if that is a Python int: a view of them costs nothing."""
    return index + length if isinstance(index, int) else None


def split_heads(x, head_dim):
    """`(B, T, N * H)` to `(B, N, T, H)`, a view."""
    # Not `unflatten`, of which the export to ONNX takes the sizes for constants.
    batch, length, width = x.shape
    return x.view(batch, length, width // head_dim, head_dim).transpose(1, 2)


def merge_heads(x):
    """`(B, N, T, H)` to `(B, T, N * H)`."""
    return x.transpose(1, 2).flatten(2)


def blocks(x, size):
    """`(B, N, T, H)` cut into blocks of `size` along T, whose gradients are of that size too."""
    return x.split(size, dim=2)


def take_rows(data, ids):
    """Rows of `data` `(N, ...)` by `ids` `(E,)`, which must be inside: `(E, ...)`."""
    return data.index_select(0, ids)


def take_columns(data, columns):
    """Of each row of `data` `(B, N, T, C)` its own `columns` `(T, S)`, inside: `(B, N, T, S)`."""
    batch, heads, *_ = data.shape
    return data.gather(-1, columns.long().expand(batch, heads, *columns.shape))


def segment_sum(data, segment_ids, num_segments):
    """Sums rows of `data` `(E, ...)` that share an id: `(num_segments, ...)`."""
    out = data.new_zeros((num_segments, *data.shape[1:]))
    if torch.jit.is_tracing():  # the export to ONNX adds no two rows to one by `index_add`
        return out.scatter_add(0, _for_each_number(segment_ids, data), data)
    return out.index_add(0, segment_ids, data)


def segment_max(data, segment_ids, num_segments):
    """Maximum of the rows that share an id; the lowest finite number where there are none."""
    out = data.new_full((num_segments, *data.shape[1:]), torch.finfo(data.dtype).min)
    return out.scatter_reduce(0, _for_each_number(segment_ids, data), data, "amax")


def _for_each_number(ids, data):
    """The id of a row `(E,)` for all of its numbers, `(E, ...)`, a view."""
    return ids.reshape(-1, *[1] * (data.ndim - 1)).expand_as(data)


def weighted_segment_sum(values, weights, source, target, num_segments):
    """Sums `weights[e] * values[source[e]]` over the edges e that share `target[e]`.

    Values `(N, heads, H)` and weights `(E, heads)` to `(num_segments, heads, H)`. Eager on CPU,
    the messages themselves are never held: `F.embedding_bag` adds them up, one bag for each
    target and head. Compiled, they are fused away.
    """
    if values.device.type == "cpu" and not _becomes_graph():
        return WeightedSegmentSum.apply(values, weights, source, target, num_segments)
    return segment_sum(take_rows(values, source) * weights[..., None], target, num_segments)


def additive_scores(query, key, vector):
    """`vector . tanh(q_t + k_s)`: `(..., T, U)`, `(..., S, U)`, `(U,)` to `(..., T, S)`.

    In chunks of queries, in one buffer, with a gradient of its own. Compiled, in one piece:
    then nothing of T x S x U is held either. Traced too, for a loop would be that of one length.
    """
    if _becomes_graph():
        return torch_additive.scores(query, key, vector)
    return torch_additive.Scores.apply(query, key, vector, chunk_numbers())


def chunk_numbers():
    """How many numbers a loop over chunks should hold at once: what a CPU's cache does."""
    return 2**24 if torch.cuda.is_available() else 2**17


def cond(condition, if_true, if_false):
    """`if_true()` or `if_false()` by a boolean scalar; no gradients flow through either."""
    if torch.compiler.is_compiling():
        with torch.no_grad():  # a branch must not return what it was given
            return torch.cond(condition, lambda: if_true().clone(), lambda: if_false().clone())
    if torch.jit.is_tracing():  # which would keep the branch of these tensors alone
        return torch.where(condition, if_true(), if_false())
    return if_true() if condition else if_false()


def recompute(function):
    """`function` with its intermediates recomputed in the backward pass, not stored."""

    def recomputed(*args):
        if not torch.is_grad_enabled():
            return function(*args)
        return checkpoint(function, *args, use_reentrant=False)

    return recomputed


def is_concrete(tensor):
    """Whether the values of `tensor` can be looked at now (no tracing, no meta device)."""
    return not (_becomes_graph() or tensor.is_meta or get_proxy_mode() is not None)


def _becomes_graph():
    """Whether a compiler, an export or a trace is watching, for calls with other tensors."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def check_below(indices, limit, message):
    """Raises `ValueError` if an index is not below `limit`, where that can be known now."""
    if is_concrete(indices) and int(indices.max()) >= limit:
        raise ValueError(message)


def xor(x, y):
    """The bits in which `x` and `y` differ, of integers that are not negative."""
    if torch.jit.is_tracing():  # the export to ONNX knows it of booleans alone
        return x + y - 2 * (x & y)
    return x ^ y


def compile(function):
    """`function` as the backend runs it fastest; eager on PyTorch."""
    return function


def compile_with(function, variables):
    """`function` without gradients; it reads the values of `variables` at each call."""
    return torch.no_grad()(function)


def traced_with(function, variables):
    """`compile_with`, which compiles nothing here."""
    return compile_with(function, variables)


def forward(function, variables):
    """`function` of arrays without gradients; it reads the values of `variables` at each call."""
    return torch.no_grad()(function)


def inference(function, variables):
    """`function` of arrays as it runs fastest where nothing is learned: without gradients."""
    return torch.no_grad()(function)


def noting_weights(function, variables, rows):
    """`function()`, and such weights it multiplied by as a `while_loop` with `rows` rows wants."""
    on_cpu = variables and variables[0].value.device.type == "cpu"
    if not on_cpu or not (rows == 1 or rows in _AS_COLUMNS):
        return function(), {}
    found, weights = loop_weights.noting(function, variables, rows in _AS_COLUMNS)
    return found, {name: tensor.contiguous() for name, tensor in weights.items()}


def while_loop(condition, step, carry, *, variables, weights, graphs):
    """`carry = step(carry)` while `condition(carry)`; a dict of tensors.

    Args:
        variables: what `step` reads; everything else it must find in `carry`.
        weights: those that `noting_weights` found for the same variables.
        graphs: a dict that keeps the graphs of this `step`, by the shapes of `carry`.
    """
    return torch_loop.while_loop(
        condition, step, carry, variables=variables, weights=weights, graphs=graphs
    )


def device_name():
    """The device that computes, in words."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def differentiable(forward, backward):
    """`forward(*tensors)[0]`, with `backward` for its gradient.

    Args:
        forward: `f(*tensors)` returns the output and what the gradient needs, a tuple of tensors.
        backward: `f(saved, gradient)` returns a gradient per tensor, or `None`.
    """

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(context, *tensors):
            output, saved = forward(*tensors)
            context.save_for_backward(*saved)
            return output

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(context, gradient):
            return backward(context.saved_tensors, gradient)

    return Function.apply


def gradient_function(function, variables):
    """The gradient of a scalar, as the backend computes it fastest when it is asked for again.

    Args:
        function: `f(inputs, *others)`, of float tensors by name and of what else it depends on.
        variables: of the model that it calls, whose values are handed to it at each call.

    Returns:
        `g(inputs, *others)`, a gradient for each of the inputs, zeros where nothing depends on it.
    """

    def gradients(inputs, *others):
        with torch.enable_grad():
            leaves = {name: x.detach().requires_grad_() for name, x in inputs.items()}
            scalar = function(leaves, *others)
            found = torch.autograd.grad(scalar, list(leaves.values()), allow_unused=True)
        return {
            name: torch.zeros_like(leaf) if gradient is None else gradient
            for (name, leaf), gradient in zip(leaves.items(), found, strict=True)
        }

    return gradients


def dropped(weights, rate, seed):
    """`weights` with dropout, drawn from a `keras.random.SeedGenerator`.

    On a CPU drawing takes most of the time, so `dropout_factors` takes 16 bits for each.
    """
    if weights.device.type != "cpu" or _becomes_graph():
        return keras.random.dropout(weights, rate, seed=seed)
    return weights * dropout_factors(seed.next(), 0, weights.shape, rate)


def dropout_factors(seed, index, shape, rate):
    """0 with probability `rate`, else `1 / (1 - rate)`; by a Keras seed `(2,)` and an integer.

    Four share 64 random bits: the rate is rounded to a multiple of 2^-16.
    """
    seeds = tuple(int(part) for part in (*seed, index))
    generator = torch.Generator().manual_seed(hash(seeds))
    number = math.prod(shape)
    bits = torch.empty((number + 3) // 4, dtype=torch.int64)
    bits = bits.random_(-(2**63), None, generator=generator).view(torch.int16)
    dropped_values = min(round(rate * 2**16), 2**16 - 1)
    keep = bits[:number].view(shape) >= dropped_values - 2**15
    return keep.to(torch.float32).mul_(1 / (1 - dropped_values / 2**16))


def random_state():
    """The state of the backend's own random numbers as text, or `None` if it cannot be read."""
    return base64.b64encode(torch.get_rng_state().numpy().tobytes()).decode()


def set_random_state(state):
    """Sets what `random_state` gave.

    Raises:
        ValueError: PyTorch would read outside of its 624 numbers, which it does not check.
    """
    content = np.frombuffer(base64.b64decode(state, validate=True), "uint8")
    if content.size == torch.get_rng_state().numel():
        left, position = content[8:12].view("int32")[0], content[16:24].view("uint64")[0]
        fresh = left == 1 and position == 0  # seeded, no number drawn
        if not fresh and not (1 <= left <= 624 and position == 625 - left):
            raise ValueError(f"position {position} with {left} numbers left of PyTorch's 624")
    torch.set_rng_state(torch.from_numpy(content.copy()))
