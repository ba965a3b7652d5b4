"""Native peers, and how Keras's trainer runs a layer: one file per backend, same functions.

Only the files of this folder import a backend.
"""

import importlib

import keras

_peers = importlib.import_module(f"{__name__}.{keras.backend.backend()}")
long = importlib.import_module(f"{__name__}.long_{keras.backend.backend()}")

on_gpu = _peers.on_gpu
sync = _peers.sync
memory = _peers.memory
memory_environment = _peers.memory_environment
forward = _peers.forward
training = _peers.training
eager = _peers.eager
self_attention = _peers.self_attention
eager_self_attention = _peers.eager_self_attention
dot_product_attention = _peers.dot_product_attention
encoder_epoch = _peers.encoder_epoch
optimizer_step = _peers.optimizer_step

__all__ = [
    "dot_product_attention",
    "eager",
    "eager_self_attention",
    "encoder_epoch",
    "forward",
    "long",
    "memory",
    "memory_environment",
    "on_gpu",
    "optimizer_step",
    "self_attention",
    "sync",
    "training",
]
