"""Samplers as a command line spells them: temperature=0.8, top_p=0.9, beams=5,length_penalty=2."""

from collections.abc import Iterable
from typing import Any

_CLASSES = {
    "greedy": "Greedy",
    "temperature": "Temperature",
    "top_k": "TopK",
    "top_p": "TopP",
    "min_p": "MinP",
    "repetition_penalty": "RepetitionPenalty",
    "no_repeat_ngrams": "NoRepeatNGrams",
    "beams": "BeamSearch",
}
_OF_WHOLE_NUMBERS = ("top_k", "no_repeat_ngrams", "beams")


def parse(words: Iterable[str]) -> tuple[Any, ...]:
    """Returns the samplers that words such as `top_p=0.9` or `beams=5,length_penalty=2` name.

    Raises:
        ValueError: a word names none.
    """
    return tuple(_parse(word) for word in words)


def _parse(word: str) -> Any:
    from keras_attention import decoding  # not before the backend is chosen

    first, *options = word.split(",")
    name, _, number = first.partition("=")
    try:
        make = getattr(decoding, _CLASSES[name])
        positional = [(int if name in _OF_WHOLE_NUMBERS else float)(number)] if number else []
        named = {key: _number(value) for key, _, value in (o.partition("=") for o in options)}
        return make(*positional, **named)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"A sampler is spelled as one of {', '.join(_CLASSES)}, with its number: top_p=0.9. "
            f"Received: {word!r}" + (f". {error}" if number and name in _CLASSES else "")
        ) from error


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)
