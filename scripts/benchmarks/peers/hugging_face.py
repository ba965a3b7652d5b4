"""Hugging Face's transformers, which run on PyTorch whatever the backend is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch
from torch import nn
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoTokenizer,
)
from transformers.utils import logging

from benchmarks import checkpoint
from benchmarks.case import Run


def generation(network: keras.Model, prompt: np.ndarray, *, new: int, beams: int) -> Run:
    """`generate` of GPT-2 with the weights of a `zoo.models.gpt`."""
    theirs = _of_model(AutoModelForCausalLM, network, "gpt2").eval()
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


class ImageClassifier(nn.Module):
    """ViT with the weights of a `zoo.vit`, from images `(B, height, width, 3)` of 0 to 255."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.vit = _of_model(AutoModelForImageClassification, model, "vit")

    def forward(self, image: Any) -> Any:
        return self.vit((image / 127.5 - 1).permute(0, 3, 1, 2)).logits


class TextClassifier(nn.Module):
    """BERT with a classifier on the first token, from token ids padded with 0."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.bert = _of_model(AutoModel, model, "bert", add_pooling_layer=False)
        kernel, bias = map(np.array, model.get_layer("logits").get_weights())
        self.classifier = nn.Linear(*kernel.shape)
        self.classifier.weight.data = torch.from_numpy(kernel).T.contiguous()
        self.classifier.bias.data = torch.from_numpy(bias)

    def forward(self, ids: Any) -> Any:
        mask = (ids != 0).long()
        return self.classifier(self.bert(ids, attention_mask=mask).last_hidden_state[:, 0])


class LanguageModel(nn.Module):
    """GPT-2 with the weights of a `zoo.gpt`, from token ids to logits."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.gpt2 = _of_model(AutoModelForCausalLM, model, "gpt2")

    def forward(self, ids: Any) -> Any:
        return self.gpt2(ids, use_cache=False).logits


MODELS = {"ViT": ImageClassifier, "BERT": TextClassifier, "GPT": LanguageModel}


def _of_model(kind: Any, model: keras.Model, model_type: str, **settings: Any) -> Any:
    """Returns what transformers loads of a checkpoint of ours."""
    logging.set_verbosity_error()  # a classifier that is read apart is unexpected
    logging.disable_progress_bar()
    with checkpoint.of_model(model, model_type) as folder:
        return kind.from_pretrained(folder, dtype=torch.float32, **settings)
