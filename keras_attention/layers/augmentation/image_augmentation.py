"""Images changed at random, in training only."""

from typing import Any

import keras
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks, masks
from keras_attention.ops.resampling import resample


@keras.saving.register_keras_serializable(package="keras_attention")
class ImageAugmentation(Entrance, keras.layers.Layer):
    """Flips, turns, zooms and shifts images at random, each in its own way, in training only.

    Keras's own layers for this do it whenever they are called without `training=False`, so that
    `model(image)` and what is captured in it would be of changed images.

    Args:
        flip: whether half of the images are mirrored, left to right.
        rotation: angle up to which images are turned either way, in full turns.
        zoom: share by which height and width grow or shrink at most, each in its own way.
        shift: share of height and width by which images move at most.
        fill: what comes in at the edges: `"nearest"`, `"reflect"`, `"wrap"`, or `"constant"`.
        fill_value: the constant.
        seed: of the changes.

    Call arguments:
        image: `(B, height, width, C)`.
        training: whether to change anything.

    Output:
        The shape of `image`.
    """

    takes = tensors(image="(B, height, width, C)")

    def __init__(
        self,
        flip: bool = False,
        rotation: float = 0.0,
        zoom: float = 0.0,
        shift: float = 0.0,
        fill: str = "nearest",
        fill_value: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.rate(rotation=rotation, zoom=zoom, shift=shift)
        checks.one_of("fill", fill, ("nearest", "constant", "reflect", "wrap"))
        self.flip = flip
        self.rotation, self.zoom, self.shift = rotation, zoom, shift
        self.fill, self.fill_value = fill, float(fill_value)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        # In 32 bits, since not every backend has these in 16.
        shared: dict[str, Any] = {"seed": seed, "dtype": "float32", "data_format": "channels_last"}
        self._changes: list[keras.layers.Layer] = []
        if flip:
            self._changes.append(keras.layers.RandomFlip("horizontal", **shared))
        if rotation:
            self._changes.append(
                keras.layers.RandomRotation(
                    rotation, fill_mode=fill, fill_value=self.fill_value, **shared
                )
            )
        if keras.backend.backend() == "jax":
            # Keras denies it for the sake of TensorFlow, and without it JAX trains uncompiled.
            for change in self._changes:
                change.supports_jit = True
        self.supports_masking = True

    def build(self, image_shape: tuple) -> None:
        checks.rank("image", image_shape, "(B, height, width, C)")
        self.built = True

    def call(self, image: Any, training: bool | None = None) -> Any:
        if not training:
            return image
        x = ops.cast(image, "float32")
        for change in self._changes:
            x = change(x, training=True)
        if self.zoom or self.shift:
            for axis in (1, 2):
                places = self._draw_places(ops.shape(x)[0], ops.shape(x)[axis])
                x = resample(x, places, axis, self.fill, self.fill_value)
        return ops.cast(x, self.compute_dtype)

    def _draw_places(self, batch: Any, size: Any) -> Any:
        """Draws zooms and shifts, and returns whence pixels along an axis come: `(B, size)`."""
        zoom, shift = (self._draw(batch, most) for most in (self.zoom, self.shift))
        steps = ops.cast(masks.positions(size), "float32")[None]
        size = ops.cast(size, "float32")
        centre = (size - 1) / 2
        return (1 + zoom) * (steps - centre) + centre - shift * size

    def _draw(self, batch: Any, most: float) -> Any:
        return keras.random.uniform((batch, 1), -most, most, seed=self.seed_generator)

    def compute_output_shape(self, image_shape: tuple) -> tuple:
        checks.rank("image", image_shape, "(B, height, width, C)")
        return tuple(image_shape)

    def compute_output_spec(self, image: Any, training: bool | None = None) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(image.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "flip": self.flip,
            "rotation": self.rotation,
            "zoom": self.zoom,
            "shift": self.shift,
            "fill": self.fill,
            "fill_value": self.fill_value,
            "seed": self.seed,
        }
