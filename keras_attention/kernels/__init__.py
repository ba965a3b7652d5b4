"""The one door to the backends: the same functions for PyTorch, JAX and TensorFlow.

Only the files of this folder import a backend. `fused_attention` returns `None` where the
backend has no fused kernel for a call; `ops.attention` then computes it explicitly.
"""

import importlib

import keras

_BACKENDS = ("tensorflow", "torch", "jax")

if keras.backend.backend() not in _BACKENDS:
    raise ImportError(
        f"keras_attention runs on the Keras backends {', '.join(_BACKENDS)}. Received: "
        f"backend={keras.backend.backend()!r}. Set the environment variable KERAS_BACKEND to "
        "one of them before Python starts."
    )

_kernels = importlib.import_module(f"{__name__}.{keras.backend.backend()}")

compile = _kernels.compile
device_name = _kernels.device_name
fused_attention = _kernels.fused_attention
is_concrete = _kernels.is_concrete
recompute = _kernels.recompute
segment_max = _kernels.segment_max
segment_sum = _kernels.segment_sum

__all__ = [
    "compile",
    "device_name",
    "fused_attention",
    "is_concrete",
    "recompute",
    "segment_max",
    "segment_sum",
]
