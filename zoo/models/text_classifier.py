"""Text classifier: a transformer encoder from raw text to a named class."""

from collections.abc import Sequence
from typing import Any

import keras

import keras_attention as ka

VARIANTS: dict[str, dict[str, Any]] = {
    "default": dict(),
    "tiny": dict(
        hidden_dim=8,
        intermediate_dim=16,
        num_heads=2,
        num_layers=1,
        kernel_sizes=(1, 2),
        dropout=0.0,
        embedding_dropout=0.0,
        token_dropout=0.0,
    ),
}


def text_classifier(
    *,
    hidden_dim: int = 144,
    intermediate_dim: int = 288,
    num_heads: int = 4,
    num_layers: int = 1,
    kernel_sizes: Sequence[int] = (1, 2, 3),
    dropout: float = 0.3,
    embedding_dropout: float = 0.2,
    token_dropout: float = 0.1,
    mechanism: Any = None,
    vocabulary_size: int | None = None,
    tokenizer: ka.layers.Tokenizer | None = None,
    num_classes: int | None = 2,
    class_names: Sequence[str] | None = None,
    name: str = "text_classifier",
) -> keras.Model:
    """A transformer encoder (https://arxiv.org/abs/1706.03762) over features of n-grams (Kim,
    2014, https://arxiv.org/abs/1408.5882), pooled by attention
    (https://aclanthology.org/N16-1174).

    A few thousand short texts are too few to learn from scratch that neighbours belong together;
    the convolutions tell, and are where the model knows order from. Attention then relates what
    is far apart, and pools.

    Args:
        hidden_dim: width D of the tokens.
        intermediate_dim: width of the blocks' feed-forward networks.
        num_heads: attention heads of each block, and context vectors of the pooling.
        num_layers: number of transformer blocks.
        kernel_sizes: the sizes of n-grams, each with an equal share of the width.
        dropout: share of each sub-layer's output, and of the pooled features, that training drops.
        embedding_dropout: share of the embeddings' components that training drops.
        token_dropout: share of the tokens that training drops whole.
        mechanism: of the blocks' attention, such as `"block_sparse"` or `"linear"`, see
            `MultiHeadSelfAttention`; dense if `None`.
        vocabulary_size: number of token ids; that of the tokenizer if `None`.
        tokenizer: which makes ids of text and goes with the file.
        num_classes: classes, or `None` for the pooled features; 2 stands for as many as there
            are `class_names`, where these are given.
        class_names: their names, which the file carries.
        name: of the model.

    Returns:
        A model from `token_ids` `(B, T)` to logits `(B, num_classes)`, or to `(B, hidden_dim)`.
    """
    if num_classes == 2 and class_names is not None:
        num_classes = len(class_names)
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    tokenizer = tokenizer or ka.layers.Tokenizer(name="tokenizer")
    size = vocabulary_size or tokenizer.vocabulary_size
    x = keras.layers.Embedding(size, hidden_dim, mask_zero=True, name="embedding")(
        tokenizer(tokens)
    )  # (B, T, D)
    x = keras.layers.Dropout(token_dropout, noise_shape=(None, None, 1), name="token_dropout")(x)
    x = keras.layers.Dropout(embedding_dropout, name="embedding_dropout")(x)
    filters = hidden_dim // len(kernel_sizes)
    x = ka.layers.NGramConvolution(filters, kernel_sizes, name="ngrams")(x)  # (B, T, D)
    x = keras.layers.Dropout(dropout, name="ngram_dropout")(x)
    for i in range(num_layers):
        x = ka.layers.TransformerBlock(
            num_heads, intermediate_dim, mechanism=mechanism, dropout=dropout, name=f"block_{i}"
        )(x)
    x = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")(x)
    x = ka.layers.AttentionPooling(num_heads=num_heads, name="pooling")(x)  # (B, D)
    if num_classes is not None:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
        x = keras.layers.Dense(num_classes, name="logits")(x)
        x = ka.layers.Labels(num_classes, class_names, name="labels")(x)
    return keras.Model(tokens, x, name=name)
