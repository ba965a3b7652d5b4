"""Values of variables, by Keras."""

import keras
import numpy as np


def set_value(variable: keras.Variable, array: np.ndarray) -> None:
    """Sets the value of a variable."""
    variable.assign(array)
