"""Hierarchical attention network: words to segments, segments to a text, each by attention."""

from collections.abc import Sequence
from typing import Any

import keras

import keras_attention as ka

VARIANTS: dict[str, dict[str, Any]] = {
    "default": dict(),
    "tiny": dict(
        hidden_dim=8,
        units=4,
        segment_length=3,
        dropout=0.0,
        embedding_dropout=0.0,
        token_dropout=0.0,
    ),
}


def hierarchical_classifier(
    *,
    hidden_dim: int = 128,
    units: int = 64,
    segment_length: int = 6,
    dropout: float = 0.3,
    embedding_dropout: float = 0.3,
    token_dropout: float = 0.1,
    vocabulary_size: int | None = None,
    tokenizer: ka.layers.Tokenizer | None = None,
    num_classes: int | None = 2,
    class_names: Sequence[str] | None = None,
    name: str = "hierarchical_classifier",
) -> keras.Model:
    """The hierarchical attention network of Yang et al., 2016
    (https://aclanthology.org/N16-1174, figure 2): a bidirectional GRU over words, attention over
    the words of each segment, a bidirectional GRU over segments, attention over them.

    The paper's segments are the sentences of a document. Of one sentence they are
    `segment_length` words each, cut inside the graph; since such cuts mean nothing, the GRU over
    words reads across them, where the paper's begins anew with each sentence.

    Args:
        hidden_dim: width of the embeddings.
        units: of a GRU in each direction; half the width of words and segments.
        segment_length: words of a segment.
        dropout: share of the features, of words, segments and the text, that training drops.
        embedding_dropout: share of the embeddings' components that training drops.
        token_dropout: share of the tokens that training drops whole.
        vocabulary_size: number of token ids; that of the tokenizer if `None`.
        tokenizer: which makes ids of text and goes with the file.
        num_classes: classes, or `None` for the pooled features; 2 stands for as many as there
            are `class_names`, where these are given.
        class_names: their names, which the file carries.
        name: of the model.

    Returns:
        A model from `token_ids` `(B, T)` to logits `(B, num_classes)`, or to `(B, 2 units)`.
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
    x = _states(units, "words")(x)  # (B, T, 2 units)
    x = keras.layers.Dropout(dropout, name="word_dropout")(x)
    x = ka.layers.SegmentPooling(segment_length, name="word_attention")(x)  # (B, S, 2 units)
    x = _states(units, "segments")(x)
    x = keras.layers.Dropout(dropout, name="segment_dropout")(x)
    x = ka.layers.AttentionPooling(name="segment_attention")(x)  # (B, 2 units)
    if num_classes is not None:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
        x = keras.layers.Dense(num_classes, name="logits")(x)
        x = ka.layers.Labels(num_classes, class_names, name="labels")(x)
    return keras.Model(tokens, x, name=name)


def _states(units: int, name: str) -> keras.layers.Layer:
    """Returns the states of a GRU in both directions beside each other."""
    return keras.layers.Bidirectional(keras.layers.GRU(units, return_sequences=True), name=name)
