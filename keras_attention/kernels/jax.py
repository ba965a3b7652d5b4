"""JAX."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import keras
from keras import ops

from keras_attention.kernels import loop_weights, xla

INDEX_DTYPE = "int32"
_CHUNK_NUMBERS = 2**17  # that a CPU's cache holds: half a MiB

BRANCHES = ("explicit", "tiled")  # of attention, see the table in `kernels`


def attention_branch(query, key, *, window, dropout):
    """The computation of attention that is fastest here, by name."""
    length, key_length = query.shape[2], key.shape[2]
    known = isinstance(length, int) and isinstance(key_length, int)  # no symbol, as in an export
    if known and jax.default_backend() == "cpu" and length * key_length >= 128 * 128:
        return "tiled"
    return "explicit"


def fused_attention(query, key, value, *, mask=None, causal=False, scale, dropout=0.0):
    """JAX has none that is faster than what `attention_branch` chooses."""
    raise NotImplementedError("The fused attention kernel is PyTorch's. Received: backend=jax")


def linear(x, kernel, bias=None, *, transposed=False):
    """`x W + b`, of the variables W `(D, U)`, or `(U, D)` if `transposed`, and b `(U,)`.

    On a matrix: XLA on CPU takes twice as long for the gradients of a batch of matrices.
    """
    rows = ops.reshape(x, (-1, x.shape[-1]))
    y = xla.product(rows, kernel, transposed, jax.lax.optimization_barrier)
    y = y if bias is None else ops.add(y, bias)
    return ops.reshape(y, (*x.shape[:-1], y.shape[-1]))


def linears(x, projections):
    """`linear` of one input for each (kernel, bias)."""
    return [linear(x, kernel, bias) for kernel, bias in projections]


def store(buffer, update, start, *, axis=2, in_place=False):
    """`buffer` with `update` from index `start` of an axis on; XLA knows what to overwrite."""
    return jax.lax.dynamic_update_slice_in_dim(buffer, update.astype(buffer.dtype), start, axis)


def filled(index, length):
    """How many positions are filled, where a tensor's shape may follow: not in compiled code."""
    return None


def split_heads(x, head_dim):
    """`(B, T, N * H)` to `(B, N, T, H)`."""
    batch, length, width = ops.shape(x)
    x = ops.reshape(x, (batch, length, width // head_dim, head_dim))
    return ops.transpose(x, (0, 2, 1, 3))


def merge_heads(x):
    """`(B, N, T, H)` to `(B, T, N * H)`."""
    batch, heads, length, size = ops.shape(x)
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (batch, length, heads * size))


def blocks(x, size):
    """`(B, N, T, H)` cut into blocks of `size` along T."""
    return [x[:, :, start : start + size] for start in range(0, x.shape[2], size)]


def take_rows(data, ids):
    """Rows of `data` `(N, ...)` by `ids` `(E,)`, which must be inside: `(E, ...)`."""
    return data.at[ids].get(mode="promise_in_bounds")


def take_columns(data, columns):
    """Of each row of `data` `(B, N, T, C)` its own `columns` `(T, S)`, inside: `(B, N, T, S)`."""
    shape = (*ops.shape(data)[:2], *ops.shape(columns))
    return ops.take_along_axis(data, ops.broadcast_to(columns[None, None], shape), axis=-1)


def segment_sum(data, segment_ids, num_segments):
    """Sums rows of `data` `(E, ...)` that share an id: `(num_segments, ...)`."""
    out = jnp.zeros((num_segments, *data.shape[1:]), data.dtype)
    return out.at[segment_ids].add(data, mode="promise_in_bounds")


def segment_max(data, segment_ids, num_segments):
    """Maximum of the rows that share an id; the lowest finite number where there are none."""
    out = jnp.full((num_segments, *data.shape[1:]), jnp.finfo(data.dtype).min, data.dtype)
    return out.at[segment_ids].max(data, mode="promise_in_bounds")


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def weighted_segment_sum(values, weights, source, target, num_segments):
    """Sums `weights[e] * values[source[e]]` over the edges e that share `target[e]`.

    Values `(N, heads, H)` and weights `(E, heads)` to `(num_segments, heads, H)`. On CPU edges go
    in chunks that stay in its cache, here and in the gradients: a third of the time, and all
    messages are never held at once.
    """
    empty = jnp.zeros((num_segments, *values.shape[1:]), values.dtype)

    def add(total, chunk):
        weights, source, target = chunk
        messages = take_rows(values, source) * weights[..., None]
        return total.at[target].add(messages, mode="promise_in_bounds"), None

    total, _ = _scan_edges(add, empty, (weights, source, target), values.shape)
    return total


def _weighted_segment_sum_forward(values, weights, source, target, num_segments):
    output = weighted_segment_sum(values, weights, source, target, num_segments)
    return output, (values, weights, source, target)


def _weighted_segment_sum_backward(num_segments, saved, gradient):
    values, weights, source, target = saved
    num_values, heads, size = values.shape
    by_value = weighted_segment_sum(gradient, weights, target, source, num_values)
    flat_values = values.reshape(num_values, heads * size)
    flat_gradient = gradient.reshape(num_segments, heads * size)
    # XLA sums short rows slowly; a matrix of ones and zeros does it three times as fast.
    of_head = jnp.repeat(jnp.eye(heads, dtype=values.dtype), size, axis=0)

    def dot(_, chunk):
        source, target = chunk
        product = take_rows(flat_values, source) * take_rows(flat_gradient, target)
        return None, jnp.matmul(product, of_head, precision="highest")

    _, by_weight = _scan_edges(dot, None, (source, target), values.shape)
    return by_value, by_weight, None, None


def _scan_edges(step, carry, edges, values_shape):
    """`lax.scan` over chunks of `edges`, arrays `(E, ...)`; in one piece unless on CPU.

    Edges that fill up the last chunk are all zeros.
    """
    num_edges = edges[0].shape[0]
    size = max(1, _CHUNK_NUMBERS // math.prod(values_shape[1:]))
    if not isinstance(num_edges, int) or num_edges <= size:
        return step(carry, edges)

    def in_chunks(carry, edges):
        chunks = -(-num_edges // size)
        missing = chunks * size - num_edges
        edges = [
            jnp.pad(x, [(0, missing)] + [(0, 0)] * (x.ndim - 1)).reshape(chunks, size, *x.shape[1:])
            for x in edges
        ]
        carry, found = jax.lax.scan(step, carry, edges)
        if found is not None:
            found = found.reshape(chunks * size, *found.shape[2:])[:num_edges]
        return carry, found

    return jax.lax.platform_dependent(carry, edges, cpu=in_chunks, default=step)


weighted_segment_sum.defvjp(_weighted_segment_sum_forward, _weighted_segment_sum_backward)


def additive_scores(query, key, vector):
    """`None`: `ops.additive` computes them, in chunks; XLA does that well."""
    return None


def chunk_numbers():
    """How many numbers a loop over chunks should hold at once: what a CPU's cache does."""
    return _CHUNK_NUMBERS if jax.default_backend() == "cpu" else 2**24


def cond(condition, if_true, if_false):
    """`if_true()` or `if_false()` by a boolean scalar; no gradients flow through either."""
    if is_concrete(condition):  # `lax.cond` would compile anew in every call
        return if_true() if condition else if_false()
    return jax.lax.cond(condition, if_true, if_false)


def recompute(function):
    """`function` with its intermediates recomputed in the backward pass, not stored."""
    return jax.checkpoint(function)


def is_concrete(tensor):
    """Whether the values of `tensor` can be looked at now (no tracing)."""
    return not isinstance(tensor, jax.core.Tracer)


def check_below(indices, limit, message):
    """Raises `ValueError` if an index is not below `limit`, where that can be known now."""
    if is_concrete(indices) and int(jnp.max(indices)) >= limit:
        raise ValueError(message)


def _having(variables, values):
    """A context in which `variables` have these values; others that are not initialized stay so."""
    pairs = list(zip(variables, values, strict=True))
    return keras.StatelessScope(state_mapping=pairs, initialize_variables=False)


def xor(x, y):
    """The bits in which `x` and `y` differ, of integers that are not negative."""
    return ops.bitwise_xor(x, y)


def compile(function):
    """`function` as the backend runs it fastest: `jax.jit`."""
    return jax.jit(function)


def compile_with(function, variables):
    """`function`, compiled; the values of `variables` are handed to it at each call."""
    variables = list(variables)

    @jax.jit
    def pure(values, *args):
        with _having(variables, values):
            return function(*args)

    return lambda *args: pure([variable.value for variable in variables], *args)


def traced_with(function, variables):
    """`compile_with`: JAX runs nothing that is not compiled, and it whole faster than in pieces."""
    return compile_with(function, variables)


def forward(function, variables):
    """`function` of arrays without gradients, compiled for each of their shapes; it reads the
    values of `variables` at each call, and changes none."""
    return compile_with(function, variables)


def inference(function, variables):
    """`function` of arrays, which gives tensors, as it runs fastest where nothing is learned.

    Compiled as one, a fifth of the time that JAX takes to compile its operations one by one. What
    cannot be compiled, changes `variables`, or gives numbers that are not finite, runs as it is,
    which tells what is wrong.
    """
    variables = list(variables)
    compiled = True

    @jax.jit
    def pure(values, *args):
        with _having(variables, values) as scope:
            before = [scope.get_current_value(variable) for variable in variables]
            found = function(*args)
            after = [scope.get_current_value(variable) for variable in variables]
        if any(a is not b for a, b in zip(before, after, strict=True)):
            raise ValueError("It changes variables.")
        floats = [x for x in jax.tree.leaves(found) if jnp.issubdtype(x.dtype, jnp.floating)]
        return found, jnp.all(jnp.array([jnp.all(jnp.isfinite(x)) for x in floats]))

    def run(*args):
        nonlocal compiled
        if compiled:
            try:
                found, finite = pure([variable.value for variable in variables], *args)
            except Exception:  # of whatever kind, it is raised again below, or was none of its own
                found = function(*args)
                compiled = False
                return found
            if finite:
                return found
        return function(*args)

    return run


def noting_weights(function, variables, rows):
    """`function()`, and such weights it multiplied by as a `while_loop` with `rows` rows wants."""
    if jax.default_backend() == "cpu":
        return xla.noting_weights(function, variables, rows)
    return function(), {}


def while_loop(condition, step, carry, *, variables, weights, graphs):
    """`carry = step(carry)` while `condition(carry)`; a dict of tensors.

    `weights` are those that `noting_weights` found for the same `variables`.
    """
    if jax.default_backend() != "cpu":
        return jax.lax.while_loop(condition, step, carry)
    with loop_weights.laid_out(weights, variables):
        return jax.lax.while_loop(condition, step, carry)


def device_name():
    """The device that computes, in words."""
    return jax.devices()[0].device_kind


def differentiable(forward, backward):
    """`forward(*tensors)[0]`, with `backward` for its gradient.

    Args:
        forward: `f(*tensors)` returns the output and what the gradient needs, a tuple of tensors.
        backward: `f(saved, gradient)` returns a gradient per tensor, or `None`.
    """
    function = jax.custom_vjp(lambda *tensors: forward(*tensors)[0])
    function.defvjp(forward, backward)
    return function


def gradient_function(function, variables):
    """The gradient of a scalar, as the backend computes it fastest when it is asked for again.

    Args:
        function: `f(inputs, *others)`, of float tensors by name and of what else it depends on.
        variables: of the model that it calls, whose values are handed to it at each call.

    Returns:
        `g(inputs, *others)`, a gradient for each of the inputs, zeros where nothing depends on it.
    """

    variables = list(variables)

    @jax.jit
    def pure(values, inputs, *others):
        with _having(variables, values):
            return jax.grad(function)(inputs, *others)

    return lambda *args: pure([variable.value for variable in variables], *args)


def dropped(weights, rate, seed):
    """`weights` with dropout, drawn from a `keras.random.SeedGenerator`."""
    return keras.random.dropout(weights, rate, seed=seed)


def dropout_factors(seed, index, shape, rate):
    """0 with probability `rate`, else `1 / (1 - rate)`; by a Keras seed `(2,)` and an integer."""
    keep = jax.random.bernoulli(jax.random.fold_in(seed, index), 1 - rate, shape)
    return keep.astype("float32") / (1 - rate)


def random_state():
    """The state of the backend's own random numbers as text, or `None` if it cannot be read."""
    return None  # JAX has none: each draw takes its key.


def set_random_state(state):
    """Sets what `random_state` gave."""
