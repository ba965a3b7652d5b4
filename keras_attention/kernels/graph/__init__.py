"""Rows by index and sums over the edges of graphs; `keras.ops` checks indices in several passes."""

from keras_attention.kernels.backend import BACKEND

if BACKEND == "torch":
    from keras_attention.kernels.graph.torch import (
        segment_max,
        segment_sum,
        take_rows,
        weighted_segment_sum,
    )
elif BACKEND == "jax":
    from keras_attention.kernels.graph.jax import (
        segment_max,
        segment_sum,
        take_rows,
        weighted_segment_sum,
    )
else:
    from keras_attention.kernels.graph.tensorflow import (
        segment_max,
        segment_sum,
        take_rows,
        weighted_segment_sum,
    )

# PyTorch's `index_add` takes nine times as long with int32 ids.
INDEX_DTYPE = "int64" if BACKEND == "torch" else "int32"
