"""Looking at what models attend to.

`plots` draws; it imports matplotlib when a figure is asked for, not before.
"""

from keras_attention.explain import plots

__all__ = ["plots"]
