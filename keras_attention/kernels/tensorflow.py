"""TensorFlow."""

from contextlib import nullcontext
from itertools import count

import keras
import tensorflow as tf
from keras import ops
from tensorflow.compiler.tf2xla.python.xla import optimization_barrier

from keras_attention.kernels import loop_weights, xla

INDEX_DTYPE = "int32"

BRANCHES = ("explicit", "tiled")  # of attention, see the table in `kernels`


def attention_branch(query, key, *, window, dropout):
    """The computation of attention that is fastest here, by name."""
    length, key_length = query.shape[2], key.shape[2]
    if length is None or key_length is None or _on_gpu():
        return "explicit"
    # XLA draws random numbers on a CPU at a quarter of TensorFlow's speed.
    least = 4096 if dropout else 512
    return "tiled" if length * key_length >= least * least else "explicit"


def fused_attention(query, key, value, *, mask=None, causal=False, scale, dropout=0.0):
    """TensorFlow has none."""
    raise NotImplementedError(
        "The fused attention kernel is PyTorch's. Received: backend=tensorflow"
    )


def linear(x, kernel, bias=None, *, transposed=False):
    """`x W + b`, of the variables W `(D, U)`, or `(U, D)` if `transposed`, and b `(U,)`."""
    if loop_weights.active():
        rows = ops.reshape(x, (-1, x.shape[-1]))
        y = xla.product(rows, kernel, transposed, _barrier)
        y = ops.reshape(y, (*ops.shape(x)[:-1], y.shape[-1]))
    else:
        y = ops.matmul(x, ops.transpose(kernel) if transposed else kernel)
    return y if bias is None else ops.add(y, bias)


def _barrier(x):
    return optimization_barrier(x)[0]


def linears(x, projections):
    """`linear` of one input for each (kernel, bias)."""
    return [linear(x, kernel, bias) for kernel, bias in projections]


def store(buffer, update, start, *, axis=2, in_place=False):
    """`buffer` with `update` from index `start` of an axis on; XLA knows what to overwrite."""
    starts = [start if i == axis else 0 for i in range(len(buffer.shape))]
    return ops.slice_update(buffer, starts, tf.cast(update, buffer.dtype))


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
    return tf.gather(data, ids)


def take_columns(data, columns):
    """Of each row of `data` `(B, N, T, C)` its own `columns` `(T, S)`, inside: `(B, N, T, S)`."""
    shape = (*ops.shape(data)[:2], *ops.shape(columns))
    return ops.take_along_axis(data, ops.broadcast_to(columns[None, None], shape), axis=-1)


def segment_sum(data, segment_ids, num_segments):
    """Sums rows of `data` `(E, ...)` that share an id: `(num_segments, ...)`."""

    @tf.custom_gradient
    def summed(data):
        # TensorFlow's own gradient also looks for negative ids, in several passes.
        output = tf.math.unsorted_segment_sum(data, segment_ids, num_segments)
        return output, lambda gradient: tf.gather(gradient, segment_ids)

    return summed(data)


def segment_max(data, segment_ids, num_segments):
    """Maximum of the rows that share an id; the lowest finite number where there are none."""
    return tf.math.unsorted_segment_max(data, segment_ids, num_segments)


def weighted_segment_sum(values, weights, source, target, num_segments):
    """Sums `weights[e] * values[source[e]]` over the edges e that share `target[e]`.

    Values `(N, heads, H)` and weights `(E, heads)` to `(num_segments, heads, H)`. Its gradients
    are a sum of the same kind, the other way round, and a dot product per edge; automatic ones
    pass over all messages once more.
    """

    @tf.custom_gradient
    def summed(values, weights):
        messages = tf.gather(values, source) * weights[..., None]

        def gradients(gradient):
            by_value = weighted_segment_sum(gradient, weights, target, source, tf.shape(values)[0])
            products = tf.gather(values, source) * tf.gather(gradient, target)
            return by_value, tf.reduce_sum(products, axis=-1)

        return segment_sum(messages, target, num_segments), gradients

    return summed(values, weights)


def additive_scores(query, key, vector):
    """`None`: `ops.additive` computes them, in chunks."""
    return None


def chunk_numbers():
    """How many numbers a loop over chunks should hold at once: what a CPU's cache does."""
    if tf.executing_eagerly():  # every step of a loop costs a millisecond
        return 2**22
    return 2**24 if tf.config.list_physical_devices("GPU") else 2**17


def cond(condition, if_true, if_false):
    """`if_true()` or `if_false()` by a boolean scalar; no gradients flow through either."""
    return tf.cond(condition, if_true, if_false)


def recompute(function):
    """`function` with its intermediates recomputed in the backward pass, not stored.

    `function` must take every tensor that it differentiates as an argument.
    """
    return tf.recompute_grad(function)


def is_concrete(tensor):
    """Whether the values of `tensor` can be looked at now (no graph)."""
    return tf.executing_eagerly() and not tf.is_symbolic_tensor(tensor)


def check_below(indices, limit, message):
    """Raises `ValueError` if an index is not below `limit`; a graph raises TensorFlow's error with
    the message when it runs, but not under XLA."""
    if not is_concrete(indices):
        tf.debugging.assert_less(indices, limit, message=message)
    elif int(tf.reduce_max(indices)) >= limit:
        raise ValueError(message)


def xor(x, y):
    """The bits in which `x` and `y` differ, of integers that are not negative."""
    return ops.bitwise_xor(x, y)


def compile(function):
    """`function` as the backend runs it fastest: `tf.function` with XLA."""
    return tf.function(function, jit_compile=True, autograph=False)


def compile_with(function, variables):
    """`function`, compiled; it reads the values of `variables` at each call."""
    return tf.function(function, jit_compile=True, autograph=False)


def traced_with(function, variables):
    """As `compile_with`, for what runs once where others loop: without XLA, which would take many
    times longer to compile it for each shape than it saves."""
    return tf.function(function, autograph=False)


def forward(function, variables):
    """`function` of arrays without gradients, compiled, not by XLA, for shapes that may vary; it
    reads the values of `variables` at each call."""
    return tf.function(function, autograph=False, reduce_retracing=True)


def inference(function, variables):
    """`function` of arrays as it runs fastest where nothing is learned: as it is."""
    return function


def noting_weights(function, variables, rows):
    """`function()`, and such weights it multiplied by as a `while_loop` with `rows` rows wants."""
    if _on_gpu():
        return function(), {}
    return xla.noting_weights(function, variables, rows)


def while_loop(condition, step, carry, *, variables, weights, graphs):
    """`carry = step(carry)` while `condition(carry)`; a dict of tensors.

    `weights` are those that `noting_weights` found for the same `variables`.
    """
    with nullcontext() if _on_gpu() else loop_weights.laid_out(weights, variables):
        (carry,) = tf.while_loop(condition, lambda carry: (step(carry),), (carry,))
    return carry


def device_name():
    """The device that computes, in words."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "cpu"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "gpu")


def differentiable(forward, backward):
    """`forward(*tensors)[0]`, with `backward` for its gradient.

    Args:
        forward: `f(*tensors)` returns the output and what the gradient needs, a tuple of tensors.
        backward: `f(saved, gradient)` returns a gradient per tensor, or `None`.
    """

    @tf.custom_gradient
    def function(*tensors):
        output, saved = forward(*tensors)
        return output, lambda gradient: backward(saved, gradient)

    return function


def gradient_function(function, variables):
    """The gradient of a scalar, as the backend computes it fastest when it is asked for again.

    Args:
        function: `f(inputs, *others)`, of float tensors by name and of what else it depends on.
        variables: of the model that it calls, whose values are handed to it at each call.

    Returns:
        `g(inputs, *others)`, a gradient for each of the inputs, zeros where nothing depends on it.
    """

    def gradients(inputs, *others):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(inputs)
            scalar = function(inputs, *others)
        return tape.gradient(scalar, inputs, unconnected_gradients="zero")

    graph, calls = tf.function(gradients), count()
    # To trace a graph takes as long as several eager calls: the first one is often the only one.
    return lambda *args: graph(*args) if next(calls) else gradients(*args)


def dropped(weights, rate, seed):
    """`weights` with dropout, drawn from a `keras.random.SeedGenerator`."""
    return keras.random.dropout(weights, rate, seed=seed)


def dropout_factors(seed, index, shape, rate):
    """0 with probability `rate`, else `1 / (1 - rate)`; by a Keras seed `(2,)` and an integer."""
    seed = tf.random.experimental.stateless_fold_in(tf.cast(seed, "int32"), index)
    keep = tf.random.stateless_uniform(shape, seed) >= rate
    return tf.cast(keep, "float32") / (1 - rate)


def _on_gpu():
    return bool(tf.config.list_physical_devices("GPU"))


def random_state():
    """The state of the backend's own random numbers as text, or `None` if it cannot be read."""
    return None  # TensorFlow keeps one in each operation, out of reach.


def set_random_state(state):
    """Sets what `random_state` gave."""
