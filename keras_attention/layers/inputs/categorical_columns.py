"""Categories of a table as tokens: the first node of a model of tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks, tables
from keras_attention.ops.initializers import fresh


@keras.saving.register_keras_serializable(package="keras_attention")
class CategoricalColumns(Entrance, keras.layers.Layer):
    """A token for each category of a row, as in Gorishniy et al., 2021
    (https://arxiv.org/abs/2106.11959, section 3.3): `b_j + W_j[x_j]`, a table for each column.

    As the first node of a model it carries the categories in the `.keras` file, so that the file
    alone goes from a row of a table to an answer (`ka.predict`). Index 0 of a column stands for a
    category that is not among those; a missing one has the name `""`, which may be one of them.

    Args:
        names: of the F columns.
        vocabularies: for each column its categories, in the order of their indices from 1.
        hidden_dim: width D of the tokens.
        row_names: all columns of a raw row in their order, for rows without names; `names` if
            `None`.
        embeddings_initializer, bias_initializer: of W and b; uniform up to 1 / sqrt(D), as the
            paper's code has it, if `None`.

    Call arguments:
        categories: `(B, F)` integers.

    Output:
        `(B, F, D)`.

    Raises:
        ValueError: another number of columns or vocabularies than names; or, in `encode`, a
            missing column.
    """

    takes = tensors(categories="integers (B, F)")

    encodes = "tables"

    def __init__(
        self,
        names: Sequence[str],
        vocabularies: Sequence[Sequence[str]],
        hidden_dim: int,
        row_names: Sequence[str] | None = None,
        embeddings_initializer: Any = None,
        bias_initializer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(hidden_dim=hidden_dim)
        self.names = [str(name) for name in names]
        self.vocabularies = [[str(word) for word in words] for words in vocabularies]
        self.row_names = self.names if row_names is None else [str(name) for name in row_names]
        if not self.names or len(self.vocabularies) != len(self.names):
            raise ValueError(
                "`vocabularies` must have one entry for each of `names`, at least 1. Received: "
                f"{len(self.vocabularies)} for {len(self.names)} names"
            )
        self.hidden_dim = hidden_dim
        self.embeddings_initializer = tables.initializer(embeddings_initializer, hidden_dim)
        self.bias_initializer = tables.initializer(bias_initializer, hidden_dim)
        self._sizes = tuple(1 + len(words) for words in self.vocabularies)
        self._starts = tuple(sum(self._sizes[:i]) for i in range(len(self._sizes)))

    def encode(self, rows: Any) -> np.ndarray:
        """Returns indices `(B, F)`; indices themselves pass.

        Args:
            rows: a mapping from column to values, a frame of pandas, or a list of mappings, of
                sequences or of CSV lines.
        """
        if isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.dtype.kind in "iu":
            return rows.astype(np.int32)
        columns = tables.columns(rows, self.names, self.row_names)
        indices = [
            [_find(known, value) for value in columns[name]]
            for name, known in zip(self.names, self._index_categories(), strict=True)
        ]
        return np.array(indices, np.int32).T.reshape(-1, len(self.names))

    def _index_categories(self) -> list[dict[str | None, int]]:
        """Returns for each column the index of each category."""
        return [{word: i for i, word in enumerate(words, 1)} for words in self.vocabularies]

    def build(self, categories_shape: tuple) -> None:
        self._check(categories_shape)
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(sum(self._sizes), self.hidden_dim),
            initializer=fresh(self.embeddings_initializer),
        )
        self.bias = self.add_weight(
            name="bias",
            shape=(len(self.names), self.hidden_dim),
            initializer=fresh(self.bias_initializer),
        )
        self.built = True

    def call(self, categories: Any) -> Any:
        self._check(categories.shape)
        sizes = ops.convert_to_tensor(self._sizes, "int32")
        categories = ops.cast(categories, "int32")
        known = ops.logical_and(categories >= 0, categories < sizes)
        rows = ops.where(known, categories, 0) + ops.convert_to_tensor(self._starts, "int32")
        return ops.take(self.embeddings, rows, axis=0) + self.bias  # (B, F, D)

    def _check(self, shape: tuple) -> None:
        checks.matches("categories", shape, (None, len(self.names)), "(B, columns)")

    def compute_output_shape(self, categories_shape: tuple) -> tuple:
        self._check(categories_shape)
        return (*categories_shape, self.hidden_dim)

    def compute_output_spec(self, categories: Any) -> keras.KerasTensor:
        shape = self.compute_output_shape(categories.shape)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "names": self.names,
            "vocabularies": self.vocabularies,
            "hidden_dim": self.hidden_dim,
            "row_names": self.row_names,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }


def _find(known: Mapping[str | None, int], value: Any) -> int:
    """Returns the index of a category; `3.0` is `3` where there is no `3.0`."""
    index = known.get(tables.category(value))
    return known.get(tables.whole(value), 0) if index is None else index
