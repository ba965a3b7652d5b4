"""Graph attention over edges, beside `GATConv` of PyTorch Geometric."""

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import keras
from keras import ops

import keras_attention as ka
from benchmarks import inputs, peers
from benchmarks.case import Case, Peer, Run

# nodes, edges
SIZES = {
    "quick": [(200, 1_000)],
    "cpu": [(10_000, 60_000), (50_000, 300_000)],
    "gpu": [(10_000, 60_000), (50_000, 300_000)],
}
MILLION = {"quick": [], "cpu": [(100_000, 1_000_000)], "gpu": [(100_000, 1_000_000)]}
WIDTH, HEADS, HEAD_DIM = 64, 8, 8
# How our layer is compiled beyond what Keras's trainer does; nothing beyond on JAX.
COMPILERS = {"torch": "torch.compile", "tensorflow": "XLA"}
# Time at most, by backend and compiler: forward, training.
REACH = {
    ("jax", None): (0.4, 0.8),
    ("tensorflow", None): (0.8, 1.0),
    ("tensorflow", "XLA"): (0.25, 0.4),
    ("torch", None): (0.8, 1.15),
    ("torch", "torch.compile"): (0.45, 0.5),
}


def cases(*, scale: str) -> Iterator[Case]:
    backend = keras.backend.backend()
    compilers = [None, COMPILERS[backend]] if backend in COMPILERS else [None]
    for size, train, compiler in product(SIZES[scale], (False, True), compilers):
        reach = {"time": REACH[backend, compiler][train], "memory": 1.2}
        tensors = _graph(*size)
        yield Case(
            name=_named(*size, train, compiler),
            ours=partial(_ours, *tensors, train=train, compiled=compiler is not None),
            peers=[
                Peer(
                    name="PyTorch Geometric",
                    library="torch_geometric",
                    make=partial(_gat_conv, *tensors, train=train),
                    reach={} if scale == "quick" else reach,
                )
            ],
        )
    for size, train in product(MILLION[scale], (False, True)):
        yield Case(
            name=_named(*size, train, None), ours=partial(_ours, *_graph(*size), train=train)
        )


def _named(nodes: int, edges: int, train: bool, compiler: str | None) -> str:
    direction = "training" if train else "forward"
    return f"{direction}, N{nodes} E{edges}" + (f", {compiler}" if compiler else "")


def _graph(nodes: int, edges: int) -> tuple[Any, Any]:
    return inputs.normal(1, nodes, WIDTH), inputs.edges(nodes, edges)


def _ours(features: Any, edges: Any, *, train: bool, compiled: bool = False) -> Run:
    layer = ka.layers.GraphAttention(HEAD_DIM, HEADS, "gat")
    layer.build(features.shape, edges.shape)
    run = peers.training if train else peers.forward
    return run(
        lambda features, edges: layer(features, edges, training=train),
        features,
        edges,
        layer=layer,
        compiled=compiled,
    )


def _gat_conv(features: Any, edges: Any, *, train: bool) -> Run:
    from benchmarks.peers.torch_geometric import gat_conv  # an optional library

    return gat_conv(
        ops.convert_to_numpy(features)[0].astype("float32"),
        ops.convert_to_numpy(edges)[0],
        head_dim=HEAD_DIM,
        heads=HEADS,
        train=train,
    )
