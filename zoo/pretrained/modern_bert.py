"""ModernBERT (https://arxiv.org/abs/2412.13663), and what has its parts."""

from collections.abc import Collection
from typing import Any

import keras

import keras_attention as ka
from zoo.models.modern_bert import modern_bert
from zoo.pretrained import heads as of_tasks
from zoo.pretrained.config import Config
from zoo.pretrained.heads import Head
from zoo.pretrained.weights import Rule, joined, linear, norm, rule

MODEL_TYPES = ("modernbert",)
READS = "texts"
BUILD = modern_bert
PREFIX = "model."
IGNORED = r"(?!)"
GATED = {"gelu": "geglu", "gelu_pytorch_tanh": "geglu_tanh", "silu": "swiglu", "relu": "reglu"}
ACTIVATIONS = {"gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh", "silu": "silu", "relu": "relu"}
PROJECTIONS = ("query", "key", "value", "output")


def arguments(config: Config) -> dict[str, Any]:
    """Returns the arguments of `modern_bert` that a `config.json` stands for."""
    config.demand(tie_word_embeddings=True, rope_scaling=None)
    biased = [*PROJECTIONS] * config.flag("attention_bias", False)
    return dict(
        vocabulary_size=config.size("vocab_size"),
        hidden_dim=config.size("hidden_size"),
        intermediate_dim=config.size("intermediate_size"),
        num_heads=config.size("num_attention_heads"),
        num_layers=config.size("num_hidden_layers"),
        global_layers=_find_global_layers(config),
        window=config.count("local_attention", 128) // 2 + 1,  # theirs is that of both sides
        global_wavelength=_find_base(config, "full_attention", "global_rope_theta", 160_000.0),
        local_wavelength=_find_base(config, "sliding_attention", "local_rope_theta", 10_000.0),
        activation=config.choose("hidden_activation", GATED, "gelu"),
        epsilon=config.number("norm_eps", 1e-5),
        use_bias=biased + ["feed_forward"] * config.flag("mlp_bias", False),
        norm_bias=config.flag("norm_bias", False),
        embedding_dropout=config.rate("embedding_dropout", 0.0),
        attention_dropout=config.rate("attention_dropout", 0.0),
        activation_dropout=config.rate("mlp_dropout", 0.0),
    )


def _find_global_layers(config: Config) -> Collection[int]:
    """Returns the numbers of the layers that see everything, of which old files have the step."""
    count, types = config.size("num_hidden_layers"), config.get("layer_types")
    if types is None:
        return range(0, count, config.size("global_attn_every_n_layers", 3))
    known = "full_attention", "sliding_attention"
    if not isinstance(types, list) or len(types) != count or any(t not in known for t in types):
        raise config.refuse("layer_types", types, f"a list of one of {known} for each layer")
    return [number for number, kind in enumerate(types) if kind == known[0]]


def _find_base(config: Config, kind: str, old: str, default: float) -> float:
    """Returns the base of the angles in layers of a kind, which old files have by a key `old`."""
    by_kind = config.section("rope_parameters")
    by_kind.demand(rope_theta=None, rope_type=None)
    rope = by_kind.section(kind)
    rope.demand(rope_type="default", partial_rotary_factor=1.0)
    return rope.number("rope_theta", config.number(old, default))


def weights(prefix: str) -> list[Rule]:
    """Returns the rules of the features."""
    layer, block = f"{prefix}layers.{{i}}", "block_{i}/"
    attention = [f"{block}attention/{role}_" for role in PROJECTIONS[:3]]
    halves = [f"{block}feed_forward/gate_", f"{block}feed_forward/input_"]
    return [
        rule(f"{prefix}embeddings.tok_embeddings.weight", "embedding/embeddings"),
        *norm(f"{prefix}embeddings.norm", "embedding_norm"),
        *norm(f"{layer}.attn_norm", f"{block}attention_norm"),
        *joined(f"{layer}.attn.Wqkv", attention),
        *linear(f"{layer}.attn.Wo", f"{block}attention/output_"),
        *norm(f"{layer}.mlp_norm", f"{block}feed_forward_norm"),
        *joined(f"{layer}.mlp.Wi", halves),
        *linear(f"{layer}.mlp.Wo", f"{block}feed_forward/output_"),
        *norm(f"{prefix}final_norm", "norm"),
    ]


def heads(config: Config, prefix: str) -> dict[str, Head]:
    """Returns the heads by task, each behind a layer and a norm of its own."""
    pooling = config.choose("classifier_pooling", {"cls": "first", "mean": "mean"}, "cls")
    activation = config.choose("classifier_activation", ACTIVATIONS, "gelu")
    dropout = config.rate("classifier_dropout", 0.0)
    biased, norm_biased = config.flag("classifier_bias", False), config.flag("norm_bias", False)
    epsilon, decoder_biased = config.number("norm_eps", 1e-5), config.flag("decoder_bias", True)

    def transform(x: keras.KerasTensor) -> keras.KerasTensor:
        settings = dict(epsilon=epsilon, use_bias=biased, center=norm_biased)
        return of_tasks.transform(x, activation, x.shape[-1], **settings)

    def classify(features: keras.Model, units: int) -> keras.KerasTensor:
        x = ka.layers.TokenPooling(pooling, name="pooling")(features.output)
        return of_tasks.project(transform(x), units, dropout)

    def tag(features: keras.Model, units: int) -> keras.KerasTensor:
        return of_tasks.project(transform(features.output), units, dropout)

    def fill(features: keras.Model, units: int) -> keras.KerasTensor:
        x = features.get_layer("embedding")(transform(features.output), reverse=True)
        return ka.layers.Bias(name="vocabulary_bias")(x) if decoder_biased else x

    own = linear("head.dense", "transform/")[: 1 + biased]
    own += norm("head.norm", "transform_norm")[: 1 + norm_biased]
    logits = [*own, *linear("classifier", "logits/")]
    vocabulary = [rule("decoder.bias", "vocabulary_bias/bias")] * decoder_biased
    return {
        "classes": Head(classify, logits),
        "tags": Head(tag, logits),
        "span": Head(tag, logits),
        "fill": Head(fill, [*own, *vocabulary]),
    }
