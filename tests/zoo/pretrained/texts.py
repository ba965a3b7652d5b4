"""A tiny GPT-2 that writes texts: its files, and prompts of several lengths."""

import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

FOLDER = Path(__file__).parent / "checkpoints" / "gpt2"
TEXTS = FOLDER / "texts"
PROMPTS = [
    "the cat",
    "!",
    "once upon a time there was a",
    "at",
    "it's! \U0001f600 a hat",
    "dog ran",
]
NEW = 14
BEAMS = {"num_beams": 4, "length_penalty": 2.0, "early_stopping": False}


def make_checkpoint(folder, seed=3):
    """Returns a folder with weights and vocabulary of a model that reads its context.

    The committed weights are made larger, and the tokens of their table exchanged: what it writes
    is another text for each seed.
    """
    shutil.copytree(TEXTS, folder)
    tensors = load_file(FOLDER / "model.safetensors")
    for name, tensor in tensors.items():
        if name == "wpe.weight" or (name.startswith("h.") and tensor.ndim == 2):
            tensors[name] = 2 * tensor
    tensors["ln_f.bias"] *= 0
    order = np.random.default_rng(seed).permutation(len(tensors["wte.weight"]))
    tensors["wte.weight"] = tensors["wte.weight"][order]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
