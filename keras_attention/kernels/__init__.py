"""The one door to the backends: the same functions for PyTorch, JAX and TensorFlow.

A folder per concern. `default.py` computes with `keras.ops`; `torch.py`, `jax.py` and
`tensorflow.py` are there where a backend does better, and alone import it. The folder's
`__init__.py` says which file a backend takes each function from. To add a kernel, write it into the
file of its backend, with a default if the others lack one, and name it in the folder's
`__init__.py` and here.

    attention/    the table of which branch of attention runs; PyTorch's fused kernel, heads
    graph/        rows by index, sums over edges
    products/     products with weights, and the weights as a loop wants them
    loops/        `while_loop`, `cond`, and what a step writes
    compilation/  functions compiled, and their gradients
    random/       dropout, the state of the generator
    optimizers/   what a step of an optimizer does beside Keras
    rows/         norms, zeros where masked, cross-entropy
    runtime/      devices, whether values are known, and those of variables
    compiled.py   what was compiled for a model, while it stays as it is
"""

from keras_attention.kernels.attention import (
    BRANCHES,
    additive_scores,
    attention_branch,
    block_size,
    describe,
    forced,
    hides_padding,
    linear_attention,
    merge_heads,
    spans,
    split_blocks,
    split_heads,
    take_columns,
)
from keras_attention.kernels.backend import BACKEND
from keras_attention.kernels.compilation import (
    check_below,
    compile,
    compile_forward,
    compile_gradient,
    compile_inference,
    compile_with,
    define_gradient,
    jit_compile_for_training,
    recompute,
    round_length,
    trace_with,
)
from keras_attention.kernels.compiled import compiled_for, forget_functions
from keras_attention.kernels.graph import (
    INDEX_DTYPE,
    segment_max,
    segment_sum,
    take_rows,
    weighted_segment_sum,
)
from keras_attention.kernels.loops import cond, count_filled, store, while_loop
from keras_attention.kernels.optimizers import AdamStep, SGDStep
from keras_attention.kernels.products import (
    AdaptedKernel,
    lay_out_weights,
    linear,
    linears,
    multiply,
    value_of,
)
from keras_attention.kernels.random import (
    apply_dropout,
    dropout_factors,
    random_state,
    set_random_state,
    xor,
)
from keras_attention.kernels.rows import crossentropy, normalize, zero_rows
from keras_attention.kernels.runtime import (
    device_name,
    is_concrete,
    no_scope_casts,
    set_value,
    signature,
)

if BACKEND == "torch":  # elsewhere attention of lists is by tiles
    from keras_attention.kernels.attention import listed_attention
if BACKEND != "tensorflow":  # which has no branch "fused"
    from keras_attention.kernels.attention import fused_attention
