"""The one door to the backends: the same functions for PyTorch, JAX and TensorFlow.

Only the files of this folder import a backend.

Attention without its weights runs on one of four branches, which never differ by more than
rounding. T and S are the lengths of queries and keys:

| backend | device | when | branch |
|---|---|---|---|
| torch | all | no dropout; no window, or T < 4 windows, or T < 256 | `fused`: PyTorch's kernel |
| torch | GPU | training with dropout | `fused` |
| torch | all | no dropout, a window | `rows`: the fused kernel by blocks of queries |
| torch | CPU | training with dropout | `explicit`; from T x S = 2048 x 2048, `rows` |
| jax | CPU | T x S >= 128 x 128 | `tiled`: FlashAttention for XLA, linear memory |
| tensorflow | CPU | T x S >= 512 x 512, with dropout >= 4096 x 4096, both known | `tiled` |
| all | all | all else | `explicit`: softmax of T x S logits |

Block-sparse attention visits the tiles on its list where the table says `tiled` and a block has 32
elements; elsewhere it gathers the keys of each block of queries, for one of the others.

`with forced("explicit"):` overrules the table, when a function is called or compiled.
"""

import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

_BACKENDS = ("tensorflow", "torch", "jax")

if keras.backend.backend() not in _BACKENDS:
    raise ImportError(
        f"keras_attention runs on the Keras backends {', '.join(_BACKENDS)}. Received: "
        f"backend={keras.backend.backend()!r}. Set the environment variable KERAS_BACKEND to "
        "one of them before Python starts."
    )

_kernels = importlib.import_module(f"{__name__}.{keras.backend.backend()}")

INDEX_DTYPE = _kernels.INDEX_DTYPE
BRANCHES = _kernels.BRANCHES
additive_scores = _kernels.additive_scores
blocks = _kernels.blocks
check_below = _kernels.check_below
chunk_numbers = _kernels.chunk_numbers
compile = _kernels.compile
compile_with = _kernels.compile_with
cond = _kernels.cond
device_name = _kernels.device_name
differentiable = _kernels.differentiable
dropout_factors = _kernels.dropout_factors
dropped = _kernels.dropped
filled = _kernels.filled
forward = _kernels.forward
fused_attention = _kernels.fused_attention
gradient_function = _kernels.gradient_function
inference = _kernels.inference
is_concrete = _kernels.is_concrete
linear = _kernels.linear
linears = _kernels.linears
merge_heads = _kernels.merge_heads
noting_weights = _kernels.noting_weights
random_state = _kernels.random_state
recompute = _kernels.recompute
segment_max = _kernels.segment_max
segment_sum = _kernels.segment_sum
set_random_state = _kernels.set_random_state
split_heads = _kernels.split_heads
store = _kernels.store
take_columns = _kernels.take_columns
take_rows = _kernels.take_rows
traced_with = _kernels.traced_with
while_loop = _kernels.while_loop
weighted_segment_sum = _kernels.weighted_segment_sum
xor = _kernels.xor


class _Forced(threading.local):
    """What overrules the table in a thread."""

    branch: str | None = None
    block: int | None = None


_forced = _Forced()


@contextmanager
def forced(branch: str, block: int | None = None) -> Iterator[None]:
    """Attention inside runs on `branch`, in blocks of `block` queries and keys if given."""
    if branch not in BRANCHES:
        raise ValueError(
            f"`branch` must be one of {', '.join(BRANCHES)} on {keras.backend.backend()}. "
            f"Received: branch={branch!r}"
        )
    outer = _forced.branch, _forced.block
    _forced.branch, _forced.block = branch, block
    try:
        yield
    finally:
        _forced.branch, _forced.block = outer


def attention_branch(query: Any, key: Any, *, window: int | None, dropout: float) -> str:
    """The branch for queries `(B, N, T, H)` and keys `(B, K, S, H)`."""
    return _forced.branch or _kernels.attention_branch(query, key, window=window, dropout=dropout)


def block_size(default: int) -> int:
    """The number of queries or keys of a block: the forced one, or the default."""
    return _forced.block or default


def describe() -> dict[str, str]:
    """What overrules the table, for those who report measurements."""
    return {
        "attention_branch": _forced.branch or "by table",
        "block": str(_forced.block or "by branch"),
    }


__all__ = [
    "BRANCHES",
    "INDEX_DTYPE",
    "additive_scores",
    "attention_branch",
    "block_size",
    "blocks",
    "check_below",
    "chunk_numbers",
    "compile",
    "compile_with",
    "cond",
    "describe",
    "device_name",
    "differentiable",
    "dropout_factors",
    "dropped",
    "filled",
    "forced",
    "forward",
    "fused_attention",
    "gradient_function",
    "inference",
    "is_concrete",
    "linear",
    "linears",
    "merge_heads",
    "noting_weights",
    "random_state",
    "recompute",
    "segment_max",
    "segment_sum",
    "set_random_state",
    "split_heads",
    "store",
    "take_columns",
    "take_rows",
    "traced_with",
    "weighted_segment_sum",
    "while_loop",
    "xor",
]
