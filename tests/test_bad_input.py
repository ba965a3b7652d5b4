"""Bad input: one table of clear errors, worded alike on every backend.

Each is raised before anything is computed, when a layer is made, built or called, with
tensors and in a functional model alike.
"""

import re

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka

L = ka.layers


def x(*shape):
    return np.zeros(shape, "float32")


def ints(*values):
    return np.array([values], "int32")


def true(*shape):
    return np.ones(shape, "bool")


BAD = {
    # heads and units
    "heads not positive": (
        lambda: L.MultiHeadSelfAttention(0),
        "`num_heads` must be a positive integer. Received: num_heads=0",
    ),
    "heads not an integer": (
        lambda: L.MultiHeadCrossAttention(2.5),
        "`num_heads` must be a positive integer. Received: num_heads=2.5",
    ),
    "heads a bool": (
        lambda: L.TransformerBlock(True, 8),
        "`num_heads` must be a positive integer. Received: num_heads=True",
    ),
    "units negative": (
        lambda: L.BahdanauAttention(-3),
        "`units` must be a positive integer. Received: units=-3",
    ),
    "pooling heads": (
        lambda: L.AttentionPooling(num_heads="2"),
        "`num_heads` must be a positive integer. Received: num_heads='2'",
    ),
    "graph head size": (
        lambda: L.GraphAttention(0),
        "`head_dim` must be a positive integer. Received: head_dim=0",
    ),
    "intermediate width": (
        lambda: L.FeedForward(0),
        "`intermediate_dim` must be a positive integer. Received: intermediate_dim=0",
    ),
    "kv heads": (
        lambda: L.MultiHeadSelfAttention(6, num_kv_heads=4),
        "`num_heads` must be divisible by `num_kv_heads`. Received: num_heads=6, num_kv_heads=4",
    ),
    "width": (
        lambda: L.MultiHeadSelfAttention(4)(x(2, 3, 10)),
        "`query width` must be divisible by `num_heads`. Received: query width=10, num_heads=4",
    ),
    "width in a model": (
        lambda: L.TransformerBlock(4, 8)(keras.Input((None, 10))),
        "`query width` must be divisible by `num_heads`. Received: query width=10, num_heads=4",
    ),
    "pooling width": (
        lambda: L.AttentionPooling(num_heads=3)(x(2, 3, 10)),
        "`value width` must be divisible by `num_heads`. Received: value width=10, num_heads=3",
    ),
    "window": (
        lambda: L.MultiHeadSelfAttention(2, window=0),
        "`window` must be a positive integer. Received: window=0",
    ),
    # dropout
    "dropout of 1": (
        lambda: L.MultiHeadSelfAttention(2, dropout=1.0),
        "`dropout` must be a number in [0, 1), the share that is dropped. Received: dropout=1.0",
    ),
    "negative dropout": (
        lambda: L.LuongAttention(dropout=-0.1),
        "`dropout` must be a number in [0, 1), the share that is dropped. Received: dropout=-0.1",
    ),
    "stochastic depth": (
        lambda: L.TransformerBlock(2, 8, stochastic_depth=2),
        "`stochastic_depth` must be a number in [0, 1), the share that is dropped. "
        "Received: stochastic_depth=2",
    ),
    # names
    "mechanism": (
        lambda: L.MultiHeadSelfAttention(2, mechanism="sparse"),
        "`mechanism` must be None, one of 'block_sparse', 'linear', 'shifted_window', or a "
        "mechanism layer such as `BlockSparseAttention`. Received: mechanism='sparse'",
    ),
    "mechanism and window": (
        lambda: L.MultiHeadSelfAttention(2, causal=True, window=3, mechanism="linear"),
        "`window` is of dense attention. Received: window=3, mechanism=LinearAttention. Leave it "
        "out, or leave out `mechanism`.",
    ),
    "mechanism and bias": (
        lambda: L.TransformerBlock(2, 8, position="alibi", mechanism="block_sparse"),
        "`BlockSparseAttention` never holds T x S logits. Received: position=ALiBi, which adds to "
        "them. Pass position='rotary', or add absolute positions before the layer, with "
        "`PositionalEncoding`.",
    ),
    "linear and rotary": (
        lambda: L.MultiHeadSelfAttention(2, position="rotary", mechanism="linear"),
        "`LinearAttention` knows no relative positions. Received: position=RotaryEmbedding. Add "
        "absolute ones before the layer, with `PositionalEncoding`.",
    ),
    "linear and dropout": (
        lambda: L.MultiHeadSelfAttention(2, dropout=0.1, mechanism="linear"),
        "`LinearAttention` has no weights that training could drop. Received: dropout=0.1. Drop "
        "the layer's output instead, with `keras.layers.Dropout` or by `dropout` of a block.",
    ),
    "linear and scale": (
        lambda: L.MultiHeadSelfAttention(2, scale=1.0, mechanism="linear"),
        "`scale` is of the logits of a softmax, which `LinearAttention` has not. Received: "
        "scale=1.0. Leave it out.",
    ),
    "feature map": (
        lambda: L.LinearAttention("exp"),
        "`feature_map` must be one of 'elu', 'relu', 'softplus'. Received: feature_map='exp'",
    ),
    "no block": (
        lambda: L.BlockSparseAttention(0),
        "`block_size` must be a positive integer. Received: block_size=0",
    ),
    "fewer than no random blocks": (
        lambda: L.BlockSparseAttention(random_blocks=-1),
        "`random_blocks` must be 0 or a positive integer. Received: random_blocks=-1",
    ),
    "a shift of a window": (
        lambda: L.ShiftedWindowAttention(4, shift=4),
        "`shift` must be below `window_size`. Received: shift=4, window_size=4",
    ),
    "causal windows": (
        lambda: L.MultiHeadSelfAttention(2, causal=True, mechanism="shifted_window"),
        "Windows of an image have no order. Received: causal=True. Use `BlockSparseAttention`, or "
        "`window` of `MultiHeadSelfAttention`, for sequences.",
    ),
    "not a square": (
        lambda: L.MultiHeadSelfAttention(2, mechanism="shifted_window")(x(1, 6, 4)),
        "`grid` must be the rows and columns of the tokens. Received: grid=None, 6 tokens",
    ),
    "position": (
        lambda: L.MultiHeadSelfAttention(2, position="rope"),
        "`position` must be None, one of 'rotary', 'relative_bias', 'alibi', 'shaw', or a position "
        "layer such as `RotaryEmbedding`. Received: position='rope'",
    ),
    "score": (
        lambda: L.LuongAttention("scaled"),
        "`score` must be one of 'dot', 'general', 'concat'. Received: score='scaled'",
    ),
    "norm": (
        lambda: L.TransformerBlock(2, 8, norm="batch"),
        "`norm` must be one of 'layer', 'rms'. Received: norm='batch'",
    ),
    "rotary on odd heads": (
        lambda: L.MultiHeadSelfAttention(2, position="rotary")(x(2, 3, 6)),
        "Rotary embedding turns pairs of channels: `head_dim * fraction` must be even and positive",
    ),
    # ranks
    "rank 2": (
        lambda: L.MultiHeadSelfAttention(2)(x(3, 8)),
        "`query` must have shape (B, T, D). Received: query of shape (3, 8)",
    ),
    "rank 4": (
        lambda: L.MultiHeadCrossAttention(2)(x(2, 3, 8), x(2, 3, 4, 8)),
        "`value` must have shape (B, S, D_v). Received: value of shape (2, 3, 4, 8)",
    ),
    "rank of a memory": (
        lambda: L.BahdanauAttention(4)(x(2, 8), x(2, 3, 8)),
        "`query` must have shape (B, T, D). Received: query of shape (2, 8)",
    ),
    "rank of an image": (
        lambda: L.PatchEmbedding(8, 2)(x(8, 8, 3)),
        "`inputs` must have shape (B, height, width, C). Received: inputs of shape (8, 8, 3)",
    ),
    "rank of logits": (
        lambda: L.ALiBi()(x(2, 3, 4)),
        "`logits` must have shape (B, N, T, S). Received: logits of shape (2, 3, 4)",
    ),
    # lengths and widths that must agree
    "key and value length": (
        lambda: L.MultiHeadCrossAttention(2)(x(2, 3, 8), x(2, 4, 8), key=x(2, 5, 8)),
        "`key` must have shape (B, S, D_k) with S=4, as `value` has. "
        "Received: key of shape (2, 5, 8)",
    ),
    "key and value length, additive": (
        lambda: L.BahdanauAttention(2)(x(2, 3, 8), x(2, 4, 8), key=x(2, 5, 8)),
        "`key` must have shape (B, S, D_k) with S=4, as `value` has. "
        "Received: key of shape (2, 5, 8)",
    ),
    "width for the dot score": (
        lambda: L.LuongAttention("dot")(x(2, 3, 8), x(2, 4, 6)),
        "`query` and `key` must have the same width for score='dot'; score='general' takes "
        "different ones. Received: query of shape (2, 3, 8), key of shape (2, 4, 6)",
    ),
    "projected keys": (
        lambda: L.BahdanauAttention(5)(x(2, 3, 8), x(2, 4, 8), projected_key=x(2, 4, 6)),
        "`projected_key` must have shape (B, S, units) with units=5. "
        "Received: projected_key of shape (2, 4, 6)",
    ),
    # masks
    "mask length": (
        lambda: L.MultiHeadSelfAttention(2)(x(2, 3, 8), mask=true(2, 4)),
        "`mask` must have shape (B, T), the first two of `query`. "
        "Received: mask of shape (2, 4), query of shape (2, 3, 8)",
    ),
    "value mask length": (
        lambda: L.MultiHeadCrossAttention(2)(x(2, 3, 8), x(2, 4, 8), value_mask=true(2, 3)),
        "`value_mask` must have shape (B, T), the first two of `value`. "
        "Received: value_mask of shape (2, 3), value of shape (2, 4, 8)",
    ),
    "pooling mask": (
        lambda: L.AttentionPooling()(x(2, 3, 8), mask=true(3, 2)),
        "`mask` must have shape (B, T), the first two of `value`.",
    ),
    "integer mask": (
        lambda: L.TransformerBlock(2, 8)(x(2, 3, 8), mask=np.ones((2, 3), "int32")),
        "`mask` must be boolean, True = attend. Received: mask of dtype int32. "
        "Compare first: `token_ids != 0`, or cast 0/1 integers to bool.",
    ),
    "additive mask": (
        lambda: L.MultiHeadSelfAttention(2)(x(2, 3, 8), attention_mask=x(2, 3, 3)),
        "`attention_mask` must be boolean, True = attend. Received: attention_mask of dtype "
        "float32. An additive mask becomes boolean by `mask > -1`",
    ),
    "ambiguous mask": (
        lambda: L.MultiHeadSelfAttention(2)(x(3, 3, 8), attention_mask=true(3, 3)),
        "`attention_mask` of rank 2 is ambiguous. Received: attention_mask of shape (3, 3). "
        "For padding (B, S) pass `mask`, `query_mask` or `value_mask`;",
    ),
    "attention mask shape": (
        lambda: L.MultiHeadCrossAttention(2)(x(2, 3, 8), x(2, 4, 8), attention_mask=true(2, 4, 3)),
        "`attention_mask` must be broadcastable to (B, T, S) or (B, N, T, S). "
        "Received: attention_mask of shape (2, 4, 3), (B, N, T, S)=(2, 2, 3, 4)",
    ),
    "attention mask of too many heads": (
        lambda: L.TransformerBlock(2, 8)(x(2, 3, 8), attention_mask=true(2, 4, 3, 3)),
        "`attention_mask` must be broadcastable to (B, T, S) or (B, N, T, S).",
    ),
    # positions
    "beyond the table": (
        lambda: L.PositionalEncoding("learned", max_length=4)(x(2, 5, 8)),
        "The size of `inputs` must be at most max_length=4. Received: 5. "
        "Make the learned table larger, or use kind='sinusoidal'.",
    ),
    "beyond a grid": (
        lambda: L.PositionalEncoding("learned", max_length=(4, 4))(x(2, 4, 5, 8)),
        "The size of `inputs` must be at most max_length=4. Received: 5.",
    ),
    "table without length": (
        lambda: L.PositionalEncoding("learned"),
        "`max_length` must be a positive integer. Received: max_length=None",
    ),
    # patches
    "patch too large": (
        lambda: L.PatchEmbedding(8, 16)(x(1, 32, 8, 3)),
        "A patch must not be larger than the image. Received: width=8, patch_size=(16, 16). "
        "Use smaller patches, or pad or resize first.",
    ),
    "no patch": (
        lambda: L.PatchEmbedding(8),
        "Pass either `patch_size`, with or without `stride`, or `stem`.",
    ),
    "pooling without a stem": (
        lambda: L.PatchEmbedding(8, 2, stem_pooling=True),
        "`stem_pooling=True` pools between the convolutions of a `stem`. "
        "Received: stem=None. Pass `stem`, or leave `stem_pooling` out.",
    ),
    # graphs
    "edge beyond the nodes": (
        lambda: L.GraphAttention(4)(x(1, 3, 5), edges=ints([0, 1], [2, 3], [-1, -1])),
        "`edges` must be between nodes 0 and 2, or (-1, -1) for padding. "
        "Received: 1 others, the first (2, 3), for 3 nodes",
    ),
    "half-padded edge": (
        lambda: L.GraphAttention(4)(x(1, 3, 5), edges=ints([0, 1], [-1, 2])),
        "Received: 1 others, the first (-1, 2), for 3 nodes",
    ),
    "edges of floats": (
        lambda: L.GraphAttention(4)(x(1, 3, 5), edges=x(1, 2, 2)),
        "`edges` must be integers, (source, target) of each edge. Received: edges of dtype float32",
    ),
    "edge shape": (
        lambda: L.GraphAttention(4)(x(1, 3, 5), edges=np.zeros((1, 2, 3), "int32")),
        "`edges` must have shape (B, E, 2). Received: edges of shape (1, 2, 3)",
    ),
    "no edges": (
        lambda: L.GraphAttention(4)(x(1, 3, 5)),
        "Pass either `edges` (B, E, 2) or `adjacency` (B, N, N). Received: neither",
    ),
    "adjacency shape": (
        lambda: L.GraphAttention(4)(x(1, 3, 5), adjacency=x(1, 3, 4)),
        "`adjacency` must have shape (B, N, N) with N=3, as `features` has. "
        "Received: adjacency of shape (1, 3, 4)",
    ),
    # recurrent decoders
    "cell": (
        lambda: L.RecurrentDecoder(4, "rnn"),
        "`cell` must be one of 'gru', 'lstm'. Received: cell='rnn'",
    ),
    "attention of another kind": (
        lambda: L.RecurrentDecoder(4, attention=L.MultiHeadCrossAttention(2, name="x")),
        "`attention` must be None, a `BahdanauAttention` or a `LuongAttention`. Received: "
        "attention=<MultiHeadCrossAttention name=x",
    ),
    "a memory and nothing that reads it": (
        lambda: L.RecurrentDecoder(4)(x(2, 3, 8), x(2, 5, 8)),
        "`value` is the memory of the attention: there must be both or none. Received: "
        "value of shape (2, 5, 8), attention=None",
    ),
    "attention and no memory": (
        lambda: L.RecurrentDecoder(4, attention=L.BahdanauAttention(4))(x(2, 3, 8)),
        "Received: value of shape None, attention=BahdanauAttention",
    ),
    "initial state": (
        lambda: L.RecurrentDecoder(4, "lstm")(x(2, 3, 8), initial_state=x(2, 4)),
        "`initial_state` must have shape (B, state_size) with state_size=8. "
        "Received: initial_state of shape (2, 4)",
    ),
    # schedule and cache
    "schedule": (
        lambda: ka.schedules.InverseSqrtWarmup(100),
        "Pass either `hidden_dim` (the paper's rate) or `peak` (the highest rate).",
    ),
    "cache": (
        lambda: ka.cache().__enter__(),
        "Pass either `max_length`, to begin a cache, or the `state` of one.",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_learned_table_in_a_model():
    model_input = keras.Input((5, 8))
    with pytest.raises(ValueError, match="must be at most max_length=4"):
        L.PositionalEncoding("learned", max_length=4)(model_input)


def test_a_cache_has_room_or_says_so():
    layer = L.MultiHeadSelfAttention(2, causal=True)
    with pytest.raises(ValueError, match="must be at most max_length=4"), ka.cache(max_length=4):
        layer(x(1, 5, 8))


def test_only_causal_attention_is_continued():
    causal, other = L.MultiHeadSelfAttention(2, causal=True), L.MultiHeadSelfAttention(2)
    with ka.cache(max_length=4) as cache:
        causal(other(x(1, 3, 8)))
    with (
        pytest.raises(ValueError, match="Only causal self-attention can be continued"),
        ka.cache(cache.state, index=3),
    ):
        other(x(1, 1, 8))


def test_a_state_of_another_model_is_refused():
    layer, other = (L.MultiHeadSelfAttention(2, causal=True, name=name) for name in "ab")
    with ka.cache(max_length=4) as cache:
        layer(x(1, 3, 8))
    with (
        pytest.raises(ValueError, match="The cache holds nothing for the layer 'b'"),
        ka.cache(cache.state, index=3),
    ):
        other(x(1, 1, 8))


def test_bad_values_leave_the_layer_usable():
    layer = L.GraphAttention(4)
    with pytest.raises(ValueError, match="must be between nodes"):
        layer(x(1, 3, 5), edges=ints([0, 7]))
    assert ops.shape(layer(x(1, 3, 5), edges=ints([0, 2]))) == (1, 3, 4)
