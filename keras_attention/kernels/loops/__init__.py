"""Loops and branches of compiled code, and what a step of a loop writes."""

from keras_attention.kernels.backend import BACKEND
from keras_attention.kernels.loops.default import count_filled

if BACKEND == "torch":
    from keras_attention.kernels.loops.torch import cond, store, while_loop
else:
    from keras_attention.kernels.loops.default import cond, store, while_loop
