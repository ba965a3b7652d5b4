"""Layers of one's own take part by saying what they do, and names say nothing.

What runs is the same on every backend; PyTorch is the fastest one to record with.
"""

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention import prediction, roles, scope
from keras_attention.explain.attribution import names
from tests.decoding.models import randomized

pytestmark = pytest.mark.runs_on("torch")

IDS = np.random.default_rng(0).integers(1, 9, (2, 5)).astype("int32")
OTHERS = np.random.default_rng(1).integers(1, 9, (2, 4)).astype("int32")
FOLLOWING = ("relevance", "rollout", "attention", "attention_gradient")


def embed(name):
    ids = keras.Input((None,), dtype="int32", name=name)
    return ids, keras.layers.Embedding(9, 4, name=f"{name}_embedding")(ids)


def assert_explained_alike(model, other, inputs, **how):
    """The two compute the same, and so is what explains them."""
    other.set_weights(model.get_weights())
    np.testing.assert_allclose(*(as_array(m(inputs)) for m in (model, other)), atol=1e-6)
    for method in FOLLOWING:
        explain = getattr(ka.explain, method)
        expected, scores = (explain(m, inputs, target=0, **how).scores for m in (model, other))
        assert np.abs(expected).sum() > 0, method
        np.testing.assert_allclose(scores, expected, atol=1e-6, err_msg=method)


def as_array(x):
    return np.asarray(ops.convert_to_numpy(x))


# Poolings


class Pooling(keras.layers.Layer):
    """That of Yang et al., 2016, written anew: weights `(B, 1, 1, S)`."""

    reads = "pool"

    def build(self, shape):
        width = shape[-1]
        self.kernel = self.add_weight(name="kernel", shape=(width, width))
        self.bias = self.add_weight(name="bias", shape=(width,))
        self.context = self.add_weight(name="context", shape=(width, 1))

    def weigh(self, x):
        hidden = ops.tanh(ops.matmul(x, self.kernel) + self.bias)
        return ops.softmax(ops.matmul(hidden, self.context)[..., 0], axis=-1)[:, None, None]

    def call(self, x):
        weights = scope.record(self, self.weigh(x))
        return ops.matmul(weights[:, 0], x)[:, 0]


class SilentPooling(Pooling):
    """Records its weights, and does not say what they are."""

    reads = None


class HiddenPooling(SilentPooling):
    """Says nothing at all."""

    def call(self, x):
        return ops.matmul(self.weigh(x)[:, 0], x)[:, 0]


class ForgetfulPooling(HiddenPooling):
    """Says that it pools, and records nothing."""

    reads = "pool"


def pooled(pooling):
    ids, x = embed("ids")
    x = ka.layers.TransformerBlock(2, 8)(x)
    return randomized(keras.Model(ids, keras.layers.Dense(3)(pooling(x)), name="pooled"))


def test_relevance_follows_a_pooling_of_ones_own():
    assert_explained_alike(pooled(ka.layers.AttentionPooling()), pooled(Pooling()), IDS)


def test_a_text_of_one_token_is_pooled_too():
    """Where queries and keys cannot be told by their number."""
    model, other = pooled(ka.layers.AttentionPooling()), pooled(Pooling())
    assert_explained_alike(model, other, IDS[:, :1])


@pytest.mark.parametrize("kind", [SilentPooling, HiddenPooling, ForgetfulPooling])
def test_what_is_not_said_is_an_error(kind):
    model = pooled(kind(name="strange"))
    with pytest.raises(ValueError, match=rf"'strange' \({kind.__name__}\).*keras_attention.roles"):
        ka.explain.relevance(model, IDS)
    assert ka.explain.integrated_gradients(model, IDS).scores.shape == IDS.shape


class Block(keras.layers.Layer):
    """Attends and takes the first row, which nobody sees from outside."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.block = ka.layers.TransformerBlock(2, 8)

    def call(self, x):
        return self.block(x)[:, 0]


def test_a_row_that_is_taken_inside_a_layer_is_an_error():
    ids, x = embed("ids")
    model = keras.Model(ids, keras.layers.Dense(3)(Block(name="strange")(x)))
    with pytest.raises(ValueError, match=r"'strange' \(Block\) makes a vector"):
        ka.explain.relevance(model, IDS)


def test_an_average_of_ones_own():
    class Average(keras.layers.Layer):
        reads = "mean"

        def call(self, x):
            return ops.mean(x, axis=1)

    assert_explained_alike(pooled(keras.layers.GlobalAveragePooling1D()), pooled(Average()), IDS)


# Attention


class Attention(keras.layers.Layer):
    """One head without projections, from `x` to `x` or to `memory`, whatever its name is."""

    def call(self, x, memory=None):
        key = x if memory is None else memory
        weights = ops.softmax(ops.matmul(x, ops.swapaxes(key, 1, 2)) / 2, axis=-1)
        weights = scope.record(self, weights[:, None])[:, 0]
        return ops.matmul(weights, key)


class SelfAttention(Attention):
    reads = "itself"


class CrossAttention(Attention):
    reads = "memory"


def translator(attention, cross):
    a, x = embed("a")
    b, y = embed("b")
    x = keras.layers.Add()([x, attention(x)])
    x = keras.layers.Add()([x, cross(x, y)])
    x = keras.layers.GlobalAveragePooling1D()(x)
    return randomized(keras.Model([a, b], keras.layers.Dense(3)(x)))


@pytest.mark.parametrize("name", ["a", "b"])
def test_relevance_follows_attention_of_ones_own(name):
    """Beside Keras's layer of the same equation, of which the table tells."""
    scaled = {"use_scale": False, "score_mode": "dot"}
    own = translator(SelfAttention(), CrossAttention())
    theirs = [keras.layers.Attention(**scaled) for _ in range(2)]
    other = translator(
        lambda x: theirs[0]([keras.layers.Rescaling(0.5)(x), x]),
        lambda x, y: theirs[1]([keras.layers.Rescaling(0.5)(x), y]),
    )
    assert_explained_alike(other, own, {"a": IDS, "b": OTHERS}, name=name)


def test_attention_that_says_nothing_is_an_error():
    model = translator(SelfAttention(), Attention(name="strange"))
    with pytest.raises(ValueError, match=r"'strange' \(Attention\) has attention weights"):
        ka.explain.relevance(model, {"a": IDS, "b": OTHERS})


# Names


class Decoder(keras.layers.Layer):
    """A block of one's own, with layers of this package or of Keras inside."""

    def __init__(self, own, other, keras_layers, **kwargs):
        super().__init__(**kwargs)
        self.keras_layers = keras_layers
        if keras_layers:
            self.one = keras.layers.MultiHeadAttention(2, 2, name=own)
            self.two = keras.layers.MultiHeadAttention(2, 2, name=other)
        else:
            self.one = ka.layers.MultiHeadSelfAttention(2, name=own)
            self.two = ka.layers.MultiHeadCrossAttention(2, name=other)

    def build(self, x_shape, memory_shape):
        self.one.build(*[x_shape] * (2 if self.keras_layers else 1))
        self.two.build(x_shape, memory_shape)

    def call(self, x, memory):
        x = x + (self.one(x, x) if self.keras_layers else self.one(x))
        return x + self.two(x, memory)


@pytest.mark.parametrize("length", [4, 5])  # which may be the other one's too
@pytest.mark.parametrize("keras_layers", [False, True])
def test_names_of_attention_do_not_matter(keras_layers, length):
    def named(own, other):
        a, x = embed("a")
        b, y = embed("b")
        x = Decoder(own, other, keras_layers, name="block")(x, y)
        x = keras.layers.GlobalAveragePooling1D()(x)
        return randomized(keras.Model([a, b], keras.layers.Dense(3)(x)))

    inputs = {"a": IDS[:, :length], "b": OTHERS}
    usual = named("attention", "cross_attention")
    for name in ("a", "b"):
        assert_explained_alike(usual, named("cross", "memory"), inputs, name=name)


def writer(cross):
    tokenizer = ka.layers.Tokenizer.train(
        ["a dog runs", "the cat sat"], start_end=True, min_frequency=1, name="source_tokenizer"
    )
    source = keras.Input((None,), dtype="int32", name="source_ids")
    target = keras.Input((None,), dtype="int32", name="target_ids")
    size = tokenizer.vocabulary_size
    y = keras.layers.Embedding(size, 4, mask_zero=True)(tokenizer(source))
    y = ka.layers.TransformerBlock(2, 8, name="cross_encoder")(y)
    x = keras.layers.Embedding(size, 4, mask_zero=True)(
        tokenizer.copy(name="target_tokenizer")(target)
    )
    x = ka.layers.TransformerBlock(2, 8, causal=True, name="decoder")(x)
    x = x + cross(x, y)
    return randomized(keras.Model([source, target], keras.layers.Dense(size)(x), name="writer"))


@pytest.mark.filterwarnings("ignore:No cache continues")  # Keras's layer
@pytest.mark.parametrize(
    "attention",
    [
        lambda name: ka.layers.MultiHeadCrossAttention(2, name=name),
        lambda name: keras.layers.MultiHeadAttention(2, 2, name=name),
    ],
)
def test_names_do_not_matter_to_pictures(attention):
    usual, other = (writer(attention(name)) for name in ("cross_attention", "memory"))
    written = ka.explain.generation_maps(other, "a dog sat", max_new_tokens=4)
    assert written.cross_attention == ("memory",)
    images = [
        [
            as_array(ax.images[0].get_array())
            for ax in ka.explain.heads(model, "a dog sat").axes
            if ax.images
        ]
        for model in (usual, other)
    ]
    assert len(images[0]) == len(images[1])
    for drawn, expected in zip(*images, strict=True):
        np.testing.assert_allclose(drawn, expected, atol=1e-6)


# What sequences are made of


class Prefix(keras.layers.Layer):
    """Two tokens before a sequence, of which the first is read."""

    prepends = 2

    def build(self, shape):
        self.tokens = self.add_weight(name="tokens", shape=(2, shape[-1]))

    def call(self, x):
        tokens = ops.broadcast_to(self.tokens, (ops.shape(x)[0], *self.tokens.shape))
        return ops.concatenate([tokens, x], axis=1)


def test_tokens_of_ones_own_stand_before_a_sequence():
    def prefixed(layer):
        ids, x = embed("ids")
        x = ka.layers.TransformerBlock(2, 8)(layer(x))
        return randomized(keras.Model(ids, keras.layers.Dense(3)(x[:, 0])))

    assert_explained_alike(prefixed(ka.layers.ClassToken(1)), prefixed(Prefix()), IDS)


class Cut(keras.layers.Layer):
    """Patches of 2 rows and 3 columns."""

    cuts, sides, steps = "patches", (2, 3), (2, 3)

    def grid(self, shape):
        return shape[1] // 2, shape[2] // 3

    def call(self, images):
        _, h, w, c = images.shape
        x = ops.reshape(images, (-1, h // 2, 2, w // 3, 3, c))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, h * w // 6, 6 * c))


def test_patches_are_those_of_the_layer_behind_the_input():
    """Of two inputs each has its own, one in a model inside."""
    left, right = keras.Input((4, 6, 1), name="left"), keras.Input((8, 8, 1), name="right")
    inner = keras.Input((8, 8, 1))
    inside = keras.Model(inner, ka.layers.PatchEmbedding(6, 4)(inner))
    x = keras.layers.Concatenate(axis=1)([inside(right), Cut()(left)])
    model = keras.Model([left, right], ka.layers.AttentionPooling()(x))
    images = {
        name: np.random.default_rng(0).uniform(size=(2, *size, 1)).astype("float32")
        for name, size in (("left", (4, 6)), ("right", (8, 8)))
    }
    patches = {name: ka.explain.elements(model, images, name=name) for name in images}
    assert {name: each.grid for name, each in patches.items()} == {"left": (2, 2), "right": (2, 2)}
    np.testing.assert_array_equal(patches["left"].edges[1], [0, 3, 6])
    np.testing.assert_array_equal(patches["right"].edges[1], [0, 4, 8])
    scores = ka.explain.relevance(model, images, name="left", target=0).scores
    assert scores.shape == (2, 4)


def test_positions_of_ones_own_are_an_end():
    class Table(keras.layers.Layer):
        num_positions = 6

        def build(self, shape):
            self.table = self.add_weight(name="table", shape=(6, shape[-1]))

        def call(self, x):
            return x + self.table[: x.shape[1]]

        def compute_output_shape(self, shape):
            return shape

    ids, x = embed("token_ids")
    x = ka.layers.TransformerBlock(2, 8, causal=True)(Table()(x))
    model = randomized(keras.Model(ids, keras.layers.Dense(9)(x)))
    with pytest.raises(ValueError, match="a context of 6 tokens"):
        ka.generate(model, [[1, 2, 3]], max_new_tokens=4)


# The two ends


class Letters(keras.layers.Layer):
    """The first letters of words, one for each, as their numbers in the alphabet."""

    encodes = "texts"

    def encode(self, raw):
        if isinstance(raw, np.ndarray) and raw.dtype.kind in "iu":
            return raw
        rows = [[ord(word[0]) - ord("a") + 1 for word in text.split()] for text in raw]
        length = max(map(len, rows))
        return np.array([row + [0] * (length - len(row)) for row in rows], "int32")

    def call(self, ids):
        return ids


class Signs(keras.layers.Layer):
    class_names = ("less", "more")

    def decode(self, outputs):
        return [self.class_names[int(value > 0)] for value in outputs[:, 0]]

    def call(self, x):
        return x


def test_ends_of_ones_own():
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = keras.layers.Embedding(27, 4)(Letters()(ids))
    x = ka.layers.AttentionPooling()(x)
    model = randomized(keras.Model(ids, Signs()(keras.layers.Dense(1)(x))))
    texts = ["a dog", "the cat sat down", "no"]
    answers = ka.predict(model, texts)
    outputs = as_array(model(Letters().encode(texts)))[:, 0]
    assert answers == ["more" if x > 0 else "less" for x in outputs]
    assert ka.predict(model, "a dog") == answers[0]
    assert names.class_names(model) == ("less", "more")
    (batch,) = (x for (x,) in [ka.RawBatches(model, texts, batch_size=3, multiple=2)[0]])
    np.testing.assert_array_equal(batch, Letters().encode(texts))
    assert prediction.encoders(model)["ids"].encodes == "texts"
    assert ka.explain.elements(model, texts).kind == "tokens"


# The questions themselves


def test_the_table_tells_of_what_is_derived_from_keras():
    class Own(keras.layers.MultiHeadAttention):
        pass

    assert roles.reads(Own(1, 2)) == "call"
    assert roles.reads(keras.layers.LSTM(2)) == "mean"
    assert roles.embeds_ids(ka.layers.TokenEmbedding(3, 2))
    assert roles.reads(keras.layers.Dense(2)) is None
    assert not roles.attends(keras.layers.Dense(2))
    assert not roles.attends(keras.layers.LSTM(2))


def test_a_word_that_nobody_knows_is_an_error():
    class Wrong(keras.layers.Layer):
        reads = "everything"

    with pytest.raises(
        ValueError, match=r"one of 'itself', .* reads='everything' of the layer 'x'"
    ):
        roles.reads(Wrong(name="x"))
