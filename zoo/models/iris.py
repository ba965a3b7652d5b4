"""Iris: four measurements, by their names, as four tokens."""

from collections.abc import Sequence
from typing import Any

import keras

import keras_attention as ka

FEATURES = ("sepal length", "sepal width", "petal length", "petal width")  # in cm
VARIANTS: dict[str, dict[str, Any]] = {
    "default": dict(),
    "reference": dict(hidden_dim=64, intermediate_dim=256),
    "tiny": dict(hidden_dim=8, intermediate_dim=16, num_heads=2, num_layers=1, dropout=0.0),
}


def iris(
    *,
    hidden_dim: int = 24,
    intermediate_dim: int = 96,
    num_heads: int = 4,
    num_layers: int = 2,
    dropout: float = 0.1,
    feature_names: Sequence[str] = FEATURES,
    num_classes: int | None = 3,
    class_names: Sequence[str] | None = None,
    name: str = "iris",
) -> keras.Model:
    """A transformer over the measurements of a flower, in the manner of the FT-Transformer
    (https://arxiv.org/abs/2106.11959).

    Unlike there one projection serves all features, the position tells which one a token is,
    and average pooling replaces the class token. `features` `(B, F)` are raw: the model
    standardises them by itself, once its layer `columns` is adapted to the training data, and
    takes them by their names too, as a table has them (`ka.predict`).

    Args:
        hidden_dim: width D of the tokens.
        intermediate_dim: width of the blocks' feed-forward networks.
        num_heads: attention heads of each block.
        num_layers: number of transformer blocks.
        dropout: share of each sub-layer's output that training drops.
        feature_names: of the F measurements of a row, in their order.
        num_classes: classes, or `None` for the pooled features; 3 stands for as many as there
            are `class_names`, where these are given.
        class_names: their names, which the file carries.
        name: of the model.

    Returns:
        A model from `(B, F)` to logits `(B, num_classes)`, or to `(B, hidden_dim)`.
    """
    if num_classes == 3 and class_names is not None:
        num_classes = len(class_names)
    features = keras.Input((len(feature_names),), name="features")
    x = ka.layers.NumericColumns(  # (B, F, 1), standardised
        feature_names,
        1,
        kernel_initializer="ones",
        bias_initializer="zeros",
        name="columns",
    )(features)
    x = keras.layers.Dense(hidden_dim, name="projection")(x)  # (B, F, D)
    # Sinusoids, because the first LayerNorm would leave the sign of a measurement alone if its
    # token were a multiple of one vector, and a learned table begins near zero.
    x = ka.layers.PositionalEncoding(name="position")(x)
    for i in range(num_layers):
        x = ka.layers.TransformerBlock(
            num_heads, intermediate_dim, dropout=dropout, name=f"block_{i}"
        )(x)
    x = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")(x)
    x = keras.layers.GlobalAveragePooling1D(name="pooling")(x)  # (B, D)
    if num_classes is not None:
        x = keras.layers.Dense(num_classes, name="logits")(x)
        x = ka.layers.Labels(num_classes, class_names, name="labels")(x)
    return keras.Model(features, x, name=name)
