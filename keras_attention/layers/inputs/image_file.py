"""Image files of strangers: opened, upright, of the formats and sizes that are safe."""

import os
from typing import Any

import numpy as np

from keras_attention.ops import batches

_FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "WEBP", "TIFF", "PPM")
_ORIENTATION = 0x0112  # in EXIF


def open_image(image: Any, channels: int, max_pixels: int) -> Any:
    """Returns a pillow image, upright, on white where it is transparent, grey or coloured.

    Args:
        image: a `pathlib.Path`, a pillow image, or a uint8 array `(H, W)` or `(H, W, C)`.
        channels: 1 for grey, 3 for red, green and blue.
        max_pixels: that an image may have.
    """
    pillow = import_pillow()
    picture = _open(image, pillow, max_pixels)
    if picture.mode.startswith("I"):  # 16 bits, which pillow would cut off at 255
        picture = pillow.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = pillow.alpha_composite(pillow.new("RGBA", picture.size, "white"), picture)
    return picture.convert("L" if channels == 1 else "RGB")


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
                check_pixels(image, file.size, max_pixels)
                file.load()
                turned = file.getexif().get(_ORIENTATION, 1) != 1
                return ImageOps.exif_transpose(file) if turned else file  # it would copy
        except (OSError, SyntaxError, ValueError, TypeError, pillow.DecompressionBombError) as e:
            raise ValueError(f"{image} cannot be read as an image: {e}") from e
    if isinstance(image, pillow.Image):
        check_pixels("An image", image.size, max_pixels)
        return ImageOps.exif_transpose(image)
    array = np.asarray(image)
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise ValueError(
            "An image must be a path, a pillow image, or a uint8 array (H, W) or (H, W, C) of 1, 3 "
            f"or 4 channels. Received: {array.dtype} of shape {array.shape}"
        )
    return pillow.fromarray(array[..., 0] if array.ndim == 3 and channels == 1 else array)


def check_pixels(name: Any, size: tuple[int, int], max_pixels: int) -> None:
    """Raises `ValueError` at a (width, height) too large, before the pixels are there."""
    width, height = size
    if width * height > max_pixels:
        raise ValueError(
            f"{name} has {width} x {height} pixels, above the limit of {max_pixels:,}. If you "
            "trust it, set the layer's `max_pixels`."
        )


def _list_formats(pillow: Any) -> list[str]:
    """Returns those of `_FORMATS` that this pillow was built with."""
    pillow.init()
    return [name for name in _FORMATS if name in pillow.OPEN]


def import_pillow() -> Any:
    """Returns the module `PIL.Image`, or raises `ImportError` that names the extra."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            'Image files need pillow: python -m pip install "keras-attention[image]"'
        ) from error
    return Image
