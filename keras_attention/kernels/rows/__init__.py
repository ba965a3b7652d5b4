"""What is done to each row by itself: norms, zeros where a mask says so, cross-entropy."""

from keras_attention.kernels.backend import BACKEND

if BACKEND == "torch":
    from keras_attention.kernels.rows.torch import crossentropy, normalize, zero_rows
else:
    from keras_attention.kernels.rows.default import crossentropy, normalize, zero_rows
