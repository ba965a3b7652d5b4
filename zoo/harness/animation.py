"""Pictures that move."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Animation:
    """Pictures that follow each other.

    Attributes:
        frames: `(H, W, 3)` bytes each.
        seconds: that each is shown.
    """

    frames: list[np.ndarray]
    seconds: float

    def save(self, path: str | Path) -> None:
        """Writes a GIF that begins again when it ends."""
        from PIL import Image

        first, *others = (Image.fromarray(frame).quantize(64) for frame in self.frames)
        milliseconds = round(1000 * self.seconds)
        first.save(path, save_all=True, append_images=others, duration=milliseconds, loop=0)
