"""Attention to whose logits distances add, as `DisentangledAttention` has it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_attention import kernels
from keras_attention.layers.attention.dense_attention import DenseAttention
from keras_attention.layers.attention.mechanism import Memory
from keras_attention.ops import attention, disentangled, rows
from keras_attention.ops.precision import at_least_float32
from keras_attention.ops.softmax import Softmax
from keras_attention.ops.visibility import EVERYTHING, Visibility
from keras_attention.types import Float, Int, Tensor

_ROWS = 256  # queries of a block


class Distances(NamedTuple):
    """Keys and queries of the distances between the tokens of a call.

    Attributes:
        heads: k^r `(1 or B, N, R, H)` under "key" for the term c2p, q^r under "query" for p2c.
        length: T, if the rows of both are for the distances `-T, ..., T - 1`. Else `None`, and they
            are those that the embeddings of distances have.
        num_buckets, max_distance: how distances share these.
    """

    heads: Mapping[str, Float[Tensor, "B N R H"]]
    length: Any
    num_buckets: int | None
    max_distance: int

    def logits(
        self,
        query: Float[Tensor, "B N T H"],
        key: Float[Tensor, "B N S H"],
        visibility: Visibility,
    ) -> Float[Tensor, "B N T S"]:
        """Returns `q_i . k^r_d(i,j) + k_j . q^r_d(i,j)`, of the terms that there are."""
        if self.length is None or not visibility.aligned:
            terms = self._gather(query, key, *visibility.positions())
        else:
            terms = self._take_diagonals(query, key)
        return sum(terms[1:], terms[0])

    def _take_diagonals(self, query: Tensor, key: Tensor) -> list[Float[Tensor, "B N T T"]]:
        """Returns the terms of all pairs: the rows of their distances lie side by side."""
        terms = []
        if "key" in self.heads:  # row i - j, counted from the end as j is
            by_query = _multiply(query, ops.flip(self.heads["key"], axis=2))
            terms.append(disentangled.take_diagonals(by_query, self.length - 1))
        if "query" in self.heads:
            by_key = _multiply(key, self.heads["query"])
            terms.append(_transpose(disentangled.take_diagonals(by_key, self.length)))
        return terms

    def _gather(
        self,
        query: Tensor,
        key: Tensor,
        query_positions: Int[Tensor, " T"],
        key_positions: Int[Tensor, " S"],
    ) -> list[Float[Tensor, "B N T S"]]:
        """Returns the terms of some pairs: a row for each."""
        row = query_positions[:, None] - key_positions[None, :]
        if self.length is None:
            row = disentangled.distance_rows(row, self.num_buckets, self.max_distance)
        else:
            row = row + self.length
        terms = []
        if "key" in self.heads:
            terms.append(kernels.take_columns(_multiply(query, self.heads["key"]), row))
        if "query" in self.heads:
            by_key = _multiply(key, self.heads["query"])
            terms.append(_transpose(kernels.take_columns(by_key, ops.transpose(row))))
        return terms


def _multiply(
    x: Float[Tensor, "B N T H"], rows: Float[Tensor, "B N R H"]
) -> Float[Tensor, "B N T R"]:
    return ops.matmul(x, ops.cast(_transpose(rows), x.dtype))


def _transpose(x: Float[Tensor, "B N T S"]) -> Float[Tensor, "B N S T"]:
    return ops.swapaxes(x, -1, -2)


class DisentangledLogits(DenseAttention):
    """Dense attention, to whose logits distances add."""

    def attend(
        self,
        query: Float[Tensor, "B N T H"],
        memory: Memory,
        visibility: Visibility,
        softmax: Softmax,
    ) -> Float[Tensor, "B N T H"]:
        mask = visibility.kernel_mask()
        if memory.relative.length is not None or softmax.dropout:
            return attention.dot_product_attention(
                query,
                memory.key,
                memory.value,
                mask=mask,
                bias=_bias(query, memory, visibility, softmax.scale),
                softmax=softmax,
            )

        names, heads = zip(*memory.relative.heads.items(), strict=True)

        def attend_block(index: int, q: Tensor, k: Tensor, v: Tensor, seen: Any, _: None) -> Tensor:
            first = index * _ROWS
            block = visibility.take(np.arange(first, first + q.shape[2]))

            def attend(q: Tensor, k: Tensor, v: Tensor, *heads: Tensor) -> Tensor:
                relative = memory.relative._replace(heads=dict(zip(names, heads, strict=True)))
                bias = _bias(q, Memory(k, v, relative=relative), block, softmax.scale)
                return attention.dot_product_attention(
                    q, k, v, mask=seen, bias=bias, softmax=softmax
                )

            return kernels.recompute(attend)(q, k, v, *heads)

        return rows.attention(
            attend_block,
            query,
            memory.key,
            memory.value,
            mask=mask,
            bias=None,
            band=EVERYTHING,
            rows=_ROWS,
        )

    def attention_weights(
        self,
        query: Float[Tensor, "B N T H"],
        memory: Memory,
        visibility: Visibility,
        scale: float,
    ) -> Float[Tensor, "B N T S"]:
        bias = _bias(query, memory, visibility, scale)
        mask = visibility.mask()
        return attention.attention_weights(query, memory.key, mask=mask, bias=bias, scale=scale)


def _bias(
    query: Float[Tensor, "B N T H"], memory: Memory, visibility: Visibility, scale: float
) -> Float[Tensor, "B N T S"]:
    query, key = (at_least_float32(x) * scale for x in (query, memory.key))
    return memory.relative.logits(query, key, visibility)
