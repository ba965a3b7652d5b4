"""Image files to standardised pixels: the first node of an image model."""

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.layers.inputs.image_file import check_pixels, import_pillow, open_image
from keras_attention.ops import batches, checks

_MOST_PIXELS = 50_000_000  # three copies of which, 12 bytes a pixel, are alive at a time
_RESAMPLE = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
_RESIZE = ("stretch", "letterbox", "crop", "shortest_edge", "none")


@keras.saving.register_keras_serializable(package="keras_attention")
class ImageConverter(Entrance, keras.layers.Layer):
    """Reads images, outside the graph; inside it, standardises pixels of 0 to 255.

    As the first node of a model it carries size, channels and statistics in the `.keras` file, so
    that the file alone goes from a PNG to an answer (`ka.predict`).

    Args:
        height, width, channels: of the images; 1 channel is grey, 3 are red, green and blue.
        mean, std: of the training images as shares of 255, or rather of pixels times
            `rescale_factor`: one number for all channels or one for each.
        resize: how an image of another shape comes to `resize_to`: `"stretch"`; `"letterbox"`,
            whole, with margins of the colour `mean`; `"crop"`, its middle; `"shortest_edge"`, in
            its own shape; or `"none"`, not at all.
        resample: filter of pillow, `"nearest"`, `"box"`, `"bilinear"`, `"hamming"`, `"bicubic"` or
            `"lanczos"`.
        resize_to: `(height, width)` of which the middle is cut out, or one number for both and for
            the shortest edge; black where it is smaller. `height` and `width` if `None`.
        rescale_factor: what pixels are multiplied by before `mean` is subtracted.

    Attributes:
        max_pixels: of an image file, height times width. It is not part of the configuration, so
            that no file raises it: set it where you trust your images.

    Call arguments:
        image: `(B, height, width, channels)`, from 0 to 255.

    Output:
        The shape of `image`: `(image * rescale_factor - mean) / std`.

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
        resample: str = "bilinear",
        resize_to: int | tuple[int, int] | None = None,
        rescale_factor: float = 1 / 255,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(height=height, width=width)
        checks.one_of("channels", channels, (1, 3))
        checks.one_of("resize", resize, _RESIZE)
        checks.one_of("resample", resample, _RESAMPLE)
        if not 1e-6 <= rescale_factor <= 1:
            raise ValueError(
                "`rescale_factor` must be from 1e-6 to 1, such as 1 / 255. Received: "
                f"rescale_factor={rescale_factor}"
            )
        _check_area("`height` times `width`", height, width)
        self.height, self.width, self.channels = height, width, channels
        self.resize, self.resample = resize, resample
        self.resize_to = _check_resize_to(resize_to, resize)
        self.rescale_factor = float(rescale_factor)
        self.max_pixels = _MOST_PIXELS
        self._set_statistics(mean, std)
        _check_units("mean", mean, self.mean, self.rescale_factor)
        _check_units("std", std, self.std, self.rescale_factor)
        self.supports_masking = True

    def _set_statistics(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        self.mean = _per_channel("mean", mean, self.channels)
        self.std = _per_channel("std", std, self.channels)
        for number in self.std:
            checks.positive(std=number)

    def encode(self, images: Any) -> np.ndarray:
        """Returns pixels `(B, height, width, channels)` from 0 to 255.

        They are uint8; float32 only if they were given as other numbers.

        Files and single images are turned upright as their camera noted, laid on white where they
        are transparent, made grey or coloured, and brought to the size by pillow, whose filters
        average where they shrink, but for `"nearest"`. An image that comes several times is read
        once.

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
        picture = self._resize(open_image(image, self.channels, self.max_pixels))
        if picture.size != (self.width, self.height):  # the middle, black where there is none
            left = (picture.width - self.width) // 2
            top = (picture.height - self.height) // 2
            picture = picture.crop((left, top, left + self.width, top + self.height))
        return np.asarray(picture).reshape(self.height, self.width, self.channels)

    def _resize(self, picture: Any) -> Any:
        """Returns a pillow image of the size that its middle is cut out of."""
        from PIL import ImageOps

        method = import_pillow().Resampling[self.resample.upper()]
        height, width = self.resize_to or (self.height, self.width)
        if picture.size == (width, height) or self.resize == "none":
            return picture
        if self.resize == "letterbox":
            brightest = 1 / self.rescale_factor
            colour = tuple(min(255, max(0, round(brightest * mean))) for mean in self.mean)
            margin = colour[0] if self.channels == 1 else colour
            return ImageOps.pad(picture, (width, height), method, color=margin)
        if self.resize == "crop":
            return ImageOps.fit(picture, (width, height), method)
        if self.resize == "shortest_edge":
            shortest = min(picture.size)
            width, height = (int(height * edge / shortest) for edge in picture.size)
            name = "An image resized by its shortest edge"
            check_pixels(name, (width, height), self.max_pixels)
        return picture.resize((width, height), method)

    def build(self, image_shape: tuple) -> None:
        self._check(image_shape)
        self.built = True

    def call(self, image: Any) -> Any:
        self._check(image.shape)
        x = ops.cast(image, "float32")  # rounded once, at the end
        x = x / (1 / self.rescale_factor)  # 255 is a number of float32, a 255th is none
        mean, std = (ops.convert_to_tensor(values, x.dtype) for values in (self.mean, self.std))
        x = (x - mean) / std
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
            "resample": self.resample,
            "resize_to": self.resize_to,
            "rescale_factor": self.rescale_factor,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ImageConverter":
        """Returns the layer of a file, even if its statistics are refused of a new one."""
        layer = super().from_config({**config, "mean": 0.0, "std": 1.0})
        layer._set_statistics(config.get("mean", 0.0), config.get("std", 1.0))
        return layer


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


def _check_units(
    name: str, value: float | Sequence[float], numbers: tuple[float, ...], rescale_factor: float
) -> None:
    """Raises `ValueError` at a statistic of pixels from 0 to 255.

    With it all images would be alike to the model, which would learn nothing.
    """
    highest = max(1.0, 255 * rescale_factor)
    if not all(abs(number) <= highest for number in numbers):  # a NaN is not either
        shares = [float(f"{number * rescale_factor:.4g}") for number in numbers]
        raise ValueError(
            f"`{name}` is of pixels times `rescale_factor`, by default of shares of 255, and must "
            f"be at most {highest:g}. Received: {name}={value}, "
            f"rescale_factor={rescale_factor:.4g}. If it is of pixels from 0 to 255, pass "
            f"{name}={shares if isinstance(value, Sequence) else shares[0]}"
        )


def _check_resize_to(resize_to: int | Sequence[int] | None, resize: str) -> Any:
    """Returns height and width or `None`, or raises `ValueError` at what `resize` does not take."""
    if resize_to is None:
        if resize == "shortest_edge":
            raise ValueError(
                "resize='shortest_edge' needs the length of that edge: pass `resize_to`. "
                "Received: resize_to=None"
            )
        return None
    pair = tuple(resize_to) if isinstance(resize_to, Sequence) else (resize_to, resize_to)
    if len(pair) != 2 or resize == "none" or (resize == "shortest_edge" and len(set(pair)) > 1):
        raise ValueError(
            "`resize_to` must be (height, width) or one number, which resize='shortest_edge' "
            f"needs, and None for resize='none'. Received: resize_to={resize_to}, resize={resize!r}"
        )
    for size in pair:
        checks.positive_int(resize_to=size)
    _check_area("`resize_to`", *pair)
    return pair


def _check_area(names: str, height: int, width: int) -> None:
    """Raises `ValueError` at a size of images too large, by whomever the layer was made."""
    if height * width > _MOST_PIXELS:
        raise ValueError(
            f"{names} must be at most {_MOST_PIXELS} pixels. Received: height={height}, "
            f"width={width}"
        )


def _make_key(image: Any) -> Any:
    """Returns a key that tells an image of a batch from others: its path, or the object's id."""
    return os.fspath(image) if isinstance(image, os.PathLike) else id(image)
