"""Text from a GPT, greedy and by beams, beside transformers, KerasHub, plain PyTorch, no cache."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import keras
import numpy as np

import keras_attention as ka
from benchmarks.case import Case, Peer, Run
from benchmarks.models import require_same
from keras_attention import inference
from keras_attention.decoding import BeamSearch, Greedy
from zoo.models.gpt import VARIANTS, gpt

# variant, vocabulary, prompt, new tokens, batches
SIZES = {
    "quick": ("tiny", 64, 4, 6, (2,)),
    "cpu": ("benchmark", 8192, 32, 96, (1, 8)),
    "gpu": ("benchmark", 8192, 32, 96, (1, 8)),
}
BEAMS = 4
# Tokens per second of ours / the peer's at least, by backend, peer and batch.
FASTER = {
    ("torch", "transformers", 1): 1.0,
    ("torch", "transformers", 8): 1.0,
    ("jax", "transformers", 1): 1.5,
    ("jax", "transformers", 8): 1.5,
    ("tensorflow", "transformers", 1): 1.8,
    ("tensorflow", "transformers", 8): 1.8,
    ("torch", "plain torch", 1): 1 / 1.1,
    ("torch", "keras_hub", 1): 3.0,
    ("torch", "keras_hub", 8): 3.0,
    ("jax", "keras_hub", 1): 1.2,
    ("jax", "keras_hub", 8): 1.8,
    ("tensorflow", "keras_hub", 1): 1.5,
    ("tensorflow", "keras_hub", 8): 2.5,
}


def cases(*, scale: str) -> Iterator[Case]:
    variant, vocabulary, length, new, batches = SIZES[scale]
    for batch in batches:
        sizes = {**VARIANTS[variant], "vocabulary_size": vocabulary}
        prompt = np.random.default_rng(0).integers(1, vocabulary, (batch, length)).astype("int32")
        run = {"sizes": sizes, "prompt": prompt, "new": new}
        size = f"B{batch} D{sizes['hidden_dim']} layers {sizes['num_layers']} prompt {length}"
        yield Case(
            name=f"greedy, {size}, {new} new tokens",
            ours=partial(ours, **run),
            peers=[
                Peer(
                    name="transformers",
                    make=partial(of_transformers, **run),
                    library="transformers",
                    reach=_reach("transformers", batch, scale),
                ),
                Peer(
                    name="keras_hub",
                    make=partial(of_keras_hub, **run),
                    library="keras_hub",
                    reach=_reach("keras_hub", batch, scale),
                ),
                Peer(
                    name="plain torch",
                    make=partial(of_plain_torch, **run),
                    library="torch",
                    reach=_reach("plain torch", batch, scale),
                ),
                Peer(
                    name="the whole sequence again for each token",
                    make=partial(uncached, **run),
                    reach={} if scale == "quick" else {"time": 1 / 10},
                ),
            ],
            steps=new,
            memory=False,
        )
        yield Case(
            name=f"{BEAMS} beams, {size}, {new} new tokens",
            ours=partial(ours, **run, beams=BEAMS),
            peers=[
                Peer(
                    name="transformers",
                    make=partial(of_transformers, **run, beams=BEAMS),
                    library="transformers",
                    reach={} if scale == "quick" else {"time": 1.0},
                )
            ],
            steps=new,
            memory=False,
        )


def _reach(peer: str, batch: int, scale: str) -> dict[str, float]:
    factor = FASTER.get((keras.backend.backend(), peer, batch))
    return {} if scale == "quick" or factor is None else {"time": 1 / factor}


def model(sizes: dict[str, Any]) -> keras.Model:
    keras.utils.set_random_seed(0)
    return gpt(**sizes)


def ours(*, sizes: dict, prompt: np.ndarray, new: int, beams: int = 1) -> Run:
    sampler = Greedy() if beams == 1 else BeamSearch(beams)
    return partial(ka.generate, model(sizes), prompt, sampler=sampler, max_new_tokens=new)


def uncached(*, sizes: dict, prompt: np.ndarray, new: int) -> Run:
    """Returns a run that passes over the whole sequence for each token."""
    network, (batch, length) = model(sizes), prompt.shape
    ids = np.zeros((batch, length + new), np.int32)  # one shape, so that nothing recompiles
    ids[:, :length] = prompt

    def run() -> np.ndarray:
        for index in range(length, length + new):
            logits = inference.outputs(network, ids, batch_size=batch)
            ids[:, index] = np.argmax(logits[:, index - 1], axis=-1)
        return ids

    return run


def of_transformers(*, sizes: dict, prompt: np.ndarray, new: int, beams: int = 1) -> Run:
    from benchmarks.peers import hugging_face

    return hugging_face.generation(model(sizes), prompt, new=new, beams=beams)


def of_plain_torch(*, sizes: dict, prompt: np.ndarray, new: int) -> Run:
    from benchmarks.peers import plain_torch

    run = plain_torch.greedy(plain_torch.Gpt(model(sizes)), prompt, new=new)
    require_same(run()[:, prompt.shape[1] :], ours(sizes=sizes, prompt=prompt, new=new)())
    return run


def of_keras_hub(*, sizes: dict, prompt: np.ndarray, new: int) -> Run:
    """Returns a run of `generate` of KerasHub's GPT-2 on the same backend."""
    import keras_hub

    length = prompt.shape[1] + new
    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=sizes["vocabulary_size"],
        num_layers=sizes["num_layers"],
        num_heads=sizes["num_heads"],
        hidden_dim=sizes["hidden_dim"],
        intermediate_dim=sizes["intermediate_dim"],
        max_sequence_length=sizes["max_length"],
        dropout=0.0,
    )
    theirs = keras_hub.models.GPT2CausalLM(backbone, preprocessor=None)
    theirs.compile(sampler="greedy")
    ids = np.pad(prompt, ((0, 0), (0, new)))
    mask = np.arange(length)[None].repeat(len(prompt), axis=0) < prompt.shape[1]
    inputs = {"token_ids": ids, "padding_mask": mask.astype("int32")}
    return partial(theirs.generate, inputs, stop_token_ids=None)
