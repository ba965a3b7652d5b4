"""Attention for Keras 3, on TensorFlow, PyTorch and JAX.

```python
import keras_attention as ka

ka.layers.TransformerBlock(num_heads=4, intermediate_dim=512)
with ka.capture() as maps: ...
```
"""

from keras_attention import explain, layers, schedules
from keras_attention.scope import cache, capture

__version__ = "0.1.0"

__all__ = ["cache", "capture", "explain", "layers", "schedules"]
