"""Character features: cases for the contract, the papers' equations, and odd words."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.layers import CharacterFeatures
from tests.backend import to_numpy
from tests.contracts import Case


def characters(rng, shape, _):
    """Ids of words of different lengths, padded at their ends."""
    ids = rng.integers(1, 260, shape)
    lengths = rng.integers(1, shape[-1] + 1, shape[:-1])
    return np.where(np.arange(shape[-1]) < lengths[..., None], ids, 0).astype("int32")


CASES = [
    Case(
        layer=CharacterFeatures,
        config={"embedding_dim": 5, "filters": 4, "kernel_size": size},
        inputs={"characters": ("T", 7)},
        values={"characters": characters},
        dropout={"dropout": 0.5},
    )
    for size in (3, (2, 5))
]


def reference(ids, embeddings, kernels, biases):
    """Section 2.1 of Ma and Hovy, word by word, window by window."""
    out = np.zeros((*ids.shape[:2], sum(len(bias) for bias in biases)))
    for at in np.ndindex(*ids.shape[:2]):
        word = embeddings[ids[at][ids[at] != 0]]  # (C, E), of this word's own characters
        if not len(word):
            continue
        pooled = []
        for kernel, bias in zip(kernels, biases, strict=True):
            size = len(kernel) // embeddings.shape[1]
            around = np.pad(word, (((size - 1) // 2, size // 2), (0, 0)))
            windows = [around[i : i + size].ravel() for i in range(len(word))]
            pooled.append((np.stack(windows) @ kernel + bias).max(axis=0))
        out[at] = np.concatenate(pooled)
    return out


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_as_in_the_paper(case):
    layer = case.make()
    embeddings, *weights = map(to_numpy, layer.weights)
    ids = case.data()["characters"]
    ids[1, 2] = 0
    expected = reference(ids, embeddings, weights[::2], weights[1::2])
    np.testing.assert_allclose(to_numpy(layer(ids)), expected, atol=1e-5)


def test_padding_says_nothing():
    """Neither more room for long words nor more words change the others; they are masked."""
    case = CASES[1]
    layer, ids = case.make(), case.data()["characters"]
    expected = to_numpy(layer(ids))
    wide = np.pad(ids, ((0, 0), (0, 2), (0, 3)))
    output = layer(wide)
    np.testing.assert_allclose(to_numpy(output)[:, :-2], expected, atol=1e-6)
    np.testing.assert_array_equal(to_numpy(output)[:, -2:], 0.0)
    np.testing.assert_array_equal(to_numpy(output._keras_mask), wide.any(axis=-1))
    mask = np.ones(wide.shape[:2], bool)
    mask[0, 1] = False
    masked = to_numpy(layer(wide, mask=mask))
    np.testing.assert_array_equal(masked[0, 1], 0.0)
    np.testing.assert_array_equal(masked[mask], to_numpy(output)[mask])


def test_words_become_bytes_between_marks():
    layer = CharacterFeatures(max_characters=5)
    ids = layer.encode([["aé", ""], ["abcdefgh", "x", "y"]])
    assert ids.dtype == np.int32
    assert ids.shape == (2, 3, 7)
    a = 4 + ord("a")
    assert ids[0, 0].tolist() == [1, a, 4 + 0xC3, 4 + 0xA9, 2, 0, 0]
    assert ids[0, 1].tolist() == [1, 2, 0, 0, 0, 0, 0]  # nothing, but no padding
    assert ids[0, 2].tolist() == [0] * 7
    assert ids[1, 0].tolist() == [1, a, a + 1, 3, a + 6, a + 7, 2]  # the middle is left out
    assert CharacterFeatures(max_length=2).encode([["a", "b", "c"], []]).shape == (2, 2, 18)
    np.testing.assert_array_equal(layer.encode(ids.astype("int64")), ids)


def test_strings_are_cut_into_the_words_of_the_tokenizer():
    layer = CharacterFeatures()
    text = "I don't know \N{GRINNING FACE}"
    words = ka.layers.Tokenizer.split(text)
    np.testing.assert_array_equal(layer.encode([text]), layer.encode([words]))


def test_any_word_has_ids_and_composed_letters_are_decomposed_ones():
    layer = CharacterFeatures(2, 3)
    words = ["\N{GRINNING FACE}", "\u732b", "\x00", "e\u0301", "\u00e9", "\u200d"]
    ids = layer.encode([words])
    assert ids.max() < 260
    np.testing.assert_array_equal(ids[0, 3], ids[0, 4])
    assert np.isfinite(to_numpy(layer(ids))).all()


def test_a_file_goes_from_words_to_features(tmp_path):
    ids = keras.Input((None, None), dtype="int32", name="characters")
    x = CharacterFeatures(4, 3, (2, 3), name="spelling")(ids)
    model = keras.Model(ids, ka.layers.AttentionPooling()(x))
    ka.save_model(model, tmp_path / "model.keras")
    words = [["some", "words"], ["more"]]
    expected = ka.predict(model, words)
    for load in (ka.load_model, keras.saving.load_model):
        np.testing.assert_array_equal(ka.predict(load(tmp_path / "model.keras"), words), expected)


def test_errors_teach():
    with pytest.raises(TypeError, match=r"must be a list of texts\. Received: the text 'a b'"):
        CharacterFeatures().encode("a b")
    with pytest.raises(TypeError, match=r"a string or a list of words\. Received: 5"):
        CharacterFeatures().encode([5])
    with pytest.raises(ValueError, match=r"`characters` must have shape \(B, T, C\)"):
        CharacterFeatures()(np.zeros((2, 3), "int32"))
    with pytest.raises(ValueError, match="`kernel_size` must be a positive integer"):
        CharacterFeatures(kernel_size=(2, 0))
    with pytest.raises(ValueError, match="`max_characters` must be at most 4096"):
        CharacterFeatures(max_characters=10**9)
    with pytest.raises(ValueError, match="half of one"):
        CharacterFeatures().encode([["a", "\ud800"]])
