"""PyTorch's own optimizers, whichever backend Keras runs on."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from benchmarks.case import Run


def step(
    rule: str, settings: Mapping[str, float], arrays: Sequence[np.ndarray], *, fused: bool
) -> Run:
    """Returns a step of `torch.optim`'s `rule` with Keras's `settings`, its gradients clipped.

    They are clipped in place: by more in the first step than in those that follow.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    weights = [torch.tensor(array, device=device, requires_grad=True) for array in arrays]
    for weight, array in zip(weights, arrays, strict=True):
        weight.grad = torch.tensor(array, device=device)
    decay = settings.get("weight_decay", 0.0)
    optimizer = getattr(torch.optim, rule)(
        weights, lr=1e-3, eps=1e-7, weight_decay=decay, fused=fused or None
    )
    norm = settings.get("global_clipnorm")

    def run() -> None:
        if norm is not None:
            torch.nn.utils.clip_grad_norm_(weights, norm)
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return run
