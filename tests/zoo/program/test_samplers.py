"""Samplers as a command line spells them."""

import pytest

from keras_attention import decoding
from zoo.program import samplers

pytestmark = pytest.mark.runs_on("torch")


def test_words_are_samplers_in_their_order():
    assert samplers.parse(["no_repeat_ngrams=3", "temperature=0.8", "top_p=0.9"]) == (
        decoding.NoRepeatNGrams(3),
        decoding.Temperature(0.8),
        decoding.TopP(0.9),
    )
    assert samplers.parse(["greedy"]) == (decoding.Greedy(),)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("beams=5", decoding.BeamSearch(5)),
        ("beams=5,num_results=2", decoding.BeamSearch(5, num_results=2)),
        (
            "beams=5,length_penalty=2,coverage_penalty=0.1",
            decoding.BeamSearch(5, length_penalty=2.0, coverage_penalty=0.1),
        ),
    ],
)
def test_a_search_has_options(word, expected):
    assert samplers.parse([word]) == (expected,)


@pytest.mark.parametrize(
    "word", ["warm", "top_p", "top_k=0.5", "top_p=2", "top_p=0.9,length_penalty=2"]
)
def test_other_words_are_refused(word):
    with pytest.raises(ValueError, match=f"Received: '{word}'"):
        samplers.parse([word])
