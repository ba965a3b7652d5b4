"""Figures of attention and of explanations, as one would put them in a paper.

Every function returns a `matplotlib.figure.Figure` that belongs to nobody else (no `pyplot` state,
no display needed): `figure.savefig("attention.png")`. Matplotlib is imported when the first figure
is asked for, so that whatever can be drawn may import this package and call it:

```python
class Explanation:
    def figure(self, titles=(), *, title=""):
        return plots.explanation(self, titles, title=title)
```

Nothing here imports such a class, except for its annotations.
"""

from keras_attention.explain.plots.attention import attention_heads, head_overview
from keras_attention.explain.plots.audio import spectrogram_attention
from keras_attention.explain.plots.explanations import explanation, image_and_text
from keras_attention.explain.plots.faithfulness import faithfulness_curves
from keras_attention.explain.plots.graph import node_attention
from keras_attention.explain.plots.image import image_attention, patch_weights, word_attention
from keras_attention.explain.plots.table import column_attention, column_importance
from keras_attention.explain.plots.text import shaded_tokens

__all__ = [
    "attention_heads",
    "column_attention",
    "column_importance",
    "explanation",
    "faithfulness_curves",
    "head_overview",
    "image_and_text",
    "image_attention",
    "node_attention",
    "patch_weights",
    "shaded_tokens",
    "spectrogram_attention",
    "word_attention",
]
