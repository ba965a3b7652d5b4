"""ModernBERT: an encoder with rotary positions, of which most blocks see their neighbours alone."""

from collections.abc import Collection
from typing import Any

import keras

import keras_attention as ka

VARIANTS: dict[str, dict[str, Any]] = {
    # ModernBERT base and large.
    "default": dict(),
    "large": dict(
        hidden_dim=1024,
        intermediate_dim=2624,
        num_heads=16,
        num_layers=28,
    ),
    "tiny": dict(
        hidden_dim=8,
        intermediate_dim=12,
        num_heads=2,
        num_layers=2,
        global_layers=(0,),
        window=3,
    ),
}


def modern_bert(
    *,
    hidden_dim: int = 768,
    intermediate_dim: int = 1152,
    num_heads: int = 12,
    num_layers: int = 22,
    global_layers: Collection[int] | None = None,
    window: int = 65,
    global_wavelength: float = 160_000.0,
    local_wavelength: float = 10_000.0,
    activation: str = "geglu",
    epsilon: float = 1e-5,
    use_bias: bool | Collection[str] = False,
    norm_bias: bool = False,
    embedding_dropout: float = 0.0,
    attention_dropout: float = 0.0,
    activation_dropout: float = 0.0,
    vocabulary_size: int | None = None,
    tokenizer: ka.layers.Tokenizer | None = None,
    name: str = "modern_bert",
) -> keras.Model:
    """ModernBERT (Warner et al., 2024, https://arxiv.org/abs/2412.13663): pre-norm blocks with
    rotary positions, gated feed-forward networks and no biases (section 2.1).

    Every third block sees the whole text, with angles of another base; the others see a window
    (section 2.1.2). The first block has no norm at its attention, for the embeddings have one.

    Args:
        hidden_dim: width D of the tokens.
        intermediate_dim: width of the blocks' feed-forward networks.
        num_heads: attention heads of each block.
        num_layers: number of transformer blocks.
        global_layers: numbers of the blocks that see the whole text; every third, from the first
            on, if `None`.
        window: the others attend to positions nearer than this, on both sides.
        global_wavelength, local_wavelength: bases of the rotary angles of both.
        activation: of the feed-forward networks, see `FeedForward`.
        epsilon: of the norms.
        use_bias: whether projections have biases, see `TransformerBlock`.
        norm_bias: whether norms have.
        embedding_dropout: share that training drops of the embeddings.
        attention_dropout: that of the attention weights.
        activation_dropout: that between the projections of the feed-forward networks.
        vocabulary_size: number of token ids; that of the tokenizer if `None`.
        tokenizer: which makes ids of text and goes with the file.
        name: of the model.

    Returns:
        A model from `token_ids` `(B, T)` to features `(B, T, hidden_dim)`.
    """
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    tokenizer = tokenizer or ka.layers.Tokenizer(name="tokenizer")
    size = vocabulary_size or tokenizer.vocabulary_size
    normal = keras.initializers.TruncatedNormal(stddev=0.02)

    def norm(name: str | None = None) -> keras.layers.Layer:
        return keras.layers.LayerNormalization(epsilon=epsilon, center=norm_bias, name=name)

    x = ka.layers.TokenEmbedding(size, hidden_dim, embeddings_initializer=normal, name="embedding")(
        tokenizer(tokens)
    )  # (B, T, D)
    x = norm("embedding_norm")(x)
    x = keras.layers.Dropout(embedding_dropout, name="dropout")(x)
    for i in range(num_layers):
        whole = i % 3 == 0 if global_layers is None else i in global_layers
        x = ka.layers.TransformerBlock(
            num_heads,
            intermediate_dim,
            activation=activation,
            norm=norm(),
            attention_norm=i > 0,
            attention_dropout=attention_dropout,
            activation_dropout=activation_dropout,
            window=None if whole else window,
            position=ka.layers.RotaryEmbedding(global_wavelength if whole else local_wavelength),
            use_bias=use_bias,
            kernel_initializer=normal,
            name=f"block_{i}",
        )(x)  # (B, T, D)
    x = norm("norm")(x)
    return keras.Model(tokens, x, name=name)
