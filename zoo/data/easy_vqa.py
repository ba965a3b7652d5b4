"""easy-VQA: 48,248 questions about 5,000 images of one coloured shape each, with 13 answers."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from zoo.data import Arrays, Source, Splits, objects
from zoo.data.archives import digest, read_files
from zoo.data.download import File, fetch, root

SOURCE = Source(
    name="easy-VQA",
    url="https://github.com/vzhou842/easy-VQA",
    license="MIT",
    citation="V. Zhou and P. Wang, easy-VQA, 2020, https://github.com/vzhou842/easy-VQA",
)
SHAPES = ("circle", "rectangle", "triangle")
COLOURS = {
    "black": (0, 0, 0),
    "blue": (0, 0, 255),
    "brown": (165, 42, 42),
    "gray": (128, 128, 128),
    "green": (0, 255, 0),
    "red": (255, 0, 0),
    "teal": (0, 128, 128),
    "yellow": (255, 255, 0),
}
CLASS_NAMES = ("yes", "no", *SHAPES, *COLOURS)
SIZE = 64  # pixels
_COMMIT = "3b553bb7ff42a868d5f4cbe8c88255d7333c3c31"
_URL = f"https://raw.githubusercontent.com/vzhou842/easy-VQA/{_COMMIT}/easy_vqa/data"
_QUESTIONS = {
    "train": "bb67697636aed0e65631d4266824aebeae5c833b0f37ed781e20752e85617ec5",
    "test": "0d4630a51bafec65343e2f6af9cdd20cf8eae214344ef57636202eec409553f7",
}
_ARCHIVE = File(
    url=f"https://github.com/vzhou842/easy-VQA/archive/{_COMMIT}.tar.gz",
    sha256=None,
    name="easy-VQA.tar.gz",
)
_IMAGES = {
    "train": "27a3a7bae8f13e102add96c92bba087eb936622e3368b8815a8d6f806d85595d",
    "test": "36e524234412cb4f99de41d9aa172bc161a9f04a6ce623947c89414b9ebc1283",
}
_VALIDATION = 400  # of the training images

Question = tuple[str, str, int]  # and its answer, and the number of its image


def load() -> Splits:
    """Questions about the first 3,600 of the official training images to train on, about the
    last 400 to choose by, and the official 9,673 to test on.

    Returns:
        x `{"image": (B, 64, 64, 3) uint8, "question_ids": (B,) object array of texts}`, an image
        in as many rows as there are questions about it, and `y` `(B,)` int32.

    Raises:
        ValueError: the images are not those that were published.
    """
    questions = {part: read_questions(part) for part in ("train", "test")}
    images = {part: read_images(part) for part in ("train", "test")}
    first = len(images["train"]) - _VALIDATION
    seen, unseen = [], []
    for question in questions["train"]:
        (seen if question[2] < first else unseen).append(question)
    return Splits(
        train=arrays(seen, images["train"]),
        validation=arrays(unseen, images["train"]),
        test=arrays(questions["test"], images["test"]),
        class_names=CLASS_NAMES,
        source=SOURCE,
    )


def sample() -> Splits:
    """Made-up questions about made-up images, of the same form."""
    rng = np.random.default_rng(0)

    def part(size: int) -> Arrays:
        drawn, questions = [], []
        for number in range(size):
            shape, colour = SHAPES[number % 3], list(COLOURS)[number % len(COLOURS)]
            drawn.append(draw(rng, shape, colour))
            asked = SHAPES[rng.integers(3)]
            questions += [
                ("what color is the shape?", colour, number),
                (f"what is the {colour} shape?", shape, number),
                (f"is there a {asked}?", "yes" if asked == shape else "no", number),
                (f"is there not a {asked}?", "no" if asked == shape else "yes", number),
            ]
        return arrays(questions, np.stack(drawn))

    return Splits(
        train=part(24), validation=part(2), test=part(2), class_names=CLASS_NAMES, source=SOURCE
    )


def read_questions(part: str) -> list[Question]:
    """The questions of `"train"` or `"test"`."""
    file = File(url=f"{_URL}/{part}/questions.json", sha256=_QUESTIONS[part])
    content = json.loads(fetch(f"easy_vqa/{part}", file).read_text(encoding="utf-8"))
    return [(question, answer, image) for question, answer, image in content]


def read_images(part: str) -> np.ndarray:
    """The images of `"train"` or `"test"` by their numbers, `(images, 64, 64, 3)` uint8.

    Raises:
        ValueError: they are not those that were published.
    """
    folder = root() / "easy_vqa"
    packed = folder / f"{part}_images.zip"  # the same content, where somebody packed it
    if packed.exists():
        files = read_files(packed, r".*\.png")
    else:
        path = fetch("easy_vqa", _ARCHIVE)
        files = read_files(path, rf".*/easy_vqa/data/{part}/images/[^/]*\.png")
    received = digest(files)
    if received != _IMAGES[part]:
        raise ValueError(
            f"The {part} images in {folder} are not those that were published: their digest is "
            f"{received}, expected {_IMAGES[part]}. Remove the file there, to have it fetched anew."
        )
    return pixels(files)


def pixels(files: Mapping[str, bytes]) -> np.ndarray:
    """The images of files `0.png`, `1.png` and so on, in the order of their numbers."""
    from PIL import Image

    names = sorted(files, key=lambda name: int(Path(name).stem))
    pictures = (Image.open(io.BytesIO(files[name]), formats=["PNG"]) for name in names)
    return np.stack([np.asarray(picture.convert("RGB")) for picture in pictures])


def arrays(questions: Sequence[Question], images: np.ndarray) -> Arrays:
    """Returns the part of a dataset that these questions make."""
    texts, answers, rows = zip(*questions, strict=True)
    y = np.array([CLASS_NAMES.index(answer) for answer in answers], np.int32)
    return {"image": images[list(rows)], "question_ids": objects(texts)}, y


def shapes(images: np.ndarray) -> np.ndarray:
    """Returns `(B, height, width)`, true at the pixels of the shape.

    The background is the lightest colour of the image.
    """
    light = images.sum(axis=-1, dtype=np.int32)
    return light < light.max(axis=(1, 2), keepdims=True)


def draw(rng: np.random.Generator, shape: str, colour: str) -> np.ndarray:
    """Draws a shape of random size and place on a light background, `(64, 64, 3)` uint8."""
    radius = rng.integers(6, 15)
    x, y = rng.integers(radius, SIZE - radius, 2)
    across, down = np.arange(SIZE)[None] - x, np.arange(SIZE)[:, None] - y
    inside = {
        "circle": across**2 + down**2 <= radius**2,
        "rectangle": (abs(across) <= radius) & (abs(down) <= radius // 2),
        "triangle": (abs(down) <= radius) & (2 * abs(across) <= down + radius),
    }[shape]
    background = rng.integers(230, 256, 3)
    return np.where(inside[..., None], COLOURS[colour], background).astype(np.uint8)
