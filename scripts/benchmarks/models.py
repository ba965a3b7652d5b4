"""Whole models beside plain PyTorch: ViT-Ti/16, BERT-small, a block alone, a GPT that writes.

The peers have the weights of ours, and before one is timed its numbers must be ours. On JAX and
TensorFlow they run on PyTorch all the same, on the same cores.
"""

from collections.abc import Callable, Iterator, Mapping
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

CLASSES, STEPS = 10, 4  # steps of the epoch of `fit` that is timed


class Size(NamedTuple):
    """Sizes of the models and of what they read."""

    image: dict[str, Any]  # arguments of `vit`
    text: dict[str, Any]  # of `encoder`
    writer: dict[str, Any]  # of `gpt`
    length: int  # of the texts
    batches: tuple[int, ...]
    new: int  # tokens that are written behind 32


LARGE = Size(
    image=dict(image_size=224),
    text=dict(hidden_dim=512, intermediate_dim=2048, num_heads=8, num_layers=4),
    writer=gpt.VARIANTS["benchmark"],
    length=128,
    batches=(1, 8),
    new=96,
)
SIZES = {
    "quick": Size(
        image=dict(image_size=32, num_layers=1),
        text=dict(hidden_dim=16, intermediate_dim=32, num_heads=2, num_layers=1),
        writer={**gpt.VARIANTS["tiny"], "max_length": 64},
        length=16,
        batches=(2,),
        new=4,
    ),
    "cpu": LARGE,
    "gpu": LARGE,
}
VOCABULARY, WRITTEN = 30522, 8192  # of the models that read, and of the one that writes
# Time at most beside plain PyTorch, by the backend and the beginning of the case's name.
REACH = {
    ("torch", "ViT forward, B1"): 1.1,
    ("torch", "ViT forward, B8"): 1.05,
    ("torch", "ViT fit, B8"): 1.0,
    ("torch", "BERT forward, B1"): 1.05,
    ("torch", "BERT forward, B8"): 1.0,
    ("torch", "BERT fit, B8"): 1.0,
    ("torch", "block, no mask"): 2.0,
    ("torch", "block, mask"): 2.5,
    ("torch", "GPT greedy, B1"): 1.1,
    ("jax", "ViT fit, B8"): 1.25,
    ("tensorflow", "ViT fit, B8"): 1.4,
}


def cases(*, scale: str) -> Iterator[Case]:
    size, random = SIZES[scale], np.random.default_rng(0)
    side = size.image["image_size"]
    for batch in size.batches:
        images = random.uniform(0, 255, (batch, side, side, 3)).astype("float32")
        for name, make, x in (
            ("ViT", partial(image_model, size), images),
            ("BERT", partial(text_model, size), token_ids(batch, size.length)),
        ):
            yield _case(
                f"{name} forward, B{batch}",
                partial(forward, make, x),
                {"plain torch": partial(forward_of_torch, name, make, x)},
            )
            if batch > 1:
                y = (np.arange(batch) % CLASSES).astype("int32")
                yield _case(
                    f"{name} fit, B{batch}",
                    partial(fit, make, x, y),
                    {
                        "plain torch": partial(fit_of_torch, name, make, x, y),
                        "plain torch, fused Adam": partial(
                            fit_of_torch, name, make, x, y, fused=True
                        ),
                    },
                )
    if keras.backend.backend() == "torch":  # the others compile
        for name, mask in (("no mask", None), ("mask", np.arange(16)[None] < 12)):
            yield _case(
                f"block, {name}, B1 T16 D64",
                partial(block, mask),
                {"plain torch": partial(block_of_torch, mask)},
            )
    prompt = random.integers(1, WRITTEN, (1, 32)).astype("int32")
    yield _case(
        f"GPT greedy, B1, {size.new} new tokens",
        partial(write, size, prompt),
        {"plain torch": partial(write_of_torch, size, prompt)},
    )


def _case(name: str, ours: Callable[[], Run], makers: Mapping[str, Callable[[], Run]]) -> Case:
    backend = keras.backend.backend()
    bounds = [bound for (b, case), bound in REACH.items() if b == backend and name.startswith(case)]
    reach = {"time": bounds[0]} if bounds else {}
    made = [
        Peer(name=peer, make=make, library="torch", reach=reach if peer == "plain torch" else {})
        for peer, make in makers.items()
    ]
    return Case(name=name, ours=ours, peers=made, memory=False)


def token_ids(batch: int, length: int) -> np.ndarray:
    """Returns `(B, T)`: the first row is full, others have T/2 to T ids, padded on the right."""
    random = np.random.default_rng(0)
    ids = random.integers(1000, VOCABULARY, (batch, length)).astype("int32")
    lengths = random.integers(length // 2, length + 1, size=(batch, 1))
    lengths[0] = length
    return np.where(np.arange(length) < lengths, ids, 0).astype("int32")


@cache
def _image_model(side: int, layers: int) -> keras.Model:
    keras.utils.set_random_seed(0)
    return vit.vit(
        image_size=side, num_layers=layers, position="learned_sequence", num_classes=CLASSES
    )


def image_model(size: Size) -> keras.Model:
    return _image_model(size.image["image_size"], size.image.get("num_layers", 12))


@cache
def _text_model(**sizes: int) -> keras.Model:
    keras.utils.set_random_seed(0)
    features = encoder.encoder(**sizes, vocabulary_size=VOCABULARY)
    logits = keras.layers.Dense(CLASSES, name="logits")(features.output[:, 0])
    return keras.Model(features.input, logits)


def text_model(size: Size) -> keras.Model:
    return _text_model(**size.text)


def forward(make: Callable[[], keras.Model], x: np.ndarray) -> Run:
    model = make()
    return peers.forward(lambda x: model(x, training=False), ops.convert_to_tensor(x), layer=model)


def forward_of_torch(name: str, make: Callable[[], keras.Model], x: np.ndarray) -> Run:
    from benchmarks.peers import plain_torch

    run = plain_torch.forward(plain_torch.MODELS[name](make()), x)
    _require_same(run(), forward(make, x)())
    return run


def fit(make: Callable[[], keras.Model], x: np.ndarray, y: np.ndarray) -> Run:
    """Returns an epoch of `fit`, of the same batch again and again."""
    model = keras.models.clone_model(make())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(ka.optimizers.Adam(1e-5), loss)
    xs, ys = np.tile(x, (STEPS, *[1] * (x.ndim - 1))), np.tile(y, STEPS)

    def epoch() -> measure.Elapsed:
        clock = Clock()
        model.fit(xs, ys, batch_size=len(x), verbose=0, callbacks=[clock], shuffle=False)
        return measure.Elapsed(clock.seconds / STEPS)

    return epoch


def fit_of_torch(
    name: str, make: Callable[[], keras.Model], x: np.ndarray, y: np.ndarray, *, fused: bool = False
) -> Run:
    from benchmarks.peers import plain_torch

    return plain_torch.fit(plain_torch.MODELS[name](make()), x, y, fused=fused)


@cache
def _block() -> keras.Layer:
    keras.utils.set_random_seed(0)
    layer = ka.layers.TransformerBlock(4, 256)
    layer.build((None, None, 64))
    return layer


def _features() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((1, 16, 64), dtype="float32")


def block(mask: np.ndarray | None) -> Run:
    layer = _block()
    mask = None if mask is None else ops.convert_to_tensor(mask)
    return peers.forward(
        lambda x: layer(x, mask=mask), ops.convert_to_tensor(_features()), layer=layer
    )


def block_of_torch(mask: np.ndarray | None) -> Run:
    from benchmarks.peers import plain_torch

    masks = [] if mask is None else [mask[:, None, None]]
    run = plain_torch.forward(plain_torch.Block(_block(), 64), _features(), *masks)
    seen = slice(None) if mask is None else mask
    _require_same(run()[seen], block(mask)()[seen])
    return run


@cache
def _writer(**sizes: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    return gpt.gpt(**sizes, vocabulary_size=WRITTEN)


def write(size: Size, prompt: np.ndarray) -> Run:
    return partial(ka.generate, _writer(**size.writer), prompt, max_new_tokens=size.new)


def write_of_torch(size: Size, prompt: np.ndarray) -> Run:
    from benchmarks.peers import plain_torch

    run = plain_torch.greedy(plain_torch.Gpt(_writer(**size.writer)), prompt, new=size.new)
    _require_same(run()[:, prompt.shape[1] :], write(size, prompt)())
    return run


def _require_same(*outputs: Any) -> None:
    """Raises `ValueError` unless the peer computes what ours does."""
    theirs, ours = (np.asarray(x, "float32") for x in map(ops.convert_to_numpy, outputs))
    difference = np.abs(theirs - ours).max()
    if not difference < (1e-3 if keras.config.dtype_policy().compute_dtype == "float32" else 0.1):
        raise ValueError(f"Its numbers are others: they differ by {difference:.2g} from ours")
