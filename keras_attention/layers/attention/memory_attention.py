"""Attention of one head, from decoder states to a memory: Bahdanau's and Luong's."""

from typing import Any, ClassVar

import keras

from keras_attention import scope
from keras_attention.layers.composite import Composite
from keras_attention.layers.entrance import Entrance
from keras_attention.ops import attention, checks, masks
from keras_attention.ops.precision import weights_dtype
from keras_attention.types import Bool, Float, Tensor


class MemoryAttention(Entrance, Composite):
    """Base of `BahdanauAttention` and `LuongAttention`; see those.

    A call is two steps, which a recurrent decoder takes apart: `remember` the memory once, then
    `weigh` it for each query. A subclass says how keys are projected, `_project`, and how a query
    weighs them, `_weigh`.

    Attributes:
        attends_first: whether a recurrent decoder's state attends before the cell's step, as in
            Bahdanau et al., 2015, and not after it, as in Luong et al., 2015.
    """

    built_for = ("D", "D_v", "D_k")
    reads = "memory"

    attends_first: ClassVar[bool] = False

    def __init__(self, dropout: float = 0.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        checks.rate(dropout=dropout)
        self.dropout = dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed) if dropout else None
        self.supports_masking = True

    def remember(
        self,
        value: Float[Tensor, "B S D_v"],
        mask: Bool[Tensor, "B S"] | None = None,
        *,
        key: Float[Tensor, "B S D_k"] | None = None,
        projected_key: Float[Tensor, "B S U"] | None = None,
        query_mask: Bool[Tensor, "B T"] | None = None,
    ) -> dict[str, Tensor]:
        """Returns the memory as `weigh` reads it: tensors `(B, ...)` by name.

        They are `"key"`, projected; `"value"`, zero where masked; `"mask"`, if there is one; and
        those of `_notes`. In a cache scope the first call's memory is that of all later ones.
        """
        slot = scope.slot(self)
        if slot.filled:
            return slot.read()
        value = masks.zero_masked(value, mask)
        if projected_key is None:
            projected_key = self._project(value if key is None else masks.zero_masked(key, mask))
        memory = {"key": projected_key, "value": value, **self._notes(query_mask)}
        if mask is not None:
            memory["mask"] = mask
        slot.write(**memory)
        return memory

    def weigh(
        self,
        query: Float[Tensor, "B T D"],
        memory: dict[str, Tensor],
        *,
        query_mask: Bool[Tensor, "B T"] | None = None,
        attention_mask: Bool[Tensor, "B T S"] | None = None,
        first_position: Any = 0,
    ) -> Float[Tensor, "B T S"]:
        """Returns the weights of a memory that `remember` made, before dropout.

        `first_position` is that of the first query: an integer or a scalar tensor.
        """
        mask = masks.combine(
            query_mask=query_mask, key_mask=memory.get("mask"), attention_mask=attention_mask
        )
        query = masks.zero_masked(query, query_mask)
        return self._weigh(query, memory, None if mask is None else mask[:, 0], first_position)

    def _project(self, key: Float[Tensor, "B S D_k"]) -> Float[Tensor, "B S U"]:
        """Returns what the score reads of the keys, whatever the query is."""
        raise NotImplementedError

    def _weigh(
        self,
        query: Float[Tensor, "B T D"],
        memory: dict[str, Tensor],
        mask: Bool[Tensor, "B T S"] | None,
        first_position: Any,
    ) -> Float[Tensor, "B T S"]:
        """Returns the weights of the queries."""
        raise NotImplementedError

    def _notes(self, query_mask: Bool[Tensor, "B T"] | None) -> dict[str, Tensor]:
        """Returns what later queries must know of the first ones, by name."""
        return {}

    def _attend(
        self,
        query: Float[Tensor, "B T D"],
        memory: dict[str, Tensor],
        *,
        query_mask: Bool[Tensor, "B T"] | None,
        attention_mask: Bool[Tensor, "B T S"] | None,
        training: bool | None,
        return_attention_scores: bool,
    ) -> Any:
        """Returns the context `(B, T, D_v)`, and weights if asked for: what `call` returns."""
        weights = self.weigh(
            query,
            memory,
            query_mask=query_mask,
            attention_mask=attention_mask,
            first_position=scope.first_position(),
        )
        used = scope.record(self, weights[:, None])[:, 0]
        used = attention.apply_dropout(
            used, self.dropout, self.seed_generator if training else None
        )
        context = attention.weighted_sum(used[:, None], memory["value"][:, None])[:, 0]
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
        """Raises `ValueError` if weights cannot be built for the shapes."""
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
