"""DictionaryLookup: the made-up task of the GATv2 paper, which attention that ranks all nodes
alike cannot solve."""

import math

import numpy as np

from zoo.data import Source, Splits

SOURCE = Source(
    name="DictionaryLookup (made by the recipe)",
    url="https://arxiv.org/abs/2105.14491",
    license="none needed: made up",
    citation=(
        "S. Brody, U. Alon and E. Yahav, How Attentive are Graph Attention Networks?, ICLR 2022, "
        "https://arxiv.org/abs/2105.14491"
    ),
)


def load(num_keys: int = 10, *, graphs: int = 6000, seed: int = 0) -> Splits:
    """Graphs of `num_keys` keys, each with a value of its own, and as many queries, which see all
    keys; a query is to give the value of the key that has its attribute (section 4.1).

    As in the paper, values are permuted, and no permutation comes twice: those to test on, a sixth,
    and to choose by, a twelfth, were never seen in training.

    Args:
        num_keys: k.
        graphs: in all parts; no more than the k! that there are.
        seed: of the permutations.

    Returns:
        x `{"features": (B, 2 k, 2 k + 1), "edges": (B, k * k, 2)}`: nodes 0 to k - 1 are the
        queries, k to 2 k - 1 the keys; features are the attribute and the value (or "unknown", of
        a query) one-hot, side by side. y `(B, 2 k)` int32, weights `(B, 2 k)` 1 at queries.
    """
    rng = np.random.default_rng(seed)
    k, graphs = num_keys, min(graphs, math.factorial(num_keys))
    permutations: dict[tuple, None] = {}
    while len(permutations) < graphs:
        permutations[tuple(rng.permutation(k).tolist())] = None
    values = np.array(list(permutations))  # of the key with attribute i
    features = np.zeros((graphs, 2 * k, 2 * k + 1), np.float32)
    features[:, np.arange(k), np.arange(k)] = 1  # attributes of the queries
    features[:, np.arange(k), 2 * k] = 1  # whose value is unknown
    features[:, k + np.arange(k), np.arange(k)] = 1  # attributes of the keys
    features[np.arange(graphs)[:, None], k + np.arange(k)[None], k + values] = 1
    pairs = np.stack([np.tile(k + np.arange(k), k), np.repeat(np.arange(k), k)], axis=1)
    edges = np.broadcast_to(pairs.astype(np.int32), (graphs, k * k, 2))
    y = np.concatenate([values, np.zeros_like(values)], axis=1).astype(np.int32)
    weights = np.repeat(np.array([[1.0, 0.0]], np.float32), k, axis=1).repeat(graphs, axis=0)

    def part(start: int, stop: int) -> tuple:
        rows = slice(start, stop)
        x = {"features": features[rows], "edges": np.ascontiguousarray(edges[rows])}
        return x, y[rows], weights[rows]

    validation, test = graphs // 12, graphs // 6
    train = graphs - validation - test
    return Splits(
        train=part(0, train),
        validation=part(train, train + validation),
        test=part(train + validation, graphs),
        class_names=tuple(f"value {i}" for i in range(k)),
        source=SOURCE,
    )
