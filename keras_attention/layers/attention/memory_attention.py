"""The base of Bahdanau's and Luong's attention: one head, from decoder states to a memory."""

from collections.abc import Callable
from typing import Any

import keras

from keras_attention import scope
from keras_attention.layers.entrance import Entrance
from keras_attention.ops import attention, checks, masks
from keras_attention.ops.precision import weights_dtype


class MemoryAttention(Entrance, keras.layers.Layer):
    """Base of `BahdanauAttention` and `LuongAttention`; see those."""

    built_for = ("D", "D_v", "D_k")

    def __init__(self, dropout: float = 0.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        checks.rate(dropout=dropout)
        self.dropout = dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed) if dropout else None
        self.supports_masking = True

    def _memory(
        self, value: Any, mask: Any, key: Callable[[Any, Any], Any], **more: Any
    ) -> dict[str, Any]:
        """Returns the memory as `{"key", "value", "mask"}`, made once per cache scope.

        `key(value, mask)` makes the keys; `"mask"` is absent where there is none. `more` is
        kept with it, unless `None`.
        """
        slot = scope.slot(self)
        if slot.filled:
            return slot.read()
        value = masks.zero_masked(value, mask)
        memory = {"key": key(value, mask), "value": value, "mask": mask, **more}
        slot.write(**memory)
        return {name: tensor for name, tensor in memory.items() if tensor is not None}

    def _context(
        self, weights: Any, value: Any, training: bool | None, return_attention_scores: bool
    ) -> Any:
        """`(B, T, S)` weights on `(B, S, D_v)` values: `(B, T, D_v)`."""
        used = scope.record(self, weights[:, None])[:, 0]
        used = attention.apply_dropout(
            used, self.dropout, self.seed_generator if training else None
        )
        context = attention.weighted_sum(used[:, None], value[:, None])[:, 0]
        return (context, weights) if return_attention_scores else context

    def _check(
        self,
        query: Any,
        value: Any,
        key: Any,
        query_mask: Any,
        value_mask: Any,
        key_mask: Any,
        attention_mask: Any,
    ) -> None:
        checks.memory_masks(
            query,
            value,
            query_mask=query_mask,
            value_mask=value_mask,
            key_mask=key_mask,
            mask=attention_mask,
        )
        self._check_widths(query.shape, value.shape, value.shape if key is None else key.shape)

    def _check_widths(self, query_shape: tuple, value_shape: tuple, key_shape: tuple) -> None:
        """Raises `ValueError` unless the widths, which the weights are built for, are known."""
        for name, shape in (("query", query_shape), ("value", value_shape), ("key", key_shape)):
            checks.rank(name, shape, "(B, T, D)" if name == "query" else "(B, S, D)")
            checks.known(name, shape)

    def compute_output_shape(
        self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None
    ) -> tuple:
        return (*query_shape[:-1], value_shape[-1])

    def compute_output_spec(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
        projected_key: Any = None,
    ) -> Any:
        self._check(query, value, key, query_mask, value_mask, key_mask, attention_mask)
        output = keras.KerasTensor(
            self.compute_output_shape(query.shape, value.shape), dtype=self.compute_dtype
        )
        if not return_attention_scores:
            return output
        return output, keras.KerasTensor(
            (*query.shape[:-1], value.shape[1]), dtype=weights_dtype(self.compute_dtype)
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dropout": self.dropout, "seed": self.seed}
