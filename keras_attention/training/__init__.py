"""Schedules, optimizers, losses, metrics, batches and more that Keras's `fit` lacks."""

from keras_attention.training import optimizers, schedules
from keras_attention.training.alignment import gather_words, spread_to_pieces
from keras_attention.training.batches import Batches
from keras_attention.training.compilation import choose_jit_compile
from keras_attention.training.losses import (
    ActionHuber,
    SmoothedCrossentropy,
    SparseCategoricalCrossentropy,
)
from keras_attention.training.metrics import TokenAccuracy

__all__ = [
    "ActionHuber",
    "Batches",
    "SmoothedCrossentropy",
    "SparseCategoricalCrossentropy",
    "TokenAccuracy",
    "choose_jit_compile",
    "gather_words",
    "optimizers",
    "schedules",
    "spread_to_pieces",
]
