"""Random loudness, speed, begin and noise of recordings, in training."""

from typing import Any

import keras
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks, masks


@keras.saving.register_keras_serializable(package="keras_attention")
class WaveformAugmentation(Entrance, keras.layers.Layer):
    """In training, changes each recording's speed, begin and loudness and adds noise.

    Speed as in Ko et al., 2015
    (https://www.isca-archive.org/interspeech_2015/ko15_interspeech.html), by linear
    interpolation, pitch with it. A recording keeps its length and its mask: what moves
    out at one end is lost, silence comes in at the other.

    Args:
        gain: the most that a recording gets louder or quieter, in decibels.
        speed: the most that it gets faster or slower, as a share.
        shift: the most samples that it moves, either way.
        noise: the most white noise, as a share of the recording's root mean square.
        seed: of all of them.

    Call arguments:
        audio: `(B, T)`.
        mask: `(B, T)` boolean, false where padded.
        training: whether to change anything.

    Output:
        The shape of `audio`, zeros where it is masked.
    """

    takes = tensors(audio="(B, T)")

    def __init__(
        self,
        gain: float = 6.0,
        speed: float = 0.1,
        shift: int = 0,
        noise: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        # 16 bits would put noise below every recording, and cannot count its samples.
        super().__init__(**{"dtype": "float32", **kwargs})
        checks.rate(speed=speed)
        for name, value in (("gain", gain), ("shift", shift), ("noise", noise)):
            if value != 0:
                checks.positive(**{name: value})
        self.gain = gain
        self.speed = speed
        self.shift = shift
        self.noise = noise
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def build(self, audio_shape: tuple) -> None:
        checks.rank("audio", audio_shape, "(B, T)")
        self.built = True

    def call(self, audio: Any, mask: Any = None, training: bool | None = None) -> Any:
        checks.sequence_mask("mask", mask, "audio", audio.shape)
        audio = masks.zero_masked(audio, mask)
        if not training:
            return audio
        x = ops.cast(audio, "float32")
        batch, length = ops.shape(x)
        valid = ops.ones((batch, length), "bool") if mask is None else mask
        if self.speed or self.shift:
            x = self._move(x, valid)
        decibels = self.gain * self._draw(batch)
        x = x * ops.power(10.0, decibels / 20)
        if self.noise:
            count = ops.maximum(ops.sum(ops.cast(valid, "float32"), axis=1, keepdims=True), 1.0)
            power = ops.sum(ops.square(x), axis=1, keepdims=True) / count
            level = self.noise * ops.abs(self._draw(batch)) * ops.sqrt(power)
            x = x + level * keras.random.normal((batch, length), seed=self.seed_generator)
        return ops.cast(masks.zero_masked(x, mask), self.compute_dtype)

    def _move(self, x: Any, valid: Any) -> Any:
        """Reads `x` at another speed, from another begin; zeros from outside of the recording."""
        batch, length = ops.shape(x)
        begin = ops.cast(masks.first_valid(valid), "float32")[:, None]
        last = begin + ops.sum(ops.cast(valid, "float32"), axis=1, keepdims=True) - 1
        speed = 1 + self.speed * self._draw(batch)
        steps = ops.cast(masks.positions(length), "float32")[None] - begin
        read = begin + (steps - self.shift * self._draw(batch)) * speed  # (B, T)
        inside = (read >= begin) & (read <= last)
        left = ops.clip(ops.floor(read), 0, ops.cast(length - 1, "float32"))
        share = read - left
        left = ops.cast(left, "int32")
        right = ops.minimum(left + 1, length - 1)
        lower = ops.take_along_axis(x, left, axis=1)
        upper = ops.take_along_axis(x, right, axis=1)
        return ops.where(inside, lower + share * (upper - lower), 0.0)

    def _draw(self, batch: Any) -> Any:
        """Draws numbers `(B, 1)` from -1 to 1."""
        return keras.random.uniform((batch, 1), -1.0, 1.0, "float32", seed=self.seed_generator)

    def compute_output_shape(self, audio_shape: tuple) -> tuple:
        return tuple(audio_shape)

    def compute_output_spec(
        self, audio: Any, mask: Any = None, training: bool | None = None
    ) -> keras.KerasTensor:
        checks.sequence_mask("mask", mask, "audio", audio.shape)
        return keras.KerasTensor(audio.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        names = ("gain", "speed", "shift", "noise", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
