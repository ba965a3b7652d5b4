"""Captioners: an image in, a text out, by a recurrent decoder or by a transformer."""

from collections.abc import Sequence
from typing import Any

import keras

import keras_attention as ka
from zoo.models.seq2seq_rnn import first_state
from zoo.models.vit import vit

STEM = (16, 32, 48)  # cuts 72 x 72 pixels to 81 regions, as the default `stages` do
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "transformer": dict(decoder="transformer"),
    "tiny": dict(stages=((4,), (6,)), hidden_dim=6, units=8),
    "tiny_transformer": dict(
        decoder="transformer",
        stem=(4, 6),
        hidden_dim=8,
        intermediate_dim=16,
        num_heads=2,
        num_encoder_layers=1,
        num_layers=1,
    ),
}


def captioner(*, decoder: str = "recurrent", **settings: Any) -> keras.Model:
    """An image captioner, by the kind of its decoder.

    Args:
        decoder: `"recurrent"` or `"transformer"`.
        settings: of `recurrent_captioner` or of `transformer_captioner`.

    Returns:
        A model from `image` `(B, image_size, image_size, channels)`, 0 to 255, and `target_ids`
        `(B, T)` to the logits `(B, T, V)` of the tokens that follow each, in float32.

    Raises:
        ValueError: there is no such decoder.
    """
    builders = {"recurrent": recurrent_captioner, "transformer": transformer_captioner}
    if decoder not in builders:
        raise ValueError(
            f"`decoder` must be one of {', '.join(map(repr, builders))}. Received: {decoder!r}"
        )
    return builders[decoder](**settings)


def recurrent_captioner(
    *,
    stages: Sequence[Sequence[int]] = ((24,), (48, 64)),
    hidden_dim: int = 64,
    units: int = 128,
    cell: str = "lstm",
    doubly_stochastic: float = 0.01,
    image_size: int = 72,
    channels: int = 3,
    mean: float | Sequence[float] = 0.5,
    std: float | Sequence[float] = 0.5,
    augmentation: keras.layers.Layer | None = None,
    dropout: float = 0.0,
    vocabulary_size: int | None = None,
    tokenizer: ka.layers.Tokenizer | None = None,
    name: str = "captioner",
) -> keras.Model:
    """The captioner of Xu et al., 2015, "Show, Attend and Tell"
    (https://arxiv.org/abs/1502.03044), with soft attention.

    Its convolutions are trained with it, where the paper took a network that knew ImageNet, and
    it reads out by Bahdanau's maxout; it has no gating scalar.

    Args:
        stages: channels of the convolutions, stage by stage. The first has a stride of 4 pixels,
            and pooling halves what there is between the stages.
        hidden_dim: width of the embeddings, and of the hidden layer of the attention.
        units: of the decoder.
        cell: `"lstm"`, as in the paper, or `"gru"`.
        doubly_stochastic: weight of the paper's regulariser, see `RecurrentDecoder`.
        image_size: height and width of the image.
        channels: 1 or 3.
        mean, std: of the training images, as shares of 255.
        augmentation: a layer that changes images in training, such as `ImageAugmentation`.
        dropout: share that training drops of regions, embeddings and the decoder's features.
        vocabulary_size: number of ids; that of the tokenizer if `None`.
        tokenizer: which makes ids of captions and goes with the file; id 0 is their padding.
            Decoding begins with its start.
        name: of the model.
    """
    image = keras.Input((image_size, image_size, channels), name="image")
    x = ka.layers.ImageConverter(image_size, image_size, channels, mean, std, name="pixels")(image)
    if augmentation is not None:
        x = augmentation(x)
    x = _convolve(x, stages)  # (B, rows, columns, C)
    regions = keras.layers.Reshape((-1, x.shape[-1]), name="regions")(x)  # (B, S, C)
    regions = keras.layers.Dropout(dropout, name="regions_dropout")(regions)

    decoder = ka.layers.RecurrentDecoder(
        units,
        cell,
        ka.layers.BahdanauAttention(hidden_dim, name="cross_attention"),
        doubly_stochastic=doubly_stochastic,
        name="decoder",
    )
    # Section 3.1.2: the first states are made of what all regions have in common.
    state = keras.layers.GlobalAveragePooling1D(name="mean_region")(regions)
    state = first_state(state, decoder.state_size)

    target, x, size = _embed(tokenizer, vocabulary_size, hidden_dim, dropout)
    x = decoder(x, regions, initial_state=state)  # (B, T, units)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    x = keras.layers.Dense(size, name="output")(x)  # (B, T, V)
    logits = keras.layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model([image, target], logits, name=name)


def transformer_captioner(
    *,
    hidden_dim: int = 64,
    intermediate_dim: int = 128,
    num_heads: int = 4,
    num_encoder_layers: int = 2,
    num_layers: int = 2,
    patch_size: int | None = None,
    stem: Sequence[int] | None = None,
    stem_pooling: bool = False,
    image_size: int = 72,
    channels: int = 3,
    mean: float | Sequence[float] = 0.5,
    std: float | Sequence[float] = 0.5,
    augmentation: keras.layers.Layer | None = None,
    dropout: float = 0.0,
    vocabulary_size: int | None = None,
    tokenizer: ka.layers.Tokenizer | None = None,
    name: str = "captioner",
) -> keras.Model:
    """A vision transformer and the decoder of the transformer (Vaswani et al., 2017,
    https://arxiv.org/abs/1706.03762), as Liu et al., 2021 (https://arxiv.org/abs/2101.10804)
    put them together for captions.

    Args:
        hidden_dim, intermediate_dim, num_heads: of the blocks of both.
        num_encoder_layers: blocks of the encoder.
        num_layers: blocks of the decoder.
        patch_size, stem, stem_pooling, image_size, channels, mean, std, augmentation: of the
            encoder, see `vit`; `stem` is `STEM` if neither it nor `patch_size` is given.
        dropout: share that training drops of the embeddings and of each sub-layer's output.
        vocabulary_size, tokenizer, name: as in `recurrent_captioner`.
    """
    encoder = vit(
        hidden_dim=hidden_dim,
        intermediate_dim=intermediate_dim,
        num_heads=num_heads,
        num_layers=num_encoder_layers,
        patch_size=patch_size,
        stem=STEM if patch_size is None and stem is None else stem,
        stem_pooling=stem_pooling,
        pooling=None,
        image_size=image_size,
        channels=channels,
        mean=mean,
        std=std,
        augmentation=augmentation,
        dropout=dropout,
        num_classes=None,
    )
    target, logits = write_about(
        encoder.output,  # (B, S, D)
        intermediate_dim=intermediate_dim,
        num_heads=num_heads,
        num_layers=num_layers,
        dropout=dropout,
        vocabulary_size=vocabulary_size,
        tokenizer=tokenizer,
    )
    return keras.Model([encoder.input, target], logits, name=name)


def write_about(
    memory: Any,
    *,
    intermediate_dim: int,
    num_heads: int,
    num_layers: int,
    dropout: float,
    vocabulary_size: int | None,
    tokenizer: ka.layers.Tokenizer | None,
) -> tuple[Any, Any]:
    """Returns the input `target_ids` `(B, T)` of a transformer's decoder that reads `memory`
    `(B, S, D)`, and its logits `(B, T, V)`."""
    target, x, size = _embed(tokenizer, vocabulary_size, memory.shape[-1], dropout)
    x = ka.layers.PositionalEncoding(name="target_position")(x)
    for i in range(num_layers):
        x = ka.layers.TransformerDecoderBlock(
            num_heads, intermediate_dim, dropout=dropout, name=f"decoder_block_{i}"
        )(x, memory)
    x = keras.layers.LayerNormalization(epsilon=1e-5, name="decoder_norm")(x)
    x = keras.layers.Dense(size, name="output")(x)  # (B, T, V)
    logits = keras.layers.Activation("linear", dtype="float32", name="logits")(x)
    return target, logits


def _convolve(x: Any, stages: Sequence[Sequence[int]]) -> Any:
    for i, stage in enumerate(stages):
        if i:
            x = keras.layers.MaxPooling2D(name=f"pooling_{i}")(x)
        for j, filters in enumerate(stage):
            size, stride = (3, 1) if i or j else (7, 4)
            name = f"convolution_{i}_{j}"
            x = keras.layers.Conv2D(filters, size, stride, "same", use_bias=False, name=name)(x)
            x = keras.layers.BatchNormalization(name=f"{name}_norm")(x)
            x = keras.layers.Activation("relu", name=f"{name}_relu")(x)
    return x


def _embed(
    tokenizer: ka.layers.Tokenizer | None, size: int | None, width: int, dropout: float
) -> tuple[Any, Any, int]:
    """Returns the input `target_ids`, its embeddings `(B, T, width)`, and the number of ids."""
    tokenizer = tokenizer or ka.layers.Tokenizer(name="target_tokenizer")
    size = size or tokenizer.vocabulary_size
    target = keras.Input((None,), dtype="int32", name="target_ids")
    table = keras.layers.Embedding(size, width, mask_zero=True, name="target_embedding")
    x = keras.layers.Dropout(dropout, name="target_dropout")(table(tokenizer(target)))
    return target, x, size
