"""GAT: cases for the contract, and nodes to named answers."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.zoo.models.contracts import ModelCase
from zoo.data import dictionary_lookup, planetoid
from zoo.models.gat import VARIANTS, gat

pytestmark = pytest.mark.runs_on("tensorflow")


def inputs(rng, batch):
    return {
        "features": rng.normal(size=(batch, 6, 5)).astype("float32"),
        "edges": rng.integers(0, 6, (batch, 9, 2)).astype("int32"),
    }


def more_edges(data, by):
    return {**data, "edges": np.pad(data["edges"], ((0, 0), (0, by), (0, 0)), constant_values=-1)}


CASES = [
    ModelCase(
        model=gat,
        sizes=VARIANTS[variant],
        config={"num_features": 5, "num_classes": 4},
        inputs=inputs,
        maps=2,
        padded=more_edges,
    )
    for variant in ("tiny", "tiny_gatv2")
]
PARAMETERS = {
    "default": 780,
    "gatv2": 1_424,
    "pubmed": 2_628,
    "lookup": 1_156,
    "lookup_gat": 772,
    "tiny": 84,
    "tiny_gatv2": 208,
}


def test_it_has_the_papers_parameters_on_cora():
    """Section 3.3: 8 heads of 8, then one head of 7 classes; a bias and two vectors each."""
    model = gat(**VARIANTS["default"], num_features=1433)
    hidden = 1433 * 64 + 2 * 64 + 64
    assert model.count_params() == hidden + 64 * 7 + 2 * 7 + 7


def test_nodes_get_names():
    splits = planetoid.sample()
    x, y, _ = splits.test
    model = gat(
        **VARIANTS["tiny"],
        num_features=x["features"].shape[-1],
        class_names=splits.class_names,
    )
    (answers,) = ka.predict(model, x)
    assert len(answers) == y.shape[1]
    assert {answer.label for answer in answers} <= set(splits.class_names)


@pytest.mark.parametrize(("variant", "alike"), [("lookup_gat", True), ("lookup", False)])
def test_gat_ranks_keys_alike_for_all_queries(variant, alike):
    """Theorem 1 of GATv2's paper, whatever the weights are; and GATv2 need not."""
    keras.utils.set_random_seed(0)
    x, *_ = dictionary_lookup.load(6, graphs=36).test
    model = gat(**VARIANTS[variant], num_features=13, num_classes=6)
    with ka.capture() as maps:
        model({name: keras.ops.convert_to_tensor(array) for name, array in x.items()})
    (weights,) = maps.values()
    ranking = np.argsort(to_numpy(weights).reshape(6, 6, 6), axis=-1)  # (graph, query, key)
    assert (ranking == ranking[:, :1]).all() == alike
