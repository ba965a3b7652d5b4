"""Who may see whom: padding, an explicit mask, an order of positions, a bias, as one value."""

from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from keras import ops

from keras_attention import kernels
from keras_attention.ops import masks
from keras_attention.types import Bool, Float, Int, Tensor


class Span(NamedTuple):
    """The positions `first, ..., first + length - 1`, or those of some `rows` among them."""

    length: Any  # a Python int, or a tensor where the shape is not known
    first: Any = 0  # a Python int or a tensor
    rows: np.ndarray | None = None

    @classmethod
    def of(cls, x: Float[Tensor, "B T D"], first: Any = 0) -> Self:
        """Returns the positions of a sequence that begins at `first`."""
        length = x.shape[1]  # `ops.shape` takes a hundredth of an eager layer's call
        return cls(ops.shape(x)[1] if length is None else length, first)

    def positions(self) -> Int[Tensor, " T"]:
        if self.rows is None:
            return masks.positions(self.length, self.first)
        return ops.convert_to_tensor(self.rows, "int32") + self.first


NOWHERE = Span(0)  # of what has no positions, such as a memory and those who read it


class Pattern(Protocol):
    """Who sees whom by position: a `Band`, `block_sparse.Pattern` or `windows.Windows`."""

    @property
    def causal(self) -> bool:
        """Returns whether the keys after each query are hidden."""

    def order(
        self, queries: Span, keys: Span, key_mask: Bool[Tensor, "B S"] | None
    ) -> Bool[Tensor, "B N T S"] | None:
        """Returns who sees whom, broadcastable to `(B, N, T, S)`, or `None` if all see all.

        The masked keys are given, for positions that count from the first that is not masked; it
        is not their mask that is returned.
        """


class Band(NamedTuple):
    """The keys nearer to a query than `window`, and not after it if `causal`."""

    causal: bool = False
    window: int | None = None

    def order(
        self, queries: Span, keys: Span, key_mask: Bool[Tensor, "B S"] | None = None
    ) -> Bool[Tensor, "1 1 T S"] | None:
        if self == EVERYTHING:
            return None
        steps, key_steps = queries.positions(), keys.positions()
        mask = masks.causal_mask(steps, key_steps, self.causal, self.window)
        return mask[None, None]


EVERYTHING = Band()


class Visibility(NamedTuple):
    """Who may see whom, of T queries and S keys.

    A query that `query_mask` leaves sees at least one key, unless an explicit mask hides it; so the
    masks of kernels need not have rows for it.

    Attributes:
        pattern: who sees whom by position.
        queries, keys: the positions of both.
        aligned: whether query i is the element that key i is, as in self-attention without a cache.
        query_mask: `(B, T)` or `(B, 1)`, or `None`.
        key_mask: `(B, S)`, or `None`.
        explicit: `(B, N, T, S)` or broadcastable, an attention mask with both of the others, or
            `None` if none was given.
        bias: added to the logits, `(B, N, T, S)` or broadcastable in the first two, or `None`.
    """

    pattern: Any  # a `Pattern`, of which a mechanism knows more
    queries: Span
    keys: Span
    aligned: bool
    query_mask: Bool[Tensor, "B T"] | None
    key_mask: Bool[Tensor, "B S"] | None
    explicit: Bool[Tensor, "B N T S"] | None
    bias: Float[Tensor, "B N T S"] | None = None

    @classmethod
    def of(
        cls,
        pattern: Pattern,
        *,
        queries: Span = NOWHERE,
        keys: Span = NOWHERE,
        aligned: bool = False,
        query_mask: Bool[Tensor, "B T"] | None = None,
        key_mask: Bool[Tensor, "B S"] | None = None,
        attention_mask: Bool[Tensor, "B N T S"] | None = None,
        attention_bias: Float[Tensor, "B N T S"] | None = None,
    ) -> Self:
        """Combines the masks; `attention_mask` is `(B, T, S)` or `(B, N, T, S)`."""
        explicit = None
        if attention_mask is not None:
            explicit = masks.combine(
                query_mask=query_mask, key_mask=key_mask, attention_mask=attention_mask
            )
        return cls(pattern, queries, keys, aligned, query_mask, key_mask, explicit, attention_bias)

    def mask(self) -> Bool[Tensor, "B N T S"] | None:
        """Returns who may see whom, broadcastable to `(B, N, T, S)`; `None` if all see all."""
        if self.explicit is not None:
            return masks.both(self.explicit, self._order())
        return masks.combine(
            query_mask=self.query_mask, key_mask=self.key_mask, order=self._order()
        )

    def kernel_mask(self) -> Bool[Tensor, "B N T S"] | None:
        """Returns what a kernel must be told, beside the pattern if `aligned`.

        A masked query has no row of its own there: its output is set to zero afterwards, and a
        mask of `(B, 1, 1, S)` is cheaper than one of `(B, 1, T, S)`. Where the pattern hides all
        padding from the queries that count, none is needed: a kernel is faster without.
        """
        mask = self.explicit
        if mask is None and self.key_mask is not None and not self._hides_padding():
            mask = self.key_mask[:, None, None]
        return mask if self.aligned else masks.both(mask, self._order())

    def visible_queries(self) -> Bool[Tensor, "B T"] | None:
        """Returns which queries may see anything, in any head; `None` for all."""
        if self.explicit is None:
            return self.query_mask
        return masks.visible_queries(self.mask())

    def positions(self) -> tuple[Int[Tensor, " T"], Int[Tensor, " S"]]:
        """Returns the positions of queries and of keys."""
        steps = self.queries.positions()
        return steps, steps if self.aligned else self.keys.positions()

    def take(self, rows: np.ndarray) -> Self:
        """Returns the visibility of some of the queries, which are the `rows` of all."""
        return self._replace(
            queries=self.queries._replace(rows=rows),
            aligned=False,
            query_mask=masks.take_queries(self.query_mask, rows, axis=1),
            explicit=masks.take_queries(self.explicit, rows, axis=2),
            bias=masks.take_queries(self.bias, rows, axis=2),
        )

    def _hides_padding(self) -> bool:
        """Returns whether no query that counts comes after a masked key, as far as is known."""
        same = self.aligned and self.key_mask is self.query_mask
        return same and self.pattern.causal and kernels.hides_padding(self.key_mask)

    def _order(self) -> Bool[Tensor, "B N T S"] | None:
        return self.pattern.order(self.queries, self.keys, self.key_mask)
