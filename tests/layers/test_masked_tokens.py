"""Masked tokens: cases for the contract, and what is filled in."""

import numpy as np
import pytest

from keras_attention import texts
from keras_attention.layers import MaskedTokens
from tests import text_models
from tests.contracts import Case

CASES = [
    Case(
        layer=MaskedTokens,
        config={"vocabulary_size": 7},
        inputs={"logits": ("T", 7)},
        stateless=True,
    )
]


@pytest.mark.runs_on("torch")
def test_masks_are_filled_in_the_text():
    size = len(text_models.VOCABULARY)
    vocabulary = text_models.tokenizer()
    text = texts.read("Ada [MASK]  in\n[MASK]. [SEP]", vocabulary)
    logits = np.random.default_rng(0).normal(size=(len(text.pieces), size))
    at = [i for i, piece in enumerate(text.pieces) if piece.token == "[MASK]"]
    words = [text_models.VOCABULARY.index(word) for word in ("lived", "london")]
    logits[at, words] = 9
    (filled,) = MaskedTokens(size).decode_texts([logits], [text], top=3)
    assert str(filled) == filled.text == "Ada lived  in\nlondon. [SEP]"
    assert [mask.label for mask in filled.masks] == ["lived", "london"]
    shares = np.exp(logits[at[0]]) / np.exp(logits[at[0]]).sum()
    order = np.argsort(-shares)[:3]
    names = [text_models.VOCABULARY[i] for i in order]
    assert [name for name, _ in filled.masks[0].ranking] == names
    np.testing.assert_allclose([x for _, x in filled.masks[0].ranking], shares[order])


@pytest.mark.runs_on("torch")
def test_texts_without_a_mask_are_refused():
    layer, size = MaskedTokens(len(text_models.VOCABULARY)), len(text_models.VOCABULARY)
    for vocabulary, string, written in (
        (text_models.tokenizer(), "Ada mask", r"\[MASK\]"),
        (text_models.tokenizer(mask=None), "Ada [MASK]", "by no token"),
        (text_models.tokenizer(), "", r"\[MASK\]"),
        (text_models.tokenizer(), ("Ada [MASK]", "in"), r"\[MASK\]"),
    ):
        text = texts.read(string, vocabulary)
        with pytest.raises(ValueError, match=rf"written {written} for this model\. Received: '"):
            layer.decode_texts([np.zeros((len(text.pieces), size))], [text])
