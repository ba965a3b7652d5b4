"""Dates of a table as tokens: the first node of a model of tables."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import tensors
from keras_attention.layers.inputs.column_tokens import ColumnTokens
from keras_attention.ops import tables

_PERIODS = (365.2425, 7.0, 1.0)  # days of a year, of a week and of a day


@keras.saving.register_keras_serializable(package="keras_attention")
class DateColumns(ColumnTokens):
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

    def encode(self, rows: Any) -> np.ndarray:
        """Returns days `(B, F)` since 2000 began, NaN for missing dates; such numbers pass.

        Args:
            rows: a mapping from column to values, a frame of pandas, or a list of mappings, of
                sequences or of CSV lines. Dates are in the form of ISO 8601, or objects.
        """
        if isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.dtype.kind == "f":
            return rows.astype(np.float32)
        return tables.numbers(tables.columns(rows, self.names, self.row_names), tables.day)

    def build(self, dates_shape: tuple) -> None:
        self._check("dates", dates_shape)
        self._add_statistics()
        features = (1 + 2 * len(_PERIODS),)
        self.kernel = self._add_vectors(
            "kernel", features=features, initializer=self.kernel_initializer
        )
        self.bias = self._add_vectors("bias", initializer=self.bias_initializer)
        self.missing = self._add_vectors("missing", initializer=self.kernel_initializer)
        self.built = True

    def call(self, dates: Any) -> Any:
        self._check("dates", dates.shape)
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

    def compute_output_shape(self, dates_shape: tuple) -> tuple:
        self._check("dates", dates_shape)
        return (*dates_shape, self.hidden_dim)

    def compute_output_spec(self, dates: Any) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(dates.shape), dtype=self.compute_dtype)
