"""Checkpoints as they are published, with random weights, and texts of made-up words to read.

What is compared reads the same folder, each by its own code.
"""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

from keras_attention.saving import tensors
from zoo.models.encoder import VARIANTS, encoder
from zoo.pretrained import bert, gpt2, vit, weights

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MAX_LENGTH = 512
_NAMES = {
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "num_heads": "num_attention_heads",
    "num_layers": "num_hidden_layers",
}


@cache
def folder(variant: str, *, vocabulary: int, activation: str = "gelu") -> Path:
    """Returns a folder with an encoder of `zoo.models.encoder`; it is deleted when Python ends.

    Args:
        variant: of the encoder, whose weights are the same in every run.
        vocabulary: number of word pieces.
        activation: as Hugging Face names it.
    """
    path = Path(_temporary().name, f"{variant}-{activation}")
    path.mkdir()
    sizes = {name: VARIANTS[variant][name] for name in _NAMES}
    keras.utils.set_random_seed(0)
    model = encoder(**sizes, max_length=MAX_LENGTH, vocabulary_size=vocabulary)
    width = sizes["hidden_dim"]
    pooler = {  # which transformers and KerasHub compute, and nothing here reads
        "pooler.dense.weight": np.zeros((width, width), np.float32),
        "pooler.dense.bias": np.zeros(width, np.float32),
    }
    _write_tensors(path, {**weights.save(model, bert.weights("")), **pooler})
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": vocabulary,
        "max_position_embeddings": MAX_LENGTH,
        "type_vocab_size": 2,
        "hidden_act": activation,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        **{theirs: sizes[ours] for ours, theirs in _NAMES.items()},
    }
    _write(path / "config.json", config)
    _write(path / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer"})
    (path / "vocab.txt").write_text("\n".join(word_pieces(vocabulary)) + "\n", encoding="utf-8")
    return path


@contextmanager
def of_model(model: keras.Model, model_type: str) -> Iterator[Path]:
    """Gives a folder with a checkpoint of a `zoo.vit`, an encoder with a classifier or a `zoo.gpt`.

    Args:
        model: whose blocks are named `block_0` and so on.
        model_type: of the checkpoint, `"vit"`, `"bert"` or `"gpt2"`.
    """
    classifier = weights.linear("classifier", "logits/")
    rules = {
        "vit": [*vit.weights("vit."), *classifier],
        "bert": [*bert.weights("bert."), *classifier],
        "gpt2": gpt2.weights("transformer."),
    }
    with TemporaryDirectory(prefix="benchmark-") as folder:
        path = Path(folder)
        _write_tensors(path, weights.save(model, rules[model_type]))
        _write(path / "config.json", {"model_type": model_type, **_config(model, model_type)})
        yield path


def _config(model: keras.Model, model_type: str) -> dict[str, Any]:
    blocks = [layer for layer in model.layers if layer.name.startswith("block_")]
    block = blocks[0]
    width, layers, heads = block.output.shape[-1], len(blocks), block.attention.num_heads
    inner, epsilon = block.feed_forward.intermediate_dim, block.attention_norm.epsilon
    rates = block.dropout, block.attention.dropout

    def rows(name: str) -> int:
        return model.get_layer(name).weights[0].shape[0]

    if model_type == "gpt2":
        return {
            "vocab_size": rows("embedding"),
            "n_positions": rows("position"),
            "n_embd": width,
            "n_layer": layers,
            "n_head": heads,
            "n_inner": inner,
            "activation_function": "gelu",
            "layer_norm_epsilon": epsilon,
            "resid_pdrop": rates[0],
            "embd_pdrop": rates[0],
            "attn_pdrop": rates[1],
            "bos_token_id": None,
            "eos_token_id": None,
        }
    if model_type == "vit":
        reads = {"image_size": model.input.shape[1], "patch_size": rows("patches")}
    else:
        reads = {"vocab_size": rows("embedding"), "max_position_embeddings": rows("position")}
    return {
        **reads,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "hidden_act": "gelu",
        "layer_norm_eps": epsilon,
        "hidden_dropout_prob": rates[0],
        "attention_probs_dropout_prob": rates[1],
        "qkv_bias": True,
        "id2label": {str(label): str(label) for label in range(model.output.shape[-1])},
    }


def word_pieces(count: int) -> list[str]:
    """Returns a vocabulary: special tokens, letters, words of one to three syllables, endings."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    syllables = ["".join(pair) for pair in itertools.product("bdfgklmnprstvz", "aeiou")]
    words = ("".join(parts) for n in (1, 2, 3) for parts in itertools.product(syllables, repeat=n))
    endings = [f"##{syllable}" for syllable in syllables]
    pieces = [*SPECIAL, ".", *letters, *(f"##{letter}" for letter in letters), *endings]
    return [*pieces, *itertools.islice(words, count)][:count]


def texts(count: int, *, vocabulary: int, longest: int) -> list[str]:
    """Returns sentences: the n-th word comes up 1 / n times as often as the first, one word in five
    has an ending, and half of the sentences have less than a fifth of the `longest`'s words."""
    random = np.random.default_rng(0)
    pieces = word_pieces(vocabulary)
    words = [piece for piece in pieces if piece.isalpha() and len(piece) > 1]
    endings = [piece.removeprefix("##") for piece in pieces if piece.startswith("##")]
    chances = 1 / np.arange(1, len(words) + 1)
    lengths = np.exp(random.normal(np.log(longest / 6), 0.8, size=count)).astype(int)
    sentences = []
    for length in np.clip(lengths, 2, longest):
        chosen = random.choice(words, size=length, p=chances / chances.sum())
        ended = random.choice(endings, size=length) if endings else [""] * length
        with_ending = random.random(length) < 0.2
        parts = [w + e * bool(has) for w, e, has in zip(chosen, ended, with_ending, strict=True)]
        sentences.append(" ".join(parts).capitalize() + ".")
    return sentences


@cache
def _temporary() -> Any:
    return TemporaryDirectory(prefix="benchmark-")


def _write_tensors(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    path = folder / "model.safetensors"
    tensors.import_safetensors().numpy.save_file(arrays, path, metadata={"format": "pt"})


def _write(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
