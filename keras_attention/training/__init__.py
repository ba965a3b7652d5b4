"""What `fit` lacks: schedules, losses, batches."""

from keras_attention.training import schedules
from keras_attention.training.batches import Batches
from keras_attention.training.losses import ActionHuber, SmoothedCrossentropy

__all__ = ["ActionHuber", "Batches", "SmoothedCrossentropy", "schedules"]
