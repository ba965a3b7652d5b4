"""Models made of `keras_attention` layers, their data, recipes and results.

```python
import zoo

model = zoo.vit(image_size=28, num_classes=10, **zoo.models.vit.VARIANTS["default"])
```

Each model is a function that returns a `keras.Model`, in a file of `zoo.models`.
"""

from typing import Any

from zoo import models

__all__ = ["models", *models.__all__]


def __getattr__(name: str) -> Any:
    """Returns the function that builds the model `name`; imports its file when it is asked for."""
    if name in models.__all__:
        return getattr(getattr(models, name), name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
