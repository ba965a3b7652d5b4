"""ModernBERT (https://arxiv.org/abs/2412.13663), and what has its parts."""

from typing import Any

from zoo.models.modern_bert import modern_bert
from zoo.pretrained import heads as of_tasks
from zoo.pretrained.config import Config
from zoo.pretrained.weights import Rule, joined, linear, norm, rule

MODEL_TYPES = ("modernbert",)
READS = "texts"
BUILD = modern_bert
PREFIX = "model."
IGNORED = r"(?!)"
KINDS = {"full_attention": True, "sliding_attention": False}  # whether they see everything


def arguments(config: Config) -> dict[str, Any]:
    """Returns the arguments of `modern_bert` that a `config.json` stands for."""
    config.demand(tie_word_embeddings=True)
    num_layers = config.size("num_hidden_layers")
    steps = range(0, num_layers, config.size("global_attn_every_n_layers", 3))  # of old files
    wide = config.choose_each("layer_types", KINDS, num_layers)
    biased = ["query", "key", "value", "output"] * config.flag("attention_bias", False)
    return dict(
        **config.sizes(),
        global_layers=steps if wide is None else [i for i in range(num_layers) if wide[i]],
        window=config.count("local_attention", 128) // 2 + 1,  # theirs is that of both sides
        global_wavelength=config.wavelength("full_attention", "global_rope_theta", 160_000.0),
        local_wavelength=config.wavelength("sliding_attention", "local_rope_theta", 10_000.0),
        activation=config.activation("hidden_activation", "gelu", gated=True),
        epsilon=config.number("norm_eps", 1e-5),
        use_bias=biased + ["feed_forward"] * config.flag("mlp_bias", False),
        norm_bias=config.flag("norm_bias", False),
        embedding_dropout=config.rate("embedding_dropout", 0.0),
        attention_dropout=config.rate("attention_dropout", 0.0),
        activation_dropout=config.rate("mlp_dropout", 0.0),
    )


def weights(prefix: str) -> list[Rule]:
    """Returns the rules of the features."""
    layer, block = f"{prefix}layers.{{i}}", "block_{i}/"
    attention, feed_forward = f"{block}attention/", f"{block}feed_forward/"
    thirds = (f"{attention}query_", f"{attention}key_", f"{attention}value_")
    return [
        rule(f"{prefix}embeddings.tok_embeddings.weight", "embedding/embeddings"),
        *norm(f"{prefix}embeddings.norm", "embedding_norm"),
        *norm(f"{layer}.attn_norm", f"{block}attention_norm"),
        *joined(f"{layer}.attn.Wqkv", *thirds),
        *linear(f"{layer}.attn.Wo", f"{attention}output_"),
        *norm(f"{layer}.mlp_norm", f"{block}feed_forward_norm"),
        *joined(f"{layer}.mlp.Wi", f"{feed_forward}gate_", f"{feed_forward}input_"),
        *linear(f"{layer}.mlp.Wo", f"{feed_forward}output_"),
        *norm(f"{prefix}final_norm", "norm"),
    ]


def heads(config: Config, prefix: str) -> dict[str, of_tasks.Head]:
    """Returns the heads by task, each behind a layer and a norm of its own."""
    front = of_tasks.Transform(
        "head.dense",
        "head.norm",
        activation=config.activation("classifier_activation", "gelu"),
        epsilon=config.number("norm_eps", 1e-5),
        use_bias=config.flag("classifier_bias", False),
        center=config.flag("norm_bias", False),
    )
    pooling = config.choose("classifier_pooling", {"cls": "first", "mean": "mean"}, "cls")
    dropout = config.rate("classifier_dropout", 0.0)
    logits = linear("classifier", "logits/")
    bias = "decoder.bias" if config.flag("decoder_bias", True) else None
    return {
        "classes": of_tasks.classes(logits, dropout=dropout, front=front, pooling=pooling),
        "tags": of_tasks.tags(logits, dropout=dropout, front=front),
        "span": of_tasks.span(logits, dropout=dropout, front=front),
        "fill": of_tasks.fill(front, bias),
    }
