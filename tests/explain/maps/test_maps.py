"""Attention maps of any Keras model, beside NumPy and the layers' own scores."""

import threading

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_attention as ka
from keras_attention import scope
from keras_attention.explain.maps import foreign
from keras_attention.explain.maps.attention_maps import attention_maps, record
from keras_attention.ops import attention
from tests.backend import BACKEND, to_numpy

B, T, S, D, N, H = 2, 5, 4, 8, 2, 4
RNG = np.random.default_rng(0)
X = RNG.normal(size=(B, T, D)).astype("float32")
QUERY_IDS = np.array([[1, 2, 3, 4, 5], [6, 7, 8, 0, 0]], "int32")
VALUE_IDS = np.array([[3, 1, 2, 5], [4, 9, 0, 0]], "int32")
PATCHED = [
    (layers.MultiHeadAttention, "_compute_attention"),
    (layers.GroupQueryAttention, "_compute_attention"),
    (layers.Attention, "_apply_scores"),
]


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


def randomized(model):
    """Biases and scales too, so that none of them hides."""
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return model


def of_keras():
    """By name: a layer, the arguments of its call beside its inputs, and how it is called."""

    def multi_head(**settings):
        return layers.MultiHeadAttention(N, H, **settings)

    def grouped(**settings):
        return layers.GroupQueryAttention(H, 4, 2, **settings)

    def two(layer, q, v, **call):
        return layer(q, v, **call)

    def listed(layer, q, v, **call):
        return layer([q, v], **call)

    return {
        "cross": (multi_head(), {}, two),
        "causal": (multi_head(), {"use_causal_mask": True}, two),
        "dropout": (multi_head(dropout=0.4, value_dim=3), {}, two),
        "gate": (multi_head(use_gate=True), {}, two),
        "window": (multi_head(sliding_window=2), {}, two),
        "grouped": (grouped(), {}, two),
        "grouped_causal": (grouped(dropout=0.2, use_gate=True), {"use_causal_mask": True}, two),
        "dot": (layers.Attention(dropout=0.3), {}, listed),
        "scaled": (layers.Attention(use_scale=True), {"use_causal_mask": True}, listed),
        "concat": (layers.Attention(score_mode="concat", use_scale=True), {}, listed),
        "additive": (layers.AdditiveAttention(use_scale=True), {}, listed),
    }


def model_of_keras():
    """All of them beside each other, between two padded sequences; and their own scores."""
    ids = [keras.Input((None,), dtype="int32", name=name) for name in ("query", "value")]
    embed = layers.Embedding(10, D, mask_zero=True)
    outputs, calls = [], {}
    for name, (layer, call, how) in of_keras().items():
        layer.name = name

        def scored(how=how, layer=layer, call=call):
            # A fresh embedding for each: Keras's layer takes the mask off its input.
            return how(
                layer, embed(QUERY_IDS), embed(VALUE_IDS), return_attention_scores=True, **call
            )[1]

        outputs.append(how(layer, *map(embed, ids), **call))
        calls[name] = scored
    return randomized(keras.Model(ids, outputs)), calls


@pytest.mark.filterwarnings("ignore:.*destroy the mask")  # Keras, of its GroupQueryAttention
def test_layers_of_keras_record_their_own_scores():
    """Of padded sequences, whatever path the layer takes by itself; and parts are parts of it."""
    model, scored = model_of_keras()
    inputs = [QUERY_IDS, VALUE_IDS]
    maps = attention_maps(model, inputs)
    assert set(maps) == set(scored)  # Keras calls what stands side by side in an order of its own
    for name, scores in scored.items():
        expected = to_numpy(scores())
        expected = expected if expected.ndim == 4 else expected[:, None]
        assert expected.shape[2:] == (T, S)
        np.testing.assert_allclose(maps[name], expected, atol=1e-6, err_msg=name)
    rows = [3, -5, 3]
    some = attention_maps(model, inputs, queries=rows, heads=-1)
    for name, whole in maps.items():
        expected = whole[:, -1:][:, :, rows]
        np.testing.assert_allclose(some[name], expected, atol=1e-6, err_msg=name)
    some = attention_maps(model, inputs, layers=["grouped", "d*"], queries=4)
    assert set(some) == {"dropout", "grouped", "dot"}


def softmax(logits, mask):
    logits = np.where(mask, logits, -np.inf)
    logits = np.exp(logits - np.maximum(logits.max(-1, keepdims=True), -1e30))
    return logits / np.maximum(logits.sum(-1, keepdims=True), 1e-30)


@pytest.mark.parametrize("flash", [None, False, True])
def test_multi_head_attention_of_keras_is_the_equation(flash):
    """`softmax(Q K^T / sqrt(H))`, and with a kernel that makes no weights and raises if asked."""
    layer = layers.MultiHeadAttention(N, H, flash_attention=flash)
    layer.build((B, T, D), (B, T, D))
    randomized(layer)
    seen = np.arange(T) < np.array([[5], [3]])
    with ka.capture() as maps, foreign.recorded():
        layer(X, X, value_mask=seen, use_causal_mask=True)
    (weights,) = maps.values()
    q, k = (
        np.einsum("btd,dnh->bnth", X, to_numpy(part.kernel)) + to_numpy(part.bias)[:, None]
        for part in (layer._query_dense, layer._key_dense)
    )
    mask = np.tril(np.ones((T, T), bool)) & seen[:, None, None]
    expected = softmax(q @ k.swapaxes(-1, -2) / np.sqrt(H), mask)
    np.testing.assert_allclose(to_numpy(weights), expected, atol=1e-5)
    assert layer._flash_attention is (flash or None)


@pytest.mark.parametrize("axes", [(2,), (1, 2)])
def test_attention_over_some_axes_of_many(axes):
    """The axes are one sequence, and those beside them are part of the batch."""
    image = keras.Input((3, 5, D))
    layer = layers.MultiHeadAttention(N, H, attention_axes=axes, name="axial")
    model = keras.Model(image, layer(image, image))
    x = RNG.normal(size=(B, 3, 5, D)).astype("float32")
    scores = to_numpy(layer(x, x, return_attention_scores=True)[1])
    expected = scores.reshape((6, N, 5, 5) if axes == (2,) else (B, N, 15, 15))
    np.testing.assert_allclose(attention_maps(model, x)["axial"], expected, atol=1e-6)
    some = attention_maps(model, x, queries=[2, 0], heads=1)["axial"]
    np.testing.assert_allclose(some, expected[:, 1:, [2, 0]], atol=1e-6)


def test_layers_of_this_package_are_the_equation():
    """In a block, with grouped heads, padded and causal: rows that are masked are all zero."""
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(10, D, mask_zero=True)(ids)
    block = ka.layers.TransformerBlock(N, 16, num_kv_heads=1, causal=True, window=3, name="block")
    model = randomized(keras.Model(ids, block(x)))
    layer = block.attention
    normed = to_numpy(block.attention_norm(model.layers[1](QUERY_IDS)))
    seen = QUERY_IDS != 0
    normed = np.where(seen[..., None], normed, 0)

    def heads(role, number):
        kernel, bias = (to_numpy(getattr(layer, f"{role}_{part}")) for part in ("kernel", "bias"))
        return (normed @ kernel + bias).reshape(B, T, number, H).swapaxes(1, 2)

    steps = np.arange(T)
    near = (steps[:, None] >= steps) & (steps[:, None] - steps < 3)
    mask = near & seen[:, None, None] & seen[:, None, :, None]
    logits = heads("query", N) @ heads("key", 1).swapaxes(-1, -2) / np.sqrt(H)
    expected = softmax(logits, mask)
    maps = attention_maps(model, QUERY_IDS)
    np.testing.assert_allclose(maps["block/attention"], expected, atol=1e-5)
    assert not maps["block/attention"][1, :, 3:].any()
    for rows in ([0], [-1, 2, 2, 0]):
        some = attention_maps(model, QUERY_IDS, queries=rows)["block/attention"]
        np.testing.assert_allclose(some, expected[:, :, rows], atol=1e-5)


@pytest.mark.parametrize("position", ["rotary", "relative_bias", "shaw"])
def test_a_few_queries_are_rows_of_all_and_change_no_prediction(position):
    x = keras.Input((None, D))
    y = ka.layers.TransformerBlock(N, 16, position=position, causal=True, name="b")(x)
    y = ka.layers.TransformerDecoderBlock(N, 16, name="d")(y, x)
    model = keras.Model(x, y)
    whole = record(model, X)
    some = record(model, X, queries=[-1, 1])
    assert list(whole.maps) == ["b/attention", "d/attention", "d/cross_attention"]
    for path, weights in whole.maps.items():
        np.testing.assert_allclose(
            to_numpy(some.maps[path]), to_numpy(weights)[:, :, [-1, 1]], atol=1e-6
        )


def test_a_few_queries_cost_rows(monkeypatch):
    """No `(B, N, T, S)` is made by any layer of multi-head attention."""
    lengths = []

    def spied(query, key, **settings):
        lengths.append((query.shape[2], key.shape[2]))
        return original(query, key, **settings)

    original = attention.attention_weights
    monkeypatch.setattr(attention, "attention_weights", spied)
    x = keras.Input((None, D))
    y = ka.layers.TransformerBlock(N, 16, position="rotary", window=3, causal=True)(x)
    model = keras.Model(x, ka.layers.TransformerDecoderBlock(N, 16)(y, x))
    expected = model(X)
    # The plain pass of these short sequences is explicit on some backends: not what is recorded.
    monkeypatch.setattr(
        attention, "dot_product_attention", lambda q, *args, **kwargs: ops.zeros_like(q)
    )
    del lengths[:]
    with ka.capture(queries=[1, 3]) as maps:
        model(X)
    assert lengths == [(2, T)] * 3
    assert {weights.shape[2] for weights in maps.values()} == {2}
    assert expected.shape == (B, T, D)


def test_layers_that_are_not_asked_for_stay_on_their_kernel(monkeypatch):
    made = []
    original = attention.attention_weights
    monkeypatch.setattr(
        attention, "attention_weights", lambda *a, **k: made.append(1) or original(*a, **k)
    )
    monkeypatch.setattr(attention, "dot_product_attention", lambda q, *a, **k: ops.zeros_like(q))
    x = keras.Input((None, D))
    y = x
    for i in range(3):
        y = ka.layers.TransformerBlock(N, 16, name=f"block_{i}")(y)
    with ka.capture(layers=["block_1"]) as maps:
        keras.Model(x, y)(X)
    assert list(maps) == ["block_1/attention"]
    assert len(made) == 1


class Own(keras.Model):
    """A model by subclassing, which knows nothing of `training`."""

    def __init__(self):
        super().__init__(name="own")
        self.first = ka.layers.MultiHeadSelfAttention(N, name="first")
        self.blocks = [layers.MultiHeadAttention(N, H, name=f"keras_{i}") for i in range(2)]

    def call(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x, x)
        return x


def nested():
    attend = layers.MultiHeadAttention(N, H, name="shared")
    x = keras.Input((None, D))
    inner = keras.Model(x, attend(x, x), name="inner")
    y = keras.Input((None, D))
    middle = keras.Model(y, ka.layers.MultiHeadSelfAttention(N, name="own")(inner(y)))
    z = keras.Input((None, D))
    z_out = inner(middle(z))
    return keras.Model(z, layers.Bidirectional(layers.GRU(3, return_sequences=True))(z_out))


STRUCTURES = {
    "nested": (nested, ["shared", "own", "shared:1"]),
    "sequential": (
        lambda: keras.Sequential(
            [keras.Input((None, D)), ka.layers.TransformerBlock(N, 16, name="block")],
            name="sequential",
        ),
        ["sequential/block/attention"],
    ),
    "subclassed": (Own, ["own/first", "own/keras_0", "own/keras_1"]),
}


@pytest.mark.parametrize("kind", STRUCTURES)
def test_wherever_the_layers_are(kind):
    make, paths = STRUCTURES[kind]
    model = make()
    maps = attention_maps(model, X)
    assert list(maps) == paths
    for weights in maps.values():
        assert weights.shape == (B, N, T, T)
        assert weights.dtype == np.float32
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("steps", [3, None])
def test_time_distributed(steps):
    """Each step is a call of the layer, whether or not their number is known."""
    x = keras.Input((steps, T, D))
    layer = ka.layers.MultiHeadSelfAttention(N, name="attention")
    model = keras.Model(x, layers.TimeDistributed(layer)(x))
    given = RNG.normal(size=(B, 3, T, D)).astype("float32")
    maps = attention_maps(model, given)
    assert list(maps) == [f"{layer.path}{call}" for call in ("", ":1", ":2")]
    for step, weights in enumerate(maps.values()):
        expected = to_numpy(layer(given[:, step], return_attention_scores=True)[1])
        np.testing.assert_allclose(weights, expected, atol=1e-6)


def test_a_model_that_was_compiled_fitted_and_loaded_again(tmp_path):
    """Whatever functions Keras has compiled for it; the file gives the same maps."""
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(10, D, mask_zero=True)(ids)
    x = layers.MultiHeadAttention(N, H, dropout=0.1, name="of_keras")(x, x)
    x = ka.layers.TransformerBlock(N, 16, dropout=0.1, name="block")(x)
    model = keras.Model(ids, layers.Dense(3)(ka.layers.AttentionPooling(name="pool")(x)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # XLA takes long, and on JAX there is nothing else.
    model.compile("sgd", loss, jit_compile=BACKEND == "jax")
    model.fit(QUERY_IDS, np.array([0, 2]), verbose=0)
    before = model.predict(QUERY_IDS, verbose=0)
    weights = [to_numpy(w) for w in model.weights]
    config = model.to_json()
    maps = attention_maps(model, QUERY_IDS)
    assert {path: x.shape for path, x in maps.items()} == {
        "of_keras": (B, N, T, T),
        "block/attention": (B, N, T, T),
        "pool": (B, 1, 1, T),
    }
    np.testing.assert_allclose(model.predict(QUERY_IDS, verbose=0), before, atol=1e-6)
    assert model.to_json() == config
    for one, other in zip(weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, to_numpy(other))
    model.save(tmp_path / "model.keras")
    again = attention_maps(keras.saving.load_model(tmp_path / "model.keras"), QUERY_IDS)
    assert list(again) == list(maps)
    for path, loaded in again.items():
        np.testing.assert_allclose(loaded, maps[path], atol=1e-6)


def test_mixed_precision():
    """A head in float32 rounds no less than what it stands on."""
    policy = "mixed_float16"
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(10, D, mask_zero=True, dtype=policy)(ids)
    x = layers.MultiHeadAttention(N, H, dtype=policy, name="of_keras")(x, x)
    x = ka.layers.MultiHeadSelfAttention(N, dtype=policy, name="own")(x)
    model = keras.Model(ids, layers.Dense(2, dtype="float32")(x))
    maps = attention_maps(model, QUERY_IDS)
    assert len(maps) == 2
    for weights in maps.values():
        assert weights.dtype == np.float32
        np.testing.assert_allclose(weights[0].sum(-1), 1, atol=2e-2)


EDGES = np.array(
    [[[0, 1], [2, 1], [1, 1], [3, 0], [1, 2]], [[1, 0], [0, 0], [2, 0], [-1, -1], [-1, -1]]]
)


@pytest.mark.parametrize("variant", ["gat", "gatv2"])
def test_edges_of_graphs_keep_the_callers_order(variant):
    """Loops among them, padding and another order, beside the same graph as a dense matrix."""
    features, edges = keras.Input((None, D)), keras.Input((None, 2), dtype="int32")
    layer = ka.layers.GraphAttention(3, N, variant=variant, name="graph")
    model = randomized(keras.Model([features, edges], layer(features, edges=edges)))
    nodes = X[:, :4]
    adjacency = np.zeros((B, 4, 4), "float32")
    for graph in range(B):
        for source, target in EDGES[graph]:
            if source >= 0:
                adjacency[graph, target, source] = 1
    dense = to_numpy(layer(nodes, adjacency=adjacency, return_attention_scores=True)[1])
    order = np.array([3, 1, 4, 0, 2])
    for given in (EDGES, EDGES[:, order]):
        weights = attention_maps(model, [nodes, given], queries=[0])["graph"]
        assert weights.shape == (B, N, 5)
        for graph in range(B):
            for number, (source, target) in enumerate(given[graph]):
                expected = dense[graph, :, target, source] if source >= 0 else 0
                np.testing.assert_allclose(weights[graph, :, number], expected, atol=1e-6)
    one = attention_maps(model, [nodes, EDGES], heads=[1])["graph"]
    np.testing.assert_allclose(one[:, 0], attention_maps(model, [nodes, EDGES])["graph"][:, 1])


def test_pooling_and_segments():
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(10, D, mask_zero=True)(ids)
    segments = ka.layers.SegmentPooling(2, num_heads=N, name="segments")
    pool = ka.layers.AttentionPooling(name="pool")
    model = keras.Model(ids, pool(segments(x)))
    maps = attention_maps(model, QUERY_IDS)
    embedded = model.layers[1](QUERY_IDS)
    inner, scores = segments(embedded, return_attention_scores=True)
    np.testing.assert_allclose(maps["segments"], to_numpy(scores), atol=1e-6)
    np.testing.assert_allclose(
        maps["pool"][:, :, 0],
        to_numpy(pool(inner, mask=segments.compute_mask(embedded, QUERY_IDS != 0),
                      return_attention_scores=True)[1]),
        atol=1e-6,
    )  # fmt: skip
    some = attention_maps(model, QUERY_IDS, queries=[0], heads=[0])
    np.testing.assert_allclose(some["segments"], maps["segments"][:, :1, :1])
    np.testing.assert_allclose(some["pool"], maps["pool"])  # one query, one head: kept


@pytest.mark.parametrize(
    "attend",
    [ka.layers.BahdanauAttention(3, name="a"), ka.layers.LuongAttention("general", name="a")],
    ids=["bahdanau", "luong"],
)
def test_recurrent_decoders(attend):
    """The weights of each step are what the attention finds by the state that it is given."""
    query, value = keras.Input((None, D)), keras.Input((None, D))
    decoder = ka.layers.RecurrentDecoder(D, attention=attend, name="decoder")
    seen = keras.Input((None,), dtype="bool")
    model = keras.Model([query, value, seen], decoder(query, value, value_mask=seen))
    memory, present = X[:, :S], VALUE_IDS != 0
    maps = attention_maps(model, [X, memory, present])
    assert list(maps) == ["decoder/a"]
    weights = maps["decoder/a"]
    assert weights.shape == (B, 1, T, S)
    assert not weights[1, :, :, 2:].any()
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    # The first step of Bahdanau's attention looks from the state zero.
    if isinstance(decoder.attention, ka.layers.BahdanauAttention):
        first = decoder.attention(
            np.zeros((B, 1, D), "float32"),
            memory,
            value_mask=present,
            return_attention_scores=True,
        )[1]
        np.testing.assert_allclose(weights[:, :, :1], to_numpy(first)[:, None], atol=1e-6)
    some = attention_maps(model, [X, memory, present], queries=[-1])
    np.testing.assert_allclose(some["decoder/a"], weights[:, :, -1:], atol=1e-6)


def test_classes_are_as_before_even_after_an_error():
    originals = [getattr(cls, name) for cls, name in PATCHED]
    x = keras.Input((None, D))
    model = keras.Model(x, layers.MultiHeadAttention(N, H, name="attention")(x, x))
    attention_maps(model, X)
    assert [getattr(cls, name) for cls, name in PATCHED] == originals
    with pytest.raises(ValueError, match=r"`queries`.*below 5.*'attention'.*queries=\[9\]"):
        attention_maps(model, X, queries=9)
    assert [getattr(cls, name) for cls, name in PATCHED] == originals
    assert scope.current_recording() is None
    with foreign.recorded(), foreign.recorded():  # as two threads would
        pass
    assert [getattr(cls, name) for cls, name in PATCHED] == originals


def test_other_threads_record_nothing():
    """They run on the patched classes, which do what they did."""
    layer = layers.MultiHeadAttention(N, H)
    expected = to_numpy(layer(X, X))
    of_thread = {}

    def other():
        of_thread["output"] = to_numpy(layer(X, X))
        with ka.capture() as maps:
            layer(X, X)
        of_thread["maps"] = dict(maps)

    with ka.capture() as maps, foreign.recorded():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert not maps
    np.testing.assert_array_equal(of_thread["output"], expected)
    assert list(of_thread["maps"]) == [layer.path]


class Tampered(ka.layers.MultiHeadSelfAttention):
    """Computes another thing while it is looked at."""

    def call(self, query):
        output = super().call(query)
        return output * 1.01 if scope.capturing(self) else output


class Silent(layers.Layer):
    """Says that it attends, and records nothing."""

    reads = "itself"

    def call(self, x):
        return x


class OfSoftmax(layers.Layer):
    """Says nothing, and makes weights by Keras's softmax, as many a user's layer does."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.softmax = layers.Softmax()

    def call(self, x):
        return ops.matmul(self.softmax(ops.matmul(x, ops.swapaxes(x, 1, 2))), x)


class WithScores(layers.Layer):
    """Says nothing, and would give its weights to who asks for them."""

    def call(self, x, return_attention_scores=False):
        return x


def test_another_prediction_is_an_error():
    x = keras.Input((None, D))
    model = keras.Model(x, Tampered(N)(x), name="tampered")
    with pytest.raises(RuntimeError, match="'tampered' predicts otherwise"):
        attention_maps(model, X)
    with pytest.raises(RuntimeError, match="predicts otherwise"):
        attention_maps(model, X, queries=[0])


@pytest.mark.parametrize("kind", [Silent, OfSoftmax, WithScores])
def test_an_unknown_attention_is_named(kind):
    x = keras.Input((None, D))
    y = ka.layers.AttentionPooling(name="pool")(kind(name="strange")(x))
    model = keras.Model(x, y)
    with pytest.warns(UserWarning, match=rf"strange \({kind.__name__}\)"):
        maps = attention_maps(model, X)
    assert list(maps) == ["pool"]


@pytest.mark.filterwarnings("error:No weights are recorded")
@pytest.mark.parametrize("mechanism", ["linear", ka.layers.BlockSparseAttention(2)])
def test_a_mechanism_is_no_attention_of_its_own(mechanism):
    x = keras.Input((4, 6))
    attend = ka.layers.MultiHeadSelfAttention(2, mechanism=mechanism, name="attend")
    maps = attention_maps(keras.Model(x, attend(x)), np.ones((1, 4, 6), "float32"))
    assert {name: weights.shape for name, weights in maps.items()} == {"attend": (1, 2, 4, 4)}


def test_no_attention_is_an_error():
    x = keras.Input((None, D))
    model = keras.Model(x, layers.Dense(2)(x), name="dense")
    with pytest.raises(ValueError, match="'dense' has no attention layer"):
        attention_maps(model, X)
    model = keras.Model(x, ka.layers.MultiHeadSelfAttention(N, name="a")(x))
    with pytest.raises(ValueError, match=r"no attention layer that `layers` names: \['b'\]"):
        attention_maps(model, X, layers="b")


@pytest.mark.parametrize("wanted", [{"heads": 2}, {"heads": []}, {"queries": [0, -6]}])
def test_what_a_layer_does_not_have_is_an_error(wanted):
    x = keras.Input((None, D))
    model = keras.Model(x, ka.layers.MultiHeadSelfAttention(N, name="a")(x))
    ((name, _),) = wanted.items()
    with pytest.raises(ValueError, match=rf"`{name}` must be .*'a'.*Received: {name}="):
        attention_maps(model, X, **wanted)


def test_raw_texts():
    """As `ka.encode` takes them."""
    tokenizer = ka.layers.Tokenizer.train(["a cat", "a dog"], vocabulary_size=300)
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(300, D, mask_zero=True)(tokenizer(ids))
    model = keras.Model(ids, ka.layers.AttentionPooling(name="pool")(x))
    texts = ["a dog", "a"]
    maps = attention_maps(model, texts)
    assert maps["pool"].shape == (2, 1, 1, ka.encode(model, texts).shape[1])
    np.testing.assert_array_equal(
        attention_maps(model, np.array(texts, object))["pool"], maps["pool"]
    )
