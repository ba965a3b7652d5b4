"""Samplers as JSON spells them: `[{"no_repeat_ngrams": 3}, {"top_p": 0.9, "temperature": 0.8}]`."""

from typing import Any

from keras_attention import decoding
from zoo.serve.limits import Limits, bad, too_large

# By name the class, and the argument that the name's value is. The last one is an argument of
# others as well, so they come first.
_CLASSES: dict[str, tuple[Any, str | None]] = {
    "greedy": (decoding.Greedy, None),
    "top_k": (decoding.TopK, "k"),
    "top_p": (decoding.TopP, "p"),
    "min_p": (decoding.MinP, "p"),
    "repetition_penalty": (decoding.RepetitionPenalty, "penalty"),
    "no_repeat_ngrams": (decoding.NoRepeatNGrams, "n"),
    "beams": (decoding.BeamSearch, "num_beams"),
    "temperature": (decoding.Temperature, "temperature"),
}
_MOST = 4


def read(value: Any, limits: Limits) -> tuple[Any, ...]:
    """Returns the samplers of a request.

    Raises:
        Refusal: it names none, or a search with too many beams.
    """
    entries = [value] if isinstance(value, dict) else value
    if not isinstance(entries, list) or not 0 < len(entries) <= _MOST:
        raise bad(
            f'`sampler` must be a list of 1 to {_MOST} objects such as {{"top_p": 0.9}}. Received: '
            f"{str(value)[:100]!a}"
        )
    return tuple(_read(entry, limits) for entry in entries)


def _read(entry: Any, limits: Limits) -> Any:
    names = [name for name in _CLASSES if isinstance(entry, dict) and name in entry]
    if not names:
        raise bad(
            f'A sampler has one of the names {", ".join(_CLASSES)}: {{"top_p": 0.9}}. Received: '
            f"{str(entry)[:100]!a}"
        )
    cls, argument = _CLASSES[names[0]]
    settings = {argument if name == names[0] else name: x for name, x in entry.items()}
    settings.pop(None, None)
    for name, number in settings.items():
        if isinstance(number, int) and abs(number) > 2**31:
            raise bad(f"`{str(name)[:50]}` of a sampler is too large.")
    try:
        sampler = cls(**settings)
    except (TypeError, ValueError) as error:
        raise bad(f"The sampler {str(entry)[:100]!a} is none: {str(error)[:200]}") from None
    if isinstance(sampler, decoding.BeamSearch) and sampler.num_beams > limits.beams:
        raise too_large(f"`beams` may be {limits.beams} at most. Received: {sampler.num_beams}")
    return sampler
