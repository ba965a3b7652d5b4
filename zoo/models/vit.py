"""Vision transformers: patches of an image as tokens."""

from collections.abc import Sequence

import keras

import keras_attention as ka

VARIANTS = {
    # 28 x 28 in patches of 4: 49 tokens.
    "default": dict(patch_size=4, hidden_dim=64, intermediate_dim=128, num_heads=4, num_layers=4),
    # The same 49 tokens behind two convolutions; attention pooling for the class token.
    "compact": dict(
        stem=(32, 64),
        stem_pooling=True,
        hidden_dim=96,
        intermediate_dim=192,
        num_heads=4,
        num_layers=2,
        pooling="attention",
    ),
    # 8 x 8: 16 tokens.
    "digits": dict(
        stem=(48,),
        hidden_dim=96,
        intermediate_dim=192,
        num_heads=4,
        num_layers=2,
        pooling="attention",
    ),
    # The same in windows of 2 x 2 tokens, those of the second block shifted by one.
    "digits_windows": dict(
        stem=(48,),
        hidden_dim=96,
        intermediate_dim=192,
        num_heads=4,
        num_layers=2,
        window_size=2,
        pooling="attention",
    ),
    "tiny": dict(patch_size=4, hidden_dim=8, intermediate_dim=16, num_heads=2, num_layers=1),
    "tiny_compact": dict(
        stem=(4, 6),
        stem_pooling=True,
        hidden_dim=8,
        intermediate_dim=16,
        num_heads=2,
        num_layers=1,
        pooling="attention",
    ),
    "tiny_windows": dict(
        stem=(4,),
        hidden_dim=8,
        intermediate_dim=16,
        num_heads=2,
        num_layers=2,
        window_size=3,
        pooling="average",
    ),
    # The sizes that `vit` has by itself: table 1 of https://arxiv.org/abs/2010.11929 and table 1 of
    # https://arxiv.org/abs/2012.12877.
    "ti16": dict(),
}


def vit(
    *,
    hidden_dim: int = 192,
    intermediate_dim: int = 768,
    num_heads: int = 3,
    num_layers: int = 12,
    patch_size: int | tuple[int, int] | None = None,
    stem: tuple[int, ...] | None = None,
    stem_pooling: bool = False,
    window_size: int | None = None,
    pooling: str | None = "class_token",
    position: str = "learned",
    activation: str = "gelu",
    epsilon: float | None = None,
    use_bias: bool | tuple[str, ...] = True,
    image_size: int | tuple[int, int] = 224,
    channels: int = 3,
    mean: float | Sequence[float] = 0.5,
    std: float | Sequence[float] = 0.5,
    converter: ka.layers.ImageConverter | None = None,
    augmentation: keras.layers.Layer | None = None,
    dropout: float = 0.0,
    attention_dropout: float = 0.0,
    stochastic_depth: float = 0.0,
    num_classes: int | None = 1000,
    class_names: Sequence[str] | None = None,
    name: str = "vit",
) -> keras.Model:
    """A vision transformer of Dosovitskiy et al., 2021 (https://arxiv.org/abs/2010.11929); with
    `stem` and `pooling="attention"` a compact one in the manner of Hassani et al., 2021
    (https://arxiv.org/abs/2104.05704), whose convolutions let it learn from fewer images.

    Args:
        hidden_dim: width D of the tokens.
        intermediate_dim: width of the blocks' feed-forward networks.
        num_heads: attention heads of each block.
        num_layers: number of transformer blocks.
        patch_size: side of a patch in pixels, or height and width; 16 if `None` without `stem`.
        stem: channels of the convolutions of stride 2 that cut the image instead.
        stem_pooling: those have stride 1, and max pooling follows each.
        window_size: side, in patches, of windows that patches see each other in, shifted by half in
            every other block (Swin, https://arxiv.org/abs/2103.14030); all see all if `None`.
        pooling: `"class_token"`, or `"attention"` or `"average"` over all patches; or, with
            `num_classes=None`, `"tokens"` for features of the class token and of each patch, and
            `None` for those of the patches alone.
        position: `"learned"` or `"sinusoidal"`, in both cases of the row and of the column; or
            `"learned_sequence"`, the paper's: a vector for each token, the class token too.
        activation: of the blocks' feed-forward networks, see `FeedForward`.
        epsilon: of all norms; 1e-5 in the blocks and 1e-6 behind them if `None`.
        use_bias: whether the blocks' projections have biases, see `TransformerBlock`.
        image_size: side of the image, or height and width.
        channels: 1 or 3.
        mean, std: of the training images, as shares of 255.
        converter: a first layer with a size, channels and statistics of its own, in place of the
            one that `image_size`, `channels`, `mean` and `std` stand for.
        augmentation: a layer that changes images in training, such as `ImageAugmentation`.
        dropout: share of each sub-layer's output that training drops.
        attention_dropout: share of the attention weights that training drops.
        stochastic_depth: share of images for which training skips a sub-layer of the last block;
            it grows from 0 at the first block (https://arxiv.org/abs/1603.09382).
        num_classes: classes, or `None` for the pooled features; 1000 stands for as many as there
            are `class_names`, where these are given.
        class_names: their names, which the file carries.
        name: of the model.

    Returns:
        A model from `image` `(B, height, width, channels)`, 0 to 255, to logits
        `(B, num_classes)`, or to `(B, hidden_dim)`, or to `(B, T, hidden_dim)`.

    Raises:
        ValueError: there is no such `pooling` or `position`, none and classes, a class token and
            windows, or a `mean` of pixels from 0 to 255.
    """
    _check(pooling, position, window_size, num_classes)
    if patch_size is None and stem is None:
        patch_size = 16
    if num_classes == 1000 and class_names is not None:
        num_classes = len(class_names)
    has_class_token = pooling in ("class_token", "tokens")
    if converter is None:
        height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
        converter = ka.layers.ImageConverter(height, width, channels, mean, std, name="pixels")
    image = keras.Input((converter.height, converter.width, converter.channels), name="image")
    x = converter(image)
    if augmentation is not None:
        x = augmentation(x)
    x = ka.layers.PatchEmbedding(
        hidden_dim, patch_size, stem=stem, stem_pooling=stem_pooling, flatten=False, name="patches"
    )(x)
    _, rows, columns, _ = x.shape  # (B, rows, columns, D)
    if position != "learned_sequence":
        lengths = (rows, columns) if position == "learned" else None
        x = ka.layers.PositionalEncoding(position, lengths, name="position")(x)
    x = keras.layers.Reshape((rows * columns, hidden_dim), name="tokens")(x)  # (B, T, D)
    if has_class_token:
        x = ka.layers.ClassToken(name="class_token")(x)
    if position == "learned_sequence":
        x = ka.layers.PositionalEncoding("learned", x.shape[1], name="position")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    for i in range(num_layers):
        windows = None
        if window_size is not None:
            windows = ka.layers.ShiftedWindowAttention(
                window_size, shift=window_size // 2 if i % 2 else 0, grid=(rows, columns)
            )
        x = ka.layers.TransformerBlock(
            num_heads,
            intermediate_dim,
            activation=activation,
            epsilon=1e-5 if epsilon is None else epsilon,
            use_bias=use_bias,
            mechanism=windows,
            dropout=dropout,
            attention_dropout=attention_dropout,
            stochastic_depth=stochastic_depth * i / max(1, num_layers - 1),
            name=f"block_{i}",
        )(x)
    x = keras.layers.LayerNormalization(epsilon=1e-6 if epsilon is None else epsilon, name="norm")(
        x
    )
    if pooling == "class_token":
        x = x[:, 0]  # (B, D)
    elif pooling == "attention":
        x = ka.layers.AttentionPooling(name="pooling")(x)
    elif pooling == "average":
        x = keras.layers.GlobalAveragePooling1D(name="pooling")(x)
    if num_classes is not None:
        x = keras.layers.Dense(num_classes, name="logits")(x)
        x = ka.layers.Labels(num_classes, class_names, name="labels")(x)
    return keras.Model(image, x, name=name)


def _check(
    pooling: str | None, position: str, window_size: int | None, num_classes: int | None
) -> None:
    """Raises `ValueError` at what is not there, and at what does not go together."""
    if pooling not in ("class_token", "attention", "average", "tokens", None):
        raise ValueError(
            "`pooling` must be 'class_token', 'attention', 'average', 'tokens' or None. Received: "
            f"pooling={pooling!r}"
        )
    if position not in ("learned", "sinusoidal", "learned_sequence"):
        raise ValueError(
            "`position` must be 'learned', 'sinusoidal' or 'learned_sequence'. Received: "
            f"position={position!r}"
        )
    if window_size is not None and pooling in ("class_token", "tokens"):
        raise ValueError(
            f"A class token is in no window. Received: window_size={window_size}, "
            f"pooling={pooling!r}. Pass pooling='attention' or 'average'."
        )
    if pooling in ("tokens", None) and num_classes is not None:
        raise ValueError(
            "Classes need one feature of an image: pass a `pooling`, or num_classes=None. "
            f"Received: pooling={pooling!r}, num_classes={num_classes}"
        )
