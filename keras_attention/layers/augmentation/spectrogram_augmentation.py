"""Masking of time and frequency in spectrograms, in training."""

from typing import Any

import keras
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks, masks


@keras.saving.register_keras_serializable(package="keras_attention")
class SpectrogramAugmentation(Entrance, keras.layers.Layer):
    """SpecAugment of Park et al., 2019 (https://arxiv.org/abs/1904.08779): in training, each
    spectrogram loses some spans of frames and some of bands.

    Sections 2 (time and frequency masking): a width is drawn uniformly from 0 to the maximum,
    then where it begins, uniformly from where it fits; time masks within the valid frames. What
    is lost becomes 0, the mean of a normalised spectrogram. Without the paper's time warping,
    which in its discussion is not a major factor.

    Args:
        time_masks: spans of frames per spectrogram (the paper's m_T).
        max_frames: the widest (T).
        max_share: of a spectrogram's valid frames, the most that a span takes (p).
        frequency_masks: spans of bands per spectrogram (m_F).
        max_bands: the widest (F).
        seed: of the spans.

    Call arguments:
        spectrogram: `(B, frames, M)`, or `(B, frames, M, 1)`.
        mask: `(B, frames)` boolean, false where padded.
        training: whether to mask.

    Output:
        The shape of `spectrogram`, zeros where it is masked.
    """

    takes = tensors(spectrogram="(B, frames, M) or (B, frames, M, 1)")

    def __init__(
        self,
        time_masks: int = 2,
        max_frames: int = 20,
        max_share: float = 0.2,
        frequency_masks: int = 2,
        max_bands: int = 10,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, count in (("time_masks", time_masks), ("frequency_masks", frequency_masks)):
            if count != 0:
                checks.positive_int(**{name: count})
        checks.positive_int(max_frames=max_frames, max_bands=max_bands)
        checks.rate(max_share=max_share)
        self.time_masks = time_masks
        self.max_frames = max_frames
        self.max_share = max_share
        self.frequency_masks = frequency_masks
        self.max_bands = max_bands
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def build(self, spectrogram_shape: tuple) -> None:
        self._check(spectrogram_shape)
        self.built = True

    def call(self, spectrogram: Any, mask: Any = None, training: bool | None = None) -> Any:
        self._check(spectrogram.shape, mask)
        x = masks.zero_masked(spectrogram, mask)
        if not training:
            return x
        batch, frames, bands = ops.shape(x)[:3]
        if mask is None:
            start, length = 0, ops.cast(frames, "float32")
        else:
            start = ops.cast(masks.first_valid(mask), "float32")[:, None]
            length = ops.sum(ops.cast(mask, "float32"), axis=-1)[:, None]  # (B, 1)
        widest = ops.minimum(float(self.max_frames), self.max_share * length)
        kept = self._draw_outside(self.time_masks, batch, frames, start, length, widest)[..., None]
        length = ops.cast(bands, "float32")
        widest = ops.minimum(float(self.max_bands), length)
        bands_kept = self._draw_outside(self.frequency_masks, batch, bands, 0, length, widest)
        kept = ops.logical_and(kept, bands_kept[:, None])  # (B, frames, M)
        return ops.where(kept if len(x.shape) == 3 else kept[..., None], x, 0.0)

    def _draw_outside(
        self, spans: int, batch: Any, size: Any, start: Any, length: Any, widest: Any
    ) -> Any:
        """Draws random spans and returns what none of them covers: `(B, size)`."""
        steps = masks.positions(size)[None]
        outside = ops.ones((batch, size), "bool")
        for _ in range(spans):
            width = ops.floor(self._draw(batch) * (widest + 1))
            begin = start + ops.floor(self._draw(batch) * (length - width + 1))
            begin, end = ops.cast(begin, "int32"), ops.cast(begin + width, "int32")
            outside = outside & ((steps < begin) | (steps >= end))
        return outside

    def _draw(self, batch: Any) -> Any:
        return keras.random.uniform((batch, 1), dtype="float32", seed=self.seed_generator)

    def _check(self, shape: tuple, mask: Any = None) -> None:
        if len(shape) != 4:
            checks.rank("spectrogram", shape, "(B, frames, M)")
        checks.sequence_mask("mask", mask, "spectrogram", shape)

    def compute_output_shape(self, spectrogram_shape: tuple) -> tuple:
        return tuple(spectrogram_shape)

    def compute_output_spec(
        self, spectrogram: Any, mask: Any = None, training: bool | None = None
    ) -> keras.KerasTensor:
        self._check(spectrogram.shape, mask)
        return keras.KerasTensor(spectrogram.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        names = ("time_masks", "max_frames", "max_share", "frequency_masks", "max_bands", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
