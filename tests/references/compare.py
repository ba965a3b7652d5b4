"""Helpers of the reference tests: random numbers, comparison, gradients on every backend."""

import keras
import numpy as np
import torch
from keras import ops

TOLERANCE = 1e-5


def normal(*shape, seed, scale=1.0):
    """Random float32 numbers of standard deviation `scale`."""
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype("float32")


def randomize(module, seed):
    """Gives every parameter of a PyTorch module random values, biases and norm scales too.

    Zeros and ones, which most of them start with, would hide what is done with them.
    """
    with torch.no_grad():
        for i, (name, parameter) in enumerate(module.named_parameters()):
            values = normal(*parameter.shape, seed=[seed, i])
            if parameter.ndim > 1:
                values *= parameter.shape[-1] ** -0.5
            else:  # a norm's scale or a bias
                values = 0.5 * values + name.endswith("weight")
            parameter.copy_(torch.from_numpy(values))
    return module.eval()


def randomize_layer(layer, seed):
    """Gives every weight of a built Keras layer random values."""
    for i, variable in enumerate(layer.trainable_variables):
        fan_in = variable.shape[0] if len(variable.shape) > 1 else 4
        variable.assign(normal(*variable.shape, seed=[seed, i], scale=fan_in**-0.5))


def weights(layer):
    """The weights of a Keras layer by name, as float64 NumPy arrays."""
    return {
        v.name: ops.convert_to_numpy(v.value).astype("float64") for v in layer.trainable_variables
    }


def assign(layer, values):
    """Copies PyTorch tensors to the attributes of `layer` of the same names."""
    for name, value in values.items():
        getattr(layer, name).assign(to_numpy(value))


def multi_head_weights(reference, of=lambda parameter: parameter):
    """Of a `torch.nn.MultiheadAttention`, by our names and in our layout; or `of` them."""
    if reference.in_proj_weight is not None:
        q, k, v = of(reference.in_proj_weight).chunk(3)
    else:
        q, k, v = (
            of(w)
            for w in (reference.q_proj_weight, reference.k_proj_weight, reference.v_proj_weight)
        )
    q_bias, k_bias, v_bias = of(reference.in_proj_bias).chunk(3)
    return {
        "query_kernel": q.T,
        "key_kernel": k.T,
        "value_kernel": v.T,
        "output_kernel": of(reference.out_proj.weight).T,
        "query_bias": q_bias,
        "key_bias": k_bias,
        "value_bias": v_bias,
        "output_bias": of(reference.out_proj.bias),
    }


def to_numpy(x):
    return x.detach().numpy() if isinstance(x, torch.Tensor) else ops.convert_to_numpy(x)


def assert_same(ours, theirs):
    """Same shape, and nowhere more than `TOLERANCE` apart.

    Of values above 1 it is that part of the largest: float32 rounds by a part of what it sums, and
    gradients of 9 were seen 1.03e-5 apart on one processor.
    """
    ours, theirs = to_numpy(ours), to_numpy(theirs)
    assert ours.shape == theirs.shape
    difference = np.abs(ours.astype("float64") - theirs.astype("float64")).max()
    allowed = TOLERANCE * max(1.0, np.abs(theirs).max())
    assert difference <= allowed, f"maximum difference {difference:.3g}, allowed {allowed:.3g}"


def gradients(function, inputs, cotangent, variables=()):
    """Gradients of `sum(function(*inputs) * cotangent)` for the inputs and for `variables`."""
    values = [*inputs, *(ops.convert_to_numpy(v.value) for v in variables)]
    cotangent = ops.convert_to_tensor(cotangent)

    def total(*tensors):
        mapping = list(zip(variables, tensors[len(inputs) :], strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return ops.sum(function(*tensors[: len(inputs)]) * cotangent)

    return [ops.convert_to_numpy(g) for g in _BACKENDS[keras.backend.backend()](total, values)]


def _jax(total, values):
    import jax

    return jax.grad(total, argnums=tuple(range(len(values))))(*map(ops.convert_to_tensor, values))


def _torch(total, values):
    tensors = [ops.convert_to_tensor(value).requires_grad_() for value in values]
    return torch.autograd.grad(total(*tensors), tensors)


def _tensorflow(total, values):
    import tensorflow as tf

    tensors = [ops.convert_to_tensor(value) for value in values]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        result = total(*tensors)
    return tape.gradient(result, tensors)


_BACKENDS = {"jax": _jax, "torch": _torch, "tensorflow": _tensorflow}
