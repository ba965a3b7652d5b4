"""Published vocabularies in a `Tokenizer`: padding, special tokens, pairs, pieces of words."""

import json
import sys

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.layers import Tokenizer
from tests.backend import to_numpy

VOCABULARY = [
    "<s>", "[PAD]", "</s>", "[UNK]", "<mask>", "un", "##bel", "##iev", "##able", "dog", ",",
    "a", "'", "s", "<", ">", "/", "##s",
]  # fmt: skip


def special(i):
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": i, "content": VOCABULARY[i], "special": True, **flags}


SETTINGS = {
    "version": "1.0",
    "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
    "padding": None,
    "added_tokens": [special(i) for i in range(5)],
    "normalizer": {"type": "Lowercase"},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {
        "type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": True,
        "add_prefix_space": False,
    },
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
    "model": {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {token: i for i, token in enumerate(VOCABULARY)},
    },
}  # fmt: skip


def published(**arguments):
    return Tokenizer.from_json(json.dumps(SETTINGS), **arguments)


@pytest.mark.parametrize("padding", ["[PAD]", None])
def test_padding_of_the_file_or_none_is_hidden(padding, tmp_path):
    tokenizer = published(padding=padding, mask="<mask>")
    pad = -1 if padding is None else 1
    assert tokenizer.padding_id == pad
    ids = tokenizer.encode(["a dog", "dog"])
    assert ids.tolist() == [[0, 11, 9, 2], [0, 9, 2, pad]]
    assert tokenizer.decode(ids) == ["a dog", "dog"]
    np.testing.assert_array_equal(tokenizer.encode(ids), ids)  # ids pass, and rows are padded
    np.testing.assert_array_equal(tokenizer.encode([[0, 11, 9, 2], [0, 9, 2]]), ids)
    inputs = keras.Input((None,), dtype="int32", name="token_ids")
    x = ka.layers.TokenEmbedding(len(VOCABULARY), 4)(tokenizer(inputs))
    model = keras.Model(inputs, ka.layers.AttentionPooling()(x))
    passed = tokenizer(ids)
    np.testing.assert_array_equal(to_numpy(passed), np.maximum(ids, 0))
    np.testing.assert_array_equal(to_numpy(passed._keras_mask), ids != pad)
    alone = model(ids[1:, :3])
    np.testing.assert_allclose(to_numpy(model(ids))[1:], to_numpy(alone), atol=1e-6)
    ka.save_model(model, tmp_path / "model.keras")
    loaded = ka.load_model(tmp_path / "model.keras").get_layer("tokenizer")
    np.testing.assert_array_equal(loaded.encode(["a dog", "dog"]), ids)
    assert loaded.get_config() == tokenizer.get_config()
    assert (loaded.start_id, loaded.end_ids, loaded.mask_id) == (0, (2,), 4)
    assert loaded.copy(name="other").padding_id == pad


@pytest.mark.runs_on("torch")
def test_pairs_and_their_truncation():
    tokenizer = published(padding="[PAD]")
    pair = ("a dog", "a, dog")
    assert tokenizer.encode([pair, ("a", "")]).tolist() == [
        [0, 11, 9, 2, 2, 11, 10, 9, 2],
        [0, 11, 2, 2, 2, 1, 1, 1, 1],
    ]
    short = published(padding="[PAD]", max_length=7)
    assert short.encode([pair]).tolist() == [[0, 11, 2, 2, 11, 10, 2]]
    assert short.encode([pair], whole=True).shape == (1, 9)
    assert tokenizer.encode([pair], end=False).tolist() == [[0, 11, 9, 2, 2, 11, 10, 9]]
    texts = [(piece.text, piece.start) for piece in tokenizer.pieces(pair)]
    assert texts == [
        *[(None, None), (0, 0), (0, 2), (None, None), (None, None), (1, 0), (1, 1), (1, 3)],
        (None, None),
    ]
    assert tokenizer.tokens(pair) == ["<s>", "a", "dog", "</s>", "</s>", "a", ",", "dog", "</s>"]
    own = Tokenizer.train(["a dog"])
    with pytest.raises(ValueError, match=r"a pair in row 1\. Join them .* `Tokenizer\.from_json`"):
        own.encode(["a", ("a", "dog")])
    with pytest.raises(TypeError, match=r"A text must be a string\. Received: \('a', 'b', 'c'\)"):
        tokenizer.encode([("a", "b", "c")])


@pytest.mark.runs_on("torch")
def test_roles_of_special_tokens():
    tokenizer = published(padding="[PAD]", end=["dog", "</s>"], start="a", separator=",")
    assert (tokenizer.end_id, tokenizer.end_ids) == (2, (2, 9))
    assert (tokenizer.start_id, tokenizer.separator_id, tokenizer.unknown_id) == (11, 10, 3)
    assert tokenizer.encode(["a"]).tolist() == [[0, 11, 2]]
    assert tokenizer.encode(["a"], end=False).tolist() == [[0, 11]]
    tokenizer = published()
    assert (tokenizer.start_id, tokenizer.end_id, tokenizer.separator_id) == (0, 2, 2)
    assert tokenizer.mask_id is None
    without = Tokenizer.from_json({**SETTINGS, "post_processor": None})
    assert (without.start_id, without.end_id, without.end_ids) == (None, None, ())
    assert without.encode(["a", ("a", "dog")]).tolist() == [[11, -1], [11, 9]]
    for bare in (Tokenizer(), Tokenizer.train(["a"])):
        assert (bare.padding_id, bare.end_ids, bare.mask_id) == (0, (), None)
    assert Tokenizer.train(["a"], start_end=True).end_ids == (3,)
    assert Tokenizer.train(["a"]).unknown_id == 1


@pytest.mark.runs_on("torch")
def test_what_is_typed_is_text_but_for_the_mask():
    ids = published(mask="<mask>").encode(["</s> <mask> [PAD]"])[0].tolist()
    assert ids == [0, 14, 16, 13, 15, 4, 3, 3, 3, 2]
    assert 4 not in published().encode(["<mask>"])[0]
    scores = [[token, 0.0] for token in VOCABULARY]
    model = {"type": "Unigram", "unk_id": 3, "vocab": scores}
    tokenizer = Tokenizer.from_json({**SETTINGS, "pre_tokenizer": None, "model": model})
    ids = tokenizer.encode(["a</s>a"])[0].tolist()
    assert ids == [0, 11, 14, 3, 13, 15, 11, 2] or ids == [0, 11, 14, 16, 13, 15, 11, 2]
    offsets = [(piece.start, piece.end) for piece in tokenizer.pieces("a</s>a")[1:-1]]
    assert offsets[:2] == [(0, 1), (1, 2)]
    assert offsets[-1] == (5, 6)
    assert set(offsets[2:-1]) == {(2, 5)}


@pytest.mark.runs_on("torch")
def test_words_in_pieces():
    tokenizer = published(padding="[PAD]", words="pieces")
    words = ["Unbelievable", "dogs", "", "it"]
    ids = tokenizer.encode([words, ["a"]])
    assert ids.tolist() == [[0, 5, 6, 7, 8, 9, 17, 3, 2], [0, 11, 2, 1, 1, 1, 1, 1, 1]]
    np.testing.assert_array_equal(
        tokenizer.first_pieces([words, ["a"]]),
        [[-1, 0, -1, -1, -1, 1, -1, 3, -1], [-1, 0, -1, -1, -1, -1, -1, -1, -1]],
    )
    text = "Unbelievable dog's, a"
    assert Tokenizer.split(text) == ["Unbelievable", "dog", "'s", ",", "a"]
    pieces = [piece for piece in tokenizer.pieces(text) if piece.word is not None]
    assert [piece.token for piece in pieces] == [
        *("un", "##bel", "##iev", "##able", "dog", "'", "s", ",", "a")
    ]
    assert [piece.word for piece in pieces] == [0, 0, 0, 0, 1, 2, 2, 3, 4]
    assert [text[piece.start : piece.end] for piece in pieces] == [
        *("Un", "bel", "iev", "able", "dog", "'", "s", ",", "a")
    ]
    assert tokenizer.tokens(words)[1:3] == ["Un", "bel"]
    assert tokenizer.decode(tokenizer.encode([text])) == ["unbelievable dog ' s, a"]
    short = published(padding="[PAD]", words="pieces", max_length=4)
    assert short.first_pieces([["a", "dogs"]]).tolist() == [[-1, 0, 1, -1]]
    one_each = Tokenizer.train([["a", "dog"]], model="word", words=True, min_frequency=1)
    assert one_each.first_pieces([["a", "x"], ["a"]]).tolist() == [[0, 1], [0, -1]]
    assert [piece.start for piece in one_each.pieces("a dog")] == [0, 2]


@pytest.mark.runs_on("torch")
def test_bytes_of_words_have_a_space_in_front():
    texts = ["don't dogs a"]
    content = json.loads(Tokenizer.train(texts, lowercase=False, min_frequency=1)._json)
    with_space = Tokenizer.from_json(content, words="pieces")
    content["pre_tokenizer"]["add_prefix_space"] = False
    without = Tokenizer.from_json(content, words="pieces")
    words = ["dogs", "don't", "", " a"]
    np.testing.assert_array_equal(without.encode([words]), with_space.encode([words]))
    np.testing.assert_array_equal(without.first_pieces([words]), with_space.first_pieces([words]))
    for text in (words, texts[0]):
        assert [piece.start for piece in without.pieces(text)] == [
            piece.start for piece in with_space.pieces(text)
        ]
    whole = Tokenizer.from_json(content)
    assert whole.encode(["dogs"]).tolist() != without.encode([["dogs"]]).tolist()


@pytest.mark.runs_on("torch")
def test_a_vocabulary_may_have_gaps(tmp_path):
    vocabulary = {"[UNK]": 0, "a": 2, "b": 3}
    model = {**SETTINGS["model"], "vocab": vocabulary}
    added = {**special(1), "id": 4, "content": "c"}
    settings = {**SETTINGS, "model": model, "added_tokens": [], "post_processor": None}
    tokenizer = Tokenizer.from_json(settings)
    assert tokenizer.vocabulary == ["[UNK]", "", "a", "b"]
    assert tokenizer.vocabulary_size == 4
    assert tokenizer.decode([[2, 1, 3]]) == ["a b"]
    with pytest.raises(ValueError, match=r"the token 'c' with the id 4 where 3 follows"):
        Tokenizer.from_json({**settings, "added_tokens": [added]})
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({**settings, "new": None}), encoding="utf-8")
    assert Tokenizer.from_json(path).vocabulary == tokenizer.vocabulary
    assert Tokenizer.from_json(str(path)).vocabulary == tokenizer.vocabulary


@pytest.mark.runs_on("torch")
def test_errors_teach(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"none\.json does not exist"):
        Tokenizer.from_json(tmp_path / "none.json")
    with pytest.raises(ValueError, match=r"`padding` must be a token of the vocabulary.*'<pad>'"):
        published(padding="<pad>")
    with pytest.raises(ValueError, match=r"`end` must be a token of the vocabulary.*'x'"):
        published(end=["</s>", "x"])
    with pytest.raises(ValueError, match=r"beside the 2 special ones. Received: max_length=2"):
        published(max_length=2)
    with pytest.raises(ValueError, match=r"the 4 special tokens of a pair. Received: max_length=3"):
        published(max_length=3).encode([("a", "a")])
    with pytest.raises(ValueError, match=r"Received: words=True. Use words='pieces'"):
        published(words=True)
    with pytest.raises(ValueError, match="`words` must be one of"):
        published(words="all")
    with pytest.raises(ValueError, match="has new, which is not known here"):
        Tokenizer.from_json({**SETTINGS, "new": [1]})
    for words, expected in [("[UNK] a", "must be a mapping"), ({"begin": 1}, "must be a mapping")]:
        with pytest.raises(ValueError, match=expected):
            Tokenizer(special_ids=words)
    for ids in ({"start": -1}, {"end": [2**31]}, {"end": [0] * 65}, {"mask": True}):
        with pytest.raises(ValueError, match="`special_ids` must be ids"):
            Tokenizer(special_ids=ids)
    for padding in (-2, 2**31, "0", True):
        with pytest.raises(ValueError, match="`padding_id` must be an id, or -1"):
            Tokenizer(padding_id=padding)
    with pytest.raises(ValueError, match=r"needs a vocabulary of `Tokenizer.train`"):
        Tokenizer(words=True, special_ids={})
    with pytest.raises(ValueError, match="must be ids from -1 to"):
        published().encode([[5, -2]])
    with pytest.raises(ValueError, match="must be ids from 0 to"):
        published(padding="[PAD]").encode([[5, -1]])
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"pip install \"keras-attention\[text\]\""):
        published()
    bare = Tokenizer(padding_id=-1, special_ids={"end": [2]})  # which needs no library
    assert (bare.end_ids, bare.padding_id) == ((2,), -1)


@pytest.mark.runs_on("torch")
def test_a_file_whose_special_ids_are_no_tokens_is_refused(tmp_path):
    tokenizer = published(padding="[PAD]")
    tokenizer.save_assets(tmp_path)
    config = {**tokenizer.get_config(), "special_ids": {"end": [999]}}
    with pytest.raises(ValueError, match="has the id 999, which the vocabulary has no token for"):
        Tokenizer.from_config(config).load_assets(tmp_path)
