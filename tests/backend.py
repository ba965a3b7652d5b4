"""Gradients and tracing, which the tests need of a backend and Keras does not offer."""

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


def pure(layer, **flags):
    """The layer as `run(call, like=layer)`; on JAX compiled once for all layers of its kind.

    `like` is a layer with the same configuration and other values.
    """
    if BACKEND != "jax":
        return lambda call, like=layer: like(**call, **flags)
    import jax

    @jax.jit
    def run(values, call):
        with keras.StatelessScope(list(zip(layer.variables, values, strict=True))):
            return layer(**call, **flags)

    return lambda call, like=layer: run([v.value for v in like.variables], _tensors(call))


def shapes_and_dtypes(function, call):
    """Returns what `function(**call)` does, on JAX its shapes and dtypes without computing it."""
    call = _tensors(call)
    if BACKEND == "jax":
        import jax

        return jax.eval_shape(lambda call: function(**call), call)
    return function(**call)


def _tensors(call):
    return {name: ops.convert_to_tensor(x) for name, x in call.items()}


def gradients(function, arrays, variables=()):
    """Value and gradients of the scalar `function(*arrays)` by its arrays and by variables."""
    return differentiated(function, variables)(*arrays)


def differentiated(function, variables=()):
    """The scalar `function` with its gradients: `run(*arrays)`, on JAX compiled once.

    Of a function that returns a scalar and something beside it, the value is both.
    """
    if BACKEND == "jax":
        import jax

        def compute_value(tensors, values):
            with keras.StatelessScope(list(zip(variables, values, strict=True))):
                value, beside = _split(function(*tensors))
                return ops.cast(value, "float32"), beside

        compute = jax.jit(jax.value_and_grad(compute_value, argnums=(0, 1), has_aux=True))
    else:
        compute = functools.partial(_eager_gradients, function, variables)

    def run(*arrays):
        tensors = [ops.convert_to_tensor(a) for a in arrays]
        values = [v.value for v in variables]
        (value, beside), (by_array, by_variable) = compute(tensors, values)
        zero = [
            [_or_zeros(g, w) for g, w in zip(gs, ws, strict=True)]
            for gs, ws in ((by_array, tensors), (by_variable, values))
        ]
        value = to_numpy(value)
        return value if beside is None else (value, to_numpy(beside)), *zero

    return run


def _or_zeros(gradient, of):
    return np.zeros(np.shape(of)) if gradient is None else to_numpy(gradient)


def _split(result):
    return result if isinstance(result, tuple) else (result, None)


def _eager_gradients(function, variables, tensors, values):
    if BACKEND == "torch":
        import torch

        tensors = [x.clone().requires_grad_() for x in tensors]
        with torch.enable_grad():
            value, beside = _split(function(*tensors))
            derivatives = torch.autograd.grad(value, [*tensors, *values], allow_unused=True)
        return (value, beside), (derivatives[: len(tensors)], derivatives[len(tensors) :])
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value, beside = _split(function(*tensors))
    return (value, beside), tape.gradient(value, [tensors, values])


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
