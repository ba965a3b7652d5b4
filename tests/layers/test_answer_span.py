"""Answer spans: cases for the contract, and the best of all spans one by one."""

import numpy as np
import pytest

from keras_attention import texts
from keras_attention.layers import AnswerSpan
from tests import text_models
from tests.contracts import Case

CASES = [
    Case(
        layer=AnswerSpan,
        config={"max_answer_length": 3, "no_answer": True, "overlap": 2},
        inputs={"logits": ("T", 2)},
        stateless=True,
    )
]
PAIR = ("Who wrote?", "Adas  Lovelace lived, in London.")


def best(logits, text, longest):
    """First and last token and probability of the best span, by all there are."""
    tokens = [0, *(i for i, piece in enumerate(text.pieces) if piece.text == 1)]
    start, end = (np.exp(x) / np.exp(x[tokens]).sum() for x in logits.T)
    spans = {(i, j): start[i] * end[j] for i in tokens[1:] for j in tokens if 0 <= j - i < longest}
    return max(spans, key=spans.get), max(spans.values()), start[0] * end[0]


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize("longest", [1, 3, 30])
def test_the_best_of_all_spans(longest):
    text = texts.read(PAIR, text_models.tokenizer())
    layer, sure = AnswerSpan(longest), AnswerSpan(longest, no_answer=True)
    nothing = 0
    for seed in range(20):
        logits = 2 * np.random.default_rng(seed).normal(size=(len(text.pieces), 2))
        logits[0] += 2
        (first, last), probability, of_none = best(logits, text, longest)
        (span,) = layer.decode_texts([logits], [text])
        assert span.probability == pytest.approx(probability)
        assert span.text == PAIR[1][span.start : span.end]
        pieces = text.pieces[first], text.pieces[last]
        words = {(piece.word, piece.text) for piece in pieces}
        whole = [piece for piece in text.pieces if (piece.word, piece.text) in words]
        assert (span.start, span.end) == (whole[0].start, whole[-1].end)
        (span,) = sure.decode_texts([logits], [text])
        assert (span.text == "") == (of_none > probability)
        assert span.probability == pytest.approx(max(of_none, probability))
        nothing += span.text == ""
    assert 0 < nothing < 20


@pytest.mark.runs_on("torch")
def test_texts_without_anything_to_answer():
    layer, vocabulary = AnswerSpan(), text_models.tokenizer()
    text = texts.read(("Who?", " "), vocabulary)
    (span,) = layer.decode_texts([np.zeros((len(text.pieces), 2))], [text])
    assert (span.text, span.start, span.end, span.probability) == ("", 0, 0, 0.0)
    alone = texts.read("Who?", vocabulary)
    with pytest.raises(ValueError, match=r"in pairs of texts, \[\(question, text\)\]. Rec.*'Who"):
        layer.decode_texts([np.zeros((4, 2))], [alone])
