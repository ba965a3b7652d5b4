"""Schedules, optimizers, losses, metrics, batches and labels of pieces that Keras's `fit` lacks."""

from keras_attention.training import optimizers, schedules
from keras_attention.training.alignment import gather_words, spread_to_pieces
from keras_attention.training.batches import Batches
from keras_attention.training.losses import ActionHuber, SmoothedCrossentropy
from keras_attention.training.metrics import TokenAccuracy

__all__ = [
    "ActionHuber",
    "Batches",
    "SmoothedCrossentropy",
    "TokenAccuracy",
    "gather_words",
    "optimizers",
    "schedules",
    "spread_to_pieces",
]
