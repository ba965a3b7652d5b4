"""A patch transformer that forecasts series."""

from collections.abc import Sequence

import keras
from keras import ops

import keras_attention as ka

VARIANTS: dict[str, dict[str, int]] = {
    "default": {},  # 96 hours in 12 patches
    # The paper's for small data sets such as ETTh1.
    "paper": dict(
        patch_size=16, stride=8, hidden_dim=16, intermediate_dim=128, num_heads=4, num_layers=3
    ),
    # PatchTST/64 of the paper, for long look-backs of many series.
    "large": dict(
        patch_size=16, stride=8, hidden_dim=128, intermediate_dim=256, num_heads=16, num_layers=3
    ),
    "tiny": dict(
        patch_size=16, stride=16, hidden_dim=8, intermediate_dim=16, num_heads=2, num_layers=1
    ),
}


def patch_tst(
    *,
    patch_size: int = 16,
    stride: int = 8,
    hidden_dim: int = 32,
    intermediate_dim: int = 64,
    num_heads: int = 4,
    num_layers: int = 2,
    look_back: int = 96,
    horizon: int = 96,
    names: Sequence[str],
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    dropout: float = 0.0,
    head_dropout: float = 0.0,
    linear: bool = False,
    name: str = "patch_tst",
) -> keras.Model:
    """PatchTST of Nie et al., 2023 (https://arxiv.org/abs/2211.14730).

    Patches of each series are the tokens; all series share the weights and none sees another.
    Layer normalisation before each sub-layer stands for the paper's batch normalisation after it,
    so that a forecast does not depend on its batch.

    Args:
        patch_size: steps of a patch.
        stride: steps from patch to patch. The last value is repeated as many times, for one
            patch more that ends the series.
        hidden_dim: width D of the tokens.
        intermediate_dim: width of the blocks' feed-forward networks.
        num_heads: attention heads of each block.
        num_layers: number of transformer blocks.
        look_back: steps that a forecast is made from.
        horizon: steps that are forecast.
        names: of the C series, with their units.
        mean, std: of each series in training, by which inputs and outputs are standardised.
        dropout: share that training drops of each sub-layer's output, of the attention weights
            and inside the feed-forward network.
        head_dropout: share that training drops of what the head reads.
        linear: whether to add a linear map of the steps to the forecast, which begins as the last
            value repeated: NLinear of Zeng et al., 2023 (https://arxiv.org/abs/2205.13504). What
            most of a short series is need not be learned by attention then.
        name: of the model.

    Returns:
        A model from `series` `(B, look_back, C)` in their units to the forecast
        `(B, horizon, C)`, standardised; `ka.predict` gives it in units.
    """
    channels = len(names)
    mean = [0.0] * channels if mean is None else [float(x) for x in mean]
    std = [1.0] * channels if std is None else [float(x) for x in std]
    series = keras.Input((look_back, channels), name="series")
    standardised = keras.layers.Normalization(
        mean=mean, variance=[x**2 for x in std], dtype="float32", name="standardised"
    )(series)
    # Taken back from the forecast below.
    reversible = ka.layers.ReversibleNormalization(name="reversible", dtype="float32")
    x = normalised = reversible(standardised)
    x = ops.concatenate([x, ops.repeat(x[:, -1:], stride, axis=1)], axis=1)
    x = keras.layers.Reshape((look_back + stride, channels, 1), name="image")(x)
    x = ka.layers.PatchEmbedding(
        hidden_dim, (patch_size, 1), (stride, 1), flatten=False, name="patches"
    )(x)  # (B, P, C, D)
    patches = x.shape[1]
    x = keras.layers.Permute((2, 1, 3), name="by_series")(x)
    x = ops.reshape(x, (-1, patches, hidden_dim))  # (B * C, P, D)
    x = ka.layers.PositionalEncoding("learned", patches, name="position")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    for i in range(num_layers):
        x = ka.layers.TransformerBlock(
            num_heads,
            intermediate_dim,
            dropout=dropout,
            attention_dropout=dropout,
            activation_dropout=dropout,
            name=f"block_{i}",
        )(x)
    x = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")(x)
    x = ops.reshape(x, (-1, channels, patches * hidden_dim))
    x = keras.layers.Dropout(head_dropout, name="head_dropout")(x)
    start = "zeros" if linear else "glorot_uniform"
    x = keras.layers.Dense(horizon, kernel_initializer=start, name="forecast")(x)  # (B, C, H)
    if linear:
        last = normalised[:, -1:]  # (B, 1, C)
        change = keras.layers.Permute((2, 1), name="steps")(normalised - last)
        change = keras.layers.Dense(
            horizon, use_bias=False, kernel_initializer="zeros", name="linear"
        )(change)  # (B, C, H)
        x = x + change + ops.transpose(last, (0, 2, 1))
    x = keras.layers.Permute((2, 1), name="by_step")(x)
    x = reversible(x, standardised)
    x = ka.layers.Quantities(names, mean, std, name="quantities")(x)
    return keras.Model(series, x, name=name)
