"""Schedules, losses, metrics and batches that Keras's `fit` lacks."""

from keras_attention.training import schedules
from keras_attention.training.batches import Batches
from keras_attention.training.losses import ActionHuber, SmoothedCrossentropy
from keras_attention.training.metrics import TokenAccuracy

__all__ = ["ActionHuber", "Batches", "SmoothedCrossentropy", "TokenAccuracy", "schedules"]
