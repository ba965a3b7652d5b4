"""Features and sentence vectors of an encoder of MiniLM's size, beside transformers and KerasHub.

All read one checkpoint of random weights. Before a peer is timed, its numbers must be ours:
transformers', to rounding. KerasHub's BERT approximates GELU by tanh whatever the checkpoint says
(3e-3 off), so its numbers are held against ours with that approximation.

`predict` goes from texts to a vector each, the mean of the tokens' features. Users of transformers
do it as sentence-transformers does, in batches of 32 texts of like lengths, each padded to its
longest; those of KerasHub with a length that their preprocessor is told, here that of the longest.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import product
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

import keras_attention as ka
import zoo.pretrained
from benchmarks import checkpoint, peers
from benchmarks.case import Case, Peer, Run
from zoo.models.encoder import VARIANTS

BATCH = 32  # texts that are computed at a time


class Size(NamedTuple):
    """Sizes of an encoder and of what it reads."""

    variant: str
    vocabulary: int
    batches: tuple[int, ...]
    lengths: tuple[int, ...]
    texts: tuple[int, ...]
    longest: int  # words of a text


SIZES = {
    "quick": Size("tiny", 200, (2,), (8,), (1, 33), 8),
    "cpu": Size("minilm", 30522, (1, 32), (32, 128), (1, 256), 100),
    "gpu": Size("minilm", 30522, (1, 32), (32, 128, 512), (1, 256), 100),
}


def cases(*, scale: str) -> Iterator[Case]:
    size = SIZES[scale]
    for batch, length in product(size.batches, size.lengths):
        ids = token_ids(batch, length, size.vocabulary)
        yield Case(
            name=f"forward, {describe(size)}, B{batch} T{length}",
            ours=partial(forward, size, ids),
            peers=_peers(forward_of_transformers, forward_of_keras_hub, size, ids),
            memory=False,
        )
    for count in size.texts:
        texts = checkpoint.texts(count, vocabulary=size.vocabulary, longest=size.longest)
        yield Case(
            name=f"predict, {describe(size)}, {count} text{'s' if count > 1 else ''}",
            ours=partial(predict, size, texts),
            peers=_peers(predict_of_transformers, predict_of_keras_hub, size, texts),
            memory=False,
        )


def describe(size: Size) -> str:
    """Returns the sizes of an encoder, for names."""
    return "layers {num_layers} D{hidden_dim} H{num_heads}".format(**VARIANTS[size.variant])


def _peers(of_transformers: Callable, of_keras_hub: Callable, *args: Any) -> list[Peer]:
    return [
        Peer(name=library, make=partial(make, *args), library=library)
        for library, make in (("transformers", of_transformers), ("keras_hub", of_keras_hub))
    ]


def token_ids(batch: int, length: int, vocabulary: int) -> np.ndarray:
    """Returns `(B, T)`: the first row is full, others have T/2 to T ids, padded on the right."""
    random = np.random.default_rng(0)
    ids = random.integers(len(checkpoint.SPECIAL), vocabulary, (batch, length)).astype("int32")
    lengths = random.integers(length // 2, length + 1, size=(batch, 1))
    lengths[0] = length
    return np.where(np.arange(length) < lengths, ids, 0)


@cache
def model(size: Size, task: str, activation: str = "gelu") -> keras.Model:
    return zoo.pretrained.load(_folder(size, activation), task=task)


def _folder(size: Size, activation: str = "gelu") -> Any:
    return checkpoint.folder(size.variant, vocabulary=size.vocabulary, activation=activation)


def forward(size: Size, ids: np.ndarray, *, activation: str = "gelu") -> Run:
    network = model(size, "features", activation)
    return peers.forward(
        lambda ids: network(ids, training=False), ops.convert_to_tensor(ids), layer=network
    )


def forward_of_transformers(size: Size, ids: np.ndarray) -> Run:
    from benchmarks.peers import hugging_face

    make = partial(hugging_face.features, _folder(size))
    _require_same_features(make, partial(forward, size), size)
    return make(ids)


def forward_of_keras_hub(size: Size, ids: np.ndarray) -> Run:
    from benchmarks.peers import keras_hub

    make = partial(keras_hub.features, _folder(size))
    _require_same_features(make, partial(forward, size, activation="gelu_new"), size)
    return make(ids)


def predict(size: Size, texts: Sequence[str], *, activation: str = "gelu") -> Run:
    network = model(size, "embedding", activation)
    raw = texts[0] if len(texts) == 1 else texts
    return partial(ka.predict, network, raw, batch_size=BATCH)


def predict_of_transformers(size: Size, texts: Sequence[str]) -> Run:
    from benchmarks.peers import hugging_face

    make = partial(hugging_face.vectors, _folder(size), batch_size=BATCH)
    _require_same_vectors(make, partial(predict, size), size)
    return make(texts)


def predict_of_keras_hub(size: Size, texts: Sequence[str]) -> Run:
    from benchmarks.peers import keras_hub

    def make(texts: Sequence[str]) -> Run:
        length = ka.encode(model(size, "embedding"), texts).shape[1]
        return keras_hub.vectors(_folder(size), texts, length=length, batch_size=BATCH)

    _require_same_vectors(make, partial(predict, size, activation="gelu_new"), size)
    return make(texts)


def _require_same_features(theirs: Callable, ours: Callable, size: Size) -> None:
    """Raises `ValueError` unless both have the same features, in a batch that is not timed."""
    ids = token_ids(2, 6, size.vocabulary)
    both = [_to_numpy(make(ids)())[ids != 0] for make in (theirs, ours)]
    _require_same(*both)


def _require_same_vectors(theirs: Callable, ours: Callable, size: Size) -> None:
    texts = checkpoint.texts(2, vocabulary=size.vocabulary, longest=4)
    _require_same(*(np.stack([_to_numpy(x) for x in make(texts)()]) for make in (theirs, ours)))


def _require_same(theirs: np.ndarray, ours: np.ndarray) -> None:
    limit = 1e-4 if keras.config.dtype_policy().compute_dtype == "float32" else 0.1
    difference = np.abs(theirs.astype("float32") - ours.astype("float32")).max()
    if not difference < limit:
        raise ValueError(f"Its numbers are others: they differ by {difference:.2g} from ours")


def _to_numpy(tensor: Any) -> np.ndarray:
    return np.asarray(tensor if isinstance(tensor, np.ndarray) else ops.convert_to_numpy(tensor))
