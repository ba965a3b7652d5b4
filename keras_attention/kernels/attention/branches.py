"""The branch of attention that runs, by backend, device, shape, window and dropout.

Attention without its weights runs on one of four branches, which never differ by more than
rounding. T and S are the lengths of queries and keys:

| backend | device | when | branch |
|---|---|---|---|
| torch | all | no dropout; no window, or T < 4 windows, or T < 256 | `fused`: PyTorch's kernel |
| torch | GPU | training with dropout | `fused` |
| torch | all | no dropout, a window | `rows`: the fused kernel by blocks of queries |
| torch | CPU | training with dropout | `explicit`; from T x S = 2048 x 2048, `rows` |
| jax | CPU | T x S >= 128 x 128 | `tiled`: FlashAttention for XLA, linear memory |
| jax | GPU | 16 bits, no dropout; a causal window alone, or what torch takes | `fused`: cuDNN's |
| jax | GPU | T x S >= 1024 x 1024, or a window of less than T / 4 | `rows` |
| tensorflow | CPU | T x S >= 512 x 512, with dropout >= 4096 x 4096, both known | `tiled` |
| tensorflow | GPU | T x S >= 1024 x 1024, both known | `rows` |
| all | all | all else | `explicit`: softmax of T x S logits |

A loop over tiles, which has one head in a CPU's cache at a time, would leave a GPU idle: there all
heads attend by blocks of queries, whose logits are computed anew in the backward pass.

Block-sparse attention visits the tiles on its list where the table says `tiled` and a block has 32
elements. On torch it gathers the keys of a few blocks of queries at a time, unless a graph is made
or the table says `explicit`; elsewhere those of all, for one of the others.

`with forced("explicit"):` overrules the table, when a function is called or compiled.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from keras_attention.kernels.backend import BACKEND
from keras_attention.kernels.runtime import on_cpu
from keras_attention.types import Float, Tensor

BRANCHES: tuple[str, ...] = (
    ("explicit", "rows", "tiled")
    if BACKEND == "tensorflow"
    else ("explicit", "fused", "rows", "tiled")
)


class _Forced(threading.local):
    """The branch and the size of blocks that overrule the table, in a thread."""

    branch: str | None = None
    block: int | None = None


_forced = _Forced()


def attention_branch(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K S H"],
    *,
    window: int | None,
    dropout: float,
    alone: bool = False,
) -> str:
    """Returns the name of the branch that is forced, or the fastest.

    `alone` says that the window is causal, with neither mask nor bias.
    """
    if _forced.branch and not (_forced.branch == "fused" and BACKEND == "jax" and dropout):
        return _forced.branch  # JAX lets cuDNN drop nothing
    length, key_length = query.shape[2], key.shape[2]
    # An export or a trace takes any length.
    known = isinstance(length, int) and isinstance(key_length, int)
    logits = length * key_length if known else 0
    narrow = window is not None and known and length >= max(4 * window, 256)
    if BACKEND == "torch":
        if dropout and on_cpu(query):
            return "rows" if logits >= 2048 * 2048 else "explicit"
        return "rows" if narrow and not dropout else "fused"
    if not on_cpu(query):
        if BACKEND == "jax" and (alone or not narrow) and not dropout and _of_16_bits(query):
            return "fused"
        return "rows" if narrow or logits >= 1024 * 1024 else "explicit"
    # XLA draws random numbers on a CPU at a quarter of TensorFlow's speed.
    least = 128 if BACKEND == "jax" else 4096 if dropout else 512
    return "tiled" if logits >= least * least else "explicit"


def _of_16_bits(x: Tensor) -> bool:
    return keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16")


@contextmanager
def forced(branch: str, block: int | None = None) -> Iterator[None]:
    """Has attention inside run on `branch`, in blocks of `block` queries and keys if given."""
    if branch not in BRANCHES:
        raise ValueError(
            f"`branch` must be one of {', '.join(BRANCHES)} on {BACKEND}. "
            f"Received: branch={branch!r}"
        )
    outer = _forced.branch, _forced.block
    _forced.branch, _forced.block = branch, block
    try:
        yield
    finally:
        _forced.branch, _forced.block = outer


def block_size(default: int) -> int:
    """Returns the number of queries or keys of a block: the forced one, or the default."""
    return _forced.block or default


def describe() -> dict[str, str]:
    """Returns what overrules the table, for those who report measurements."""
    return {
        "attention_branch": _forced.branch or "by table",
        "block": str(_forced.block or "by branch"),
    }
