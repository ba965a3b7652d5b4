"""BlockSparseAttention: cases for the contract."""

import keras_attention as ka
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.BlockSparseAttention,
        config={"block_size": 2, "seed": 3},
        inputs={name: (2, "T", 8) for name in ("query", "key", "value")},
        stateless=True,
    )
]
