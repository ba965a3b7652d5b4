"""Whole models against transformers, random weights copied over: logits and gradients."""

import keras
import numpy as np
import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MarianConfig,
    MarianMTModel,
    MistralConfig,
    MistralForCausalLM,
)

import keras_attention as ka
from tests.references.compare import assert_same, assign, gradients, normal, randomize, to_numpy
from zoo.models.gpt import gpt
from zoo.models.transformer import transformer

B, T, V = 2, 11, 40
IDS = np.random.default_rng(0).integers(1, V, (B, T)).astype("int32")
PADDING = np.arange(T) < np.array([[T], [6]])


def compare_models(model, reference, variables, *, padding):
    """Logits, and gradients for pairs of one of our variables and one of their tensors."""
    ids = np.where(padding, IDS, 0).astype("int32")
    mask = torch.from_numpy(padding.astype("int64"))
    expected = reference(torch.from_numpy(ids).long(), attention_mask=mask).logits
    assert_same(to_numpy(model(ids))[padding], to_numpy(expected)[padding])
    cotangent = normal(B, T, V, seed=1, scale=0.1) * padding[..., None]
    (expected * torch.from_numpy(cotangent)).sum().backward()
    by_variable = gradients(lambda *_: model(ids), [], cotangent, [ours for ours, _ in variables])
    for gradient, (_, theirs) in zip(by_variable, variables, strict=True):
        assert_same(gradient, theirs.grad)


def table(model):
    return model.get_layer("embedding").embeddings


def gpt2_pair():
    """With the exact GELU; the published weights are of its tanh approximation."""
    config = GPT2Config(
        vocab_size=V,
        n_positions=16,
        n_embd=24,
        n_layer=2,
        n_head=3,
        activation_function="gelu",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    reference = randomize(GPT2LMHeadModel(config), seed=2)
    model = gpt(
        hidden_dim=24,
        intermediate_dim=96,
        num_heads=3,
        num_layers=2,
        max_length=16,
        dropout=0.0,
        vocabulary_size=V,
    )
    theirs = reference.transformer
    table(model).assign(to_numpy(theirs.wte.weight))
    model.get_layer("position").weights[0].assign(to_numpy(theirs.wpe.weight))
    for i, layer in enumerate(theirs.h):
        block = model.get_layer(f"block_{i}")
        norm(block.attention_norm, layer.ln_1)
        norm(block.feed_forward_norm, layer.ln_2)
        kernels, biases = (
            w.chunk(3, -1) for w in (layer.attn.c_attn.weight, layer.attn.c_attn.bias)
        )
        for name, kernel, bias in zip(("query", "key", "value"), kernels, biases, strict=True):
            assign(block.attention, {f"{name}_kernel": kernel, f"{name}_bias": bias})
        for part, name, conv in (
            (block.attention, "output", layer.attn.c_proj),
            (block.feed_forward, "input", layer.mlp.c_fc),
            (block.feed_forward, "output", layer.mlp.c_proj),
        ):
            assign(part, {f"{name}_kernel": conv.weight, f"{name}_bias": conv.bias})
    norm(model.get_layer("norm"), theirs.ln_f)
    return model, reference


def test_gpt2():
    model, reference = gpt2_pair()
    theirs = reference.transformer
    variables = [
        (table(model), theirs.wte.weight),
        (model.get_layer("block_0").feed_forward.input_kernel, theirs.h[0].mlp.c_fc.weight),
    ]
    compare_models(model, reference, variables, padding=np.ones((B, T), bool))


def norm(ours, theirs):
    assign(ours, {"gamma": theirs.weight, "beta": theirs.bias})


SIZES = dict(
    vocab_size=V,
    hidden_size=24,
    intermediate_size=40,
    num_hidden_layers=2,
    num_attention_heads=6,
    num_key_value_heads=2,
    rms_norm_eps=1e-5,
    max_position_embeddings=16,
    rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
)


def llama_pair(tied=False, window=None):
    """Rotary positions, grouped heads, RMSNorm, SwiGLU; with a window it is Mistral."""
    if window:
        config = MistralConfig(**SIZES, sliding_window=window, tie_word_embeddings=tied)
        reference = randomize(MistralForCausalLM(config), seed=3)
    else:
        config = LlamaConfig(**SIZES, tie_word_embeddings=tied)
        reference = randomize(LlamaForCausalLM(config), seed=3)
    model = gpt(
        hidden_dim=24,
        intermediate_dim=40,
        num_heads=6,
        num_kv_heads=2,
        num_layers=2,
        position="rotary",
        norm="rms",
        activation="swiglu",
        window=window,
        tied=tied,
        use_bias=False,
        dropout=0.0,
        vocabulary_size=V,
        tokenizer=ka.layers.Tokenizer(name="tokenizer"),
    )
    theirs = reference.model
    table(model).assign(to_numpy(theirs.embed_tokens.weight))
    for i, layer in enumerate(theirs.layers):
        block = model.get_layer(f"block_{i}")
        assign(block.attention_norm, {"scale": layer.input_layernorm.weight})
        assign(block.feed_forward_norm, {"scale": layer.post_attention_layernorm.weight})
        for part, name, linear in (
            (block.attention, "query", layer.self_attn.q_proj),
            (block.attention, "key", layer.self_attn.k_proj),
            (block.attention, "value", layer.self_attn.v_proj),
            (block.attention, "output", layer.self_attn.o_proj),
            (block.feed_forward, "gate", layer.mlp.gate_proj),
            (block.feed_forward, "input", layer.mlp.up_proj),
            (block.feed_forward, "output", layer.mlp.down_proj),
        ):
            assign(part, {f"{name}_kernel": linear.weight.T})
    assign(model.get_layer("norm"), {"scale": theirs.norm.weight})
    if not tied:
        model.get_layer("head").kernel.assign(to_numpy(reference.lm_head.weight.T))
    return model, reference


@pytest.mark.parametrize(("tied", "window"), [(False, None), (True, None), (False, 4)])
def test_llama_and_mistral(tied, window):
    model, reference = llama_pair(tied, window)
    variables = [(table(model), reference.model.embed_tokens.weight)]
    compare_models(model, reference, variables, padding=PADDING)
    assert keras.backend.standardize_dtype(model(IDS).dtype) == "float32"


# Marian has the sines in the first half of the channels and the cosines in the second; ours take
# turns. Our channel is its channel of this number.
D = 24
CHANNELS = np.stack([np.arange(D // 2), D // 2 + np.arange(D // 2)], axis=1).ravel()


def marian():
    config = MarianConfig(
        vocab_size=V,
        d_model=D,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=3,
        decoder_attention_heads=3,
        encoder_ffn_dim=40,
        decoder_ffn_dim=40,
        activation_function="relu",
        scale_embedding=True,
        max_position_embeddings=16,
        pad_token_id=0,
        dropout=0.0,
    )
    model = MarianMTModel(config)
    sides = (model.model.encoder, model.model.decoder)
    sinusoids = [side.embed_positions.weight.detach().clone() for side in sides]
    randomize(model, seed=4)
    with torch.no_grad():
        for side, weights in zip(sides, sinusoids, strict=True):
            side.embed_positions.weight.copy_(weights)
    return model


def copy_block(block, layer):
    """Weights of a Marian layer, from and to its order of channels."""
    parts = [(block.attention, block.attention_norm, "self_attn", "self_attn_layer_norm")]
    if hasattr(layer, "encoder_attn"):
        parts.append(
            (
                block.cross_attention,
                block.cross_attention_norm,
                "encoder_attn",
                "encoder_attn_layer_norm",
            )
        )
    for ours, its_norm, theirs, norm_name in parts:
        attention = getattr(layer, theirs)
        copy_norm(its_norm, getattr(layer, norm_name))
        for name in ("query", "key", "value"):
            linear = getattr(attention, f"{name[0]}_proj")
            assign(
                ours,
                {f"{name}_kernel": linear.weight.T[CHANNELS], f"{name}_bias": linear.bias},
            )
        copy_output(ours, attention.out_proj)
    copy_norm(block.feed_forward_norm, layer.final_layer_norm)
    kernel, bias = layer.fc1.weight.T[CHANNELS], layer.fc1.bias
    assign(block.feed_forward, {"input_kernel": kernel, "input_bias": bias})
    copy_output(block.feed_forward, layer.fc2)


def copy_output(ours, linear):
    kernel, bias = linear.weight.T[:, CHANNELS], linear.bias[CHANNELS]
    assign(ours, {"output_kernel": kernel, "output_bias": bias})


def copy_norm(ours, theirs):
    assign(ours, {"gamma": theirs.weight[CHANNELS], "beta": theirs.bias[CHANNELS]})


def marian_pair():
    """The transformer as Vaswani et al. had it."""
    reference = marian()
    model = transformer(
        hidden_dim=D,
        intermediate_dim=40,
        num_heads=3,
        num_layers=2,
        norm_first=False,
        shared_vocabulary=True,
        source_vocabulary_size=V,
        target_vocabulary_size=V,
    )
    shared = reference.model.shared.weight
    table(model).assign(to_numpy(shared)[:, CHANNELS])
    for side in ("encoder", "decoder"):
        for i, layer in enumerate(getattr(reference.model, side).layers):
            copy_block(model.get_layer(f"{side}_block_{i}"), layer)
    return model, reference


def test_marian():
    """With padding in source and target."""
    model, reference = marian_pair()
    shared = reference.model.shared.weight
    source_padding = np.arange(9) < np.array([[5], [9]])
    source = np.random.default_rng(5).integers(1, V, (B, 9)).astype("int32") * source_padding
    target = np.where(PADDING, IDS, 0).astype("int32")
    expected = reference(
        input_ids=torch.from_numpy(source).long(),
        attention_mask=torch.from_numpy(source_padding).long(),
        decoder_input_ids=torch.from_numpy(target).long(),
        decoder_attention_mask=torch.from_numpy(PADDING).long(),
    ).logits
    inputs = {"source_ids": source, "target_ids": target}
    assert_same(to_numpy(model(inputs))[PADDING], to_numpy(expected)[PADDING])
    cotangent = normal(B, T, V, seed=6, scale=0.1) * PADDING[..., None]
    (expected * torch.from_numpy(cotangent)).sum().backward()
    variables = [table(model), model.get_layer("encoder_block_0").attention.value_kernel]
    by_variable = gradients(lambda *_: model(inputs), [], cotangent, variables)
    assert_same(by_variable[0], shared.grad[:, CHANNELS])
    value = reference.model.encoder.layers[0].self_attn.v_proj.weight.grad
    assert_same(by_variable[1], value.T[CHANNELS])
