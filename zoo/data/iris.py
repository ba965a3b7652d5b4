"""Fisher's Iris, 1936: 150 flowers, 4 measurements, 3 species; scikit-learn's own copy."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

from zoo.data import Source, Splits

SOURCE = Source(
    name="Iris (scikit-learn's copy)",
    url="https://archive.ics.uci.edu/dataset/53/iris",
    license="CC BY 4.0",
    citation=(
        "R. A. Fisher, The use of multiple measurements in taxonomic problems, 1936, "
        "https://doi.org/10.1111/j.1469-1809.1936.tb02137.x"
    ),
)


def load(seed: int = 0) -> Splits:
    """120 flowers to train on and 30 to test on, as many of each species in both.

    Args:
        seed: of the stratified split.

    Returns:
        `x` `(B, 4)` float32 in centimetres, `y` `(B,)` int32. There is no validation split: 15
        flowers would say little, and 120 are few to learn from.
    """
    flowers = load_iris()
    x, x_test, y, y_test = train_test_split(
        flowers.data.astype(np.float32),
        flowers.target.astype(np.int32),
        test_size=0.2,
        stratify=flowers.target,
        random_state=seed,
    )
    return Splits(
        train=(x, y),
        test=(x_test, y_test),
        feature_names=tuple(name.removesuffix(" (cm)") for name in flowers.feature_names),
        class_names=tuple(map(str, flowers.target_names)),
        source=SOURCE,
    )
