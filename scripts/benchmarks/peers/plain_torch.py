"""Whole models in plain PyTorch, with the weights of ours: modules on the fused kernel.

They run on PyTorch whatever the backend is. Queries, keys and values are one product.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import torch
import torch.nn.functional as F
from keras import ops
from torch import nn

from benchmarks.case import Run

Cache = tuple[Any, Any, int]  # keys and values (B, N, S, H), and how many positions are filled


class Attention(nn.Module):
    """Multi-head self-attention, which may continue a cache."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Any, mask: Any, causal: bool, cache: Cache | None) -> Any:
        batch, length, width = x.shape
        qkv = self.qkv(x).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (B, N, T, H)
        if cache is not None:
            keys, values, filled = cache
            end = filled + length
            keys[:, :, filled:end], values[:, :, filled:end] = key, value
            key, value, causal = keys[:, :, :end], values[:, :, :end], causal and length > 1
        rate = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(query, key, value, mask, rate, causal)
        return self.output(y.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """A transformer block with a GELU network, as `block` of ours is."""

    def __init__(self, block: keras.Layer, width: int) -> None:
        super().__init__()
        attention, network = block.attention, block.feed_forward
        self.norm_first, self.causal = block.norm_first, attention.causal
        self.attention = Attention(width, attention.num_heads, block.dropout)
        self.up = nn.Linear(width, network.intermediate_dim)
        self.down = nn.Linear(network.intermediate_dim, width)
        self.norm_1, self.norm_2 = _norm(block.attention_norm), _norm(block.feed_forward_norm)
        self.drop = nn.Dropout(block.dropout)
        roles = ("query", "key", "value")
        _set(
            self.attention.qkv,
            np.concatenate([_numpy(getattr(attention, f"{r}_kernel")) for r in roles], axis=1),
            np.concatenate([_numpy(getattr(attention, f"{r}_bias")) for r in roles]),
        )
        _set(self.attention.output, attention.output_kernel, attention.output_bias)
        _set(self.up, network.input_kernel, network.input_bias)
        _set(self.down, network.output_kernel, network.output_bias)

    def forward(self, x: Any, mask: Any = None, cache: Cache | None = None) -> Any:
        if self.norm_first:
            x = x + self.drop(self.attention(self.norm_1(x), mask, self.causal, cache))
            return x + self.drop(self.down(F.gelu(self.up(self.norm_2(x)))))
        x = self.norm_1(x + self.drop(self.attention(x, mask, self.causal, cache)))
        return self.norm_2(x + self.drop(self.down(F.gelu(self.up(x)))))


class Vit(nn.Module):
    """`zoo.vit(position="learned_sequence")`, from images `(B, height, width, 3)` of 0 to 255."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        kernel, bias = map(_tensor, model.get_layer("patches").weights)
        size, _, channels, width = kernel.shape
        self.patches = nn.Conv2d(channels, width, size, size)
        self.patches.weight.data, self.patches.bias.data = kernel.permute(3, 2, 0, 1), bias
        self.token = nn.Parameter(_tensor(model.get_layer("class_token").tokens))
        self.position = nn.Parameter(_tensor(model.get_layer("position").weights[0]))
        self.blocks = nn.ModuleList([Block(block, width) for block in _blocks(model)])
        self.norm = _norm(model.get_layer("norm"))
        self.logits = _dense(model.get_layer("logits"))

    def forward(self, image: Any) -> Any:
        x = self.patches((image / 127.5 - 1).permute(0, 3, 1, 2)).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), 1, -1), x], dim=1) + self.position
        for block in self.blocks:
            x = block(x)
        return self.logits(self.norm(x)[:, 0])


class Bert(nn.Module):
    """`zoo.models.encoder` with a classifier on the first token, from token ids padded with 0."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        layers = [model.get_layer(name) for name in ("embedding", "position", "segments")]
        tables = [_tensor(layer.weights[0]) for layer in layers]
        self.tokens, self.positions, self.segments = (
            nn.Embedding(*t.shape, _weight=t) for t in tables
        )
        self.norm = _norm(model.get_layer("embedding_norm"))
        self.drop = nn.Dropout(model.get_layer("dropout").rate)
        width = tables[0].shape[1]
        self.blocks = nn.ModuleList([Block(block, width) for block in _blocks(model)])
        self.logits = _dense(model.get_layer("logits"))

    def forward(self, ids: Any) -> Any:
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        x = self.drop(self.norm(x + self.segments(torch.zeros_like(ids))))
        mask = (ids != 0)[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask)
        return self.logits(x[:, 0])


class Gpt(nn.Module):
    """`zoo.models.gpt` with learned positions and a tied head."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.tokens = nn.Parameter(_tensor(model.get_layer("embedding").embeddings))
        self.positions = nn.Parameter(_tensor(model.get_layer("position").weights[0]))
        width = self.tokens.shape[1]
        self.blocks = nn.ModuleList([Block(block, width) for block in _blocks(model)])
        self.norm = _norm(model.get_layer("norm"))
        self.drop = nn.Dropout(_blocks(model)[0].dropout)

    def forward(self, ids: Any) -> Any:
        x = self._embed(ids, 0)
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.tokens)

    def continue_from(self, ids: Any, caches: Sequence[Any], filled: int) -> Any:
        """Returns logits of the last token alone, behind the filled positions of caches."""
        x = self._embed(ids, filled)
        for block, (keys, values) in zip(self.blocks, caches, strict=True):
            x = block(x, cache=(keys, values, filled))
        return F.linear(self.norm(x[:, -1:]), self.tokens)[:, 0]

    def _embed(self, ids: Any, filled: int) -> Any:
        positions = self.positions[filled : filled + ids.shape[1]]
        return self.drop(F.embedding(ids, self.tokens) + positions)


MODELS = {"ViT": Vit, "BERT": Bert, "GPT": Gpt}


def forward(module: nn.Module, *arrays: np.ndarray) -> Run:
    """Returns a run of the module as inference has it."""
    module, tensors = module.eval(), [torch.from_numpy(array) for array in arrays]

    def run() -> Any:
        with torch.inference_mode():
            return module(*tensors)

    return run


def fit(module: nn.Module, x: np.ndarray, y: np.ndarray, *, fused: bool) -> Run:
    """Returns a run of one step of Adam, `fused` or as PyTorch chooses.

    Logits `(..., C)` have labels `(...)`.
    """
    optimizer = torch.optim.Adam(module.train().parameters(), lr=1e-5, fused=fused or None)
    x, y = torch.from_numpy(x), torch.from_numpy(y).long()

    def step() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(module(x).flatten(0, -2), y.flatten())
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def greedy(module: Gpt, prompt: np.ndarray, *, new: int) -> Run:
    """Returns a run that writes `new` tokens, with keys and values in buffers of full length."""
    module, prompt = module.eval(), torch.from_numpy(prompt).long()
    batch, length = prompt.shape
    attention = module.blocks[0].attention
    shape = (batch, attention.heads, length + new, module.tokens.shape[1] // attention.heads)

    def run() -> np.ndarray:
        with torch.inference_mode():
            caches = [(torch.empty(shape), torch.empty(shape)) for _ in module.blocks]
            ids = torch.empty(batch, length + new, dtype=torch.long)
            ids[:, :length] = prompt
            logits = module.continue_from(prompt, caches, 0)
            for index in range(length, length + new):
                ids[:, index] = logits.argmax(-1)
                if index + 1 < length + new:
                    logits = module.continue_from(ids[:, index : index + 1], caches, index)
            return ids.numpy()

    return run


def _blocks(model: keras.Model) -> list[keras.Layer]:
    return [layer for layer in model.layers if layer.name.startswith("block_")]


def _norm(layer: keras.Layer) -> nn.LayerNorm:
    norm = nn.LayerNorm(layer.gamma.shape[0], layer.epsilon)
    norm.weight.data, norm.bias.data = _tensor(layer.gamma), _tensor(layer.beta)
    return norm


def _dense(layer: keras.Layer) -> nn.Linear:
    linear = nn.Linear(*layer.kernel.shape)
    _set(linear, layer.kernel, layer.bias)
    return linear


def _set(linear: nn.Linear, kernel: Any, bias: Any) -> None:
    linear.weight.data = _tensor(kernel).T.contiguous()
    linear.bias.data = _tensor(bias)


def _tensor(weight: Any) -> Any:
    return torch.from_numpy(_numpy(weight).copy())


def _numpy(weight: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(weight))
