"""PyTorch's traces of layers, which files of other programs are made of, take any batch and length.

In `torch.jit.trace`, which the export to ONNX runs, sizes are tensors; in `torch.export` symbols.
"""

import keras
import pytest

import keras_attention as ka
from tests.backend import BACKEND

if BACKEND == "torch":
    import torch

pytestmark = pytest.mark.only_on("torch")

L = ka.layers
# What the export to ONNX that Keras calls lacks, or what it gives other numbers for: it takes the
# sizes of an unflattened tensor for constants, and `index_add` adds no two rows to one.
NOT_IN_ONNX = {
    "aten::bitwise_xor",
    "aten::eye",
    "aten::index_add",
    "aten::take_along_dim",
    "aten::unflatten",
    "prim::PythonOp",
}


def edges(x):
    """`(B, T, 2)` pairs of the first two elements."""
    return keras.ops.cast(x[:, :, :2] > 0, "int32")


def sparse(**kwargs):
    return L.MultiHeadSelfAttention(4, mechanism=L.BlockSparseAttention(2, 1, 1, 1), **kwargs)


ATTENTION = {
    "grouped": lambda x: L.MultiHeadSelfAttention(
        4, num_kv_heads=2, causal=True, position="rotary", qk_norm=True
    )(x),
    "window": lambda x: L.MultiHeadSelfAttention(4, causal=True, window=3)(x),
    "alibi": lambda x: L.MultiHeadSelfAttention(4, causal=True, position="alibi")(x),
    "relative bias": lambda x: L.MultiHeadSelfAttention(4, position="relative_bias")(x),
    "shaw": lambda x: L.MultiHeadSelfAttention(4, position="shaw")(x),
    "linear": lambda x: L.MultiHeadSelfAttention(4, causal=True, mechanism="linear")(x),
    "interleaved": lambda x: L.MultiHeadSelfAttention(
        4, position=L.RotaryEmbedding(interleaved=True)
    )(x),
    "masked": lambda x: L.MultiHeadSelfAttention(4, causal=True)(x, mask=x[:, :, 0] > -1),
    "scores": lambda x: L.MultiHeadSelfAttention(4)(x, return_attention_scores=True)[1],
    "block sparse": lambda x: sparse()(x),
    "causal block sparse": lambda x: sparse(causal=True)(x),
    "graph": lambda x: L.GraphAttention(4, 2, "gat")(x, adjacency=x[:, :, :1] > x[:, None, :, 0]),
    "graph of gatv2": lambda x: L.GraphAttention(4, 2)(x, adjacency=x[:, :, :1] > x[:, None, :, 0]),
    "edges": lambda x: L.GraphAttention(4, 2)(x, edges=edges(x)),
    "edges of gat": lambda x: L.GraphAttention(4, 2, "gat")(x * 100, edges=edges(x)),
    "segments": lambda x: L.SegmentPooling(4)(x),
    "cross": lambda x: L.MultiHeadCrossAttention(4, num_kv_heads=2)(x, x),
    "block": lambda x: L.TransformerBlock(4, 32, activation="swiglu", norm="rms")(x),
    "decoder block": lambda x: L.TransformerDecoderBlock(4, 32)(x, x),
    "bahdanau": lambda x: L.BahdanauAttention(8)(x, x),
    "concat": lambda x: L.LuongAttention("concat")(x, x),
    "luong": lambda x: L.LuongAttention("general", "local_p", window=2)(x, x),
    "pooling": lambda x: L.AttentionPooling(num_heads=2)(x),
    "learned": lambda x: L.PositionalEncoding("learned", 100)(x),
    "n-grams": lambda x: L.NGramConvolution(4, (2, 3))(x),
}


def model_of(name):
    inputs = keras.Input((None, 16))
    return keras.Model(inputs, ATTENTION[name](inputs))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ATTENTION)
def test_traced(name):
    model = model_of(name)
    with torch.no_grad():
        trace = torch.jit.trace(model, torch.randn(2, 5, 16), check_trace=False)
        for length in (9, 70):
            x = torch.randn(3, length, 16)
            torch.testing.assert_close(trace(x), model(x), atol=1e-5, rtol=1e-5)
    assert not NOT_IN_ONNX & {node.kind() for node in trace.inlined_graph.nodes()}


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["window", "graph of gatv2"])  # by rows, in chunks
def test_traced_at_a_length_that_is_computed_otherwise(name):
    model = model_of(name)
    with torch.no_grad():
        trace = torch.jit.trace(model, torch.randn(1, 260, 16), check_trace=False)
        x = torch.randn(3, 9, 16)
        torch.testing.assert_close(trace(x), model(x), atol=1e-5, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("traced", [1, 5])
@pytest.mark.parametrize("length", [3, 9])
def test_loop_over_time_fails_at_another_length(traced, length):
    inputs = keras.Input((None, 16))
    model = keras.Model(inputs, L.RecurrentDecoder(8)(inputs))
    with torch.no_grad():
        trace = torch.jit.trace(model, torch.randn(2, traced, 16), check_trace=False)
        x = torch.randn(3, traced, 16)
        torch.testing.assert_close(trace(x), model(x), atol=1e-5, rtol=1e-5)
        with pytest.raises(RuntimeError):
            trace(torch.randn(3, length, 16))


@pytest.mark.parametrize("name", ["grouped", "cross", "shaw", "luong", "edges"])
def test_exported(name):
    model = model_of(name)

    class Module(torch.nn.Module):  # of an argument with a name of its own
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model(x)

    sizes = {0: torch.export.Dim("batch", max=8), 1: torch.export.Dim("length", min=2, max=100)}
    with torch.no_grad():
        program = torch.export.export(
            Module(), (torch.randn(2, 5, 16),), dynamic_shapes={"x": sizes}, strict=False
        )
        for length in (9, 70):
            x = torch.randn(3, length, 16)
            torch.testing.assert_close(program.module()(x), model(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("mechanism", [None, "linear"])
def test_compiled_as_one_graph(mechanism):
    """A shape in an inner function's annotation, for one, breaks the graph of `torch.compile`."""
    layer = L.TransformerBlock(4, 32, causal=True, mechanism=mechanism)
    x = torch.randn(2, 5, 16)
    expected = layer(x)
    compiled = torch.compile(lambda x: layer(x), backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), expected)
