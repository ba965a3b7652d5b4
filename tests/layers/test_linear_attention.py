"""LinearAttention: cases for the contract."""

import keras_attention as ka
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.LinearAttention,
        config={},
        inputs={name: (2, "T", 8) for name in ("query", "key", "value")},
        stateless=True,
    )
]
