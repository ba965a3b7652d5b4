"""Relative positions of Shaw et al.: cases for the contract."""

import keras_attention as ka
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.ShawRelativePosition,
        config={"max_distance": 2, "use_values": False},
        inputs={"query": (3, "T", 4)},
        lengths=(6, 2),
    )
]
