"""The devices that compute, whether values are known now, and the values of variables."""

from keras_attention.kernels.backend import BACKEND

if BACKEND == "torch":
    from keras_attention.kernels.runtime.torch import (
        chunk_numbers,
        device_name,
        is_concrete,
        no_scope_casts,
        on_cpu,
        set_value,
        signature,
    )
elif BACKEND == "jax":
    from keras_attention.kernels.runtime.default import no_scope_casts, set_value, signature
    from keras_attention.kernels.runtime.jax import (
        chunk_numbers,
        device_name,
        is_concrete,
        on_cpu,
    )
else:
    from keras_attention.kernels.runtime.default import no_scope_casts, set_value, signature
    from keras_attention.kernels.runtime.tensorflow import (
        chunk_numbers,
        device_name,
        is_concrete,
        on_cpu,
    )
