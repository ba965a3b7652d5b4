"""GAT: cases for the contract, and nodes to named answers."""

import math

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.layers.test_graph_attention import numpy_gat
from tests.zoo.models.contracts import ModelCase, call
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
    for variant in ("tiny", "tiny_gatv2", "tiny_deep")
]
PARAMETERS = {
    "default": 780,
    "gatv2": 1_424,
    "pubmed": 2_628,
    "deep": 995_076,
    "lookup": 1_156,
    "lookup_gat": 772,
    "tiny": 84,
    "tiny_gatv2": 208,
    "tiny_deep": 376,
}


def test_it_has_the_papers_parameters_on_cora():
    """Section 3.3: 8 heads of 8, then one head of 7 classes; a bias and two vectors each."""
    model = gat(**VARIANTS["default"], num_features=1433)
    hidden = 1433 * 64 + 2 * 64 + 64
    assert model.count_params() == hidden + 64 * 7 + 2 * 7 + 7


def test_pre_norm_blocks_are_those_of_platonov_et_al():
    """Their model (section 5, and `model.py` of their code) in NumPy, layer after layer."""
    case = CASES[2]
    model, data = case.make(preparation=ka.layers.SumNormalization()), case.data(batch=1)
    layers = {layer.name: layer for layer in model.layers}

    def weights(name):
        return [to_numpy(w).astype("float64") for w in layers[name].weights]

    def gelu(x):
        return x * (1 + np.vectorize(math.erf)(x / np.sqrt(2))) / 2

    def norm(name, x):
        gamma, beta = weights(name)
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * gamma + beta

    x = data["features"][0].astype("float64")
    kernel, bias = weights("projection")
    x = gelu(x / np.abs(x).sum(-1, keepdims=True) @ kernel + bias)
    for i in range(2):
        attended, _ = numpy_gat(norm(f"norm_{i}", x), data["edges"][0], layers[f"attention_{i}"])
        kernel, bias, output_kernel, output_bias = weights(f"feed_forward_{i}")
        x = x + gelu(attended @ kernel + bias) @ output_kernel + output_bias
    kernel, bias = weights("logits")
    np.testing.assert_allclose(call(model, data)[0], norm("norm", x) @ kernel + bias, atol=1e-4)


def test_blocks_have_a_name():
    with pytest.raises(ValueError, match=r"'plain' or 'pre_norm'\. Received: block='post'"):
        gat(num_features=3, block="post")


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
