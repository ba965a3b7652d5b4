"""Images and recordings that are in a request: base64, and never a path or an address."""

import base64
import binascii
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from zoo.serve.limits import Limits, bad, too_large

_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")


def decode(value: Any, where: str, what: str) -> bytes:
    """Returns the content of a file that is base64, or a URL that begins with `data:`.

    Args:
        value: of the JSON.
        where: it stands, for errors.
        what: it is, for errors.

    Raises:
        Refusal: it is something else.
    """
    if not isinstance(value, str):
        raise bad(f"{where} must be {what} in base64. Received: {type(value).__name__}")
    text = value
    if value[:5].lower() == "data:":
        header, comma, text = value.partition(",")
        if not comma or not header.lower().endswith(";base64"):
            raise bad(f"{where} must be data:...;base64,... Received: {header[:60]!a}")
    try:
        content = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise bad(
            f"{where} must be {what} in base64, and no path or address: this server reads no "
            f"files. Received: {value[:60]!a}, {error}"
        ) from None
    if not content:
        raise bad(f"{where} must be {what} in base64. Received: nothing")
    return content


def read_image(value: Any, where: str, layer: Any, limits: Limits) -> np.ndarray:
    """Returns the pixels `(height, width, channels)` of an image, as the layer takes them.

    Args:
        value: of the JSON.
        where: it stands, for errors.
        layer: that encodes images.
        limits: of the server.
    """
    content = decode(value, where, "an image")
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            'Images need pillow: python -m pip install "keras-attention[image]"'
        ) from error
    Image.init()
    try:
        # Only these: of others pillow hands some, such as EPS, to programs.
        formats = [name for name in _FORMATS if name in Image.OPEN]
        with Image.open(io.BytesIO(content), formats=formats) as image:
            width, height = image.size
            if width * height > limits.pixels:
                raise too_large(
                    f"{where} may have {limits.pixels:,} pixels. Received: {width} x {height}. "
                    "Send it smaller."
                )
            image.load()
            return layer.encode([image])[0]
    except (OSError, SyntaxError, ValueError, TypeError, Image.DecompressionBombError) as error:
        raise bad(f"{where} cannot be read as an image: {_clean(error)}") from None


def read_recording(value: Any, where: str, layer: Any, limits: Limits) -> np.ndarray:
    """Returns the samples `(T,)` of a recording, at the rate of the layer.

    Args:
        value: of the JSON.
        where: it stands, for errors.
        layer: that encodes recordings.
        limits: of the server.
    """
    content = decode(value, where, "a recording")
    try:
        import soundfile
    except ImportError as error:
        raise ImportError(
            'Recordings need soundfile: python -m pip install "keras-attention[audio]"'
        ) from error
    try:
        found = soundfile.info(io.BytesIO(content))
        if found.frames * found.channels > limits.samples:
            raise too_large(
                f"{where} may have {limits.samples:,} samples. Received: {found.frames:,} in each "
                f"of {found.channels} channels. Send a part of it."
            )
        with tempfile.TemporaryDirectory() as folder:  # the layer reads files
            path = Path(folder) / "recording"
            path.write_bytes(content)
            samples = layer.encode([path])[0]
    except (soundfile.SoundFileError, ValueError, TypeError) as error:
        raise bad(f"{where} cannot be read as sound: {_clean(error)}") from None
    return samples[~np.isnan(samples)]


def _clean(error: Exception) -> str:
    """Returns what an error says, without the objects and files of the server that it names."""
    return type(error).__name__ if "<_io" in str(error) or "/" in str(error) else str(error)[:300]
