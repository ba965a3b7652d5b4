"""Hugging Face's transformers, which run on PyTorch whatever the backend is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch
from keras import ops
from transformers import AutoModel, AutoTokenizer, GPT2Config, GPT2LMHeadModel
from transformers.utils import logging

from benchmarks.case import Run


def generation(
    network: keras.Model, sizes: dict[str, Any], prompt: np.ndarray, *, new: int, beams: int
) -> Run:
    """`generate` of GPT-2 with the weights of a `zoo.models.gpt` of those sizes."""
    config = GPT2Config(
        vocab_size=sizes["vocabulary_size"],
        n_positions=sizes["max_length"],
        n_embd=sizes["hidden_dim"],
        n_layer=sizes["num_layers"],
        n_head=sizes["num_heads"],
        n_inner=sizes["intermediate_dim"],
        activation_function="gelu",
        bos_token_id=None,
        eos_token_id=None,
    )
    theirs = GPT2LMHeadModel(config).eval()
    _copy(network, theirs.transformer)
    ids = torch.from_numpy(prompt).long()
    if torch.cuda.is_available():
        theirs, ids = theirs.cuda(), ids.cuda()
    options = {
        "attention_mask": torch.ones_like(ids),
        "max_new_tokens": new,
        "num_beams": beams,
        "do_sample": False,
        "pad_token_id": 0,
    }

    def run() -> Any:
        with torch.no_grad():
            return theirs.generate(ids, **options).cpu()

    return run


def features(folder: Path, ids: np.ndarray) -> Run:
    """Returns a forward pass of token ids, padded with 0, by an encoder."""
    encoder = _load(folder)
    ids = torch.from_numpy(ids).long().to(encoder.device)
    mask = (ids != 0).long()

    def run() -> Any:
        with torch.no_grad():
            return encoder(input_ids=ids, attention_mask=mask).last_hidden_state

    return run


def vectors(folder: Path, texts: Sequence[str], *, batch_size: int) -> Run:
    """Returns a run from texts to the mean features of each, as sentence-transformers makes them:
    in batches of like lengths, each padded to its longest."""
    tokenizer, encoder = AutoTokenizer.from_pretrained(folder), _load(folder)

    def run() -> np.ndarray:
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]), reverse=True)
        means = []
        for start in range(0, len(order), batch_size):
            some = [texts[row] for row in order[start : start + batch_size]]
            inputs = tokenizer(some, padding=True, truncation=True, return_tensors="pt")
            inputs = inputs.to(encoder.device)
            with torch.no_grad():
                hidden = encoder(**inputs).last_hidden_state
                mask = inputs["attention_mask"][..., None].to(hidden.dtype)
                means.append((hidden * mask).sum(1) / mask.sum(1))
        return torch.cat(means).float().cpu().numpy()[np.argsort(order)]

    return run


def _load(folder: Path) -> Any:
    """Returns an encoder that computes as Keras's layers do: on the GPU if there is one, in their
    dtype."""
    dtype = getattr(torch, keras.config.dtype_policy().compute_dtype)
    logging.disable_progress_bar()
    encoder = AutoModel.from_pretrained(folder, dtype=dtype).eval()
    return encoder.cuda() if torch.cuda.is_available() else encoder


def _copy(network: keras.Model, theirs: Any) -> None:
    """Our weights to a `GPT2Model`."""

    def tensor(variable: Any) -> Any:
        return torch.from_numpy(np.array(ops.convert_to_numpy(variable)))

    def norm(layer: Any, target: Any) -> None:
        target.weight.data, target.bias.data = tensor(layer.gamma), tensor(layer.beta)

    theirs.wte.weight.data.copy_(tensor(network.get_layer("embedding").embeddings))
    theirs.wpe.weight.data.copy_(tensor(network.get_layer("position").weights[0]))
    for i, target in enumerate(theirs.h):
        block = network.get_layer(f"block_{i}")
        attention, feed_forward = block.attention, block.feed_forward
        for kind in ("kernel", "bias"):
            parts = [
                tensor(getattr(attention, f"{role}_{kind}")) for role in ("query", "key", "value")
            ]
            name = "weight" if kind == "kernel" else "bias"
            getattr(target.attn.c_attn, name).data = torch.cat(parts, dim=-1)
            for layer, role, conv in (
                (attention, "output", target.attn.c_proj),
                (feed_forward, "input", target.mlp.c_fc),
                (feed_forward, "output", target.mlp.c_proj),
            ):
                getattr(conv, name).data = tensor(getattr(layer, f"{role}_{kind}"))
        norm(block.attention_norm, target.ln_1)
        norm(block.feed_forward_norm, target.ln_2)
    norm(network.get_layer("norm"), theirs.ln_f)
