"""Elements, which an explanation gives a number each: tokens, patches, frames or nodes."""

from keras_attention.explain.attribution.elements.base import Elements
from keras_attention.explain.attribution.elements.frames import Frames
from keras_attention.explain.attribution.elements.kinds import elements
from keras_attention.explain.attribution.elements.nodes import Nodes
from keras_attention.explain.attribution.elements.patches import ImagePatches
from keras_attention.explain.attribution.elements.tokens import Tokens

__all__ = ["Elements", "Frames", "ImagePatches", "Nodes", "Tokens", "elements"]
