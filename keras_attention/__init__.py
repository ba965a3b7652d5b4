"""Attention for Keras 3, on TensorFlow, PyTorch and JAX.

```python
import keras_attention as ka

ka.layers.TransformerBlock(num_heads=4, intermediate_dim=512)
with ka.capture() as maps: ...
```
"""

import importlib
from typing import TYPE_CHECKING, Any

from keras_attention import layers
from keras_attention.scope import cache, capture
from keras_attention.training import optimizers, schedules
from keras_attention.version import __version__

if TYPE_CHECKING:
    from keras_attention import callbacks, decoding, explain, saving, training
    from keras_attention.comparison import similarity
    from keras_attention.decoding import generate, stream
    from keras_attention.prediction import encode, predict
    from keras_attention.raw_batches import RawBatches
    from keras_attention.saving import load_model, save_model
    from keras_attention.training.lora import enable_lora, merge_lora
    from keras_attention.training.quantization import quantize

__all__ = [
    "RawBatches",
    "__version__",
    "cache",
    "callbacks",
    "capture",
    "decoding",
    "enable_lora",
    "encode",
    "explain",
    "generate",
    "layers",
    "load_model",
    "merge_lora",
    "optimizers",
    "predict",
    "quantize",
    "save_model",
    "saving",
    "schedules",
    "similarity",
    "stream",
    "training",
]

_HOMES = {
    "RawBatches": "raw_batches",
    "enable_lora": "training.lora",
    "encode": "prediction",
    "generate": "decoding",
    "load_model": "saving",
    "merge_lora": "training.lora",
    "predict": "prediction",
    "quantize": "training.quantization",
    "save_model": "saving",
    "similarity": "comparison",
    "stream": "decoding",
}


def __getattr__(name: str) -> Any:
    """Imports what a model does not need when it is asked for: half of the time of importing."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"keras_attention.{_HOMES[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"keras_attention.{name}")
    raise AttributeError(f"module 'keras_attention' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
