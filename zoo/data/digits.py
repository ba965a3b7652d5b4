"""Handwritten digits, 8 x 8 pixels; scikit-learn's own copy."""

from dataclasses import replace

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from zoo.data import Source, Splits

SOURCE = Source(
    name="Optical Recognition of Handwritten Digits (scikit-learn's copy of the test part)",
    url="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
    license="CC BY 4.0",
    citation=(
        "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine "
        "Learning Repository, 1998, https://doi.org/10.24432/C50P49"
    ),
)


def load() -> Splits:
    """1,437 images to train on and 360 to test on, each digit in the same share in both; always
    the same ones.

    Returns:
        `x` `(B, 8, 8, 1)` uint8 from 0 to 255 (17 shades), `y` `(B,)` int32.
    """
    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    x, x_test, y, y_test = train_test_split(
        images,
        digits.target.astype(np.int32),
        test_size=0.2,
        stratify=digits.target,
        random_state=0,
    )
    return Splits(
        train=(x, y),
        test=(x_test, y_test),
        class_names=tuple(map(str, digits.target_names)),
        source=SOURCE,
    )


def sample() -> Splits:
    """The first images of each part, all digits among them."""
    splits = load()
    (x, y), (x_test, y_test) = splits.train, splits.test
    return replace(splits, train=(x[:64], y[:64]), test=(x_test[:64], y_test[:64]))
