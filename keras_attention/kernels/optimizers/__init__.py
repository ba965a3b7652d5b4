"""The steps of optimizers, beside those of Keras."""

from keras_attention.kernels.backend import BACKEND

if BACKEND == "torch":
    from keras_attention.kernels.optimizers.torch import AdamStep, SGDStep
else:
    from keras_attention.kernels.optimizers.default import AdamStep, SGDStep
