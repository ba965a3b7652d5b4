"""Tokenizer: cases for the contract, against the library, and from file to file."""

import sys

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.layers import Tokenizer
from keras_attention.layers.inputs import tokenizer_text
from tests.backend import to_numpy
from tests.contracts import Case

CASES = [
    Case(
        layer=Tokenizer,
        config={"max_length": 9},
        inputs={"token_ids": ("T",)},
        values={"token_ids": lambda rng, shape, _: rng.integers(1, 9, shape).astype("int32")},
        stateless=True,
        integer=True,
    )
]
TEXTS = ["the cat sat on the mat", "The dog sat, too.", "a cat and a dog", "cats don't sat"]


@pytest.mark.parametrize("model", ["bpe", "wordpiece", "word"])
def test_text_comes_back(model):
    tokenizer = Tokenizer.train(TEXTS, vocabulary_size=400, model=model, min_frequency=1)
    ids = tokenizer.encode([*TEXTS, ""])
    assert ids.dtype == np.int32
    assert ids.shape == (5, (ids != 0).sum(axis=1).max())
    assert (ids[4] == 0).all()
    assert (ids < tokenizer.vocabulary_size).all()
    assert len(tokenizer.vocabulary) == tokenizer.vocabulary_size
    assert tokenizer.vocabulary[:2] == ["[PAD]", "[UNK]"]
    decoded = tokenizer.decode(ids)
    assert decoded[0] == "the cat sat on the mat"
    assert decoded[4] == ""
    for text, row in zip(TEXTS, ids[:4], strict=True):
        assert len(tokenizer.tokens(text)) == (row != 0).sum()


def test_byte_pairs_know_every_text():
    tokenizer = Tokenizer.train(TEXTS, vocabulary_size=300)
    text = "Ωmega 𝄞 ﬁ\x00 "
    ids = tokenizer.encode([text])
    assert (ids > 1).all()
    assert tokenizer.decode(ids) == [text.lower()]


@pytest.mark.parametrize("model", ["wordpiece", "word"])
def test_unknown_is_one(model):
    tokenizer = Tokenizer.train(TEXTS, model=model, min_frequency=1)
    assert tokenizer.encode(["cat 猫"])[0].tolist()[1] == 1


def test_upper_case_can_matter():
    lower, both = (
        Tokenizer.train(TEXTS, lowercase=x).encode(["Cat", "cat"]) for x in (True, False)
    )
    np.testing.assert_array_equal(lower[0], lower[1])
    assert both[0].tolist() != both[1].tolist()


def test_characters_come_back_as_they_were():
    text = "To be, or not\n\n  to BE?\t "
    tokenizer = Tokenizer.train([text], model="character", min_frequency=1)
    ids = tokenizer.encode([text])
    assert ids.shape == (1, len(text))
    assert (ids > 1).all()
    assert tokenizer.vocabulary_size == 2 + len(set(text))
    assert tokenizer.decode(ids) == [text]
    assert len(tokenizer.tokens(text)) == len(text)
    assert tokenizer.encode(["not \u732b"])[0].tolist()[-1] == 1
    lower = Tokenizer.train([text], model="character", min_frequency=1, lowercase=True)
    assert lower.decode(lower.encode([text])) == [text.lower()]


@pytest.mark.parametrize("model", ["bpe", "wordpiece", "word", "character"])
def test_texts_have_a_start_and_an_end(model):
    tokenizer = Tokenizer.train(TEXTS, model=model, min_frequency=1, start_end=True)
    assert (tokenizer.start_id, tokenizer.end_id) == (2, 3)
    assert tokenizer.vocabulary[2:4] == ["[START]", "[END]"]
    ids = tokenizer.encode([*TEXTS, ""])
    assert (ids[:, 0] == 2).all()
    for text, row in zip([*TEXTS, ""], ids, strict=True):
        (last,) = np.flatnonzero(row == 3)
        assert (row[last + 1 :] == 0).all()
        assert len(tokenizer.tokens(text)) == last + 1
    assert tokenizer.tokens("") == ["[START]", "[END]"]
    assert tokenizer.decode(ids)[0] == TEXTS[0]
    assert tokenizer.decode(ids)[4] == ""
    begun = tokenizer.encode(TEXTS, end=False)
    assert not (begun == 3).any()
    np.testing.assert_array_equal(begun, np.where(ids == 3, 0, ids)[:4, : begun.shape[1]])
    np.testing.assert_array_equal(tokenizer.encode(ids, end=False), ids)  # ids pass


@pytest.mark.parametrize("model", ["bpe", "wordpiece", "word", "character"])
def test_what_looks_special_in_a_text_is_text(model):
    tokenizer = Tokenizer.train(
        [*TEXTS, "[PADUNKSTRE]"], model=model, lowercase=False, min_frequency=1, start_end=True
    )
    row = tokenizer.encode(["[PAD][UNK][START][END] "])[0]
    assert (row[0], row[-1]) == (2, 3)
    assert not set(row[1:-1].tolist()) & {0, 2, 3}


def test_truncation_keeps_the_end():
    settings = dict(model="word", min_frequency=1, start_end=True)
    whole = Tokenizer.train(TEXTS, **settings).encode(TEXTS)
    tokenizer = Tokenizer.train(TEXTS, max_length=5, **settings)
    ids = tokenizer.encode(TEXTS)
    assert ids.shape == (4, 5)
    assert (ids[:, 4] == 3).all()
    np.testing.assert_array_equal(ids[:, :4], whole[:, :4])
    np.testing.assert_array_equal(tokenizer.encode(TEXTS, end=False), whole[:, :5])
    np.testing.assert_array_equal(tokenizer.encode(TEXTS, whole=True), whole)
    assert tokenizer.tokens(TEXTS[0]) == ["[START]", "the", "cat", "sat", "[END]"]
    with pytest.raises(ValueError, match=r"room for a token.* max_length=2, start_end=True"):
        Tokenizer.train(TEXTS, max_length=2, **settings)


def test_a_vocabulary_without_start_and_end():
    tokenizer = Tokenizer.train(TEXTS, model="word", min_frequency=1)
    assert tokenizer.start_id is tokenizer.end_id is None
    np.testing.assert_array_equal(tokenizer.encode(TEXTS, end=False), tokenizer.encode(TEXTS))
    words = Tokenizer.train([["[PAD]", "[START]", "[END]"]], model="word", words=True)
    assert words.start_id is None  # a word of the texts, whatever its id


def test_one_vocabulary_for_two_inputs():
    source = Tokenizer.train(TEXTS, max_length=5, start_end=True, name="source_tokenizer")
    target = source.copy(name="target_tokenizer")
    assert target.name == "target_tokenizer"
    np.testing.assert_array_equal(target.encode(TEXTS), source.encode(TEXTS))
    assert Tokenizer(name="empty").copy(name="other").get_config()["name"] == "other"


def test_bytes_that_are_no_character_are_replaced():
    tokenizer = Tokenizer.train(TEXTS, start_end=True)
    text = "a \u20ac \U0001d11e"
    row = tokenizer.encode([text])[0]
    for stop in range(len(row) + 1):
        for start in range(stop):
            (part,) = tokenizer.decode(row[None, start:stop])
            assert set(part) <= {*text, "\ufffd"}
    assert tokenizer.decode(row[None]) == [text]


def test_words_are_one_id_each():
    sentences = [["John", "lives", "in", "New-York", "."], ["don't", "[PAD]", ""]]
    tokenizer = Tokenizer.train(
        [sentences[0]], model="word", words=True, lowercase=False, min_frequency=1, max_length=4
    )
    ids = tokenizer.encode(sentences)
    assert ids.shape == (2, 4)
    assert (ids[0] > 1).all()
    assert ids[1].tolist() == [1, 1, 1, 0]  # unknown, and no word hides as padding
    np.testing.assert_array_equal(tokenizer.encode(["John lives in New-York."]), ids[:1])
    assert tokenizer.tokens(sentences[0]) == sentences[0][:4]
    assert tokenizer.decode(ids) == ["John lives in New-York", ""]


def test_treebank_words():
    assert Tokenizer.split("I don't think he's @home, see http://x.org/a?b on 3,500.5 #2!") == [
        *("I", "do", "n't", "think", "he", "'s", "@home", ",", "see", "http://x.org/a?b", "on"),
        *("3,500.5", "#2", "!"),
    ]


def test_same_texts_same_vocabulary():
    first, second = (Tokenizer.train(TEXTS, vocabulary_size=280).vocabulary for _ in range(2))
    assert first == second


@pytest.mark.parametrize("model", ["bpe", "character"])
@pytest.mark.parametrize("start_end", [False, True])
def test_ids_pass_with_their_mask_and_the_vocabulary_travels(model, start_end, tmp_path):
    tokenizer = Tokenizer.train(
        TEXTS, vocabulary_size=280, model=model, max_length=6, start_end=start_end
    )
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(280, 4, mask_zero=True)(tokenizer(ids))
    model = keras.Model(ids, ka.layers.AttentionPooling()(x))
    encoded = tokenizer.encode(TEXTS)
    assert encoded.shape == (4, 6)
    np.testing.assert_array_equal(tokenizer.encode(encoded.astype("int64")), encoded)
    out = tokenizer(encoded)
    np.testing.assert_array_equal(to_numpy(out), encoded)
    np.testing.assert_array_equal(to_numpy(out._keras_mask), encoded != 0)
    padded = np.pad(encoded, ((0, 0), (0, 3)))
    np.testing.assert_allclose(to_numpy(model(padded)), to_numpy(model(encoded)), atol=1e-6)
    path = tmp_path / "model.keras"
    ka.save_model(model, path)
    for load in (ka.load_model, keras.saving.load_model):
        loaded = load(path)
        again = loaded.get_layer("tokenizer").encode(TEXTS)
        np.testing.assert_array_equal(again, encoded)
        np.testing.assert_array_equal(to_numpy(loaded(again)), to_numpy(model(encoded)))
        assert loaded.get_layer("tokenizer").start_id == (2 if start_end else None)
        assert loaded.get_layer("tokenizer").decode(again) == tokenizer.decode(encoded)


@pytest.mark.runs_on("torch")
def test_a_training_without_a_vocabulary_is_saved(tmp_path):
    """Keras looks for assets in a file that has more members than its own, and finds none."""
    ids = keras.Input((None,), dtype="int32")
    model = keras.Model(ids, Tokenizer(max_length=9)(ids))
    model.compile("sgd", "mse")
    ka.save_model(model, tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(to_numpy(loaded(np.array([[3, 0]]))), [[3, 0]])


def test_errors_teach(monkeypatch):
    with pytest.raises(ValueError, match=r"has no vocabulary. Make it with `Tokenizer.train`"):
        Tokenizer(name="empty").encode(["a"])
    with pytest.raises(TypeError, match=r"must be a list of texts. Received: the text 'one text'"):
        Tokenizer.train(TEXTS).encode("one text")
    with pytest.raises(TypeError, match=r"A text must be a string. Received: 5"):
        Tokenizer.train(TEXTS).encode([5])
    with pytest.raises(TypeError, match="Received: 5 in row 1"):
        Tokenizer.train(["a", 5])
    with pytest.raises(ValueError, match=r"half of one .* at position 0 of row 1"):
        Tokenizer.train(["a", "\ud800"])
    with pytest.raises(TypeError, match="`texts` must be a list of texts"):
        Tokenizer.train("one text")
    with pytest.raises(ValueError, match="Use model='word'"):
        Tokenizer.train(TEXTS, words=True)
    with pytest.raises(ValueError, match="Use model='word' and start_end=False"):
        Tokenizer.train(TEXTS, model="word", words=True, start_end=True)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"pip install \"keras-attention\[text\]\""):
        Tokenizer.train(TEXTS)


@pytest.mark.runs_on("torch")
def test_many_texts_are_encoded_as_each_alone(monkeypatch):
    """They go to the library in batches."""
    monkeypatch.setattr(tokenizer_text, "_TOGETHER", 2)
    texts = ["a b", "b c a", "", "c", "b b b"]
    layer = ka.layers.Tokenizer.train(texts, model="word", min_frequency=1, max_length=2)
    each = [layer.encode([text])[0] for text in texts]
    for row, alone in zip(layer.encode(texts), each, strict=True):
        np.testing.assert_array_equal(row[: len(alone)], alone)
        assert not row[len(alone) :].any()
    with pytest.raises(TypeError, match="in row 3"):
        layer.encode([*texts[:3], 5])
