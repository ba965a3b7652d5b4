"""What layers share that make a token of each number of a row."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_attention.layers.entrance import Entrance
from keras_attention.ops import checks, tables
from keras_attention.ops.initializers import fresh


class ColumnTokens(Entrance, keras.layers.Layer):
    """Tokens of the numbers of a row, with names and statistics of their columns.

    Args:
        names: of the F columns.
        hidden_dim: width D of the tokens.
        row_names: all columns of a raw row in their order, for rows without names; `names` if
            `None`.
        kernel_initializer, bias_initializer: uniform up to 1 / sqrt(D) if `None`.
    """

    encodes = "tables"

    def __init__(
        self,
        names: Sequence[str],
        hidden_dim: int,
        row_names: Sequence[str] | None = None,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        **kwargs: Any,
    ) -> None:
        # Raw numbers would lose their digits in 16 bits, so nothing is cast before `call` does.
        super().__init__(**{**kwargs, "autocast": False})
        checks.positive_int(hidden_dim=hidden_dim)
        self.names = [str(name) for name in names]
        self.row_names = self.names if row_names is None else [str(name) for name in row_names]
        if not self.names:
            raise ValueError("`names` must name at least one column. Received: names=[]")
        self.hidden_dim = hidden_dim
        self.kernel_initializer = tables.initializer(kernel_initializer, hidden_dim)
        self.bias_initializer = tables.initializer(bias_initializer, hidden_dim)

    def adapt(self, numbers: np.ndarray) -> None:
        """Takes mean and standard deviation from training data `(B, F)`."""
        if not self.built:
            self.build(np.shape(numbers))
        known = np.where(np.isfinite(numbers), numbers, np.nan).astype(np.float64)
        spread = np.nanstd(known, axis=0)
        self.mean.assign(np.nan_to_num(np.nanmean(known, axis=0)))
        self.scale.assign(1 / np.where(spread > 0, spread, 1.0))

    def _add_statistics(self) -> None:
        """Adds the mean of each column, and 1 / its standard deviation."""
        settings = {"shape": (len(self.names),), "trainable": False, "dtype": "float32"}
        self.mean = self.add_weight(name="mean", initializer="zeros", **settings)
        self.scale = self.add_weight(name="scale", initializer="ones", **settings)

    def _add_vectors(self, name: str, *, initializer: Any, features: tuple[int, ...] = ()) -> Any:
        """Returns a new weight `(F, *features, D)`."""
        shape = (len(self.names), *features, self.hidden_dim)
        return self.add_weight(name=name, shape=shape, initializer=fresh(initializer))

    def _check(self, name: str, shape: tuple) -> None:
        checks.matches(name, shape, (None, len(self.names)), "(B, columns)")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "names": self.names,
            "hidden_dim": self.hidden_dim,
            "row_names": self.row_names,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }
