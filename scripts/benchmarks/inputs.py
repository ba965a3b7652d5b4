"""Random inputs, the same in every run."""

from typing import Any

import keras
import numpy as np
from keras import ops


def normal(*shape: int, seed: int = 0) -> Any:
    """Returns standard normal numbers, of the dtype that layers compute in."""
    values = np.random.default_rng(seed).standard_normal(shape, dtype="float32")
    return ops.convert_to_tensor(values, dtype=keras.config.dtype_policy().compute_dtype)


def padding_mask(batch: int, length: int) -> Any:
    """Returns `(B, T)`: sequences of T/2 to T tokens, padded on the right."""
    lengths = np.random.default_rng(0).integers(length // 2, length + 1, size=(batch, 1))
    return ops.convert_to_tensor(np.arange(length) < lengths)


def edges(num_nodes: int, num_edges: int) -> Any:
    """Returns `(1, E, 2)`: random (source, target), none a loop or there twice."""
    random = np.random.default_rng(0)
    pairs = np.unique(random.integers(0, num_nodes, size=(2 * num_edges, 2)), axis=0)
    pairs = random.permutation(pairs[pairs[:, 0] != pairs[:, 1]])[:num_edges]
    return ops.convert_to_tensor(pairs[None].astype("int32"))
