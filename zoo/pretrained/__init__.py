"""Published checkpoints: files of Hugging Face's layout, read and written by models of the zoo.

```python
encoder = zoo.pretrained.load("hf://sentence-transformers/all-MiniLM-L6-v2")
vectors = ka.predict(encoder, ["A happy person", "A happy dog"])  # (2, 384)
```

A family of checkpoints is a file here, found by its name: see `zoo.pretrained.families.Family`.
"""

from zoo.pretrained.loading import load
from zoo.pretrained.writing import save

__all__ = ["load", "save"]
