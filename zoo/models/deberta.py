"""DeBERTa: a text encoder whose tokens know where others stand by relative positions."""

from collections.abc import Sequence
from typing import Any

import keras

import keras_attention as ka

VARIANTS: dict[str, dict[str, Any]] = {
    # DeBERTa v3 base; most of its weights are 128,100 embeddings.
    "default": dict(),
    "xsmall": dict(hidden_dim=384, intermediate_dim=1536, num_heads=6),
    "large": dict(hidden_dim=1024, intermediate_dim=4096, num_heads=16, num_layers=24),
    "tiny": dict(
        hidden_dim=8,
        intermediate_dim=16,
        num_heads=2,
        num_layers=2,
        num_buckets=4,
        max_distance=8,
        dropout=0.0,
        attention_dropout=0.0,
    ),
}


def deberta(
    *,
    hidden_dim: int = 768,
    intermediate_dim: int = 3072,
    num_heads: int = 12,
    num_layers: int = 12,
    num_buckets: int | None = 256,
    max_distance: int = 512,
    terms: Sequence[str] = ("c2p", "p2c"),
    share_projections: bool = True,
    normalize_relative: bool = True,
    max_length: int | None = None,
    embedding_dim: int | None = None,
    num_segments: int = 0,
    activation: str = "gelu",
    epsilon: float = 1e-7,
    dropout: float = 0.1,
    attention_dropout: float = 0.1,
    vocabulary_size: int | None = None,
    tokenizer: ka.layers.Tokenizer | None = None,
    name: str = "deberta",
) -> keras.Model:
    """The encoder of DeBERTa v3 (He et al., 2021, https://arxiv.org/abs/2111.09543): blocks of
    disentangled attention (https://arxiv.org/abs/2006.03654) that share embeddings of distances.

    Args:
        hidden_dim: width D of the tokens.
        intermediate_dim: width of the blocks' feed-forward networks.
        num_heads: attention heads of each block.
        num_layers: number of blocks.
        num_buckets, max_distance, terms, share_projections: of the distances, see
            `DisentangledAttention`.
        normalize_relative: whether a LayerNorm stands behind the embeddings of distances.
        max_length: rows of a table of absolute positions, and so the longest text; v3 has none.
        embedding_dim: width of the embeddings, which are projected to D if it is another; D if
            `None`.
        num_segments: rows of a table of segments, which separators count; v3 has none.
        activation: of the feed-forward networks, see `FeedForward`.
        epsilon: of the norms.
        dropout: share that training drops of all embeddings and of each sub-layer's output.
        attention_dropout: that of the attention weights.
        vocabulary_size: number of token ids; that of the tokenizer if `None`.
        tokenizer: which makes ids of text and goes with the file.
        name: of the model.

    Returns:
        A model from `token_ids` `(B, T)` to features `(B, T, hidden_dim)`.
    """
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    tokenizer = tokenizer or ka.layers.Tokenizer(name="tokenizer")
    size = vocabulary_size or tokenizer.vocabulary_size
    width = embedding_dim or hidden_dim
    normal = keras.initializers.TruncatedNormal(stddev=0.02)
    token_ids = tokenizer(tokens)
    x = ka.layers.TokenEmbedding(size, width, embeddings_initializer=normal, name="embedding")(
        token_ids
    )  # (B, T, embedding_dim)
    if max_length is not None:
        x = ka.layers.PositionalEncoding("learned", max_length, name="position")(x)
    if num_segments:
        x = ka.layers.SegmentEmbedding(num_segments, tokenizer.separator_id, name="segments")(
            x, token_ids
        )
    if width != hidden_dim:
        x = keras.layers.Dense(
            hidden_dim, use_bias=False, kernel_initializer=normal, name="projection"
        )(x)
    x = keras.layers.LayerNormalization(epsilon=epsilon, name="embedding_norm")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)  # (B, T, D)
    relative = ka.layers.RelativeEmbedding(
        2 * (num_buckets or max_distance),
        normalize=normalize_relative,
        epsilon=epsilon,
        embeddings_initializer=normal,
        name="relative",
    )(x)  # (R, D)
    for i in range(num_layers):
        x = ka.layers.DisentangledBlock(
            num_heads,
            intermediate_dim,
            num_buckets=num_buckets,
            max_distance=max_distance,
            terms=terms,
            share_projections=share_projections,
            activation=activation,
            epsilon=epsilon,
            dropout=dropout,
            attention_dropout=attention_dropout,
            kernel_initializer=normal,
            name=f"block_{i}",
        )(x, relative)  # (B, T, D)
    return keras.Model(tokens, x, name=name)
