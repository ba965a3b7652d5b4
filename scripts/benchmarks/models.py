"""Whole models beside plain PyTorch, transformers and KerasHub: ViT-Ti/16, BERT-small, a GPT.

The peers have the weights of ours, and before one is timed its numbers must be ours. On JAX and
TensorFlow those of PyTorch run on PyTorch all the same, on the same cores.
"""

import importlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

import keras_attention as ka
from benchmarks import measure, peers
from benchmarks.case import Case, Peer, Run
from benchmarks.fit_step import Clock
from zoo.models import encoder, gpt, vit

CLASSES, STEPS = 10, 2  # steps of the epoch of `fit` that is timed
VOCABULARIES = {"BERT": 30522, "GPT": 8192}


class Size(NamedTuple):
    """Sizes of the models and of what they read."""

    image: dict[str, Any]  # arguments of `vit`
    text: dict[str, Any]  # of `encoder`
    language: dict[str, Any]  # of `gpt`
    length: int  # of the texts
    batches: tuple[int, ...]


LARGE = Size(
    image=dict(image_size=224),
    text=dict(hidden_dim=512, intermediate_dim=2048, num_heads=8, num_layers=4),
    language=gpt.VARIANTS["benchmark"],
    length=128,
    batches=(1, 8),
)
SIZES = {
    "quick": Size(
        image=dict(image_size=32, num_layers=1),
        text=dict(hidden_dim=16, intermediate_dim=32, num_heads=2, num_layers=1),
        language=gpt.VARIANTS["tiny"],
        length=16,
        batches=(2,),
    ),
    "cpu": LARGE,
    "gpu": LARGE,
}
# Time at most, by the backend, the case and the peer.
REACH = {
    ("torch", "ViT forward, B1", "plain torch"): 1.1,
    ("torch", "ViT forward, B8", "plain torch"): 1.05,
    ("torch", "ViT fit, B8", "plain torch"): 1.0,
    ("torch", "BERT forward, B1", "plain torch"): 1.05,
    ("torch", "BERT forward, B8", "plain torch"): 1.0,
    ("torch", "BERT fit, B8", "plain torch"): 1.0,
    ("torch", "BERT fit, B8", "plain torch, fused Adam"): 1.05,
    ("torch", "BERT fit, B8", "transformers"): 0.95,
    ("torch", "GPT fit, B8", "transformers"): 0.9,
    ("jax", "ViT fit, B8", "plain torch"): 1.25,
    ("tensorflow", "ViT fit, B8", "plain torch"): 1.4,
    ("tensorflow", "ViT forward, B1", "keras_hub"): 0.9,
    ("tensorflow", "ViT forward, B8", "keras_hub"): 0.9,
}


class Task(NamedTuple):
    """A model, what it reads and what it learns to answer."""

    name: str
    make: Callable[[], keras.Model]
    x: np.ndarray
    y: np.ndarray


def cases(*, scale: str) -> Iterator[Case]:
    size = SIZES[scale]
    for batch in size.batches:
        for task in tasks(size, batch):
            yield _case(f"{task.name} forward, B{batch}", task, forward, forward_of_torch)
            if batch > 1:
                yield _case(f"{task.name} fit, B{batch}", task, fit, fit_of_torch)


def tasks(size: Size, batch: int) -> Iterator[Task]:
    """Yields the models, each with a batch."""
    random, side = np.random.default_rng(0), size.image["image_size"]
    images = random.uniform(0, 255, (batch, side, side, 3)).astype("float32")
    classes = (np.arange(batch) % CLASSES).astype("int32")
    yield Task("ViT", partial(image_model, **size.image), images, classes)
    ids = token_ids(batch, size.length)
    yield Task("BERT", partial(text_model, **size.text), ids, classes)
    ids = random.integers(1, VOCABULARIES["GPT"], (batch, size.length)).astype("int32")
    yield Task("GPT", partial(language_model, **size.language), ids, np.roll(ids, -1, axis=1))


def _case(name: str, task: Task, run: Callable[..., Run], run_of_torch: Callable[..., Run]) -> Case:
    of_torch = partial(run_of_torch, task)
    makers = {
        "plain torch": ("torch", partial(of_torch, "plain_torch")),
        "transformers": ("transformers", partial(of_torch, "hugging_face")),
    }
    if run is fit:
        makers["plain torch, fused Adam"] = "torch", partial(of_torch, "plain_torch", fused=True)
    if task.name == "ViT":
        makers["keras_hub"] = "keras_hub", partial(of_keras_hub, task, run)
    return Case(
        name=name,
        ours=partial(run, task, task.make),
        peers=[
            Peer(name=peer, make=make, library=library, reach=_reach(name, peer))
            for peer, (library, make) in makers.items()
        ],
        memory=False,
    )


def _reach(name: str, peer: str) -> dict[str, float]:
    bound = REACH.get((keras.backend.backend(), name, peer))
    return {"time": bound} if bound else {}


def token_ids(batch: int, length: int) -> np.ndarray:
    """Returns `(B, T)`: the first row is full, others have T/2 to T ids, padded on the right."""
    random = np.random.default_rng(0)
    ids = random.integers(1000, VOCABULARIES["BERT"], (batch, length)).astype("int32")
    lengths = random.integers(length // 2, length + 1, size=(batch, 1))
    lengths[0] = length
    return np.where(np.arange(length) < lengths, ids, 0).astype("int32")


@cache
def image_model(**sizes: int) -> keras.Model:
    keras.utils.set_random_seed(0)
    return vit.vit(**sizes, position="learned_sequence", epsilon=1e-6, num_classes=CLASSES)


@cache
def text_model(**sizes: int) -> keras.Model:
    keras.utils.set_random_seed(0)
    features = encoder.encoder(**sizes, vocabulary_size=VOCABULARIES["BERT"])
    logits = keras.layers.Dense(CLASSES, name="logits")(features.output[:, 0])
    return keras.Model(features.input, logits)


@cache
def language_model(**sizes: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    return gpt.gpt(**sizes, vocabulary_size=VOCABULARIES["GPT"])


def forward(task: Task, make: Callable[[], keras.Model]) -> Run:
    model, x = make(), ops.convert_to_tensor(task.x)
    return peers.forward(lambda x: model(x, training=False), x, layer=model)


def fit(task: Task, make: Callable[[], keras.Model]) -> Run:
    """Returns an epoch of `fit`, of the same batch again and again."""
    model = keras.models.clone_model(make())
    loss = ka.training.SparseCategoricalCrossentropy()
    model.compile(ka.optimizers.Adam(1e-5), loss, jit_compile=ka.training.choose_jit_compile(model))
    x, y = (np.concatenate([array] * STEPS) for array in (task.x, task.y))

    def epoch() -> measure.Elapsed:
        clock = Clock()
        model.fit(x, y, batch_size=len(task.x), verbose=0, callbacks=[clock], shuffle=False)
        return measure.Elapsed(clock.seconds / STEPS)

    return epoch


def forward_of_torch(task: Task, library: str) -> Run:
    from benchmarks.peers import plain_torch

    run = plain_torch.forward(_module(task, library), task.x)
    require_same(run(), forward(task, task.make)())
    return run


def fit_of_torch(task: Task, library: str, *, fused: bool = False) -> Run:
    from benchmarks.peers import plain_torch

    return plain_torch.fit(_module(task, library), task.x, task.y, fused=fused)


def _module(task: Task, library: str) -> Any:
    return importlib.import_module(f"benchmarks.peers.{library}").MODELS[task.name](task.make())


def of_keras_hub(task: Task, run: Callable[..., Run]) -> Run:
    """Returns a run of KerasHub's classifier of images."""
    from benchmarks.peers import keras_hub

    make = cache(partial(keras_hub.image_classifier, task.make()))
    require_same(forward(task, make)(), forward(task, task.make)())
    return run(task, make)


def require_same(*outputs: Any) -> None:
    """Raises `ValueError` unless the peer computes what ours does."""
    theirs, ours = (np.asarray(x, "float32") for x in map(ops.convert_to_numpy, outputs))
    difference = np.abs(theirs - ours).max()
    if not difference < (1e-3 if keras.config.dtype_policy().compute_dtype == "float32" else 0.1):
        raise ValueError(f"Its numbers are others: they differ by {difference:.2g} from ours")
