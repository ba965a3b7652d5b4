"""What layers do to each row by itself: norms, and zeros where a mask says so."""

from keras_attention.kernels.backend import BACKEND

if BACKEND == "torch":
    from keras_attention.kernels.rows.torch import normalize, zero_rows
else:
    from keras_attention.kernels.rows.default import normalize, zero_rows
