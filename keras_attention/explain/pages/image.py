"""An image on a page: the tokens that its patches are, and its PNG file."""

import base64
import struct
import zlib
from typing import Any

import numpy as np
from keras import ops

_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # of PNG, by the number of channels


class Patches:
    """An image whose patches are tokens.

    ```python
    to_html(maps, ["class", Patches(image, (7, 7))])  # a class token, then 49 patches
    ```

    Args:
        image: `(H, W)`, or `(H, W, C)` with 1, 3 or 4 channels: grey, RGB, or RGB and opacity.
            Integers from 0 to 255; floats too, or from 0 to 1 if none is larger.
        grid: rows and columns of the patches, which are tokens from left to right, then down.

    Raises:
        ValueError: the image has another shape or range, or there are no patches.
    """

    def __init__(self, image: Any, grid: tuple[int, int]) -> None:
        self.pixels = _pixels(image)
        self.rows, self.columns = grid
        if min(grid) < 1:
            raise ValueError(f"`grid` must be (rows, columns) of the patches. Received: {grid}")

    def __len__(self) -> int:
        return self.rows * self.columns

    def to_url(self) -> str:
        """Returns a `data:` URL with the image, so that a page need not fetch it."""
        return "data:image/png;base64," + base64.b64encode(_png(self.pixels)).decode("ascii")


def _pixels(image: Any) -> np.ndarray:
    """Returns pixels `(H, W, C)` from 0 to 255."""
    pixels = np.asarray(ops.convert_to_numpy(image))
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or pixels.shape[2] not in _COLOUR_TYPES or not pixels.size:
        raise ValueError(
            "`image` must have shape (H, W), or (H, W, C) with 1, 3 or 4 channels. Received: "
            f"shape {pixels.shape}"
        )
    low, high = float(pixels.min()), float(pixels.max())
    if not 0 <= low <= high <= 255:
        raise ValueError(
            f"`image` must be from 0 to 255, or from 0 to 1. Received: from {low:.3g} to {high:.3g}"
        )
    if pixels.dtype.kind == "f" and high <= 1:
        pixels = pixels * 255
    return np.rint(pixels).astype(np.uint8)


def _png(pixels: np.ndarray) -> bytes:
    """Returns the file of an image `(H, W, C)` (https://www.w3.org/TR/png-3)."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    rows = np.pad(pixels.reshape(height, -1), ((0, 0), (1, 0)))  # each begins with filter 0: none
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes()))
        + chunk(b"IEND", b"")
    )
