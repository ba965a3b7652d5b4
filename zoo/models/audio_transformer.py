"""A transformer that classifies recordings."""

from collections.abc import Sequence

import keras

import keras_attention as ka

VARIANTS = {
    # A token is 40 ms of all bands, as in https://arxiv.org/abs/2104.00769.
    "default": dict(),
    # Three convolutions of stride 2: a token is 80 ms of 8 bands.
    "stem": dict(stem=(16, 32, 64)),
    "tiny": dict(
        patch_size=8,
        num_mel_bins=16,
        hidden_dim=8,
        intermediate_dim=16,
        num_heads=2,
        num_layers=1,
    ),
    "tiny_stem": dict(
        stem=(4, 6),
        num_mel_bins=16,
        hidden_dim=8,
        intermediate_dim=16,
        num_heads=2,
        num_layers=1,
    ),
    # As large as the paper's: 128 bands, ViT-B/16.
    "base": dict(
        patch_size=16,
        num_mel_bins=128,
        hidden_dim=768,
        intermediate_dim=3072,
        num_heads=12,
        num_layers=12,
    ),
}


def audio_transformer(
    *,
    num_mel_bins: int = 48,
    hidden_dim: int = 64,
    intermediate_dim: int = 128,
    num_heads: int = 4,
    num_layers: int = 3,
    patch_size: int | tuple[int, int] | None = None,
    stem: tuple[int, ...] | None = None,
    sampling_rate: int = 8000,
    frame_length: int = 200,
    hop_length: int = 80,
    max_frames: int = 128,
    multiple: int | None = None,
    normalize: str | None = "recording",
    augmentation: Sequence[keras.layers.Layer] = (),
    spectrogram_augmentation: Sequence[keras.layers.Layer] = (),
    dropout: float = 0.0,
    num_classes: int | None = 10,
    class_names: Sequence[str] | None = None,
    name: str = "audio_transformer",
) -> keras.Model:
    """An audio spectrogram transformer in the manner of Gong et al., 2021
    (https://arxiv.org/abs/2104.01778): patches of a log-mel spectrogram, time by time, as tokens.

    Unlike it, it takes waveforms of any length and masks what is padded, for which patches do
    not overlap; pools by attention rather than by a class token; and has no images behind it.

    Args:
        num_mel_bins: bands of the spectrogram.
        hidden_dim: width D of the tokens.
        intermediate_dim: width of the blocks' feed-forward networks.
        num_heads: attention heads of each block.
        num_layers: number of transformer blocks.
        patch_size: frames and bands of a patch, one number or two; 4 frames of all bands if `None`
            without `stem`.
        stem: channels of the convolutions of stride 2 that cut the spectrogram instead.
        sampling_rate: samples per second.
        frame_length, hop_length: samples of a frame, and from frame to frame.
        max_frames: that a recording may have; what is beyond is cut off.
        multiple: frames, to a multiple of which batches are padded: the larger, the fewer lengths
            are compiled. Those of a patch if `None`, of which it must be a multiple.
        normalize: of the spectrogram, see `LogMelSpectrogram`.
        augmentation: layers that change waveforms in training.
        spectrogram_augmentation: layers that change spectrograms in training.
        dropout: share of each sub-layer's output that training drops.
        num_classes: classes, or `None` for the pooled features; 10 stands for as many as there are
            `class_names`, where these are given.
        class_names: their names, which the file carries.
        name: of the model.

    Returns:
        A model from `audio` `(B, T)`, NaN where padded, to logits `(B, num_classes)`, or to
        `(B, hidden_dim)`.
    """
    if patch_size is None and stem is None:
        patch_size = (4, num_mel_bins)
    if num_classes == 10 and class_names is not None:
        num_classes = len(class_names)
    audio = keras.Input((None,), name="audio")
    # As many frames as patches need, so that padding adds whole patches.
    step = 2 ** len(stem) if stem else patch_size if isinstance(patch_size, int) else patch_size[0]
    x = ka.layers.AudioConverter(
        sampling_rate, max_frames * hop_length, (multiple or step) * hop_length, name="waveform"
    )(audio)
    for layer in augmentation:
        x = layer(x)
    x = ka.layers.LogMelSpectrogram(
        sampling_rate,
        num_mel_bins,
        frame_length,
        hop_length,
        normalize=normalize,
        channel_axis=True,
        name="spectrogram",
    )(x)  # (B, frames, bands, 1)
    for layer in spectrogram_augmentation:
        x = layer(x)
    patches = ka.layers.PatchEmbedding(
        hidden_dim,
        patch_size,
        stem=stem,
        data_format="channels_last",
        name="patches",
    )
    x = patches(x)
    most = patches.compute_output_shape((None, max_frames, num_mel_bins, 1))[1]
    x = ka.layers.PositionalEncoding("learned", most, name="position")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    for i in range(num_layers):
        x = ka.layers.TransformerBlock(
            num_heads, intermediate_dim, dropout=dropout, name=f"block_{i}"
        )(x)
    x = keras.layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    x = ka.layers.AttentionPooling(name="pooling")(x)
    if num_classes is not None:
        x = keras.layers.Dense(num_classes, name="logits")(x)
        x = ka.layers.Labels(num_classes, class_names, name="labels")(x)
    return keras.Model(audio, x, name=name)
