"""The devices that compute, and whether values are known now."""

from keras_attention.kernels.backend import BACKEND

if BACKEND == "torch":
    from keras_attention.kernels.runtime.torch import (
        chunk_numbers,
        device_name,
        is_concrete,
        on_cpu,
    )
elif BACKEND == "jax":
    from keras_attention.kernels.runtime.jax import (
        chunk_numbers,
        device_name,
        is_concrete,
        on_cpu,
    )
else:
    from keras_attention.kernels.runtime.tensorflow import (
        chunk_numbers,
        device_name,
        is_concrete,
        on_cpu,
    )
