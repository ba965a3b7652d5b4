"""Values of variables, by Keras, and calls that are compiled."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np


def set_value(variable: keras.Variable, array: np.ndarray) -> None:
    """Sets the value of a variable."""
    variable.assign(array)


def signature(values: Iterable[Any]) -> None:
    """Returns `None`: a call that is compiled checks its arguments once."""
    return None


def no_scope_casts() -> bool:
    """Returns `False`: it is asked of eager calls alone, by those who know their `signature`."""
    return False
