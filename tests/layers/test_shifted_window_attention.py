"""ShiftedWindowAttention: cases for the contract."""

import keras_attention as ka
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.ShiftedWindowAttention,
        config={"window_size": 2, "shift": 1, "grid": (2, 3)},
        inputs={name: (2, 6, 8) for name in ("query", "key", "value")},
        lengths=(6,),
    )
]
