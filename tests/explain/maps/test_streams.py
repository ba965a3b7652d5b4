"""Which sequence each attention layer reads and writes to.

The graph of a model is the same on every backend; PyTorch is the fastest one to record with.
"""

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention.explain.maps.attention_maps import record
from keras_attention.explain.maps.streams import streams
from tests.zoo.models.cases import MODELS, cases_of
from tests.zoo.models.contracts import feed

pytestmark = pytest.mark.runs_on("torch")

IDS = np.random.default_rng(0).integers(1, 9, (2, 5)).astype("int32")
OTHERS = np.random.default_rng(1).integers(1, 9, (2, 4)).astype("int32")


def describe(model, inputs):
    """Returns `path: query <- key` of each call, and the readouts, in short."""
    flow = streams(model, record(model, inputs))
    reads = [f"{read.path}: {short(read.query)} <- {short(read.key)}" for read in flow.reads]
    return reads, [(short(out.stream), out.row) for out in flow.readouts]


def short(stream):
    """The name of a stream, and how often it was written to."""
    return f"{stream.name}@{stream.written}"


ZOO = {
    "audio_transformer": (
        ["block_0/attention: audio@0 <- audio@0", "pooling: pooling@0 <- audio@1"],
        [("pooling@1", 0)],
    ),
    "captioner": (
        ["decoder/cross_attention: target_ids@0 <- image@0"],
        [("target_ids@1", None)],
    ),
    "deberta": (
        [
            "block_0/attention: token_ids@0 <- token_ids@0",
            "block_1/attention: token_ids@1 <- token_ids@1",
        ],
        [("token_ids@2", None)],
    ),
    "encoder": (
        [
            "block_0/attention: token_ids@0 <- token_ids@0",
            "block_1/attention: token_ids@1 <- token_ids@1",
        ],
        [("token_ids@2", None)],
    ),
    "ft_transformer": (
        ["block_0/attention: class_token@0 <- class_token@0"],
        [("class_token@1", 0)],
    ),
    "gat": (
        ["attention_0: features@0 <- features@0", "attention_1: features@1 <- features@1"],
        [("features@2", None)],
    ),
    "generative_vqa": (
        [
            "encoder_block_0/attention: sequence@0 <- sequence@0",
            "decoder_block_0/attention: target_ids@0 <- target_ids@0",
            "decoder_block_0/cross_attention: target_ids@1 <- sequence@1",
        ],
        [("target_ids@2", None)],
    ),
    "gpt": (
        [
            "block_0/attention: token_ids@0 <- token_ids@0",
            "block_1/attention: token_ids@1 <- token_ids@1",
        ],
        [("token_ids@2", None)],
    ),
    "hierarchical_classifier": (
        [
            "word_attention: word_attention@0 <- token_ids@0",
            "segment_attention: segment_attention@0 <- word_attention@1",
        ],
        [("segment_attention@1", 0)],
    ),
    "iris": (["block_0/attention: features@0 <- features@0"], [("features@1", None)]),
    "lstm_tagger": (["attention: token_ids@0 <- token_ids@0"], [("token_ids@1", None)]),
    "modern_bert": (
        [
            "block_0/attention: token_ids@0 <- token_ids@0",
            "block_1/attention: token_ids@1 <- token_ids@1",
        ],
        [("token_ids@2", None)],
    ),
    "patch_tst": (
        ["block_0/attention: concatenate@0 <- concatenate@0"],
        [("concatenate@1", None)],
    ),
    "q_network": (
        ["block_0/attention: class_token@0 <- class_token@0"],
        [("class_token@1", 0)],
    ),
    "reader": (["attention: attention@0 <- ids@0"], [("attention@1", None), ("ids@0", -1)]),
    "seq2seq_rnn": (
        ["decoder/cross_attention: target_ids@0 <- source_ids@0"],
        [("target_ids@1", None)],
    ),
    "text_classifier": (
        ["block_0/attention: token_ids@0 <- token_ids@0", "pooling: pooling@0 <- token_ids@1"],
        [("pooling@1", 0)],
    ),
    "transformer": (
        [
            "encoder_block_0/attention: source_ids@0 <- source_ids@0",
            "decoder_block_0/attention: target_ids@0 <- target_ids@0",
            "decoder_block_0/cross_attention: target_ids@1 <- source_ids@1",
        ],
        [("target_ids@2", None)],
    ),
    "transformer_tagger": (
        ["block_0/attention: token_ids@0 <- token_ids@0"],
        [("token_ids@1", None)],
    ),
    "vqa": (
        [
            "block_0/attention: image@0 <- image@0",
            "fusion_0/attention: class_token@0 <- class_token@0",
            "fusion_0/cross_attention: class_token@1 <- image@1",
        ],
        [("class_token@2", 0)],
    ),
    "vit": (
        ["block_0/attention: class_token@0 <- class_token@0"],
        [("class_token@1", 0)],
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_of_the_zoo(name):
    keras.backend.clear_session()  # names without numbers
    case = cases_of(name)[0]
    assert describe(case.make(), feed(case.data(2))) == ZOO[name]


def test_of_pre_norm_blocks_of_graphs():
    keras.backend.clear_session()
    case = cases_of("gat")[2]
    assert describe(case.make(), feed(case.data(2))) == ZOO["gat"]


def test_of_a_file(tmp_path):
    """Where the slice at the class token is a list."""
    keras.backend.clear_session()
    case = cases_of("vit")[0]
    case.make().save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    assert describe(model, feed(case.data(2))) == ZOO["vit"]


@pytest.mark.parametrize(
    ("pooling", "reads", "readouts"),
    [
        ("attention", ["pooling: pooling@0 <- image@1"], [("pooling@1", 0)]),
        ("average", [], [("image@1", None)]),
    ],
)
def test_of_poolings(pooling, reads, readouts):
    case = cases_of("vit")[0]
    description = describe(case.make(pooling=pooling), feed(case.data(2)))
    assert description == (["block_0/attention: image@0 <- image@0", *reads], readouts)


@pytest.mark.parametrize(
    ("kind", "row", "unpadded"),
    [("first", 0, True), ("last", -1, True), ("mean", None, False), ("max", None, False)],
)
def test_of_token_poolings(kind, row, unpadded):
    a, x = embedded("a")
    x = ka.layers.TransformerBlock(2, 8, name="block")(x)
    model = keras.Model(a, keras.layers.Dense(3)(ka.layers.TokenPooling(kind)(x)))
    (readout,) = streams(model, record(model, IDS)).readouts
    assert (short(readout.stream), readout.row, readout.unpadded) == ("a@1", row, unpadded)


def test_a_class_token_knows_what_it_stands_before():
    image = keras.Input((6, 4), name="image")
    x = ka.layers.ClassToken(num_registers=2, name="class_token")(image)
    x = ka.layers.TransformerBlock(2, 8, name="block")(x)
    model = keras.Model(image, x[:, 0])
    images = np.ones((2, 6, 4), "float32")
    flow = streams(model, record(model, images))
    ((part, first),) = flow.reads[0].query.parts
    assert (part.name, first) == ("image", 3)
    assert flow.inputs["image"] == part


def embedded(name):
    ids = keras.Input((None,), dtype="int32", name=name)
    return ids, keras.layers.Embedding(9, 4, name=f"{name}_embedding")(ids)


def test_of_co_attention():
    """Both sides read what the other was before either had read, and go on from there."""
    a, x = embedded("a")
    b, y = embedded("b")
    for i in range(2):
        more = ka.layers.MultiHeadCrossAttention(2, name=f"a_cross_{i}")(query=x, value=y)
        less = ka.layers.MultiHeadCrossAttention(2, name=f"b_cross_{i}")(value=x, query=y)
        x = keras.layers.Add()([more, x])
        y = keras.layers.Add()([y, less])
    pools = [keras.layers.GlobalAveragePooling1D()(x), y[:, 1]]
    model = keras.Model([a, b], keras.layers.Dense(3)(keras.layers.Concatenate()(pools)))
    reads, readouts = describe(model, {"a": IDS, "b": OTHERS})
    assert sorted(reads) == [
        "a_cross_0: a@0 <- b@0",
        "a_cross_1: a@1 <- b@1",
        "b_cross_0: b@0 <- a@0",
        "b_cross_1: b@1 <- a@1",
    ]
    assert readouts == [("a@2", None), ("b@2", 1)]


def test_of_one_side_behind_the_other():
    a, x = embedded("a")
    b, y = embedded("b")
    x = x + keras.layers.MultiHeadAttention(2, 2, name="first")(x, y)
    y = y + keras.layers.MultiHeadAttention(2, 2, name="second")(value=x, query=y)
    reads, readouts = describe(keras.Model([a, b], y), {"a": IDS, "b": OTHERS})
    assert reads == ["first: a@0 <- b@0", "second: b@0 <- a@1"]
    assert readouts == [("b@1", None)]


def test_of_sequences_that_are_put_together():
    a, x = embedded("a")
    b, y = embedded("b")
    y = ka.layers.TransformerBlock(2, 8, name="own")(y)
    z = keras.layers.Concatenate(axis=1, name="both")([x, y])
    z = ka.layers.TransformerBlock(2, 8, name="joint")(z)
    model = keras.Model([a, b], z[:, 0])
    flow = streams(model, record(model, {"a": IDS, "b": OTHERS}))
    assert describe(model, {"a": IDS, "b": OTHERS}) == (
        ["own/attention: b@0 <- b@0", "joint/attention: both@0 <- both@0"],
        [("both@1", 0)],
    )
    parts = flow.reads[1].query.parts
    assert [(short(part), first) for part, first in parts] == [("a@0", 0), ("b@1", None)]


def test_where_a_part_begins_may_be_known_from_the_end():
    a, x = embedded("a")
    b = keras.Input((4,), dtype="int32", name="b")
    z = keras.layers.Concatenate(axis=1)([x, keras.layers.Embedding(9, 4)(b)])
    model = keras.Model([a, b], ka.layers.TransformerBlock(2, 8)(z))
    flow = streams(model, record(model, {"a": IDS, "b": OTHERS}))
    assert [(part.name, first) for part, first in flow.reads[0].query.parts] == [
        ("a", 0),
        ("b", -4),
    ]


def test_of_features_that_are_put_together():
    """Along the channels, which changes no position."""
    a, x = embedded("a")
    x = keras.layers.Concatenate()([x, keras.layers.Dense(2)(x)])
    x = ka.layers.TransformerBlock(2, 8, name="block")(x)
    reads, readouts = describe(keras.Model(a, keras.layers.Flatten()(x[:, :2])), IDS)
    assert reads == ["block/attention: a@0 <- a@0"]
    assert readouts == [("a@1", None)]


def test_of_nested_models_and_shared_layers():
    """One encoder for two inputs, and one pooling: each call takes its own maps."""
    tokens = keras.Input((None, 4), name="x")
    inner = ka.layers.TransformerBlock(2, 8, name="block")(tokens)
    encoder = keras.Model(tokens, inner, name="encoder")
    pooling = ka.layers.AttentionPooling(name="pooling")
    a, x = embedded("a")
    b, y = embedded("b")
    x, y = encoder(x), encoder(encoder(y))
    output = keras.layers.Concatenate()([pooling(x), pooling(y)])
    model = keras.Model([a, b], output)
    reads, readouts = describe(model, {"a": IDS, "b": OTHERS})
    keys = {read.split(": ")[1] for read in reads}
    assert keys == {
        "a@0 <- a@0",
        "b@0 <- b@0",
        "b@1 <- b@1",
        "pooling@0 <- a@1",
        "pooling:1@0 <- b@2",
    }
    assert sorted(readouts) == [("pooling:1@1", 0), ("pooling@1", 0)]
    # Each map has the length of what it is said to read.
    recording = record(model, {"a": IDS, "b": OTHERS})
    sizes = {"a": IDS.shape[1], "b": OTHERS.shape[1]}
    for read in streams(model, recording).reads:
        assert recording.maps[read.path].shape[-1] == sizes[read.key.name]


def test_of_a_layer_that_is_called_again_inside_another():
    """As of a transformer whose depth shares weights."""

    class Deep(keras.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.block = ka.layers.TransformerBlock(2, 8, name="block")

        def call(self, x):
            return self.block(self.block(x))

    a, x = embedded("a")
    deep = Deep(name="deep")
    reads, _ = describe(keras.Model(a, deep(deep(x))), IDS)
    assert [read.split(": ")[1] for read in reads] == [f"a@{n} <- a@{n}" for n in range(4)]


def test_of_a_vector_that_attends():
    """A query of its own that reads is a pooling, whatever the query was made of."""
    a, x = embedded("a")
    query = keras.layers.Reshape((1, 4))(x[:, -1])
    read = keras.layers.MultiHeadAttention(2, 2, name="attention")(query, x)
    model = keras.Model(a, keras.layers.Flatten()(read))
    assert describe(model, IDS) == (["attention: attention@0 <- a@0"], [("attention@1", None)])
    # A sequence of one position, where query and key cannot be told by their lengths.
    assert describe(model, IDS[:, :1]) == (
        ["attention: attention@0 <- a@0"],
        [("attention@1", None)],
    )


def test_of_keras_layers():
    a, x = embedded("a")
    b, y = embedded("b")
    x = keras.layers.MultiHeadAttention(2, 2, name="self")(x, x)
    x = keras.layers.GroupQueryAttention(2, 2, 1, name="grouped")(x, y)
    x = keras.layers.Attention(name="dot")([x, y])
    x = keras.layers.AdditiveAttention(name="additive")([x, x])
    reads, readouts = describe(keras.Model([a, b], ops.mean(x, axis=1)), {"a": IDS, "b": OTHERS})
    assert reads == [
        "self: a@0 <- a@0",
        "grouped: a@1 <- b@0",
        "dot: a@2 <- b@0",
        "additive: a@3 <- a@3",
    ]
    assert readouts == [("a@4", None)]


def test_of_a_sequential_model():
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32", name="a"),
            keras.layers.Embedding(9, 4),
            ka.layers.TransformerBlock(2, 8, name="block"),
            ka.layers.AttentionPooling(name="pooling"),
        ]
    )
    reads, readouts = describe(model, IDS)
    assert [read.split(": ")[1] for read in reads] == ["a@0 <- a@0", "pooling@0 <- a@1"]
    assert readouts == [("pooling@1", 0)]


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.embedding = keras.layers.Embedding(9, 4)
        self.block = ka.layers.TransformerBlock(2, 8)

    def call(self, ids):
        return self.block(self.embedding(ids))


def test_models_that_are_not_functional_are_told():
    model = Subclassed()
    with pytest.raises(ValueError, match=r"'subclassed' does not say .* functional `keras.Model`"):
        streams(model, record(model, IDS))
