"""What the tests need of a backend and Keras does not offer: gradients and tracing."""

import functools

import keras
import numpy as np
from keras import ops

from keras_attention import kernels

BACKENDS = ("jax", "tensorflow", "torch")
BACKEND = keras.backend.backend()


def to_numpy(x):
    x = ops.convert_to_tensor(x)
    if keras.backend.standardize_dtype(x.dtype) == "bfloat16":
        x = ops.cast(x, "float32")
    return np.asarray(ops.convert_to_numpy(x))


def assert_same_weights(model, other):
    for ours, theirs in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs), err_msg=ours.path)


def compiled(function, variables):
    """`function`, which reads `variables`, for inference; compiled on JAX alone.

    JAX compiles each operation for each shape, which takes longer than compiling them as one.
    """
    return kernels.compile_with(function, variables) if BACKEND == "jax" else function


@functools.lru_cache(maxsize=4)
def whole(model):
    """The model as a function of its inputs."""
    return compiled(model, model.variables)


def gradients(function, arrays, variables=()):
    """Value and gradients of the scalar `function(*arrays)` by its arrays and by variables."""
    if BACKEND == "jax":
        import jax

        def of(tensors, values):
            with keras.StatelessScope(list(zip(variables, values, strict=True))):
                return ops.cast(function(*tensors), "float32")

        tensors = [ops.convert_to_tensor(a) for a in arrays]
        values = [v.value for v in variables]
        loss, found = jax.jit(jax.value_and_grad(of, argnums=(0, 1)))(tensors, values)
        by_array, by_variable = found
    elif BACKEND == "torch":
        import torch

        tensors = [ops.convert_to_tensor(a).clone().requires_grad_() for a in arrays]
        values = [v.value for v in variables]
        with torch.enable_grad():
            loss = function(*tensors)
            found = torch.autograd.grad(loss, [*tensors, *values], allow_unused=True)
        by_array, by_variable = found[: len(tensors)], found[len(tensors) :]
    else:
        import tensorflow as tf

        tensors = [ops.convert_to_tensor(a) for a in arrays]
        values = [v.value for v in variables]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            loss = function(*tensors)
        by_array, by_variable = tape.gradient(loss, [tensors, values])
    zero = [
        [np.zeros(np.shape(w)) if g is None else to_numpy(g) for g, w in zip(gs, ws, strict=True)]
        for gs, ws in ((by_array, tensors), (by_variable, values))
    ]
    return to_numpy(loss), *zero


def traced(function):
    """`function` compiled, or traced where compiling takes minutes (PyTorch)."""
    if BACKEND == "torch":
        import torch

        torch._dynamo.reset()
        return torch.compile(function, backend="eager", fullgraph=True)  # no break in our code
    return kernels.compile(function)


def traced_with_unknown_sizes(function, shapes, dtypes):
    """`function` traced for sizes that are not known: TensorFlow alone has such a thing."""
    import tensorflow as tf

    signature = [tf.TensorSpec(s, d) for s, d in zip(shapes, dtypes, strict=True)]
    return tf.function(function, input_signature=signature)
