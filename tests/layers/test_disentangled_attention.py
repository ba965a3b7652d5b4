"""Disentangled attention: cases for the contract, the paper's equation, and long sequences."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.layers.attention import disentangled_attention, disentangled_logits
from keras_attention.ops.disentangled import distance_rows
from tests.backend import gradients, to_numpy
from tests.contracts import Case

SMALL = {"num_heads": 4, "num_buckets": 4, "max_distance": 6}


def case(silent=(), **config):
    return Case(
        layer=ka.layers.DisentangledAttention,
        config={**SMALL, **config},
        inputs={"query": ("T", 16), "relative_embeddings": (8, 16)},
        masks={"query_mask": "query"},
        dropout={"dropout": 0.5},
        outer_mask=True,
        scores=True,
        hears=("query_kernel", "query_bias"),
        silent=silent,
    )


CASES = [
    case(),
    case(
        num_buckets=None, max_distance=4, terms=["c2p"], head_dim=6, output_dim=12, use_bias=False
    ),
    # A key bias adds the same to every key, unless distances have it too.
    case(terms=["p2c"], share_projections=False),
]


def row_by_the_paper(distance, num_buckets, max_distance):
    """Equation 3, with the buckets of the published code."""
    k = num_buckets or max_distance
    if num_buckets and abs(distance) > num_buckets // 2:
        exact = num_buckets // 2
        share = np.log(abs(distance) / exact) / np.log((max_distance - 1) / exact)
        far = exact + np.ceil(round(share * (exact - 1), 6))
        distance = int(np.sign(distance) * far)
    return min(max(distance + k, 0), 2 * k - 1)


def attention_by_the_paper(layer, x, embeddings, seen):
    """Equation 4 in float64, token by token, one head after the other."""
    w = {v.name: to_numpy(v).astype("float64") for v in layer.weights}
    roles = {"query": x, "key": x, "value": x}
    prefix = "" if layer.share_projections else "relative_"
    project = {role: y @ w[f"{role}_kernel"] + w[f"{role}_bias"] for role, y in roles.items()}
    far = {
        role: embeddings @ w[f"{prefix}{role}_kernel"] + w[f"{prefix}{role}_bias"]
        for role, term in (("key", "c2p"), ("query", "p2c"))
        if term in layer.terms
    }
    size = project["query"].shape[-1] // layer.num_heads
    steps = range(x.shape[1])
    sizes = layer.num_buckets, layer.max_distance
    d = np.array([[row_by_the_paper(i - j, *sizes) for j in steps] for i in steps])
    out = np.zeros((*x.shape[:2], layer.num_heads * size))
    for b, n, i in np.ndindex(len(x), layer.num_heads, x.shape[1]):
        if not seen[b, i]:
            continue
        part = slice(n * size, (n + 1) * size)
        q, k, v = (project[role][b, :, part] for role in ("query", "key", "value"))
        a = k @ q[i]
        if "key" in far:
            a += far["key"][d[i], part] @ q[i]
        if "query" in far:
            a += (k * far["query"][d[i], part]).sum(-1)
        a = np.exp(a / np.sqrt((1 + len(far)) * size)) * seen[b]
        out[b, i, part] = a / a.sum() @ v
    return (out @ w["output_kernel"] + w["output_bias"]) * seen[..., None]


SETTINGS = [
    {},
    {"terms": ["c2p"]},
    {"terms": ["p2c"], "num_buckets": None, "max_distance": 4},
    {"num_buckets": 6, "max_distance": 20, "share_projections": False},
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("side", ["left", "right", None])
def test_the_paper(settings, side):
    layer = ka.layers.DisentangledAttention(**{**SMALL, **settings})
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 11, 16)).astype("float32")
    embeddings = rng.normal(size=(layer.num_rows, 16)).astype("float32")
    seen = np.ones((2, 11), bool)
    if side:
        seen[1] = np.arange(11) >= 4 if side == "left" else np.arange(11) < 7
    layer.build(x.shape, embeddings.shape)
    for variable in layer.weights:
        variable.assign(rng.normal(size=variable.shape) / 4)
    expected = attention_by_the_paper(layer, x, embeddings, seen)
    for given in (embeddings, np.stack([embeddings] * 2)):
        output = to_numpy(layer(x, given, query_mask=seen))
        np.testing.assert_allclose(output, expected, atol=2e-5)


@pytest.mark.parametrize("sizes", [(256, 512), (None, 7), (4, 6), (32, 64)])
def test_rows_of_distances(sizes):
    distance = np.arange(-3 * sizes[1], 3 * sizes[1])
    rows = to_numpy(distance_rows(keras.ops.convert_to_tensor(distance, "int32"), *sizes))
    assert rows.tolist() == [row_by_the_paper(each, *sizes) for each in distance.tolist()]
    assert set(rows) == {*range(2 * (sizes[0] or sizes[1]))}


def test_long_sequences_attend_block_by_block(monkeypatch):
    """With the same outputs, weights of some queries and gradients as in one piece."""
    layer = case().make()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 13, 16)).astype("float32")
    embeddings = rng.normal(size=(8, 16)).astype("float32")
    mask = np.arange(13) < np.array([[13], [9]])
    shares = np.cos(np.arange(x.size, dtype="float32")).reshape(x.shape)

    def loss(x, embeddings):
        return keras.ops.sum(keras.ops.multiply(layer(x, embeddings, query_mask=mask), shares))

    def run():
        value, by_input, by_weight = gradients(loss, [x, embeddings], layer.trainable_variables)
        output = layer(x, embeddings, query_mask=mask)
        with ka.capture(queries=[2, -1]) as maps:
            layer(x, embeddings, query_mask=mask)
        arrays = map(keras.ops.convert_to_numpy, [output, *maps.values()])
        return [value, *by_input, *by_weight, *arrays]

    whole = run()
    monkeypatch.setattr(disentangled_attention, "_WHOLE", 0)
    monkeypatch.setattr(disentangled_logits, "_ROWS", 4)
    for ours, theirs in zip(run(), whole, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-4)


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"terms": []}, "`terms`"),
        ({"terms": ["p2p"]}, "`terms`"),
        ({"num_buckets": 5}, "`num_buckets`"),
        ({"num_buckets": 16, "max_distance": 9}, "`num_buckets`"),
        ({"max_distance": 2**40}, "`max_distance`"),
        ({"num_kv_heads": 2}, "`num_kv_heads`"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(ValueError, match=words):
        ka.layers.DisentangledAttention(**{**SMALL, **settings})


@pytest.mark.runs_on("torch")
def test_embeddings_of_another_number_of_rows():
    layer = case().make()
    with pytest.raises(ValueError, match="relative_embeddings"):
        layer(np.zeros((1, 3, 16), "float32"), np.zeros((9, 16), "float32"))
