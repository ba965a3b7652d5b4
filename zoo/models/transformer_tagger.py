"""Transformer tagger: a tag for each word, from its form, its spelling and its sentence."""

from collections.abc import Sequence
from typing import Any

import keras

import keras_attention as ka

VARIANTS: dict[str, dict[str, Any]] = {
    "default": dict(),
    "tiny": dict(
        hidden_dim=16,
        intermediate_dim=32,
        num_heads=2,
        num_layers=1,
        filters=8,
        dropout=0.0,
        word_dropout=0.0,
    ),
}


def transformer_tagger(
    *,
    hidden_dim: int = 128,
    intermediate_dim: int = 256,
    num_heads: int = 4,
    num_layers: int = 2,
    filters: int = 32,
    dropout: float = 0.2,
    word_dropout: float = 0.2,
    vocabulary_size: int | None = None,
    tokenizer: ka.layers.Tokenizer | None = None,
    num_classes: int | None = 17,
    class_names: Sequence[str] | None = None,
    entities: bool = False,
    scheme: str = "BIO",
    name: str = "transformer_tagger",
) -> keras.Model:
    """A transformer encoder (https://arxiv.org/abs/1706.03762) with a tag at every position.

    A word is the embedding of its form beside features of its characters, as in Ma and Hovy,
    2016 (https://arxiv.org/abs/1603.01354). Positions are relative (Shaw et al., 2018,
    https://arxiv.org/abs/1803.02155), which know left from right at a distance: that is what a
    tagger needs of them (Yan et al., 2019, https://arxiv.org/abs/1911.04474).

    Args:
        hidden_dim: width D of words and of the blocks.
        intermediate_dim: width of the blocks' feed-forward networks.
        num_heads: attention heads of each block.
        num_layers: number of transformer blocks.
        filters: of the characters' convolutions, for each of their three sizes.
        dropout: share of each sub-layer's output that training drops; half as much of the
            attention weights and of the characters.
        word_dropout: share of the words whose embedding training hides, so that spelling and
            neighbours must do.
        vocabulary_size: number of word ids; that of the tokenizer if `None`.
        tokenizer: one id per word, with a vocabulary; the file carries it.
        num_classes: tags, or `None` for the words' features; 17 stands for as many as there are
            `class_names`, where these are given.
        class_names: their names, which the file carries.
        entities: whether the tags mark entities, see `EntityLabels`.
        scheme: in which they do.
        name: of the model.

    Returns:
        A model from `token_ids` `(B, T)` and `characters` `(B, T, C)` to logits
        `(B, T, num_classes)`, or to `(B, T, hidden_dim)`.
    """
    if num_classes == 17 and class_names is not None:
        num_classes = len(class_names)
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    characters = keras.Input((None, None), dtype="int32", name="characters")
    tokenizer = tokenizer or ka.layers.Tokenizer(words=True, name="tokenizer")
    size = vocabulary_size or tokenizer.vocabulary_size
    words = keras.layers.Embedding(size, hidden_dim, mask_zero=True, name="words")(
        tokenizer(tokens)
    )
    words = keras.layers.Dropout(word_dropout, noise_shape=(None, None, 1), name="word_dropout")(
        words
    )
    spelling = ka.layers.CharacterFeatures(
        24, filters, (2, 3, 4), max_characters=12, dropout=dropout / 2, name="spelling"
    )(characters)
    x = keras.layers.Concatenate(name="form")([words, spelling])
    x = keras.layers.Dropout(dropout, name="form_dropout")(x)
    x = keras.layers.Dense(hidden_dim, name="projection")(x)  # (B, T, D)
    for i in range(num_layers):
        x = ka.layers.TransformerBlock(
            num_heads,
            intermediate_dim,
            dropout=dropout,
            attention_dropout=dropout / 2,
            position=ka.layers.ShawRelativePosition(8),
            name=f"block_{i}",
        )(x)
    x = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")(x)
    if num_classes is not None:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
        x = keras.layers.Dense(num_classes, name="logits")(x)
        if entities:
            x = ka.layers.EntityLabels(num_classes, class_names, scheme=scheme, name="labels")(x)
        else:
            x = ka.layers.Labels(num_classes, class_names, name="labels")(x)
    return keras.Model([tokens, characters], x, name=name)
