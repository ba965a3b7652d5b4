"""Image files to standardised pixels: the first node of an image model."""

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks


@keras.saving.register_keras_serializable(package="keras_attention")
class ImageConverter(Entrance, keras.layers.Layer):
    """Reads images, outside the graph; inside it, standardises pixels of 0 to 255.

    As the first node of a model it carries size, channels and statistics in the `.keras` file, so
    that the file alone goes from a PNG to an answer (`ka.predict`).

    Args:
        height, width, channels: of the images; 1 channel is grey, 3 are red, green and blue.
        mean, std: of the training images as shares of 255: one number for all channels or one
            for each.

    Call arguments:
        image: `(B, height, width, channels)`, from 0 to 255.

    Output:
        The shape of `image`: `(image / 255 - mean) / std`.

    Raises:
        ImportError: pillow is not installed, where files are to be read.
        ValueError: an image of another size or with other channels than the model takes, or a
            file that is no image.
    """

    takes = tensors(image="any numbers (B, height, width, channels)")

    encodes = "images"

    def __init__(
        self,
        height: int,
        width: int,
        channels: int = 3,
        mean: float | Sequence[float] = 0.0,
        std: float | Sequence[float] = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(height=height, width=width)
        checks.one_of("channels", channels, (1, 3))
        self.height, self.width, self.channels = height, width, channels
        self.mean = _per_channel("mean", mean, channels)
        self.std = _per_channel("std", std, channels)
        for number in self.std:
            checks.positive(std=number)
        self.supports_masking = True

    def encode(self, images: Any) -> np.ndarray:
        """Pixels `(B, height, width, channels)` from 0 to 255, float32; or uint8 as they were
        given, a quarter of the memory.

        Files and single images are turned upright as their camera noted, laid on white where they
        are transparent, made grey or coloured, and stretched to the size by pillow's bilinear
        filter, which averages where it shrinks.

        Args:
            images: a list of paths of image files, pillow images, or uint8 arrays `(H, W)` or
                `(H, W, C)`; or one array `(B, height, width, channels)` from 0 to 255, which
                passes, `(B, height, width)` if it is grey.
        """
        if isinstance(images, (str, os.PathLike)):
            raise TypeError(f"`images` must be a list of images. Received: {str(images)!r}")
        if isinstance(images, np.ndarray) and images.dtype != object:
            return self._checked(images)
        return np.stack([self._pixels(image) for image in images]).astype(np.float32)

    def _checked(self, images: np.ndarray) -> np.ndarray:
        size = (self.height, self.width)
        if images.shape[1:] == size and self.channels == 1:
            images = images[..., None]
        if images.shape[1:] != (*size, self.channels):
            raise ValueError(
                f"`images` must have shape (B, {self.height}, {self.width}, {self.channels}), or "
                "be a list of images, which are resized. Received: an array of shape "
                f"{images.shape}"
            )
        highest, lowest = (images.max(), images.min()) if images.size else (0, 0)
        if not (lowest >= 0 and highest <= 255):  # a NaN is neither
            raise ValueError(
                f"Pixels must be numbers from 0 to 255. Received: from {lowest} to {highest}"
            )
        if np.issubdtype(images.dtype, np.floating) and 0 < highest <= 1:
            raise ValueError(
                f"Pixels must be from 0 to 255, and these seem to be shares of 1. Received: from "
                f"{lowest} to {highest}. Multiply by 255."
            )
        return images if images.dtype == np.uint8 else images.astype(np.float32)

    def _pixels(self, image: Any) -> np.ndarray:
        pillow = _pillow()
        picture = _opened(image, pillow)
        if picture.mode.startswith("I"):  # 16 bits, which pillow would cut off at 255
            picture = pillow.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
        if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
            picture = picture.convert("RGBA")
            picture = pillow.alpha_composite(pillow.new("RGBA", picture.size, "white"), picture)
        picture = picture.convert("L" if self.channels == 1 else "RGB")
        if picture.size != (self.width, self.height):
            picture = picture.resize((self.width, self.height), pillow.Resampling.BILINEAR)
        return np.asarray(picture).reshape(self.height, self.width, self.channels)

    def build(self, image_shape: tuple) -> None:
        self._check(image_shape)
        self.built = True

    def call(self, image: Any) -> Any:
        self._check(image.shape)
        x = ops.cast(image, "float32")  # rounded once, at the end
        x = (x / 255 - ops.convert_to_tensor(self.mean, x.dtype)) / ops.convert_to_tensor(
            self.std, x.dtype
        )
        return ops.cast(x, self.compute_dtype)

    def _check(self, shape: tuple) -> None:
        expected = (None, self.height, self.width, self.channels)
        checks.matches("image", shape, expected, "(B, height, width, channels)")

    def compute_output_shape(self, image_shape: tuple) -> tuple:
        self._check(image_shape)
        return tuple(image_shape)

    def compute_output_spec(self, image: Any) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(image.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
            "mean": list(self.mean),
            "std": list(self.std),
        }


def _per_channel(name: str, value: float | Sequence[float], channels: int) -> tuple[float, ...]:
    several = value if isinstance(value, Sequence) else [value] * channels
    numbers = tuple(float(number) for number in several)
    if len(numbers) != channels:
        raise ValueError(
            f"`{name}` must be one number or one for each channel. Received: {name}={value}, "
            f"channels={channels}"
        )
    return numbers


def _opened(image: Any, pillow: Any) -> Any:
    """A pillow image, upright."""
    from PIL import ImageOps

    if isinstance(image, (str, os.PathLike)):
        try:
            with pillow.open(image) as file:
                return ImageOps.exif_transpose(file.copy())
        except FileNotFoundError:
            raise
        except (OSError, SyntaxError, ValueError, pillow.DecompressionBombError) as error:
            raise ValueError(f"{image} cannot be read as an image: {error}") from error
    if isinstance(image, pillow.Image):
        return ImageOps.exif_transpose(image)
    array = np.asarray(image)
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise ValueError(
            "An image must be a path, a pillow image, or a uint8 array (H, W) or (H, W, C) of 1, 3 "
            f"or 4 channels. Received: {array.dtype} of shape {array.shape}"
        )
    return pillow.fromarray(array[..., 0] if array.ndim == 3 and channels == 1 else array)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            'Image files need pillow: python -m pip install "keras-attention[zoo]"'
        ) from error
    return Image
