"""Types of annotations: tensors of whatever backend, and their shapes.

```python
def attend(query: Float[Tensor, "B N T H"], mask: Bool[Tensor, "B T S"] | None) -> ...
```

The letters are those of the whole library: B batch, T query length, S key length, N heads, K key
heads, H head size, D model width, V vocabulary, E edges. A single letter has a space before it,
`" E"`, so that a linter does not take it for a name. A type checker sees the tensor alone.
"""

from typing import Annotated as Bool
from typing import Annotated as Float
from typing import Annotated as Int
from typing import Annotated as Shaped
from typing import Any, TypeAlias

Tensor: TypeAlias = Any  # of TensorFlow, PyTorch or JAX, a variable, or symbolic

__all__ = ["Bool", "Float", "Int", "Shaped", "Tensor"]
