"""Initializers that draw anew for each weight."""

from typing import Any

import keras


def fresh(initializer: Any) -> Any:
    """Returns a copy of an initializer, for one weight.

    Without a seed of its own an initializer of Keras takes one when it is made, and gives the same
    numbers each time it is called for the same shape: query and key would begin as one.
    """
    if isinstance(initializer, keras.initializers.Initializer):
        return type(initializer).from_config(initializer.get_config())
    return initializer
