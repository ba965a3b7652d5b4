"""A model behind HTTP: JSON in and out as `ka.predict` takes and gives, and a page to try it.

```python
from zoo.serve import serve

serve(ka.load_model("model.keras"))  # http://127.0.0.1:8000
```

Requests are read and checked by themselves, wait in one queue, and are computed by one thread:
those that wait together are one batch. So no backend is called by two threads at once, and a bad
request harms no other.
"""

try:
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError as error:
    raise ImportError(
        'A server needs starlette and uvicorn: python -m pip install "keras-attention[serve]"'
    ) from error

from zoo.serve.app import make_app
from zoo.serve.limits import Limits
from zoo.serve.server import serve

__all__ = ["Limits", "make_app", "serve"]
