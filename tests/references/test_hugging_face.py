"""Positions and whole attention layers against transformers, random weights copied over."""

import inspect

import keras
import numpy as np
import pytest
import torch
from transformers import (
    BloomConfig,
    GPTJConfig,
    GPTNeoXConfig,
    LlamaConfig,
    Qwen2Config,
    Qwen3Config,
    T5Config,
)
from transformers.models.bloom import modeling_bloom
from transformers.models.gpt_neox import modeling_gpt_neox
from transformers.models.gptj import modeling_gptj
from transformers.models.llama import modeling_llama
from transformers.models.mpt import modeling_mpt
from transformers.models.qwen2 import modeling_qwen2
from transformers.models.qwen3 import modeling_qwen3
from transformers.models.t5 import modeling_t5

from keras_attention.layers import (
    ALiBi,
    MultiHeadSelfAttention,
    RelativePositionBias,
    RotaryEmbedding,
)
from keras_attention.ops import positions
from tests.references.compare import assert_same, assign, gradients, normal, randomize, to_numpy

B, T = 2, 11
TRIANGLE = np.tril(np.ones((T, T), bool))
PADDING = np.arange(T) < np.array([[T], [6]])


def steps(length):
    return torch.arange(length)[None]


def additive(mask):
    """A boolean mask, True = attend, as what transformers adds to logits: `(B, 1, T, S)`."""
    mask = torch.from_numpy(np.broadcast_to(mask, (B, T, T)).copy())[:, None]
    return torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)


def linear(layer, module, names):
    """Copies `torch.nn.Linear`s: their name -> ours."""
    for theirs, ours in names.items():
        projection = getattr(module, theirs)
        assign(layer, {f"{ours}_kernel": projection.weight.T})
        if projection.bias is not None:
            assign(layer, {f"{ours}_bias": projection.bias})


def linear_by_head(layer, projection, heads):
    """Copies one `torch.nn.Linear` whose outputs are (head, query / key / value, channel)."""
    inputs = projection.in_features
    kernel = projection.weight.T.reshape(inputs, heads, 3, -1)
    bias = projection.bias.reshape(heads, 3, -1)
    for i, name in enumerate(("query", "key", "value")):
        kernel_i, bias_i = kernel[:, :, i].reshape(inputs, -1), bias[:, i].reshape(-1)
        assign(layer, {f"{name}_kernel": kernel_i, f"{name}_bias": bias_i})


def compare_layers(layer, reference, width, *, causal=True):
    """With padding on the right: output, weights and the gradient for the input.

    `reference(x, mask)` returns output and weights.
    """
    x, cotangent = normal(B, T, width, seed=1), normal(B, T, width, seed=2, scale=0.2)
    cotangent *= PADDING[..., None]
    mask = additive(PADDING[:, None] & TRIANGLE if causal else PADDING[:, None])
    tensor = torch.from_numpy(x).requires_grad_()
    expected, expected_weights = reference(tensor, mask)
    output, weights = layer(x, mask=PADDING, return_attention_scores=True)
    assert_same(to_numpy(output)[PADDING], to_numpy(expected)[PADDING])
    assert_same(to_numpy(layer(x, mask=PADDING))[PADDING], to_numpy(expected)[PADDING])
    assert_same(
        to_numpy(weights).transpose(0, 2, 1, 3)[PADDING],
        to_numpy(expected_weights).transpose(0, 2, 1, 3)[PADDING],
    )
    (expected * torch.from_numpy(cotangent)).sum().backward()
    (gradient,) = gradients(lambda x: layer(x, mask=PADDING), [x], cotangent)
    assert_same(gradient, tensor.grad)


# Rotary embedding


def llama_config(**rope):
    return LlamaConfig(
        hidden_size=36,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=8,
        attention_bias=True,
        max_position_embeddings=16,
        attn_implementation="eager",
        rope_parameters={"rope_type": "default", "rope_theta": 1000.0, **rope},
    )


ROPES = {
    "default": ({}, {}),
    "linear": ({"rope_type": "linear", "factor": 3.0}, {"scaling": "linear", "factor": 3.0}),
    # For a sequence of twice the 16 positions trained, "dynamic" stretches the base by
    # (3 * 2 - (3 - 1)) ** (dim / (dim - 2)): ours with a factor of 4.
    "ntk": ({"rope_type": "dynamic", "factor": 3.0}, {"scaling": "ntk", "factor": 4.0}),
}


@pytest.mark.parametrize("case", ROPES)
def test_rotary_embedding(case):
    rope, arguments = ROPES[case]
    length = 32
    q, k = normal(B, 6, length, 8, seed=3), normal(B, 2, length, 8, seed=4)
    q_theirs, k_theirs = torch.from_numpy(q), torch.from_numpy(k)
    rotary = modeling_llama.LlamaRotaryEmbedding(llama_config(**rope))
    cos, sin = rotary(q_theirs, steps(length))
    expected = modeling_llama.apply_rotary_pos_emb(q_theirs, k_theirs, cos, sin)
    layer = RotaryEmbedding(1000.0, **arguments)
    for x, turned in zip((q, k), expected, strict=True):
        assert_same(layer(x), turned)


def test_rotary_embedding_of_some_channels():
    config = GPTNeoXConfig(
        hidden_size=48,
        num_attention_heads=3,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10_000.0,
            "partial_rotary_factor": 0.375,
        },
    )
    x = normal(B, 3, T, 16, seed=5)
    tensor = torch.from_numpy(x)
    cos, sin = modeling_gpt_neox.GPTNeoXRotaryEmbedding(config)(tensor, steps(T))
    assert cos.shape[-1] == 6
    expected, _ = modeling_gpt_neox.apply_rotary_pos_emb(tensor, tensor, cos, sin)
    assert_same(RotaryEmbedding(fraction=0.375)(x), expected)


def test_interleaved_rotary_embedding():
    x = normal(B, 3, T, 16, seed=6)
    sin, cos = modeling_gptj.create_sinusoidal_positions(T, 16)[None].chunk(2, dim=-1)
    # GPT-J turns before it transposes: (B, T, N, H).
    expected = modeling_gptj.apply_rotary_pos_emb(torch.from_numpy(x).transpose(1, 2), sin, cos)
    assert_same(RotaryEmbedding(interleaved=True)(x), expected.transpose(1, 2))


# Whole layers


@pytest.mark.parametrize("case", ["default", "linear"])
def test_llama_attention(case):
    """Grouped heads, rotary positions, heads whose sizes do not add up to the width."""
    rope, arguments = ROPES[case]
    config = llama_config(**rope)
    reference = randomize(modeling_llama.LlamaAttention(config, 0), seed=7)
    rotary = modeling_llama.LlamaRotaryEmbedding(config)
    layer = MultiHeadSelfAttention(
        6, num_kv_heads=2, head_dim=8, causal=True, position=RotaryEmbedding(1000.0, **arguments)
    )
    layer.build((B, T, 36))
    names = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "o_proj": "output"}
    linear(layer, reference, names)
    compare_layers(layer, lambda x, mask: reference(x, rotary(x, steps(T)), mask), 36)


def test_qwen3_attention():
    """RMS-normalised queries and keys, grouped heads, rotary positions, no biases."""
    config = Qwen3Config(
        hidden_size=36,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=8,
        rms_norm_eps=1e-6,
        attn_implementation="eager",
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
    )
    reference = randomize(modeling_qwen3.Qwen3Attention(config, 0), seed=8)
    rotary = modeling_qwen3.Qwen3RotaryEmbedding(config)
    layer = MultiHeadSelfAttention(
        6,
        num_kv_heads=2,
        head_dim=8,
        causal=True,
        qk_norm=True,
        use_bias=False,
        position="rotary",
    )
    layer.build((B, T, 36))
    names = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "o_proj": "output"}
    linear(layer, reference, names)
    norms = {
        "query_norm_scale": reference.q_norm.weight,
        "key_norm_scale": reference.k_norm.weight,
    }
    assign(layer, norms)
    compare_layers(layer, lambda x, mask: reference(x, rotary(x, steps(T)), mask), 36)


def test_qwen2_attention():
    """Biases of queries, keys and values, none of the output."""
    config = Qwen2Config(
        hidden_size=36,
        num_attention_heads=6,
        num_key_value_heads=2,
        attn_implementation="eager",
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
    )
    reference = randomize(modeling_qwen2.Qwen2Attention(config, 0), seed=14)
    rotary = modeling_qwen2.Qwen2RotaryEmbedding(config)
    layer = MultiHeadSelfAttention(
        6,
        num_kv_heads=2,
        causal=True,
        use_bias=("query", "key", "value"),
        position="rotary",
    )
    layer.build((B, T, 36))
    names = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "o_proj": "output"}
    linear(layer, reference, names)
    assert layer.output_bias is None
    compare_layers(layer, lambda x, mask: reference(x, rotary(x, steps(T)), mask), 36)


def test_gptj_attention():
    """Interleaved rotary positions of some channels, no biases."""
    config = GPTJConfig(n_embd=48, n_head=3, rotary_dim=6, n_positions=32, attn_pdrop=0.0)
    reference = randomize(modeling_gptj.GPTJAttention(config, 0), seed=9)
    layer = MultiHeadSelfAttention(
        3,
        causal=True,
        use_bias=False,
        position=RotaryEmbedding(fraction=0.375, interleaved=True),
    )
    layer.build((B, T, 48))
    names = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "output"}
    linear(layer, reference, names)
    # Since transformers 5.24 the model computes the angles, before that the layer did.
    signature = inspect.signature(reference.forward).parameters
    if "position_embeddings" in signature:
        angles = modeling_gptj.create_sinusoidal_positions(T, 6)[None].chunk(2, dim=-1)
        positions = {"position_embeddings": angles}
    else:
        positions = {"position_ids": steps(T).repeat(B, 1), "output_attentions": True}
    compare_layers(layer, lambda x, mask: reference(x, attention_mask=mask, **positions), 48)


def test_gpt_neox_attention():
    """Rotary positions of some channels, one half against the other."""
    config = GPTNeoXConfig(
        hidden_size=48,
        num_attention_heads=3,
        attn_implementation="eager",
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10_000.0,
            "partial_rotary_factor": 0.375,
        },
    )
    reference = randomize(modeling_gpt_neox.GPTNeoXAttention(config, 0), seed=10)
    rotary = modeling_gpt_neox.GPTNeoXRotaryEmbedding(config)
    layer = MultiHeadSelfAttention(3, causal=True, position=RotaryEmbedding(fraction=0.375))
    layer.build((B, T, 48))
    linear_by_head(layer, reference.query_key_value, 3)
    linear(layer, reference, {"dense": "output"})
    compare_layers(
        layer,
        lambda x, mask: reference(x, mask, position_embeddings=rotary(x, steps(T))),
        48,
    )


@pytest.mark.parametrize("causal", [False, True], ids=["encoder", "decoder"])
def test_t5_attention(causal):
    """Relative position bias, logits that are not scaled, no biases."""
    reference = t5_attention(is_decoder=causal, heads=4)
    position = RelativePositionBias(8, 10, bidirectional=not causal)
    layer = MultiHeadSelfAttention(
        4, head_dim=6, scale=1.0, use_bias=False, causal=causal, position=position
    )
    layer.build((B, T, 20))
    linear(layer, reference, {"q": "query", "k": "key", "v": "value", "o": "output"})
    assign(layer.position, {"table": reference.relative_attention_bias.weight})
    compare_layers(layer, lambda x, mask: reference(x, mask)[::2], 20, causal=causal)


def test_bloom_attention():
    """Linear biases, for heads that are no power of two."""
    config = BloomConfig(hidden_size=48, n_head=6, hidden_dropout=0.0)
    reference = randomize(modeling_bloom.BloomAttention(config, 0), seed=12)
    alibi = modeling_bloom.build_alibi_tensor(torch.ones(B, T), 6, torch.float32)
    layer = MultiHeadSelfAttention(6, causal=True, position="alibi")
    layer.build((B, T, 48))
    linear_by_head(layer, reference.query_key_value, 6)
    linear(layer, reference, {"dense": "output"})
    no_residual = torch.zeros(B, T, 48)
    compare_layers(
        layer,
        lambda x, mask: reference(x, no_residual, alibi, mask, output_attentions=True),
        48,
    )


# Biases by themselves


def t5_attention(*, is_decoder, heads, buckets=8, max_distance=10):
    config = T5Config(
        d_model=20,
        d_kv=6,
        num_heads=heads,
        relative_attention_num_buckets=buckets,
        relative_attention_max_distance=max_distance,
        is_decoder=is_decoder,
        attn_implementation="eager",
    )
    attention = modeling_t5.T5Attention(config, has_relative_attention_bias=True, layer_idx=0)
    return randomize(attention, seed=11)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("buckets", "max_distance"), [(32, 128), (32, 20), (10, 300), (64, 512)])
def test_t5_buckets(bidirectional, buckets, max_distance):
    """Every distance up to 2000, far beyond the last bucket."""
    relative = np.arange(-2000, 2001, dtype="int32")[None]
    expected = modeling_t5.T5Attention._relative_position_bucket(
        torch.from_numpy(relative), bidirectional, buckets, max_distance
    )
    ours = positions.relative_position_buckets(
        keras.ops.convert_to_tensor(relative), buckets, max_distance, bidirectional
    )
    assert_same(ours, expected)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_t5_bias(bidirectional):
    """Queries and keys of different lengths, further apart than the last bucket."""
    reference = t5_attention(is_decoder=not bidirectional, heads=3, buckets=32, max_distance=128)
    layer = RelativePositionBias(bidirectional=bidirectional)
    logits = normal(2, 3, 200, 230, seed=13)
    layer.build(logits.shape)
    assign(layer, {"table": reference.relative_attention_bias.weight})
    assert_same(layer(logits), logits + to_numpy(reference.compute_bias(200, 230)))


@pytest.mark.parametrize("heads", [1, 4, 6, 8, 12, 20])
def test_alibi_bias(heads):
    length = 40
    ours = to_numpy(ALiBi()(np.zeros((1, heads, length, length), "float32")))[0]
    # Both references count from the first or the last key for all queries alike, which the
    # softmax cannot tell from the distance where keys come before their query.
    bloom = modeling_bloom.build_alibi_tensor(torch.ones(1, length), heads, torch.float32)
    mpt = modeling_mpt.build_mpt_alibi_tensor(heads, length)
    for bias in map(to_numpy, (bloom, mpt)):
        from_query = bias - bias.transpose(0, 2, 1)  # (N, T, S)
        assert_same(ours, -np.abs(from_query))  # ours counts both ways
