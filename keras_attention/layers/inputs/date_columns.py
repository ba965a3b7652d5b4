"""Dates of a table as tokens: the first node of a model of tables."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks, tables
from keras_attention.ops.initializers import fresh

_PERIODS = (365.2425, 7.0, 1.0)  # days of a year, of a week and of a day


@keras.saving.register_keras_serializable(package="keras_attention")
class DateColumns(Entrance, keras.layers.Layer):
    """A token for each date of a row: `b_j + f(x_j) W_j`, after the tokens of numbers of Gorishniy
    et al., 2021 (https://arxiv.org/abs/2106.11959, section 3.3).

    `f` has the standardised day, and sine and cosine of the time of year, of week and of day. As
    the first node of a model it carries the names of the columns and the statistics of the
    training data in the `.keras` file. A missing date has a token of its own.

    Args:
        names: of the F columns.
        hidden_dim: width D of the tokens.
        row_names: all columns of a raw row in their order, for rows without names; `names` if
            `None`.
        kernel_initializer, bias_initializer: of W, with the tokens of missing dates, and of b;
            uniform up to 1 / sqrt(D) if `None`.

    Call arguments:
        dates: `(B, F)` days since 2000 began, NaN where one is missing.

    Output:
        `(B, F, D)`.

    Raises:
        ValueError: another number of columns; or, in `encode`, a missing column or a field that
            is no date.
    """

    takes = tensors(dates="any numbers (B, F)")

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
        # Days would lose their hours in 16 bits, so nothing is cast before `call` does.
        super().__init__(**{**kwargs, "autocast": False})
        checks.positive_int(hidden_dim=hidden_dim)
        self.names = [str(name) for name in names]
        self.row_names = self.names if row_names is None else [str(name) for name in row_names]
        if not self.names:
            raise ValueError("`names` must name at least one column. Received: names=[]")
        self.hidden_dim = hidden_dim
        self.kernel_initializer = tables.initializer(kernel_initializer, hidden_dim)
        self.bias_initializer = tables.initializer(bias_initializer, hidden_dim)

    def encode(self, rows: Any) -> np.ndarray:
        """Returns days `(B, F)` since 2000 began, NaN for missing dates; such numbers pass.

        Args:
            rows: a mapping from column to values, a frame of pandas, or a list of mappings, of
                sequences or of CSV lines. Dates are in the form of ISO 8601, or objects.
        """
        if isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.dtype.kind == "f":
            return rows.astype(np.float32)
        return tables.numbers(tables.columns(rows, self.names, self.row_names), tables.day)

    def adapt(self, dates: np.ndarray) -> None:
        """Takes mean and standard deviation from training data `(B, F)`."""
        if not self.built:
            self.build(np.shape(dates))
        known = np.where(np.isfinite(dates), dates, np.nan).astype(np.float64)
        spread = np.nanstd(known, axis=0)
        self.mean.assign(np.nan_to_num(np.nanmean(known, axis=0)))
        self.scale.assign(1 / np.where(spread > 0, spread, 1.0))

    def build(self, dates_shape: tuple) -> None:
        self._check(dates_shape)
        count, dim = len(self.names), self.hidden_dim

        def statistic(name: str, initializer: str) -> Any:
            settings = {"initializer": initializer, "trainable": False, "dtype": "float32"}
            return self.add_weight(name=name, shape=(count,), **settings)

        def vectors(name: str, shape: tuple, initializer: Any) -> Any:
            return self.add_weight(name=name, shape=shape, initializer=fresh(initializer))

        self.mean = statistic("mean", "zeros")
        self.scale = statistic("scale", "ones")
        features = 1 + 2 * len(_PERIODS)
        self.kernel = vectors("kernel", (count, features, dim), self.kernel_initializer)
        self.bias = vectors("bias", (count, dim), self.bias_initializer)
        self.missing = vectors("missing", (count, dim), self.kernel_initializer)
        self.built = True

    def call(self, dates: Any) -> Any:
        self._check(dates.shape)
        x = ops.cast(dates, "float32")
        mean = ops.convert_to_tensor(self.mean)
        known = ops.isfinite(x)
        x = ops.where(known, x, mean)
        features = [(x - mean) * self.scale]
        for period in _PERIODS:
            angle = (2 * math.pi) * (x / period - ops.floor(x / period))
            features += [ops.sin(angle), ops.cos(angle)]
        features = ops.cast(ops.stack(features, axis=-1), self.compute_dtype)  # (B, F, 7)
        kernel, bias, missing = (
            ops.cast(w, self.compute_dtype) for w in (self.kernel, self.bias, self.missing)
        )
        tokens = ops.einsum("bfk,fkd->bfd", features, kernel) + bias
        return ops.where(known[..., None], tokens, missing)  # (B, F, D)

    def _check(self, shape: tuple) -> None:
        checks.matches("dates", shape, (None, len(self.names)), "(B, columns)")

    def compute_output_shape(self, dates_shape: tuple) -> tuple:
        self._check(dates_shape)
        return (*dates_shape, self.hidden_dim)

    def compute_output_spec(self, dates: Any) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(dates.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "names": self.names,
            "hidden_dim": self.hidden_dim,
            "row_names": self.row_names,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }
