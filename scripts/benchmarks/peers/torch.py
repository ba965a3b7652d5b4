"""PyTorch: eager, `F.scaled_dot_product_attention`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks import measure
from benchmarks.case import Run


def on_gpu() -> bool:
    return torch.cuda.is_available()


def sync(output: Any) -> None:
    """Waits until everything is computed."""
    if on_gpu():
        torch.cuda.synchronize()


def memory(run: Run) -> float | None:
    """Returns the MiB that a call needs beside what is there already."""
    if not on_gpu():
        return measure.resident_peak(run, sync)
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    sync(run())
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def memory_environment() -> dict[str, str]:
    """Returns variables that a process needs for `memory` to be right."""
    return {} if on_gpu() else measure.PLAIN_MALLOC


def forward(call: Callable, *tensors: Any, layer: Any = None, compiled: bool = False) -> Run:
    """`call(*tensors)` as inference runs it; `layer` owns the weights that it uses."""
    call = torch.compile(call) if compiled else call

    def run() -> Any:
        with torch.inference_mode():
            return call(*tensors)

    return run


def training(call: Callable, *tensors: Any, layer: Any = None, compiled: bool = False) -> Run:
    """The mean of the output and its gradients by the layer's weights and the float tensors."""
    call = torch.compile(call) if compiled else call
    tensors = [
        x.detach().requires_grad_() if x is not None and x.is_floating_point() else x
        for x in tensors
    ]
    sources = [x for x in tensors if x is not None and x.requires_grad]
    if layer is not None:
        sources += [weight for weight in layer.parameters() if weight.requires_grad]

    def run() -> Any:
        loss = call(*tensors).float().mean()
        return loss.detach(), torch.autograd.grad(loss, sources)

    return run


def eager(call: Callable, *tensors: Any) -> Run:
    """`call(*tensors)`, operation by operation."""
    return forward(call, *tensors)


class SelfAttention(nn.Module):
    """One fused projection, the fused kernel on strided views, one output projection."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Any, mask: Any = None) -> Any:
        batch, length, width = x.shape
        qkv = self.qkv(x).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (B, N, T, H)
        if mask is not None:
            mask = mask[:, None, None, :]
            if self.causal:
                mask = mask & torch.ones(length, length, dtype=torch.bool, device=x.device).tril()
        y = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=self.causal and mask is None
        )
        return self.output(y.transpose(1, 2).reshape(batch, length, width))


def self_attention(x: Any, mask: Any, *, heads: int, causal: bool, train: bool) -> Run:
    """Returns a run of native self-attention, forward or forward and backward."""
    module = SelfAttention(x.shape[-1], heads, causal).to(x.device, x.dtype)
    return (training if train else forward)(module, x, mask, layer=module)


def eager_self_attention(x: Any, *, heads: int) -> Run:
    """`nn.MultiheadAttention`."""
    module = nn.MultiheadAttention(x.shape[-1], heads, batch_first=True)
    module = module.to(x.device, x.dtype).eval()
    return eager(lambda x: module(x, x, x, need_weights=False)[0], x)


def dot_product_attention(query: Any, key: Any, value: Any, *, causal: bool) -> Any:
    """Returns scaled dot products of `(B, N, T, H)`."""
    return F.scaled_dot_product_attention(query, key, value, is_causal=causal)


def optimizer_step(optimizer: Any, variables: Sequence[Any], gradients: Sequence[Any]) -> Run:
    """A step of an optimizer of Keras, as its trainer takes it."""

    def run() -> None:
        with torch.no_grad():
            optimizer.apply(gradients, variables)

    return run


def encoder_epoch(
    x: np.ndarray, y: np.ndarray, *, batch_size: int, layers: int, heads: int, intermediate: int
) -> Run:
    """One epoch of a pre-norm encoder with a classifier on its mean; returns the mean loss."""
    device = torch.device("cuda" if on_gpu() else "cpu")
    model = nn.Sequential(*[Block(x.shape[-1], heads, intermediate) for _ in range(layers)])
    head = nn.Linear(x.shape[-1], int(y.max()) + 1)
    both = nn.ModuleList([model, head]).to(device, torch.bfloat16 if on_gpu() else torch.float32)
    optimizer = torch.optim.Adam(both.parameters(), lr=1e-3, fused=True)

    def epoch() -> float:
        losses = []
        order = np.random.permutation(len(x)).reshape(-1, batch_size)
        for batch in order:
            features = torch.from_numpy(x[batch]).to(device, head.weight.dtype)
            logits = head(model(features).mean(1))
            loss = F.cross_entropy(logits.float(), torch.from_numpy(y[batch]).to(device).long())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())

    return epoch


class Block(nn.Module):
    """Pre-norm block with a GELU network."""

    def __init__(self, width: int, heads: int, intermediate: int) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads, causal=False)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, intermediate), nn.GELU(), nn.Linear(intermediate, width)
        )

    def forward(self, x: Any) -> Any:
        x = x + self.attention(self.norm_1(x))
        return x + self.feed_forward(self.norm_2(x))
