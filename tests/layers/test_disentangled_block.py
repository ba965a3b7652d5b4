"""The encoder block of DeBERTa: cases for the contract."""

import keras_attention as ka
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.DisentangledBlock,
        config={
            "num_heads": 4,
            "intermediate_dim": 24,
            "num_buckets": 4,
            "max_distance": 6,
        },
        inputs={"query": ("T", 16), "relative_embeddings": (8, 16)},
        masks={"query_mask": "query"},
        dropout={"dropout": 0.5},
    )
]
