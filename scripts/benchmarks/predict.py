"""Answers to few raw texts, beside the model called on what they are encoded to.

`encoder.py` has the same beside transformers and KerasHub. The peer is what somebody writes who
leaves `ka.predict` out: `model(ka.encode(model, texts))`, on PyTorch without gradients, elsewhere
eager. Each call has texts of another length, as those of a server do.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from keras import ops

import keras_attention as ka
from benchmarks import checkpoint, encoder, peers
from benchmarks.case import Case, Peer, Run

COUNTS = (1, 3, 32)
BATCHES = 8  # of different texts, one after the other


def cases(*, scale: str) -> Iterator[Case]:
    size = encoder.SIZES[scale]
    for count in COUNTS:
        texts = checkpoint.texts(BATCHES * count, vocabulary=size.vocabulary, longest=size.longest)
        batches = [texts[start : start + count] for start in range(0, len(texts), count)]
        model = partial(encoder.model, size, "embedding")
        yield Case(
            name=f"{encoder.describe(size)}, {count} text{'s' if count > 1 else ''}",
            ours=partial(_run_all, partial(_predict, model), batches),
            peers=[
                Peer(
                    name="model(x)",
                    make=partial(_run_all, partial(_call, model), batches),
                    reach={} if scale == "quick" else {"time": 1.0},
                )
            ],
            steps=BATCHES,
            memory=False,
        )


def _run_all(make: Callable[[], Callable], batches: list[list[str]]) -> Run:
    """Returns a run that answers all batches; the first call has compiled what it takes."""
    answer = make()
    for batch in batches:
        answer(batch)
    return lambda: [answer(batch) for batch in batches]


def _predict(model: Callable[[], Any]) -> Callable[[list[str]], Any]:
    return partial(ka.predict, model())


def _call(model: Callable[[], Any]) -> Callable[[list[str]], np.ndarray]:
    network = model()
    call = partial(network, training=False)

    def answer(texts: list[str]) -> np.ndarray:
        ids = ops.convert_to_tensor(ka.encode(network, texts))
        return np.asarray(ops.convert_to_numpy(peers.eager(call, ids)()))

    return answer
