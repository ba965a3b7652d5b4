"""ALiBi: cases for the contract."""

import keras_attention as ka
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.ALiBi,
        config={},
        inputs={"logits": (num_heads, "T", "S")},
        stateless=True,
    )
    for num_heads in (4, 6)
]
