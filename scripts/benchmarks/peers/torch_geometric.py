"""PyTorch Geometric, whichever backend Keras runs on."""

import numpy as np
import torch
from torch_geometric.nn import GATConv

from benchmarks.case import Run


def gat_conv(
    features: np.ndarray, edges: np.ndarray, *, head_dim: int, heads: int, train: bool
) -> Run:
    """`GATConv` of `(N, F)` features and `(E, 2)` edges, forward or forward and backward."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    x = torch.tensor(features, device=device, dtype=dtype, requires_grad=train)
    index = torch.tensor(edges.T.copy(), device=device, dtype=torch.int64)
    layer = GATConv(features.shape[-1], head_dim, heads).to(device, dtype)

    def run() -> None:
        with torch.set_grad_enabled(train):
            output = layer(x, index)
            if train:
                torch.autograd.grad(output.float().mean(), [x, *layer.parameters()])
        if device.type == "cuda":
            torch.cuda.synchronize()

    return run
