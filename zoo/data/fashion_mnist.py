"""Fashion-MNIST: 70,000 grey images of clothes in 10 classes."""

import gzip
import math
import struct
from pathlib import Path

import numpy as np

from zoo.data import Source, Splits
from zoo.data.download import File, fetch

SOURCE = Source(
    name="Fashion-MNIST",
    url="https://github.com/zalandoresearch/fashion-mnist",
    license="MIT",
    citation=(
        "H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking "
        "Machine Learning Algorithms, 2017, https://arxiv.org/abs/1708.07747"
    ),
)
CLASS_NAMES = (
    *("T-shirt/top", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
_URL = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
    "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/"
)
_FILES = {
    name: File(url=_URL + name, sha256=sha256)
    for name, sha256 in {
        "train-images-idx3-ubyte.gz": (
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
        ),
        "train-labels-idx1-ubyte.gz": (
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
        ),
        "t10k-images-idx3-ubyte.gz": (
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
        ),
        "t10k-labels-idx1-ubyte.gz": (
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
        ),
    }.items()
}
_VALIDATION = 5000  # of the training images
_MOST_BYTES = 2**28


def load() -> Splits:
    """55,000 images to train on, the last 5,000 of the official training part to choose by, and
    the official 10,000 to test on.

    Returns:
        `x` `(B, 28, 28, 1)` uint8, `y` `(B,)` int32.
    """
    paths = {name: fetch("fashion_mnist", file) for name, file in _FILES.items()}
    (x, y), test = (
        (
            read_idx(paths[f"{part}-images-idx3-ubyte.gz"])[..., None],
            read_idx(paths[f"{part}-labels-idx1-ubyte.gz"]).astype(np.int32),
        )
        for part in ("train", "t10k")
    )
    return Splits(
        train=(x[:-_VALIDATION], y[:-_VALIDATION]),
        validation=(x[-_VALIDATION:], y[-_VALIDATION:]),
        test=test,
        class_names=CLASS_NAMES,
        source=SOURCE,
    )


def sample() -> Splits:
    """Made-up images of the same form: each class has a bright column of its own."""
    rng = np.random.default_rng(0)

    def part(size: int) -> tuple[np.ndarray, np.ndarray]:
        y = (np.arange(size) % len(CLASS_NAMES)).astype(np.int32)
        x = rng.integers(0, 60, (size, 28, 28, 1), np.uint8)
        for image, label in zip(x, y, strict=True):
            image[:, 2 * label + 4 : 2 * label + 6] = 250
        return x, y

    return Splits(
        train=part(60), validation=part(20), test=part(20), class_names=CLASS_NAMES, source=SOURCE
    )


def read_idx(path: str | Path) -> np.ndarray:
    """The array of a gzipped file in MNIST's idx format, unsigned bytes.

    Raises:
        ValueError: it is not of that format, or not whole.
    """
    with gzip.open(path) as file:
        zeros, kind, rank = struct.unpack(">HBB", file.read(4).ljust(4, b"\0"))
        sizes = file.read(4 * rank)
        if zeros or kind != 8 or len(sizes) < 4 * rank:
            raise ValueError(f"{path} is not an idx file of unsigned bytes.")
        shape = struct.unpack(f">{rank}I", sizes)
        size = math.prod(shape)
        if size > _MOST_BYTES:
            raise ValueError(f"{path} has an array of shape {shape}, above {_MOST_BYTES:,} bytes.")
        content = file.read(size + 1)
    if len(content) != size:
        more = "more than " if len(content) > size else ""
        raise ValueError(
            f"{path} has {more}{min(len(content), size)} bytes for an array of shape {shape}."
        )
    return np.frombuffer(content, np.uint8).reshape(shape)
