"""Tiny Shakespeare: about 40,000 lines of his plays, to learn to write letter by letter."""

import numpy as np

from zoo.data import Arrays, Source, Splits, objects
from zoo.data.download import File, fetch

SOURCE = Source(
    name="Tiny Shakespeare",
    url="https://github.com/karpathy/char-rnn",
    license="public domain",
    citation=(
        "A. Karpathy, The Unreasonable Effectiveness of Recurrent Neural Networks, 2015, "
        "https://karpathy.github.io/2015/05/21/rnn-effectiveness/"
    ),
)
_FILE = File(
    url=(
        "https://raw.githubusercontent.com/karpathy/char-rnn/"
        "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt"
    ),
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)


def load(*, length: int = 64, stride: int | None = None) -> Splits:
    """Windows of the first nine tenths to train on, and of the last tenth to test on.

    The split is nanoGPT's (https://github.com/karpathy/nanoGPT), which calls the last tenth
    validation. Its 111,540 characters follow each other in windows that do not overlap.

    Args:
        length: characters of a window.
        stride: characters from a training window to the next; those of a window by default.

    Returns:
        x and y object arrays of strings: windows, and the same one character later. The class
        names are the 65 characters of the whole text.
    """
    text = fetch("tinyshakespeare", _FILE).read_bytes().decode("ascii")
    return _splits(text, length, stride)


def windows(text: str, length: int, stride: int) -> Arrays:
    """Windows of a text, and the same one character later."""
    starts = range(0, len(text) - length, stride)
    x, y = ([text[i + late : i + late + length] for i in starts] for late in (0, 1))
    return objects(x), objects(y)


def sample(*, length: int = 16, stride: int | None = None) -> Splits:
    """A made-up play of a few words; in memory."""
    rng = np.random.default_rng(0)
    words = ("alas", "my", "lord", "the", "night", "is", "long", "and", "thou", "art", "fair")
    lines = (
        f"{rng.choice(('ROMEO', 'JULIET'))}:\n{' '.join(rng.choice(words, 6)).capitalize()}.\n\n"
        for _ in range(60)
    )
    return _splits("".join(lines), length, stride)


def _splits(text: str, length: int, stride: int | None) -> Splits:
    end = int(0.9 * len(text))
    return Splits(
        train=windows(text[:end], length, stride or length),
        test=windows(text[end:], length, length),
        class_names=tuple(sorted(set(text))),
        source=SOURCE,
    )
