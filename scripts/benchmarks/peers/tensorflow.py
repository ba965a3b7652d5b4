"""TensorFlow: `tf.function`, attention by `tf.matmul` of heads, which is faster than `einsum`."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import measure
from benchmarks.case import Run


def on_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))


def sync(output: Any) -> None:
    """Waits until everything is computed."""
    if on_gpu():
        tf.test.experimental.sync_devices()


def memory(run: Run) -> float | None:
    """Returns the MiB that a call needs beside what is there already."""
    if not on_gpu():
        return measure.resident_peak(run, sync)
    before = tf.config.experimental.get_memory_info("GPU:0")["current"]
    tf.config.experimental.reset_memory_stats("GPU:0")
    sync(run())
    return (tf.config.experimental.get_memory_info("GPU:0")["peak"] - before) / 2**20


def memory_environment() -> dict[str, str]:
    """Returns variables that a process needs for `memory` to be right.

    With oneDNN, TensorFlow's CPU allocator keeps what it once got, and counts it rounded up by
    as much as half.
    """
    return {} if on_gpu() else {**measure.PLAIN_MALLOC, "TF_ENABLE_ONEDNN_OPTS": "0"}


def forward(call: Callable, *tensors: Any, layer: Any = None, compiled: bool = False) -> Run:
    """`call(*tensors)` as inference runs it; `compiled` by XLA."""
    graph = tf.function(call, autograph=False, jit_compile=compiled)
    return lambda: graph(*tensors)


def training(call: Callable, *tensors: Any, layer: Any = None, compiled: bool = False) -> Run:
    """The mean of the output and its gradients by the layer's weights and the float tensors."""
    weights = [] if layer is None else [v.value for v in layer.trainable_variables]

    @partial(tf.function, autograph=False, jit_compile=compiled)
    def step(*tensors: Any) -> Any:
        floats = [x for x in tensors if x is not None and x.dtype.is_floating]
        with tf.GradientTape() as tape:
            tape.watch(floats)
            loss = tf.reduce_mean(tf.cast(call(*tensors), tf.float32))
        return loss, tape.gradient(loss, [*weights, *floats])

    return lambda: step(*tensors)


def eager(call: Callable, *tensors: Any) -> Run:
    """`call(*tensors)`, operation by operation."""
    return lambda: call(*tensors)


def self_attention(x: Any, mask: Any, *, heads: int, causal: bool, train: bool) -> Run:
    """Returns a run of native self-attention, forward or forward and backward."""
    call = partial(_self_attention, heads=heads, causal=causal)
    return (training if train else forward)(call, x, mask, *_projections(x.shape[-1], x.dtype))


def eager_self_attention(x: Any, *, heads: int) -> Run:
    """Returns a run of native self-attention, operation by operation."""
    call = partial(_self_attention, heads=heads, causal=False)
    return eager(call, x, None, *_projections(x.shape[-1], x.dtype))


def dot_product_attention(query: Any, key: Any, value: Any, *, causal: bool) -> Any:
    """Returns scaled dot products of `(B, N, T, H)`."""
    return _attend(query, key, value, None, causal)


def _self_attention(
    x: Any, mask: Any, qkv: Any, qkv_bias: Any, out: Any, bias: Any, *, heads: int, causal: bool
) -> Any:
    batch, length, width = x.shape
    qkv = tf.reshape(_affine(x, qkv, qkv_bias), (batch, length, 3, heads, width // heads))
    query, key, value = tf.unstack(tf.transpose(qkv, (2, 0, 3, 1, 4)))  # (B, N, T, H)
    mask = None if mask is None else mask[:, None, None, :]
    y = tf.transpose(_attend(query, key, value, mask, causal), (0, 2, 1, 3))
    return _affine(tf.reshape(y, (batch, length, width)), out, bias)


def _attend(query: Any, key: Any, value: Any, mask: Any, causal: bool) -> Any:
    logits = tf.matmul(query * query.shape[-1] ** -0.5, key, transpose_b=True)  # (B, N, T, S)
    if causal:
        positions = tf.range(logits.shape[-1])
        order = positions[:, None] >= positions
        mask = order if mask is None else mask & order
    if mask is not None:
        logits = tf.where(mask, logits, tf.constant(-1e30, logits.dtype))
    return tf.matmul(tf.nn.softmax(logits), value)


def _projections(width: int, dtype: Any) -> tuple:
    return (*_dense(width, 3 * width, dtype), *_dense(width, width, dtype))


def _dense(inputs: int, outputs: int, dtype: Any) -> tuple[Any, Any]:
    kernel = np.random.default_rng(0).normal(0, inputs**-0.5, (inputs, outputs))
    return tf.constant(kernel, dtype), tf.zeros(outputs, dtype)


def _affine(x: Any, kernel: Any, bias: Any) -> Any:
    return x @ kernel + bias


def optimizer_step(optimizer: Any, variables: Sequence[Any], gradients: Sequence[Any]) -> Run:
    """A step of an optimizer of Keras, as its trainer takes it: in a graph."""

    @partial(tf.function, autograph=False)
    def step(*gradients: Any) -> None:
        optimizer.apply(gradients, variables)

    return lambda: step(*gradients)


def encoder_epoch(
    x: np.ndarray, y: np.ndarray, *, batch_size: int, layers: int, heads: int, intermediate: int
) -> Run:
    """One epoch of a pre-norm encoder with a classifier on its mean; returns the mean loss."""
    width, dtype = x.shape[-1], tf.bfloat16 if on_gpu() else tf.float32

    def block() -> tuple:
        norms = [tf.ones(width, dtype), tf.zeros(width, dtype)] * 2
        network = [*_dense(width, intermediate, dtype), *_dense(intermediate, width, dtype)]
        return [tf.Variable(w) for w in (*norms, *_projections(width, dtype), *network)]

    blocks = [block() for _ in range(layers)]
    head = [tf.Variable(w) for w in _dense(width, int(y.max()) + 1, dtype)]
    weights = [w for block in blocks for w in block] + head
    means, squares = ([tf.Variable(tf.zeros_like(w)) for w in weights] for _ in range(2))
    count = tf.Variable(0.0)

    @partial(tf.function, autograph=False)
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            h = tf.cast(x, dtype)
            for block in blocks:
                h = h + _self_attention(
                    _layer_norm(h, *block[:2]), None, *block[4:8], heads=heads, causal=False
                )
                hidden = tf.nn.gelu(_affine(_layer_norm(h, *block[2:4]), *block[8:10]))
                h = h + _affine(hidden, *block[10:])
            logits = tf.cast(_affine(tf.reduce_mean(h, 1), *head), tf.float32)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
        _adam(weights, means, squares, count, tape.gradient(loss, weights))
        return loss

    def epoch() -> float:
        order = np.random.permutation(len(x)).reshape(-1, batch_size)
        losses = [step(tf.constant(x[batch]), tf.constant(y[batch])) for batch in order]
        return float(tf.reduce_mean(losses))

    return epoch


def _layer_norm(x: Any, scale: Any, bias: Any) -> Any:
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, bias, scale, 1e-5)


def _adam(weights: Any, means: Any, squares: Any, count: Any, gradients: Any) -> None:
    """Adam of Kingma & Ba, 2015, with its default settings, in place."""
    step = count.assign_add(1.0)
    rate = 1e-3 * tf.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    for weight, mean, square, g in zip(weights, means, squares, gradients, strict=True):
        mean.assign(0.9 * mean + 0.1 * g)
        square.assign(0.999 * square + 0.001 * g * g)
        change = mean / (tf.sqrt(square) + 1e-8)
        weight.assign_sub(tf.cast(rate, change.dtype) * change)
