"""Fisher's Iris, 1936: 150 flowers, 4 measurements, 3 species; scikit-learn's own copy."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.model_selection import StratifiedKFold

from zoo.data import Source, Splits

FOLDS = 5  # whose test parts together are all flowers
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

    Seeds 0 to 4 are the folds of a cross-validation, which tests each flower once; 5 to 9 are
    those of another, and so on.

    Args:
        seed: of the stratified split.

    Returns:
        `x` `(B, 4)` float32 in centimetres, `y` `(B,)` int32. There is no validation split: 15
        flowers would say little, and 120 are few to learn from.
    """
    flowers = load_iris()
    x, y = flowers.data.astype(np.float32), flowers.target.astype(np.int32)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed // FOLDS).split(x, y)
    train, test = list(folds)[seed % FOLDS]
    return Splits(
        train=(x[train], y[train]),
        test=(x[test], y[test]),
        feature_names=tuple(name.removesuffix(" (cm)") for name in flowers.feature_names),
        class_names=tuple(map(str, flowers.target_names)),
        source=SOURCE,
    )
