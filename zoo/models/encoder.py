"""Text encoders with the parts of BERT."""

from typing import Any

import keras

import keras_attention as ka

VARIANTS: dict[str, dict[str, Any]] = {
    # BERT base.
    "default": dict(),
    # MiniLM of six layers (https://arxiv.org/abs/2002.10957).
    "minilm": dict(hidden_dim=384, intermediate_dim=1536, num_heads=12, num_layers=6),
    "tiny": dict(
        hidden_dim=8,
        intermediate_dim=16,
        num_heads=2,
        num_layers=2,
        max_length=32,
        dropout=0.0,
        attention_dropout=0.0,
    ),
}


def encoder(
    *,
    hidden_dim: int = 768,
    intermediate_dim: int = 3072,
    num_heads: int = 12,
    num_layers: int = 12,
    max_length: int = 512,
    embedding_dim: int | None = None,
    num_segments: int = 2,
    pairs: bool = True,
    num_buckets: int = 0,
    activation: str = "gelu",
    epsilon: float = 1e-12,
    dropout: float = 0.1,
    attention_dropout: float = 0.1,
    vocabulary_size: int | None = None,
    tokenizer: ka.layers.Tokenizer | None = None,
    name: str = "encoder",
) -> keras.Model:
    """The encoder of BERT (Devlin et al., 2019, https://arxiv.org/abs/1810.04805): post-norm
    blocks over the sum of token, position and segment embeddings.

    Args:
        hidden_dim: width D of the tokens.
        intermediate_dim: width of the blocks' feed-forward networks.
        num_heads: attention heads of each block.
        num_layers: number of transformer blocks.
        max_length: rows of the table of positions, and so the longest text.
        embedding_dim: width of the embeddings, which are projected to D if it is another
            (ELECTRA, https://arxiv.org/abs/2003.10555); D if `None`.
        num_segments: rows of the table of segments, which separators count; 0 for none.
        pairs: whether there are several segments; else all tokens are in the first, as in RoBERTa
            (https://arxiv.org/abs/1907.11692).
        num_buckets: of distances, for which all blocks share a bias (MPNet,
            https://arxiv.org/abs/2004.09297, section 2.5); 0 for none.
        activation: of the feed-forward networks, see `FeedForward`.
        epsilon: of the norms.
        dropout: share that training drops of the embeddings and of each sub-layer's output.
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
    x = ka.layers.PositionalEncoding("learned", max_length, name="position")(x)
    if num_segments:
        separator = tokenizer.separator_id if pairs else None
        x = ka.layers.SegmentEmbedding(num_segments, separator, name="segments")(x, token_ids)
    x = keras.layers.LayerNormalization(epsilon=epsilon, name="embedding_norm")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    if width != hidden_dim:
        x = keras.layers.Dense(hidden_dim, kernel_initializer=normal, name="projection")(x)
    bias = None
    if num_buckets:
        position = ka.layers.RelativePositionBias(num_buckets)
        bias = ka.layers.AttentionBias(num_heads, position, name="attention_bias")(x)
    for i in range(num_layers):
        x = ka.layers.TransformerBlock(
            num_heads,
            intermediate_dim,
            activation=activation,
            norm_first=False,
            epsilon=epsilon,
            dropout=dropout,
            attention_dropout=attention_dropout,
            kernel_initializer=normal,
            name=f"block_{i}",
        )(x, attention_bias=bias)  # (B, T, D)
    return keras.Model(tokens, x, name=name)
