"""Answers of `ka.predict` and `ka.generate` as values of JSON."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.serve.limits import Limits, too_large


def to_json(answer: Any) -> Any:
    """Returns an answer as a value of JSON.

    - An `Answer`: `{"label": ..., "probability": ..., "ranking": [[name, share], ...]}`.
    - Words with answers: `{"words": [{"word": ..., "label": ..., ...}], "entities": [...]}`.
    - A `Span`, a `Filled`, a `Hypothesis`: an object of their attributes.
    - Numbers by name: an object. Arrays: lists. A number that is not finite: null.
    """
    if dataclasses.is_dataclass(answer) and not isinstance(answer, type):
        names = [field.name for field in dataclasses.fields(answer)]
        return {name: to_json(getattr(answer, name)) for name in names}
    if isinstance(answer, Mapping):
        return {str(name): to_json(value) for name, value in answer.items()}
    if isinstance(answer, np.ndarray):
        return to_json(answer.tolist())
    if isinstance(answer, np.generic):
        return to_json(answer.item())
    if isinstance(answer, list) and answer and _is_word(answer[0]):
        return {**_entities(answer), "words": [{"word": w, **to_json(a)} for w, a in answer]}
    if hasattr(answer, "entities"):  # of a text without words
        return {**_entities(answer), "words": []}
    if isinstance(answer, (list, tuple)):
        return [to_json(each) for each in answer]
    if isinstance(answer, float) and not math.isfinite(answer):
        return None
    return answer


def check_size(answers: Any, limits: Limits) -> None:
    """Raises `Refusal` if the arrays among answers have too many numbers to send."""
    size = _count(answers)
    if size > limits.values:
        raise too_large(
            f"An answer may have {limits.values:,} numbers. The model gives {size:,}. Send fewer "
            "or shorter inputs."
        )


def _count(answers: Any) -> int:
    if isinstance(answers, np.ndarray):
        return answers.size
    if isinstance(answers, Mapping):
        return sum(map(_count, answers.values()))
    return sum(map(_count, answers)) if isinstance(answers, (list, tuple)) else 0


def _is_word(value: Any) -> bool:
    """Returns whether it is a word with its answer."""
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and isinstance(value[0], str)
        and dataclasses.is_dataclass(value[1])
    )


def _entities(words: Any) -> dict[str, Any]:
    return {"entities": to_json(words.entities)} if hasattr(words, "entities") else {}
