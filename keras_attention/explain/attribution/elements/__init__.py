"""Elements, which an explanation gives a number each: tokens, patches, frames, nodes and others."""

from keras_attention.explain.attribution.elements.base import Elements
from keras_attention.explain.attribution.elements.columns import Columns
from keras_attention.explain.attribution.elements.frames import Frames
from keras_attention.explain.attribution.elements.kinds import elements
from keras_attention.explain.attribution.elements.nodes import Nodes
from keras_attention.explain.attribution.elements.patches import ImagePatches
from keras_attention.explain.attribution.elements.steps import Steps
from keras_attention.explain.attribution.elements.tokens import Tokens

__all__ = ["Columns", "Elements", "Frames", "ImagePatches", "Nodes", "Steps", "Tokens", "elements"]
