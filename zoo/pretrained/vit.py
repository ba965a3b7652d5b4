"""ViT (https://arxiv.org/abs/2010.11929), and what has its parts: DeiT without distillation, DINO.

The embedding is the class token behind the last norm, by which the classes are found; the pooler of
some checkpoints is left out, for it is random in those of DINO.
"""

from typing import Any

from zoo.models.vit import vit
from zoo.pretrained import heads as of_tasks
from zoo.pretrained.config import Config
from zoo.pretrained.weights import CONVOLUTION, FLAT, Rule, linear, norm, rule

MODEL_TYPES = ("vit",)
READS = "images"
PROCESSOR = "ViT"
BUILD = vit
PREFIX = "vit."
IGNORED = r"^(vit\.)?pooler\.|\.mask_token$|^decoder\."  # the last two are of masked images


def arguments(config: Config) -> dict[str, Any]:
    """Returns the arguments of `vit` that a `config.json` stands for."""
    width, num_heads = config.size("hidden_size", 768), config.size("num_attention_heads", 12)
    config.demand(head_dim=width // num_heads)
    return dict(
        image_size=config.pair("image_size", 224),
        patch_size=config.pair("patch_size", 16),
        channels=config.size("num_channels", 3),
        hidden_dim=width,
        intermediate_dim=config.size("intermediate_size", 3072),
        num_heads=num_heads,
        num_layers=config.size("num_hidden_layers", 12),
        activation=config.activation("hidden_act", "gelu"),
        epsilon=config.number("layer_norm_eps", 1e-12),
        use_bias=config.flag("qkv_bias", True) or ("output", "feed_forward"),
        dropout=config.rate("hidden_dropout_prob", 0.0),
        attention_dropout=config.rate("attention_probs_dropout_prob", 0.0),
        position="learned_sequence",
        pooling="tokens",
        num_classes=None,
    )


def weights(prefix: str) -> list[Rule]:
    """Returns the rules of the features."""
    layer, attention = f"{prefix}encoder.layer.{{i}}", "block_{i}/attention/"
    patches = f"{prefix}embeddings.patch_embeddings.projection"
    return [
        rule(f"{patches}.weight", "patches/projection/kernel", CONVOLUTION),
        rule(f"{patches}.bias", "patches/projection/bias"),
        rule(f"{prefix}embeddings.cls_token", "class_token/tokens", FLAT),
        rule(f"{prefix}embeddings.position_embeddings", "position/table", FLAT),
        *norm(f"{layer}.layernorm_before", "block_{i}/attention_norm"),
        *linear(f"{layer}.attention.attention.query", f"{attention}query_"),
        *linear(f"{layer}.attention.attention.key", f"{attention}key_"),
        *linear(f"{layer}.attention.attention.value", f"{attention}value_"),
        *linear(f"{layer}.attention.output.dense", f"{attention}output_"),
        *norm(f"{layer}.layernorm_after", "block_{i}/feed_forward_norm"),
        *linear(f"{layer}.intermediate.dense", "block_{i}/feed_forward/input_"),
        *linear(f"{layer}.output.dense", "block_{i}/feed_forward/output_"),
        *norm(f"{prefix}layernorm", "norm"),
    ]


def heads(config: Config, prefix: str) -> dict[str, of_tasks.Head]:
    """Returns the heads by task."""
    logits = linear("classifier", "logits/")
    return {"classes": of_tasks.classes(logits, dropout=0.0)}
