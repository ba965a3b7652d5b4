"""The devices that compute, whether values are known now, and the values of variables."""

from keras_attention.kernels.backend import BACKEND

if BACKEND == "torch":
    from keras_attention.kernels.runtime.torch import (
        chunk_numbers,
        device_name,
        is_concrete,
        on_cpu,
        set_value,
    )
elif BACKEND == "jax":
    from keras_attention.kernels.runtime.default import set_value
    from keras_attention.kernels.runtime.jax import (
        chunk_numbers,
        device_name,
        is_concrete,
        on_cpu,
    )
else:
    from keras_attention.kernels.runtime.default import set_value
    from keras_attention.kernels.runtime.tensorflow import (
        chunk_numbers,
        device_name,
        is_concrete,
        on_cpu,
    )
