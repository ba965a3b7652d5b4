"""Elements that are taken away and summed up: tokens, patches, frames, nodes, columns and steps.

NumPy does it all; what the models compute is in `test_methods.py`.
"""

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention.explain import elements
from zoo.models.audio_transformer import audio_transformer
from zoo.models.ft_transformer import VARIANTS as FT
from zoo.models.ft_transformer import ft_transformer
from zoo.models.gat import VARIANTS as GAT
from zoo.models.gat import gat
from zoo.models.patch_tst import VARIANTS as PATCH_TST
from zoo.models.patch_tst import patch_tst
from zoo.models.text_classifier import VARIANTS as TEXT
from zoo.models.text_classifier import text_classifier
from zoo.models.transformer_tagger import VARIANTS as TAGGER
from zoo.models.transformer_tagger import transformer_tagger
from zoo.models.vit import VARIANTS as VIT
from zoo.models.vit import vit

IDS = np.array([[5, 3, 7, 0], [4, 4, 0, 0]], "int32")
FIRST = np.array([[True, False, False, False], [False, False, False, True]])


@pytest.fixture(scope="module")
def text():
    return text_classifier(**TEXT["tiny"], vocabulary_size=9)


@pytest.fixture(scope="module")
def tagger():
    return transformer_tagger(**TAGGER["tiny"], vocabulary_size=9)


@pytest.fixture(scope="module")
def graph():
    return gat(**GAT["tiny"], num_features=3)


def images(model, size, **how):
    values = np.random.default_rng(0).uniform(0, 255, (2, *size, 1)).astype("float32")
    return values, elements(model, values, **how)


def patched(size, *args, **kwargs):
    """A model that does nothing but cut images."""
    image = keras.Input((*size, 1), name="image")
    return keras.Model(image, ka.layers.PatchEmbedding(2, *args, **kwargs)(image))


def test_tokens_that_are_taken_away_become_padding(text):
    tokens = elements(text, IDS)
    assert (tokens.kind, tokens.name, tokens.grid) == ("tokens", None, (0, 0))
    np.testing.assert_array_equal(tokens.present, IDS != 0)
    np.testing.assert_array_equal(tokens.without(FIRST), [[0, 3, 7, 0], [4, 4, 0, 0]])
    np.testing.assert_array_equal(tokens.baseline(), np.zeros_like(IDS))
    assert tokens.without(FIRST).dtype == IDS.dtype
    np.testing.assert_array_equal(IDS[0], [5, 3, 7, 0])
    unknown = elements(text, IDS, replacement=1)
    np.testing.assert_array_equal(unknown.without(FIRST), [[1, 3, 7, 0], [4, 4, 0, 0]])


@pytest.mark.parametrize("padding", [-1, 1])
def test_padding_is_that_of_the_tokenizer(padding):
    inputs = keras.Input((None,), dtype="int32", name="token_ids")
    tokenizer = ka.layers.Tokenizer(padding_id=padding)
    model = keras.Model(inputs, ka.layers.TokenEmbedding(9, 4)(tokenizer(inputs)))
    ids = np.where(IDS == 0, padding, IDS)
    ids[0, 1] = 0  # a token
    tokens = elements(model, ids)
    np.testing.assert_array_equal(tokens.present, ids != padding)
    np.testing.assert_array_equal(tokens.without(FIRST)[0], [padding, 0, 7, padding])
    np.testing.assert_array_equal(tokens.baseline(), np.full_like(ids, padding))


def test_some_rows_may_be_asked_for_again_and_again(text):
    without = elements(text, IDS).without(np.eye(4, dtype=bool)[[0, 2, 2]], np.array([0, 0, 1]))
    np.testing.assert_array_equal(without, [[0, 3, 7, 0], [5, 3, 0, 0], [4, 4, 0, 0]])


def test_values_of_tokens_are_summed_over_their_channels(text):
    values = np.arange(24.0).reshape(2, 4, 3)
    np.testing.assert_allclose(elements(text, IDS).at_elements(values), values.sum(-1))


def test_tensors_of_the_backend_are_inputs_too(text):
    tokens = elements(text, ops.convert_to_tensor(IDS))
    assert isinstance(tokens.array, np.ndarray)
    np.testing.assert_array_equal(tokens.array, IDS)


def test_labels_stand_at_their_tokens():
    texts = ["Where is my money", "my money"]
    tokenizer = ka.layers.Tokenizer.train(texts, model="word", min_frequency=1)
    model = text_classifier(**TEXT["tiny"], tokenizer=tokenizer)
    tokens = elements(model, texts)
    assert tokens.labels == [["Where", "is", "my", "money"], ["my", "money"]]
    ids = tokens.array
    padded = np.pad(ids, ((0, 0), (1, 1)))  # on both sides
    for given in (padded, ops.convert_to_tensor(padded)):
        labels = elements(model, given).labels
        assert labels[0] == ["", "where", "is", "my", "money", ""]
        assert labels[1] == ["", "my", "money", "", "", ""]
    assert elements(text_of(9), np.array([[0, 5, 3]])).labels == [["", "0", "1"]]


def text_of(size):
    ids = keras.Input((None,), dtype="int32")
    return keras.Model(ids, keras.layers.Embedding(size, 2)(ids))


def test_characters_go_with_their_tokens(tagger):
    characters = np.arange(24).reshape(2, 4, 3).astype("int32") + 1
    inputs = {"token_ids": IDS, "characters": characters}
    tokens = elements(tagger, inputs)
    assert (tokens.name, tokens.beside) == ("token_ids", ("characters",))
    without = tokens.without(FIRST)
    np.testing.assert_array_equal(without["token_ids"], [[0, 3, 7, 0], [4, 4, 0, 0]])
    np.testing.assert_array_equal(without["characters"][0, 0], 0)
    np.testing.assert_array_equal(without["characters"][0, 1:], characters[0, 1:])
    np.testing.assert_array_equal(inputs["characters"], characters)
    # What is not an element is not taken away: the fourth token of the second row is padding.
    np.testing.assert_array_equal(without["characters"][1], characters[1])
    listed = elements(tagger, [IDS, characters])
    np.testing.assert_array_equal(listed.inputs["characters"], characters)


def test_patches_of_a_grid():
    model = vit(**VIT["tiny"], image_size=8, channels=1)
    values, patches = images(model, (8, 8))
    assert (patches.kind, patches.grid, patches.present.shape) == ("patches", (2, 2), (2, 4))
    without = patches.without(FIRST)
    means = values.mean(axis=(1, 2))
    np.testing.assert_allclose(without[0, :4, :4], np.full((4, 4, 1), means[0]), rtol=1e-5)
    np.testing.assert_array_equal(without[0, 4:], values[0, 4:])
    np.testing.assert_allclose(without[1, 4:, 4:], np.full((4, 4, 1), means[1]), rtol=1e-5)
    quarters = [values[0, :4, :4], values[0, :4, 4:], values[0, 4:, :4], values[0, 4:, 4:]]
    sums = patches.at_elements(values)
    np.testing.assert_allclose(sums[0], [x.sum() for x in quarters], rtol=1e-5)
    cells = patches.cells(np.arange(8.0).reshape(2, 4))
    np.testing.assert_array_equal(cells[1, ::4, ::4], [[4, 5], [6, 7]])
    np.testing.assert_array_equal(patches.array, values)


def test_patches_stay_where_the_model_cuts():
    """4 x 4 pixels, of images that have 10 x 7: the rest is read by no patch."""
    values, patches = images(patched((10, 7), 4), (10, 7))
    assert patches.grid == (2, 1)
    changed = values != patches.without(np.array([[True, False], [False, False]]))
    assert changed[0, :4].all()
    assert not changed[0, 4:].any()
    assert not changed[1].any()
    assert patches.at_elements(values).sum() == pytest.approx(values.sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        ({"patch_size": 4, "stride": 2}, [0, 3, 5, 7, 10]),  # what two patches share is cut in two
        ({"stem": (2, 3)}, [0, 4, 8, 10]),
        ({"patch_size": (5, 2)}, [0, 5, 10]),
    ],
)
def test_patches_of_any_kind(arguments, rows):
    _, patches = images(patched((10, 10), **arguments), (10, 10))
    np.testing.assert_array_equal(patches.edges[0], rows)


def test_patches_of_images_that_the_model_resizes():
    image = keras.Input((None, None, 1), name="image")
    x = keras.layers.Resizing(4, 4)(image)
    model = keras.Model(image, ka.layers.PatchEmbedding(2, 2)(x))
    _, patches = images(model, (6, 10))
    assert patches.grid == (2, 2)
    np.testing.assert_array_equal(patches.edges[0], [0, 3, 6])
    np.testing.assert_array_equal(patches.edges[1], [0, 5, 10])


def test_patches_of_a_nested_model():
    inner = patched((8, 8), 4)
    image = keras.Input((8, 8, 1))
    _, patches = images(keras.Model(image, inner(image)), (8, 8))
    assert patches.grid == (2, 2)


def test_a_grid_that_does_not_divide_the_size():
    image = keras.Input((7, 5, 1))
    model = keras.Model(image, keras.layers.Flatten()(image))
    values, patches = images(model, (7, 5), grid=(3, 2))
    assert patches.grid == (3, 2)
    assert patches.at_elements(np.ones((2, 7, 5, 1))).tolist() == [[4, 6, 4, 6, 6, 9]] * 2
    for number in range(6):
        removed = np.zeros((2, 6), bool)
        removed[:, number] = True
        assert (patches.without(removed) != values).sum() == 2 * [4, 6, 4, 6, 6, 9][number]
    with pytest.raises(ValueError, match=r"no `PatchEmbedding`. Pass the `grid`"):
        images(model, (7, 5))


def test_what_stands_for_patches():
    model = patched((8, 8), 4)
    values, patches = images(model, (8, 8), replacement=0)
    assert patches.without(np.ones((2, 4), bool)).max() == 0
    _, patches = images(model, (8, 8), replacement="blur")
    blurred = patches.baseline()
    assert blurred.shape == values.shape
    assert blurred.std() < 0.5 * values.std()
    np.testing.assert_allclose(blurred.mean(axis=(1, 2)), values.mean(axis=(1, 2)), rtol=0.1)
    constant = elements(model, np.full((1, 8, 8, 1), 7, "uint8"), replacement="blur")
    np.testing.assert_allclose(constant.baseline(), 7, rtol=1e-6)
    with pytest.raises(ValueError, match=r"'mean', 'blur' or a number. Received: replacement='x'"):
        images(model, (8, 8), replacement="x")


def recordings(*lengths):
    rng = np.random.default_rng(0)
    return [rng.uniform(-1, 1, length).astype("float32") for length in lengths]


@pytest.fixture(scope="module")
def audio():
    """Patches of 2 frames of 8 samples, all bands of them."""
    return audio_transformer(
        num_mel_bins=4,
        patch_size=(2, 4),
        hidden_dim=4,
        intermediate_dim=4,
        num_heads=1,
        num_layers=1,
        sampling_rate=80,
        frame_length=16,
        hop_length=8,
        max_frames=8,
    )


def test_frames_of_recordings(audio):
    frames = elements(audio, recordings(40, 20))
    array = frames.array
    assert array.shape == (2, 48)  # three patches of 16 samples, padded with NaN
    assert (frames.kind, frames.hop, frames.bands) == ("frames", 16, 1)
    np.testing.assert_array_equal(frames.present, [[True, True, True], [True, True, False]])
    assert frames.labels[0] == ["0.00 s", "0.20 s", "0.40 s"]
    removed = np.array([[False, False, True], [True, False, True]])
    without = frames.without(removed)
    np.testing.assert_array_equal(without[0, :32], array[0, :32])
    np.testing.assert_array_equal(without[0, 32:40], 0)
    np.testing.assert_array_equal(without[1, :16], 0)
    np.testing.assert_array_equal(without[1, 16:20], array[1, 16:20])
    np.testing.assert_array_equal(np.isnan(without), np.isnan(array))  # padding stays
    values = np.nan_to_num(array)
    expected = [values[0, :16].sum(), values[0, 16:32].sum(), values[0, 32:].sum()]
    np.testing.assert_allclose(frames.at_elements(values)[0], expected, rtol=1e-5)


def test_frames_and_what_attention_reads():
    model = audio_transformer(
        num_mel_bins=4,
        patch_size=2,
        hidden_dim=4,
        intermediate_dim=4,
        num_heads=1,
        num_layers=1,
        sampling_rate=80,
        frame_length=16,
        hop_length=8,
    )
    frames = elements(model, recordings(40))
    assert frames.bands == 2
    tokens = np.arange(6.0)[None]  # two bands at each of three times
    np.testing.assert_array_equal(frames.of_tokens(tokens), [[0 + 1, 2 + 3, 4 + 5]])
    with pytest.raises(ValueError, match="reads 2 positions, and the input has 3 frames"):
        frames.of_tokens(np.ones((1, 4)))


def audio_without_patches(patch_size=None):
    audio = keras.Input((None,), name="audio")
    channels = patch_size is not None
    x = ka.layers.LogMelSpectrogram(80, 4, 16, 8, channel_axis=channels)(audio)
    if channels:
        x = ka.layers.PatchEmbedding(2, (patch_size, 4), data_format="channels_last")(x)
    return keras.Model(audio, x)


def recordings_array(length):
    return np.stack(recordings(length))


def test_frames_of_models_without_a_converter():
    frames = elements(audio_without_patches(), recordings_array(20))
    assert frames.present.shape == (1, 3)  # the last one is half a frame
    # Of five frames, patches of two read four.
    frames = elements(audio_without_patches(2), recordings_array(40))
    assert frames.present.shape == (1, 2)
    without = frames.without(np.array([[False, True]]))
    assert (without[0, 16:32] == 0).all()
    assert (without[0, 32:] != 0).all()
    np.testing.assert_allclose(frames.at_elements(np.ones((1, 40))), [[16, 16]])


def test_nodes(graph):
    features = np.random.default_rng(0).uniform(1, 2, (2, 4, 3)).astype("float32")
    features[1, 3] = 0  # padding of the smaller graph
    edges = np.array([[[0, 1], [2, 3]]] * 2)
    nodes = elements(graph, {"features": features, "edges": edges})
    assert (nodes.kind, nodes.name) == ("nodes", "features")
    np.testing.assert_array_equal(nodes.present, [[True] * 4, [True] * 3 + [False]])
    without = nodes.without(FIRST)
    np.testing.assert_array_equal(without["features"][0, 0], 0)
    np.testing.assert_array_equal(without["features"][0, 1:], features[0, 1:])
    np.testing.assert_array_equal(without["edges"], edges)
    np.testing.assert_allclose(nodes.at_elements(features), features.sum(-1))
    with pytest.raises(ValueError, match=r"nodes becomes zeros. Received: replacement=1"):
        elements(graph, {"features": features, "edges": edges}, replacement=1)


def test_columns_become_missing():
    """Or a category that is not known; those of another input stay."""
    model = ft_transformer(**FT["tiny"], numbers=["age", "pay"], categories={"job": ["x", "y"]})
    rows = [{"age": 30, "pay": "", "job": "y"}, {"age": 40, "pay": 2, "job": "z"}]
    numbers, categories = (elements(model, rows, name=name) for name in ("numbers", "categories"))
    assert (numbers.kind, numbers.labels[0]) == ("columns", ["age", "pay"])
    assert numbers.present.all()
    without = numbers.without(np.array([[True, False], [False, True]]))
    np.testing.assert_array_equal(without["numbers"], [[np.nan, np.nan], [40, np.nan]])
    np.testing.assert_array_equal(without["categories"], [[2], [0]])
    without = categories.without(np.ones((2, 1), bool))
    np.testing.assert_array_equal(without["categories"], [[0], [0]])
    with pytest.raises(ValueError, match=r"of a row becomes missing. Received: replacement=1"):
        elements(model, rows, replacement=1)


def test_steps_of_series_become_their_mean():
    """Of patches that overlap, each has the steps up to where the next one begins."""
    sizes = {**PATCH_TST["tiny"], "patch_size": 4, "stride": 2, "look_back": 8}
    model = patch_tst(**sizes, names=["a", "b"])
    series = np.random.default_rng(0).normal(size=(1, 8, 2)).astype("float32")
    steps = elements(model, series)
    assert (steps.kind, steps.edges) == ("steps", (0, 2, 4, 6, 8))
    assert steps.labels[0] == ["-8 to -5", "-6 to -3", "-4 to -1", "-2 to -1"]
    without = steps.without(np.array([[False, True, False, False]]))
    expected = series.copy()
    expected[:, 2:4] = series.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(without, expected, atol=1e-6)
    summed = steps.at_elements(series)
    np.testing.assert_allclose(summed, series.reshape(1, 4, 4).sum(axis=-1), atol=1e-5)
    with pytest.raises(ValueError, match=r"of series becomes their mean. Received: replacement=0"):
        elements(model, series, replacement=0)


def test_inputs_that_cannot_be_explained_are_told(text, tagger, audio):
    with pytest.raises(ValueError, match=r"`name` must be one of token_ids. Received: name='x'"):
        elements(text, IDS, name="x")
    with pytest.raises(ValueError, match=r"must be an id. Received: replacement='mean'"):
        elements(text, IDS, replacement="mean")
    inputs = {"token_ids": IDS, "characters": np.ones((2, 4, 3), "int32")}
    with pytest.raises(ValueError, match=r"'characters' must be ids .* int32 of shape \(2, 4, 3\)"):
        elements(tagger, inputs, name="characters")
    with pytest.raises(ValueError, match="recordings becomes zeros"):
        elements(audio, recordings(40), replacement="mean")
    table = keras.Input((3,), name="columns")
    model = keras.Model(table, keras.layers.Dense(2)(table))
    with pytest.raises(ValueError, match=r"'columns' must be ids .* float32 of shape \(1, 3\)"):
        elements(model, np.ones((1, 3), "float32"))
    with pytest.raises(ValueError, match="reads 5 positions, and the input has 4 tokens"):
        elements(text, IDS).of_tokens(np.ones((2, 5)))
