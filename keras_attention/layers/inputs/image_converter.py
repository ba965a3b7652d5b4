"""Image files to standardised pixels: the first node of an image model."""

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import batches, checks

_FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "WEBP", "TIFF", "PPM")
_MOST_PIXELS = 50_000_000  # three copies of which, 12 bytes a pixel, are alive at a time
_ORIENTATION = 0x0112  # in EXIF


@keras.saving.register_keras_serializable(package="keras_attention")
class ImageConverter(Entrance, keras.layers.Layer):
    """Reads images, outside the graph; inside it, standardises pixels of 0 to 255.

    As the first node of a model it carries size, channels and statistics in the `.keras` file, so
    that the file alone goes from a PNG to an answer (`ka.predict`).

    Args:
        height, width, channels: of the images; 1 channel is grey, 3 are red, green and blue.
        mean, std: of the training images as shares of 255: one number for all channels or one
            for each.
        resize: how an image of another shape comes to this one: `"stretch"`; `"letterbox"`, whole,
            with margins of the colour `mean`; or `"crop"`, its middle.

    Attributes:
        max_pixels: of an image file, height times width. It is not part of the configuration, so
            that no file raises it: set it where you trust your images.

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
        resize: str = "stretch",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(height=height, width=width)
        checks.one_of("channels", channels, (1, 3))
        checks.one_of("resize", resize, ("stretch", "letterbox", "crop"))
        if height * width > _MOST_PIXELS:  # whoever chose the size, images are made of it
            raise ValueError(
                f"`height` times `width` must be at most {_MOST_PIXELS}. Received: "
                f"height={height}, width={width}"
            )
        self.height, self.width, self.channels = height, width, channels
        self.resize = resize
        self.max_pixels = _MOST_PIXELS
        self.mean = _per_channel("mean", mean, channels)
        self.std = _per_channel("std", std, channels)
        for number in self.std:
            checks.positive(std=number)
        self.supports_masking = True

    def encode(self, images: Any) -> np.ndarray:
        """Returns pixels `(B, height, width, channels)` from 0 to 255.

        They are uint8; float32 only if they were given as other numbers.

        Files and single images are turned upright as their camera noted, laid on white where they
        are transparent, made grey or coloured, and brought to the size by pillow's bilinear
        filter, which averages where it shrinks. An image that comes several times is read once.

        Args:
            images: a list of `pathlib.Path` of image files (PNG, JPEG, GIF, BMP, WebP, TIFF, PPM),
                pillow images, or uint8 arrays `(H, W)` or `(H, W, C)`; or one array
                `(B, height, width, channels)` from 0 to 255, which passes, `(B, height, width)`
                if it is grey.

        Raises:
            FileNotFoundError: there is no such file.
            TypeError: it is one image, or one is a string: who wrote it may name any file.
            ValueError: an image cannot be read, or has more than `max_pixels`.
        """
        if ops.is_tensor(images):
            images = ops.convert_to_numpy(images)
        if isinstance(images, np.ndarray) and images.dtype.kind in "biuf":
            return self._check_pixels(images)
        rows = batches.items("images", images, "images")
        pixels = np.empty((len(rows), self.height, self.width, self.channels), np.uint8)
        first: dict[Any, int] = {}  # rows by what was read
        for row, image in enumerate(rows):
            same = first.setdefault(_make_key(image), row)
            pixels[row] = self._read_pixels(image) if same == row else pixels[same]
        return pixels

    def _check_pixels(self, images: np.ndarray) -> np.ndarray:
        """Returns an array of images as pixels, or raises `ValueError` if it is none."""
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

    def _read_pixels(self, image: Any) -> np.ndarray:
        """Returns the pixels `(height, width, channels)` of an image of any size, uint8."""
        pillow = _import_pillow()
        picture = _open(image, pillow, self.max_pixels)
        if picture.mode.startswith("I"):  # 16 bits, which pillow would cut off at 255
            picture = pillow.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
        if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
            picture = picture.convert("RGBA")
            picture = pillow.alpha_composite(pillow.new("RGBA", picture.size, "white"), picture)
        picture = picture.convert("L" if self.channels == 1 else "RGB")
        if picture.size != (self.width, self.height):
            picture = self._resize(picture, pillow.Resampling.BILINEAR)
        return np.asarray(picture).reshape(self.height, self.width, self.channels)

    def _resize(self, picture: Any, method: Any) -> Any:
        """Returns a pillow image of the size that the model takes."""
        from PIL import ImageOps

        size = (self.width, self.height)
        if self.resize == "letterbox":
            colour = tuple(min(255, max(0, round(255 * share))) for share in self.mean)
            margin = colour[0] if self.channels == 1 else colour
            return ImageOps.pad(picture, size, method, color=margin)
        if self.resize == "crop":
            return ImageOps.fit(picture, size, method)
        return picture.resize(size, method)

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
            "resize": self.resize,
        }


def _per_channel(name: str, value: float | Sequence[float], channels: int) -> tuple[float, ...]:
    """Returns a number for each channel."""
    given = value if isinstance(value, Sequence) else [value] * channels
    numbers = tuple(float(number) for number in given)
    if len(numbers) != channels:
        raise ValueError(
            f"`{name}` must be one number or one for each channel. Received: {name}={value}, "
            f"channels={channels}"
        )
    return numbers


def _make_key(image: Any) -> Any:
    """Returns a key that tells an image of a batch from others: its path, or the object's id."""
    return os.fspath(image) if isinstance(image, os.PathLike) else id(image)


def _open(image: Any, pillow: Any, max_pixels: int) -> Any:
    """Returns a pillow image, upright."""
    from PIL import ImageOps

    if isinstance(image, (str, bytes)):
        raise TypeError(
            "An image file must be named by a `pathlib.Path`: a string may come from anybody. "
            f"Received: {batches.short(image)}"
        )
    if isinstance(image, os.PathLike):
        batches.regular_file(image)
        try:
            # Only these: of others pillow hands some, such as EPS, to programs.
            with pillow.open(image, formats=_list_formats(pillow)) as file:
                _check_size(image, file, max_pixels)
                file.load()
                turned = file.getexif().get(_ORIENTATION, 1) != 1
                return ImageOps.exif_transpose(file) if turned else file  # it would copy
        except (OSError, SyntaxError, ValueError, TypeError, pillow.DecompressionBombError) as e:
            raise ValueError(f"{image} cannot be read as an image: {e}") from e
    if isinstance(image, pillow.Image):
        _check_size("An image", image, max_pixels)
        return ImageOps.exif_transpose(image)
    array = np.asarray(image)
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise ValueError(
            "An image must be a path, a pillow image, or a uint8 array (H, W) or (H, W, C) of 1, 3 "
            f"or 4 channels. Received: {array.dtype} of shape {array.shape}"
        )
    return pillow.fromarray(array[..., 0] if array.ndim == 3 and channels == 1 else array)


def _check_size(name: Any, picture: Any, max_pixels: int) -> None:
    """Raises `ValueError` at an image too large, by its header, before its pixels are there."""
    width, height = picture.size
    if width * height > max_pixels:
        raise ValueError(
            f"{name} has {width} x {height} pixels, above the limit of {max_pixels:,}. If you "
            "trust it, set the layer's `max_pixels`."
        )


def _list_formats(pillow: Any) -> list[str]:
    """Returns those of `_FORMATS` that this pillow was built with."""
    pillow.init()
    return [name for name in _FORMATS if name in pillow.OPEN]


def _import_pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            'Image files need pillow: python -m pip install "keras-attention[image]"'
        ) from error
    return Image
