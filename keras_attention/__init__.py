"""Attention for Keras 3, on TensorFlow, PyTorch and JAX.

```python
import keras_attention as ka

ka.layers.TransformerBlock(num_heads=4, intermediate_dim=512)
with ka.capture() as maps: ...
```
"""

import importlib
from typing import TYPE_CHECKING, Any

from keras_attention import layers, schedules
from keras_attention.scope import cache, capture
from keras_attention.version import __version__

if TYPE_CHECKING:
    from keras_attention import callbacks, explain, saving
    from keras_attention.saving import load_model, save_model

__all__ = [
    "__version__",
    "cache",
    "callbacks",
    "capture",
    "explain",
    "layers",
    "load_model",
    "save_model",
    "saving",
    "schedules",
]


def __getattr__(name: str) -> Any:
    """Imports what a model does not need when it is asked for: half of the time of importing."""
    if name in ("load_model", "save_model"):
        return getattr(importlib.import_module("keras_attention.saving"), name)
    if name in __all__:
        return importlib.import_module(f"keras_attention.{name}")
    raise AttributeError(f"module 'keras_attention' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
