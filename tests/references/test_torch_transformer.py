"""Transformer blocks against PyTorch's encoder and decoder layers with the same weights."""

import keras
import numpy as np
import pytest
import torch

from keras_attention.layers import TransformerBlock, TransformerDecoderBlock
from tests.references.compare import (
    assert_same,
    assign,
    gradients,
    multi_head_weights,
    normal,
    randomize,
    to_numpy,
)

B, T, S, N, D, INNER = 3, 7, 5, 4, 24, 40

PADDING = np.arange(T) < np.array([[7], [4], [2]])
MEMORY_PADDING = np.arange(S) < np.array([[3], [5], [1]])
TRIANGLE = np.tril(np.ones((T, T), bool))
STYLES = pytest.mark.parametrize(
    ("norm_first", "activation"),
    [(True, "relu"), (True, "gelu"), (False, "relu"), (False, "gelu")],
)


def copy_block(layer, reference, norms):
    """Copies what encoder and decoder share; `norms` names our norms in the order of theirs."""
    assign(layer.attention, multi_head_weights(reference.self_attn))
    assign_feed_forward(layer.feed_forward, reference)
    for i, name in enumerate(norms, start=1):
        norm = getattr(reference, f"norm{i}")
        assign(getattr(layer, name), {"gamma": norm.weight, "beta": norm.bias})


def assign_feed_forward(layer, reference):
    for ours, theirs in (("input", reference.linear1), ("output", reference.linear2)):
        assign(layer, {f"{ours}_kernel": theirs.weight.T})
        if theirs.bias is not None:
            assign(layer, {f"{ours}_bias": theirs.bias})


def hidden(mask):
    """A boolean mask of PyTorch is True where it hides."""
    return None if mask is None else torch.from_numpy(~mask)


def compare(layer, reference, inputs, rows):
    """Output and gradients for the inputs; only `rows` count where a mask leaves some out."""
    rows = np.ones((B, T), bool) if rows is None else rows
    cotangent = normal(B, T, D, seed=1, scale=0.2) * rows[..., None]
    tensors = [torch.from_numpy(x).requires_grad_() for x in inputs]
    expected = reference(*tensors)
    expected_gradients = torch.autograd.grad(
        (expected * torch.from_numpy(cotangent)).sum(), tensors
    )
    assert_same(to_numpy(layer(*inputs))[rows], to_numpy(expected)[rows])
    for ours, theirs in zip(gradients(layer, inputs, cotangent), expected_gradients, strict=True):
        assert_same(ours, theirs)


@STYLES
@pytest.mark.parametrize("padded", [False, True], ids=["full", "padded"])
@pytest.mark.parametrize("causal", [False, True], ids=["bidirectional", "causal"])
def test_encoder_block(norm_first, activation, causal, padded):
    reference = torch.nn.TransformerEncoderLayer(
        D, N, INNER, activation=activation, norm_first=norm_first, batch_first=True
    )
    randomize(reference, seed=2)
    layer = TransformerBlock(N, INNER, activation=activation, norm_first=norm_first, causal=causal)
    layer.build((B, T, D))
    copy_block(layer, reference, ("attention_norm", "feed_forward_norm"))
    padding = PADDING if padded else None
    compare(
        lambda x: layer(x, mask=padding),
        lambda x: reference(
            x,
            src_mask=hidden(TRIANGLE) if causal else None,
            src_key_padding_mask=hidden(padding),
        ),
        [normal(B, T, D, seed=3)],
        padding,
    )


@pytest.mark.parametrize("norm_first", [True, False])
def test_encoder_block_without_biases(norm_first):
    """In projections and norms, with the approximation of GELU by tanh and another epsilon."""
    reference = torch.nn.TransformerEncoderLayer(
        D,
        N,
        INNER,
        activation=lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
        norm_first=norm_first,
        batch_first=True,
        bias=False,
        layer_norm_eps=1e-3,
    )
    randomize(reference, seed=11)
    layer = TransformerBlock(
        N,
        INNER,
        activation="gelu_tanh",
        norm_first=norm_first,
        norm=keras.layers.LayerNormalization(center=False, epsilon=1e-3),
        use_bias=False,
    )
    layer.build((B, T, D))
    query, key, value = reference.self_attn.in_proj_weight.chunk(3)
    output = reference.self_attn.out_proj.weight
    kernels = {"query": query, "key": key, "value": value, "output": output}
    assign(layer.attention, {f"{name}_kernel": kernel.T for name, kernel in kernels.items()})
    assign_feed_forward(layer.feed_forward, reference)
    assign(layer.attention_norm, {"gamma": reference.norm1.weight})
    assign(layer.feed_forward_norm, {"gamma": reference.norm2.weight})
    assert len(layer.trainable_variables) == 8
    compare(
        lambda x: layer(x, mask=PADDING),
        lambda x: reference(x, src_key_padding_mask=hidden(PADDING)),
        [normal(B, T, D, seed=12)],
        PADDING,
    )


@STYLES
@pytest.mark.parametrize("padded", [False, True], ids=["full", "padded"])
@pytest.mark.parametrize("causal", [False, True], ids=["bidirectional", "causal"])
def test_decoder_block(norm_first, activation, causal, padded):
    reference = torch.nn.TransformerDecoderLayer(
        D, N, INNER, activation=activation, norm_first=norm_first, batch_first=True
    )
    randomize(reference, seed=4)
    layer = TransformerDecoderBlock(
        N, INNER, activation=activation, norm_first=norm_first, causal=causal
    )
    layer.build((B, T, D), (B, S, D))
    copy_block(layer, reference, ("attention_norm", "cross_attention_norm", "feed_forward_norm"))
    assign(layer.cross_attention, multi_head_weights(reference.multihead_attn))
    padding = PADDING if padded else None
    memory_padding = MEMORY_PADDING if padded else None
    compare(
        lambda x, memory: layer(x, memory, query_mask=padding, value_mask=memory_padding),
        lambda x, memory: reference(
            x,
            memory,
            tgt_mask=hidden(TRIANGLE) if causal else None,
            tgt_key_padding_mask=hidden(padding),
            memory_key_padding_mask=hidden(memory_padding),
        ),
        [normal(B, T, D, seed=5), normal(B, S, D, seed=6)],
        padding,
    )


def test_attention_masks_of_the_decoder_block():
    """Arbitrary masks for both attentions, instead of padding."""
    random = np.random.default_rng(7)
    seen, memory_seen = random.random((T, T)) < 0.5, random.random((T, S)) < 0.5
    seen[:, 0] = memory_seen[:, 0] = True  # PyTorch answers NaN where nothing is seen
    reference = torch.nn.TransformerDecoderLayer(D, N, INNER, batch_first=True)
    randomize(reference, seed=8)
    layer = TransformerDecoderBlock(N, INNER, activation="relu", norm_first=False, causal=False)
    layer.build((B, T, D), (B, S, D))
    copy_block(layer, reference, ("attention_norm", "cross_attention_norm", "feed_forward_norm"))
    assign(layer.cross_attention, multi_head_weights(reference.multihead_attn))
    compare(
        lambda x, memory: layer(
            x, memory, attention_mask=seen[None], cross_attention_mask=memory_seen[None]
        ),
        lambda x, memory: reference(
            x, memory, tgt_mask=hidden(seen), memory_mask=hidden(memory_seen)
        ),
        [normal(B, T, D, seed=9), normal(B, S, D, seed=10)],
        None,
    )
