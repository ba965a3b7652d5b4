"""Products with weights, and the weights as a loop wants them."""

from keras_attention.kernels.backend import BACKEND
from keras_attention.kernels.products.adapted import AdaptedKernel, multiply, value_of
from keras_attention.kernels.products.loop_weights import lay_out_weights

if BACKEND == "torch":
    from keras_attention.kernels.products.torch import linear, linears
else:
    from keras_attention.kernels.products.default import linear, linears
