"""Pictures on a page, each of which is many tokens: images, spectrograms and graphs."""

import base64
import struct
import zlib
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from keras import ops

_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # of PNG, by the number of channels


@runtime_checkable
class Picture(Protocol):
    """Something of which each of so many positions is a part."""

    def __len__(self) -> int:
        """Returns how many positions it has."""
        ...

    def describe(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        ...


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

    def describe(self) -> dict[str, Any]:
        """Returns the image as JSON has it."""
        height, width = self.pixels.shape[:2]
        size = {"rows": self.rows, "columns": self.columns, "width": width, "height": height}
        return {"image": self.to_url(), **size}

    def to_url(self) -> str:
        """Returns a `data:` URL with the image, so that a page need not fetch it."""
        return "data:image/png;base64," + base64.b64encode(_png(self.pixels)).decode("ascii")


class Spectrogram(Patches):
    """A spectrogram whose patches are tokens: all bands of the first stretch of time, then all of
    the second.

    Args:
        frames: `(frames, M)` energies.
        grid: stretches of time and bands of the patches.
        labels: of the stretches, such as `"0.10 s"`.
    """

    def __init__(self, frames: Any, grid: tuple[int, int], labels: Sequence[str]) -> None:
        frames = np.asarray(frames, np.float64)
        low, high = frames.min(), frames.max()
        loud = (frames - low) / max(high - low, 1e-12)
        super().__init__(np.rint(255 * (1 - loud.T[::-1])), grid[::-1])  # low bands below
        self.labels = list(labels)

    def describe(self) -> dict[str, Any]:
        """Returns the picture as JSON has it; `upright` says that its tokens go up and then to the
        right."""
        return {**super().describe(), "labels": self.labels, "upright": True}


class Graph:
    """A graph whose nodes are tokens, with lines between them.

    Args:
        labels: of the nodes.
        places: `(nodes, 2)`, to the right and down, from 0 to 1.
        edges: `(E, 2)`, (source, target).
    """

    def __init__(self, labels: Sequence[str], places: Any, edges: Any) -> None:
        self.labels = list(labels)
        self.places = np.asarray(places, np.float64)
        self.edges = np.asarray(edges)

    def __len__(self) -> int:
        return len(self.labels)

    def describe(self) -> dict[str, Any]:
        """Returns the graph as JSON has it, its places in percent."""
        places = np.round(100 * self.places, 1).tolist()
        return {"nodes": self.labels, "places": places, "edges": self.edges.tolist()}


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
