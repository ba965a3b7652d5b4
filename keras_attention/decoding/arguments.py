"""The arguments of generation, checked: samplers, stops and seeds."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keras_attention.decoding.parts import Parts
from keras_attention.decoding.samplers import BeamSearch, Sampler

Samplers = Sampler | BeamSearch | Sequence[Sampler | BeamSearch]
Stop = int | str | Sequence[int | str] | None


def split_samplers(sampler: Samplers) -> tuple[tuple[Sampler, ...], BeamSearch | None]:
    """Returns the samplers in order, and the beam search behind them, if any."""
    values = tuple(sampler) if isinstance(sampler, Sequence) else (sampler,)
    for value in values:
        if not isinstance(value, Sampler | BeamSearch):
            raise TypeError(
                "`sampler` must be a value of ka.decoding such as Greedy(), TopP(0.9) or "
                f"BeamSearch(5), or a sequence of them. Received: {value!r}"
            )
    last = values[-1] if values else None
    search = last if isinstance(last, BeamSearch) else None
    samplers = tuple(value for value in values if isinstance(value, Sampler))
    misplaced = len(values) - len(samplers) > (search is not None)
    if misplaced or (search is not None and any(sampler.random for sampler in samplers)):
        raise ValueError(
            "BeamSearch must come last in `sampler`, and nothing random before it. Received: "
            f"sampler={values!r}"
        )
    return samplers, search


def split_stops(parts: Parts, stop: Stop) -> tuple[set[int], tuple[str, ...]]:
    """Returns the ids that end a row, and the texts that do."""
    tokenizer = parts.tokenizer
    ids = set(parts.ends)
    texts = []
    given: Iterable = (
        [] if stop is None else [stop] if isinstance(stop, int | np.integer | str) else stop
    )
    for value in given:
        if isinstance(value, str) and value and tokenizer is not None:
            texts.append(value)
        elif isinstance(value, int | np.integer) and 0 <= value < parts.vocabulary_size:
            ids.add(int(value))
        else:
            raise ValueError(
                f"`stop` must be ids between 0 and {parts.vocabulary_size - 1}, or texts if the "
                f"model has a tokenizer. Received: {value!r}"
            )
    return ids, tuple(texts)


def draw_seed(seed: Any) -> int:
    """Returns a seed of 31 bits: the given one, or one that NumPy draws."""
    if seed is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"`seed` must be an integer or None. Received: seed={seed!r}")
    return int(seed) % 2**31
