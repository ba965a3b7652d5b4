"""LSTM tagger: a tag for each word, by a bidirectional LSTM and attention over its states."""

from collections.abc import Sequence
from typing import Any

import keras

import keras_attention as ka

VARIANTS: dict[str, dict[str, Any]] = {
    "default": dict(),
    "tiny": dict(hidden_dim=16, units=8, num_heads=2, filters=8, dropout=0.0, word_dropout=0.0),
}


def lstm_tagger(
    *,
    hidden_dim: int = 128,
    units: int = 128,
    num_heads: int = 4,
    filters: int = 32,
    dropout: float = 0.3,
    word_dropout: float = 0.2,
    vocabulary_size: int | None = None,
    tokenizer: ka.layers.Tokenizer | None = None,
    num_classes: int | None = 17,
    class_names: Sequence[str] | None = None,
    entities: bool = False,
    scheme: str = "BIO",
    name: str = "lstm_tagger",
) -> keras.Model:
    """The BiLSTM over words and characters of Ma and Hovy, 2016
    (https://arxiv.org/abs/1603.01354), with self-attention in place of their CRF.

    Each state attends to all states of the sentence (https://arxiv.org/abs/1706.03762) and what
    it finds is added to it. Order is known to the states, so attention needs no positions.

    Args:
        hidden_dim: width of the words' embeddings.
        units: of the LSTM in each direction; states have twice as many.
        num_heads: attention heads.
        filters: of the characters' convolutions, for each of their three sizes.
        dropout: share of words, states and attended states that training drops; half as much of
            the attention weights and of the characters.
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
        `(B, T, num_classes)`, or to `(B, T, 2 * units)`.
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
    x = keras.layers.Bidirectional(keras.layers.LSTM(units, return_sequences=True), name="lstm")(x)
    x = keras.layers.Dropout(dropout, name="lstm_dropout")(x)  # (B, T, 2 units)
    y = ka.layers.MultiHeadSelfAttention(num_heads, dropout=dropout / 2, name="attention")(x)
    x = keras.layers.Add(name="residual")([x, y])
    x = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")(x)
    if num_classes is not None:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
        x = keras.layers.Dense(num_classes, name="logits")(x)
        if entities:
            x = ka.layers.EntityLabels(num_classes, class_names, scheme=scheme, name="labels")(x)
        else:
            x = ka.layers.Labels(num_classes, class_names, name="labels")(x)
    return keras.Model([tokens, characters], x, name=name)
