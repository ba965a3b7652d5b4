"""MPNet (https://arxiv.org/abs/2004.09297): positions as RoBERTa's, and a bias of distances."""

from typing import Any

from zoo.models.encoder import encoder
from zoo.pretrained import bert
from zoo.pretrained.config import Config
from zoo.pretrained.roberta import heads as heads  # which MPNet's are
from zoo.pretrained.weights import Rule, linear, norm, rows_from, rule

MODEL_TYPES = ("mpnet",)
READS = "texts"
BUILD = encoder
PREFIX = "mpnet."
IGNORED = r"(^|\.)position_ids$|^(mpnet\.)?pooler\.|^lm_head\.decoder\."
UNREAD = 2  # rows of the table of positions, of which padding has the second


def arguments(config: Config) -> dict[str, Any]:
    """Returns the arguments of `encoder` that a `config.json` stands for."""
    # Whatever the settings say, transformers has these 32 buckets, and padding that is 1.
    config.demand(relative_attention_num_buckets=32, pad_token_id=1)
    return {
        **bert.arguments(config.with_defaults(hidden_act="gelu", type_vocab_size=0)),
        "max_length": config.size("max_position_embeddings") - UNREAD,
        "num_segments": 0,
        "num_buckets": 32,
    }


def weights(prefix: str) -> list[Rule]:
    """Returns the rules of the features."""
    layer, attention = f"{prefix}encoder.layer.{{i}}", "block_{i}/attention/"
    table = f"{prefix}embeddings.position_embeddings.weight"
    bias = f"{prefix}encoder.relative_attention_bias.weight"
    return [
        rule(f"{prefix}embeddings.word_embeddings.weight", "embedding/embeddings"),
        rule(table, "position/table", rows_from(UNREAD)),
        rule(bias, "attention_bias/position/table"),
        *norm(f"{prefix}embeddings.LayerNorm", "embedding_norm"),
        *linear(f"{layer}.attention.attn.q", f"{attention}query_"),
        *linear(f"{layer}.attention.attn.k", f"{attention}key_"),
        *linear(f"{layer}.attention.attn.v", f"{attention}value_"),
        *linear(f"{layer}.attention.attn.o", f"{attention}output_"),
        *norm(f"{layer}.attention.LayerNorm", "block_{i}/attention_norm"),
        *linear(f"{layer}.intermediate.dense", "block_{i}/feed_forward/input_"),
        *linear(f"{layer}.output.dense", "block_{i}/feed_forward/output_"),
        *norm(f"{layer}.output.LayerNorm", "block_{i}/feed_forward_norm"),
    ]
