"""The backend that Keras runs on."""

from typing import Final

import keras

_BACKENDS = ("tensorflow", "torch", "jax")

BACKEND: Final[str] = keras.backend.backend()

if BACKEND not in _BACKENDS:
    raise ImportError(
        f"keras_attention runs on the Keras backends {', '.join(_BACKENDS)}. Received: "
        f"backend={BACKEND!r}. Set the environment variable KERAS_BACKEND to "
        "one of them before Python starts."
    )
