"""Callbacks for `model.fit`."""

from keras_attention.callbacks.checkpoint import Checkpoint

__all__ = ["Checkpoint"]
