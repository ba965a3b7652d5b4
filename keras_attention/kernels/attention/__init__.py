"""Attention: which of its computations runs, and those that a backend has a kernel for.

The table in `branches` says which branch runs when.
"""

from keras_attention.kernels.attention.branches import (
    BRANCHES,
    attention_branch,
    block_size,
    describe,
    forced,
)
from keras_attention.kernels.backend import BACKEND

if BACKEND == "torch":
    from keras_attention.kernels.attention.torch import (
        additive_scores,
        fused_attention,
        hides_padding,
        linear_attention,
        listed_attention,
        merge_heads,
        spans,
        split_blocks,
        split_heads,
        take_columns,
    )
elif BACKEND == "jax":
    from keras_attention.kernels.attention.default import (
        additive_scores,
        hides_padding,
        linear_attention,
        merge_heads,
        spans,
        split_blocks,
        split_heads,
        take_columns,
    )
    from keras_attention.kernels.attention.jax import fused_attention
else:  # it has no branch "fused"
    from keras_attention.kernels.attention.default import (
        additive_scores,
        hides_padding,
        linear_attention,
        merge_heads,
        spans,
        split_blocks,
        split_heads,
        take_columns,
    )
