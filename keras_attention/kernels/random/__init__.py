"""Dropout, the bits of hashes, and the state of the backend's own generator."""

from keras_attention.kernels.backend import BACKEND

if BACKEND == "torch":
    from keras_attention.kernels.random.torch import (
        apply_dropout,
        dropout_factors,
        random_state,
        set_random_state,
        xor,
    )
elif BACKEND == "jax":
    from keras_attention.kernels.random.default import (
        apply_dropout,
        random_state,
        set_random_state,
        xor,
    )
    from keras_attention.kernels.random.jax import dropout_factors
else:
    from keras_attention.kernels.random.default import (
        apply_dropout,
        random_state,
        set_random_state,
        xor,
    )
    from keras_attention.kernels.random.tensorflow import dropout_factors
