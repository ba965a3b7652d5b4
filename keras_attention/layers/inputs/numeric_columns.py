"""Numbers of a table as tokens: the first node of a model of tables."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import tensors
from keras_attention.layers.inputs.column_tokens import ColumnTokens
from keras_attention.ops import tables


@keras.saving.register_keras_serializable(package="keras_attention")
class NumericColumns(ColumnTokens):
    """A token for each number of a row, as in Gorishniy et al., 2021
    (https://arxiv.org/abs/2106.11959, section 3.3): `b_j + x_j W_j` of the standardised x_j.

    As the first node of a model it carries the names of the columns and the statistics of the
    training data in the `.keras` file, so that the file alone goes from a row of a table to an
    answer (`ka.predict`). A missing number counts as the mean, so its token is `b_j`; or it has a
    token of its own.

    Args:
        names: of the F columns.
        hidden_dim: width D of the tokens.
        row_names: all columns of a raw row in their order, for rows without names; `names` if
            `None`.
        kernel_initializer, bias_initializer: of W and b; uniform up to 1 / sqrt(D), as the
            paper's code has it, if `None`.
        missing_tokens: learn a token for a missing number of each column, initialised as W.

    Call arguments:
        numbers: `(B, F)`, NaN where one is missing.

    Output:
        `(B, F, D)`.

    Raises:
        ValueError: another number of columns; or, in `encode`, a missing column or a field that
            is no number.
    """

    takes = tensors(numbers="any numbers (B, F)")

    def __init__(
        self,
        names: Sequence[str],
        hidden_dim: int,
        row_names: Sequence[str] | None = None,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        missing_tokens: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            names, hidden_dim, row_names, kernel_initializer, bias_initializer, **kwargs
        )
        self.missing_tokens = missing_tokens

    def encode(self, rows: Any) -> np.ndarray:
        """Returns numbers `(B, F)`, NaN for missing ones, such as empty fields, `?` and `NA`;
        numbers themselves pass.

        Args:
            rows: a mapping from column to values, a frame of pandas, or a list of mappings, of
                sequences or of CSV lines.
        """
        if isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.dtype.kind == "f":
            return rows.astype(np.float32)
        return tables.numbers(tables.columns(rows, self.names, self.row_names))

    def build(self, numbers_shape: tuple) -> None:
        self._check("numbers", numbers_shape)
        self._add_statistics()
        self.kernel = self._add_vectors("kernel", initializer=self.kernel_initializer)
        self.bias = self._add_vectors("bias", initializer=self.bias_initializer)
        self.missing = None
        if self.missing_tokens:
            self.missing = self._add_vectors("missing", initializer=self.kernel_initializer)
        self.built = True

    def call(self, numbers: Any) -> Any:
        self._check("numbers", numbers.shape)
        x = (ops.cast(numbers, "float32") - self.mean) * self.scale
        known = ops.isfinite(x)
        x = ops.cast(ops.where(known, x, 0.0), self.compute_dtype)
        kernel, bias = (ops.cast(w, self.compute_dtype) for w in (self.kernel, self.bias))
        tokens = x[..., None] * kernel + bias  # (B, F, D)
        if self.missing is None:
            return tokens
        return ops.where(known[..., None], tokens, ops.cast(self.missing, self.compute_dtype))

    def compute_output_shape(self, numbers_shape: tuple) -> tuple:
        self._check("numbers", numbers_shape)
        return (*numbers_shape, self.hidden_dim)

    def compute_output_spec(self, numbers: Any) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(numbers.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "missing_tokens": self.missing_tokens}
