"""T5's relative position bias: cases for the contract."""

import keras_attention as ka
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.RelativePositionBias,
        config={"num_buckets": 8, "max_distance": 6, "bidirectional": bidirectional},
        inputs={"logits": (3, "T", "S")},
    )
    for bidirectional in (True, False)
]
