"""JAX: jitted, `jax.nn.dot_product_attention`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from benchmarks import measure
from benchmarks.case import Run


@dataclass(frozen=True)
class Jitted:
    """A compiled function and its arguments, which are no constants to fold."""

    function: Any
    arguments: tuple

    def __call__(self) -> Any:
        return self.function(*self.arguments)


def on_gpu() -> bool:
    return jax.default_backend() == "gpu"


def sync(output: Any) -> None:
    """Waits until this is computed."""
    jax.block_until_ready(output)


def memory(run: Run) -> float | None:
    """Returns the MiB that a call needs beside what is there already, on a GPU by the compiler."""
    if not on_gpu():
        return measure.resident_peak(run, sync)
    if not isinstance(run, Jitted):
        return None  # the allocator's peak cannot be reset
    analysis = run.function.lower(*run.arguments).compile().memory_analysis()
    return (analysis.temp_size_in_bytes + analysis.output_size_in_bytes) / 2**20


def memory_environment() -> dict[str, str]:
    """Returns variables that a process needs for `memory` to be right."""
    return {} if on_gpu() else measure.PLAIN_MALLOC


def forward(call: Callable, *tensors: Any, layer: Any = None, compiled: bool = True) -> Run:
    """`call(*tensors)` as inference runs it, always compiled; `layer` owns the weights."""
    function, weights, state = _pure(call, layer)
    return Jitted(jax.jit(function), (weights, state, tensors))


def training(call: Callable, *tensors: Any, layer: Any = None, compiled: bool = True) -> Run:
    """The mean of the output and its gradients by the layer's weights and the float tensors."""
    function, weights, state = _pure(call, layer)
    is_float = [x is not None and jnp.issubdtype(x.dtype, jnp.floating) for x in tensors]
    floats = [x if yes else None for x, yes in zip(tensors, is_float, strict=True)]
    others = [None if yes else x for x, yes in zip(tensors, is_float, strict=True)]

    def loss(weights: Any, floats: Any, state: Any, others: Any) -> Any:
        tensors = [b if a is None else a for a, b in zip(floats, others, strict=True)]
        return jnp.mean(function(weights, state, tensors).astype(jnp.float32))

    step = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
    return Jitted(step, (weights, floats, state, others))


def _pure(call: Callable, layer: Any) -> tuple[Callable, list, list]:
    """`call` as a function of weights, other state and tensors; and these."""
    trained = [] if layer is None else layer.trainable_variables
    others = [] if layer is None else layer.non_trainable_variables

    def function(weights: Any, state: Any, tensors: Any) -> Any:
        values = zip([*trained, *others], [*weights, *state], strict=True)
        with keras.StatelessScope(state_mapping=list(values)):
            return call(*tensors)

    return function, [v.value for v in trained], [v.value for v in others]


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
    query, key, value = (jnp.swapaxes(x, 1, 2) for x in (query, key, value))  # (B, T, N, H)
    y = jax.nn.dot_product_attention(query, key, value, is_causal=causal)
    return jnp.swapaxes(y, 1, 2)


def _self_attention(
    x: Any, mask: Any, qkv: Any, qkv_bias: Any, out: Any, bias: Any, *, heads: int, causal: bool
) -> Any:
    batch, length, width = x.shape
    qkv = (x @ qkv + qkv_bias).reshape(batch, length, 3, heads, width // heads)
    query, key, value = (qkv[:, :, i] for i in range(3))  # (B, T, N, H)
    mask = None if mask is None else mask[:, None, None, :]
    y = jax.nn.dot_product_attention(query, key, value, mask=mask, is_causal=causal)
    return y.reshape(batch, length, width) @ out + bias


def _projections(width: int, dtype: Any) -> tuple:
    return (*_dense(width, 3 * width, dtype), *_dense(width, width, dtype))


def _dense(inputs: int, outputs: int, dtype: Any) -> tuple[Any, Any]:
    kernel = np.random.default_rng(0).normal(0, inputs**-0.5, (inputs, outputs))
    return jnp.asarray(kernel, dtype), jnp.zeros(outputs, dtype)


def optimizer_step(optimizer: Any, variables: Sequence[Any], gradients: Sequence[Any]) -> Run:
    """A step of an optimizer of Keras, compiled, in the memory of what it replaces."""
    step = jax.jit(optimizer.stateless_apply, donate_argnums=(0, 2))
    weights, state = ([jnp.copy(v.value) for v in x] for x in (variables, optimizer.variables))

    def run() -> Any:
        nonlocal weights, state
        weights, state = step(state, gradients, weights)
        return weights

    return run


def encoder_epoch(
    x: np.ndarray, y: np.ndarray, *, batch_size: int, layers: int, heads: int, intermediate: int
) -> Run:
    """One epoch of a pre-norm encoder with a classifier on its mean; returns the mean loss."""
    width, dtype = x.shape[-1], jnp.bfloat16 if on_gpu() else jnp.float32

    def norm() -> tuple[Any, Any]:
        return jnp.ones(width, dtype), jnp.zeros(width, dtype)

    def block() -> dict[str, tuple]:
        up, down = _dense(width, intermediate, dtype), _dense(intermediate, width, dtype)
        attention = _projections(width, dtype)
        return {"norms": (norm(), norm()), "attention": attention, "up": up, "down": down}

    weights = {
        "blocks": [block() for _ in range(layers)],
        "head": _dense(width, int(y.max()) + 1, dtype),
    }

    def loss(weights: Any, x: Any, y: Any) -> Any:
        for block in weights["blocks"]:
            norm_1, norm_2 = block["norms"]
            h = _layer_norm(x, *norm_1)
            x = x + _self_attention(h, None, *block["attention"], heads=heads, causal=False)
            h = jax.nn.gelu(_affine(_layer_norm(x, *norm_2), *block["up"]), approximate=False)
            x = x + _affine(h, *block["down"])
        logits = _affine(x.mean(1), *weights["head"]).astype(jnp.float32)
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1).mean()

    @partial(jax.jit, donate_argnums=0)
    def step(state: Any, x: Any, y: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(state[0], x.astype(dtype), y)
        return _adam(*state, gradients), value

    zeros = jax.tree.map(jnp.zeros_like, weights)
    state = (weights, zeros, jax.tree.map(jnp.zeros_like, weights), jnp.zeros(()))

    def epoch() -> float:
        nonlocal state
        losses = []
        for batch in np.random.permutation(len(x)).reshape(-1, batch_size):
            state, value = step(state, x[batch], y[batch])
            losses.append(value)
        return float(np.mean(losses))

    return epoch


def _affine(x: Any, kernel: Any, bias: Any) -> Any:
    return x @ kernel + bias


def _layer_norm(x: Any, scale: Any, bias: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * scale + bias


def _adam(weights: Any, mean: Any, square: Any, count: Any, gradients: Any) -> tuple:
    """Adam of Kingma & Ba, 2015, with its default settings: the new state."""
    count = count + 1
    mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradients)
    square = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, square, gradients)
    rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)

    def moved(weight: Any, m: Any, s: Any) -> Any:
        return weight - (rate * m / (jnp.sqrt(s) + 1e-8)).astype(weight.dtype)

    return jax.tree.map(moved, weights, mean, square), mean, square, count
