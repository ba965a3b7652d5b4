"""Names of ids: words as a reader writes them, characters of several bytes, special tokens."""

import numpy as np
import pytest

import keras_attention as ka
from keras_attention.explain.token_names import name_tokens

pytestmark = pytest.mark.runs_on("torch")


def test_bytes_are_named_by_their_character():
    """As `Tokenizer.tokens` names those of a text."""
    text = "the \U0001f600 o\u2019clock  \u00f1\U0001f600x"
    tokenizer = ka.layers.Tokenizer.train(["the o clock"] * 3, vocabulary_size=270)
    ids = tokenizer.encode([text])[0]
    names = name_tokens(tokenizer, ids)
    assert len(names) == len(ids) > 15
    assert names == tokenizer.tokens(text)
    assert names.count("\U0001f600") == 8
    broken = name_tokens(tokenizer, ids[names.index("\U0001f600") :][:2])
    assert broken == ["\ufffd", "\ufffd"]  # half a character is none


def test_special_tokens_and_numbers():
    tokenizer = ka.layers.Tokenizer.train(["a b"], model="word", min_frequency=1, start_end=True)
    ids = np.concatenate([tokenizer.encode(["a b"])[0], [1]])
    assert name_tokens(tokenizer, ids) == ["[START]", "a", "b", "[END]", "[UNK]"]
    assert name_tokens(tokenizer, ids[:0]) == []
    assert name_tokens(None, ids) == name_tokens(ka.layers.Tokenizer(), ids) == list(map(str, ids))
