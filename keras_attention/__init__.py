"""Attention for Keras 3, on TensorFlow, PyTorch and JAX.

```python
import keras_attention as ka

ka.layers.TransformerBlock(num_heads=4, intermediate_dim=512)
with ka.capture() as maps: ...
```
"""

from keras_attention import callbacks, explain, layers, saving, schedules
from keras_attention.saving import load_model, save_model
from keras_attention.scope import cache, capture
from keras_attention.version import __version__

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
