"""Shows what models attend to and why they predict what they predict, and measures if that is true.

```python
maps = ka.explain.attention_maps(model, texts)      # {"block_0/attention": (B, N, T, T), ...}
explanation = ka.explain.relevance(model, texts)    # a score for each token
explanation.figure().savefig("relevance.png")
ka.explain.faithfulness(model, texts).table()       # do the scores tell what the model reads?
ka.explain.page(model, texts).save("attention.html")
```

A room each: `maps` are attention weights, `attribution` explains by scores of elements,
`evaluation` measures how faithful these are, `plots` draws, and `pages` are interactive. Matplotlib
is imported when a figure is asked for, not before.
"""

from keras_attention.explain import plots
from keras_attention.explain.attribution.elements import Elements, elements
from keras_attention.explain.attribution.explanation import Explanation
from keras_attention.explain.attribution.methods import (
    attention,
    attention_gradient,
    gradient_x_input,
    integrated_gradients,
    leave_one_out,
    relevance,
    rollout,
)
from keras_attention.explain.attribution.neighborhoods import neighborhoods
from keras_attention.explain.attribution.propagation import rollout_matrix
from keras_attention.explain.evaluation.measures import faithfulness
from keras_attention.explain.evaluation.randomization import randomization
from keras_attention.explain.maps.attention_maps import attention_maps
from keras_attention.explain.maps.generation_maps import Generated, generation_maps
from keras_attention.explain.pages.any_model import page
from keras_attention.explain.pages.html import to_html
from keras_attention.explain.pages.image import Patches
from keras_attention.explain.pages.toys import mask_painter, score_toy
from keras_attention.explain.pages.view import View
from keras_attention.explain.plots.any_model import heads

__all__ = [
    "Elements",
    "Explanation",
    "Generated",
    "Patches",
    "View",
    "attention",
    "attention_gradient",
    "attention_maps",
    "elements",
    "faithfulness",
    "generation_maps",
    "gradient_x_input",
    "heads",
    "integrated_gradients",
    "leave_one_out",
    "mask_painter",
    "neighborhoods",
    "page",
    "plots",
    "randomization",
    "relevance",
    "rollout",
    "rollout_matrix",
    "score_toy",
    "to_html",
]
