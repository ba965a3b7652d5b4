"""Waveforms to log-mel spectrograms, with masks."""

import math
from typing import Any

import keras
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks, masks


@keras.saving.register_keras_serializable(package="keras_attention")
class LogMelSpectrogram(Entrance, keras.layers.Layer):
    """Logarithm of the power in mel bands of short frames (Davis and Mermelstein, 1980,
    https://doi.org/10.1109/TASSP.1980.1163420).

    `keras.layers.MelSpectrogram` measures decibels below the loudest value of the whole batch, so
    that a recording's spectrogram depends on what it is batched with, and knows no masks. This
    one depends on the recording alone, however it is padded.

    Frame f begins at sample `f * hop_length`; there are as many frames as begin within the
    recording, the last of them over zeros at its end. Each is weighted with a periodic Hann
    window; the triangular filters are spaced on the HTK mel scale, `2595 log10(1 + Hz / 700)`,
    and not normalised. Always computed in float32.

    Args:
        sampling_rate: samples per second.
        num_mel_bins: filters M.
        frame_length: samples of a frame.
        hop_length: samples from frame to frame.
        fft_length: of the discrete Fourier transform; the next power of 2 if `None`.
        min_frequency, max_frequency: in Hz, where the lowest filter begins and the highest one
            ends; half of the sampling rate if `None`.
        floor: the least power of a band, for samples from -1 to 1.
        normalize: `"recording"`: subtract a recording's mean over valid frames and bands, and
            divide by its standard deviation, so that loudness does not matter; `"bands"`: the
            same for each band by itself, as cepstral mean and variance normalisation does; or
            `None`.
        channel_axis: whether to add a last axis of 1, as `PatchEmbedding` takes images.

    Call arguments:
        audio: `(B, T)`.
        mask: `(B, T)` boolean, false where padded.

    Output:
        `(B, frames, M)`, or `(B, frames, M, 1)`, with a mask `(B, frames)`: a frame is valid if
        one of its first `hop_length` samples is. Masked frames are zeros.
    """

    takes = tensors(audio="(B, T)")
    cuts = "frames"

    def __init__(
        self,
        sampling_rate: int,
        num_mel_bins: int = 64,
        frame_length: int = 400,
        hop_length: int = 160,
        *,
        fft_length: int | None = None,
        min_frequency: float = 20.0,
        max_frequency: float | None = None,
        floor: float = 1e-6,
        normalize: str | None = "recording",
        channel_axis: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        checks.positive_int(
            sampling_rate=sampling_rate,
            num_mel_bins=num_mel_bins,
            frame_length=frame_length,
            hop_length=hop_length,
        )
        checks.positive(floor=floor)
        checks.one_of("normalize", normalize, ("recording", "bands", None))
        fft_length = fft_length or 2 ** (frame_length - 1).bit_length()
        max_frequency = max_frequency or sampling_rate / 2
        if fft_length < frame_length or hop_length > frame_length:
            raise ValueError(
                "`hop_length` must be at most `frame_length`, and that at most `fft_length`. "
                f"Received: hop_length={hop_length}, frame_length={frame_length}, "
                f"fft_length={fft_length}"
            )
        if not 0 <= min_frequency < max_frequency <= sampling_rate / 2:
            raise ValueError(
                "`min_frequency` and `max_frequency` must be between 0 and half of the sampling "
                f"rate, in this order. Received: min_frequency={min_frequency}, "
                f"max_frequency={max_frequency}, sampling_rate={sampling_rate}"
            )
        self.sampling_rate = sampling_rate
        self.num_mel_bins = num_mel_bins
        self.frame_length = frame_length
        self.hop_length = hop_length
        self.fft_length = fft_length
        self.min_frequency = min_frequency
        self.max_frequency = max_frequency
        self.floor = floor
        self.normalize = normalize
        self.channel_axis = channel_axis
        self.supports_masking = True

    def build(self, audio_shape: tuple) -> None:
        checks.rank("audio", audio_shape, "(B, T)")
        self.built = True

    def call(self, audio: Any, mask: Any = None) -> Any:
        checks.sequence_mask("mask", mask, "audio", audio.shape)
        x = ops.cast(masks.zero_masked(audio, mask), "float32")
        frames = self._cut_frames(x)  # (B, F, frame_length)
        cosines, sines = self._make_transform()
        power = ops.square(ops.matmul(frames, cosines)) + ops.square(ops.matmul(frames, sines))
        bands = ops.matmul(power, self._make_filters())
        y = ops.log(ops.maximum(bands, self.floor))
        frame_mask = self.compute_mask(audio, mask)
        if self.normalize is not None:
            y = self._normalize(y, frame_mask)
        y = ops.cast(masks.zero_masked(y, frame_mask), self.compute_dtype)
        return y[..., None] if self.channel_axis else y

    def _cut_frames(self, x: Any) -> Any:
        """Returns frames `(B, F, frame_length)`: pieces of `hop_length` samples, side by side."""
        pieces = -(-self.frame_length // self.hop_length)
        x = self._cut_pieces(x, pieces - 1)
        count = ops.shape(x)[1] - (pieces - 1)
        frames = [x[:, i : i + count] for i in range(pieces)]
        return ops.concatenate(frames, axis=-1)[..., : self.frame_length]

    def _cut_pieces(self, x: Any, more: int) -> Any:
        """Returns `(B, T)` in pieces `(B, F + more, hop_length)`, zeros behind its end."""
        batch, length = ops.shape(x)
        count = self._count_frames(length) + more
        zeros = ops.zeros((batch, self.hop_length * (more + 1)), x.dtype)
        x = ops.concatenate([x, zeros], axis=1)[:, : count * self.hop_length]
        return ops.reshape(x, (batch, count, self.hop_length))

    def _count_frames(self, length: Any) -> Any:
        """Returns how many frames so many samples have, a number or a tensor."""
        return (length + self.hop_length - 1) // self.hop_length

    def _make_transform(self) -> tuple[Any, Any]:
        """Returns a Hann window times cosines, and times sines: each `(frame_length, bins)`.

        The transform is a product of matrices. That is fast on every backend, compiled or not,
        and short transforms of many frames are a small part of a model.
        """
        steps = ops.arange(self.frame_length, dtype="int32")[:, None]
        bins = ops.arange(self.fft_length // 2 + 1, dtype="int32")[None]
        # Whole turns are taken off while they are integers, and exact.
        turns = ops.cast(steps * bins % self.fft_length, "float32") / self.fft_length
        share = ops.cast(steps, "float32") / self.frame_length
        window = 0.5 - 0.5 * ops.cos(2 * math.pi * share)
        return window * ops.cos(2 * math.pi * turns), window * ops.sin(2 * math.pi * turns)

    def _make_filters(self) -> Any:
        """Returns filters `(bins, M)`: triangles between neighbouring points of the mel scale."""
        limits = (self.min_frequency, self.max_frequency)
        low, high = (2595 * math.log10(1 + hertz / 700) for hertz in limits)
        step = (high - low) / (self.num_mel_bins + 1)
        mels = [low + step * i for i in range(self.num_mel_bins + 2)]
        points = ops.convert_to_tensor([700 * (10 ** (mel / 2595) - 1) for mel in mels], "float32")
        bins = ops.arange(self.fft_length // 2 + 1, dtype="float32")[:, None]
        hertz = bins * (self.sampling_rate / self.fft_length)
        rising = (hertz - points[:-2]) / (points[1:-1] - points[:-2])
        falling = (points[2:] - hertz) / (points[2:] - points[1:-1])
        return ops.maximum(ops.minimum(rising, falling), 0.0)

    def _normalize(self, y: Any, mask: Any) -> Any:
        """Gives valid frames mean 0 and standard deviation 1; over bands, or in each."""
        axes = (1, 2) if self.normalize == "recording" else 1
        valid = ops.ones_like(y) if mask is None else ops.cast(mask, y.dtype)[..., None]
        valid = ops.broadcast_to(valid, ops.shape(y))
        count = ops.maximum(ops.sum(valid, axis=axes, keepdims=True), 1.0)
        y = y - ops.sum(y * valid, axis=axes, keepdims=True) / count
        variance = ops.sum(ops.square(y) * valid, axis=axes, keepdims=True) / count
        return y / ops.sqrt(variance + 1e-3)  # of digital silence the variance is 0

    def compute_mask(self, audio: Any, previous_mask: Any = None) -> Any:
        if previous_mask is None:
            return None
        hop = self.hop_length
        valid = ops.pad(ops.cast(previous_mask, "float32"), ((0, 0), (0, hop - 1)))[..., None]
        return ops.max_pool(valid, hop, hop, "valid", "channels_last")[..., 0] > 0.5

    def compute_output_shape(self, audio_shape: tuple) -> tuple:
        checks.rank("audio", audio_shape, "(B, T)")
        batch, length = audio_shape
        frames = None if length is None else self._count_frames(length)
        return (batch, frames, self.num_mel_bins, *((1,) if self.channel_axis else ()))

    def compute_output_spec(self, audio: Any, mask: Any = None) -> keras.KerasTensor:
        checks.sequence_mask("mask", mask, "audio", audio.shape)
        return keras.KerasTensor(self.compute_output_shape(audio.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        names = (
            *("sampling_rate", "num_mel_bins", "frame_length", "hop_length", "fft_length"),
            *("min_frequency", "max_frequency", "floor", "normalize", "channel_axis"),
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
