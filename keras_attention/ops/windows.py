"""Attention within windows of a grid of tokens, shifted or not.

Liu et al., 2021 (Swin, https://arxiv.org/abs/2103.14030, section 3.2). The grid is filled up to
whole windows; shifted ones wrap around its borders, and what was not next to each other is told
apart by a mask (figure 4).
"""

from typing import NamedTuple

from keras import ops

from keras_attention.ops import masks
from keras_attention.ops.attention import dot_product_attention
from keras_attention.ops.softmax import PLAIN, Softmax
from keras_attention.ops.visibility import Span
from keras_attention.types import Bool, Float, Int, Shaped, Tensor


class Windows(NamedTuple):
    """Windows of `size` x `size` tokens on a grid, `shift` tokens down and to the right."""

    rows: int
    columns: int
    size: int
    shift: int

    @property
    def causal(self) -> bool:
        """Returns whether tokens after a query are hidden: an image has no order."""
        return False

    def order(
        self, queries: Span, keys: Span, key_mask: Bool[Tensor, "B S"] | None = None
    ) -> Bool[Tensor, "1 1 T S"]:
        """Returns `sees` of the tokens at the spans of queries and keys."""
        return self.sees(queries.positions(), keys.positions())[None, None]

    def sees(self, t: Int[Tensor, " T"], s: Int[Tensor, " S"]) -> Bool[Tensor, "T S"]:
        """Returns whether the tokens `t` and `s` share a window."""
        return self._labels(t)[:, None] == self._labels(s)[None]

    def mask(self) -> Bool[Tensor, "windows 1 size^2 size^2"] | None:
        """Returns who sees whom in each window; `None` if all see all."""
        if not any(self._shift(x) or x % self.size for x in (self.rows, self.columns)):
            return None
        tokens = masks.positions(self.rows * self.columns)[None, None]
        labels = self.split(1 + self._labels(tokens))  # 0 where the grid was filled up
        return ops.logical_and(labels[..., None] == labels[:, :, None], labels[:, :, None] > 0)

    def offsets(self, t: Int[Tensor, " T"], s: Int[Tensor, " S"]) -> Int[Tensor, "T S"]:
        """Returns rows and columns from the tokens `t` to `s` of a window as one number.

        It is below `(2 size - 1)^2`, any such number for tokens of two windows.
        """
        side = 2 * self.size - 1
        apart = [
            a[:, None] - b[None] for a, b in zip(self._places(t), self._places(s), strict=True)
        ]
        row, column = (ops.clip(x + self.size - 1, 0, side - 1) for x in apart)
        return row * side + column

    def split(self, x: Shaped[Tensor, "B N T ..."]) -> Shaped[Tensor, "B*windows N size^2 ..."]:
        """Returns the tokens of each window."""
        batch, heads, *rest = ops.shape(x)
        rest = rest[1:]
        x = ops.reshape(x, (batch, heads, self.rows, self.columns, *rest))
        room = [self._whole(length) - length for length in (self.rows, self.columns)]
        if any(room):
            x = ops.pad(x, [[0, 0], [0, 0], *([0, each] for each in room), *[[0, 0]] * len(rest)])
        x = self._roll(x, -1)
        down, across = (self._whole(length) // self.size for length in (self.rows, self.columns))
        x = ops.reshape(x, (batch, heads, down, self.size, across, self.size, *rest))
        x = ops.transpose(x, (0, 2, 4, 1, 3, 5, *range(6, 6 + len(rest))))
        return ops.reshape(x, (batch * down * across, heads, self.size**2, *rest))

    def join(self, x: Float[Tensor, "B*windows N size^2 H"]) -> Float[Tensor, "B N T H"]:
        """Returns the inverse of `split`."""
        _, heads, _, width = x.shape
        height, breadth = self._whole(self.rows), self._whole(self.columns)
        down, across = height // self.size, breadth // self.size
        x = ops.reshape(x, (-1, down, across, heads, self.size, self.size, width))
        x = ops.reshape(
            ops.transpose(x, (0, 3, 1, 4, 2, 5, 6)), (-1, heads, height, breadth, width)
        )
        x = self._roll(x, 1)[:, :, : self.rows, : self.columns]
        return ops.reshape(x, (-1, heads, self.rows * self.columns, width))

    def _roll(
        self, x: Shaped[Tensor, "B N height width ..."], sign: int
    ) -> Shaped[Tensor, "B N height width ..."]:
        for axis, length in ((2, self.rows), (3, self.columns)):
            shift = self._shift(length)
            x = ops.roll(x, sign * shift, axis=axis) if shift else x
        return x

    def _places(self, t: Int[Tensor, "..."]) -> tuple[Int[Tensor, "..."], Int[Tensor, "..."]]:
        return t // self.columns, t % self.columns

    def _whole(self, length: int) -> int:
        return -(-length // self.size) * self.size

    def _shift(self, length: int) -> int:
        """Returns the shift along an axis: none where there is one window."""
        return self.shift if length > self.size else 0

    def _labels(self, t: Int[Tensor, "..."]) -> Int[Tensor, "..."]:
        """Returns a number for each window, and for each part of one that wraps around."""
        row, column = (
            self._part(place, length)
            for place, length in zip(self._places(t), (self.rows, self.columns), strict=True)
        )
        return 2 * self._whole(self.columns) * row + column

    def _part(self, place: Int[Tensor, "..."], length: int) -> Int[Tensor, "..."]:
        whole, shift = self._whole(length), self._shift(length)
        place = (place - shift) % whole
        return 2 * (place // self.size) + ops.cast(place >= whole - shift, "int32")


def attention(
    query: Float[Tensor, "B N T H"],
    key: Float[Tensor, "B K T H"],
    value: Float[Tensor, "B K T H"],
    windows: Windows,
    *,
    mask: Bool[Tensor, "B T"] | None = None,
    bias: Float[Tensor, "1 N size^2 size^2"] | None = None,
    softmax: Softmax = PLAIN,
) -> Float[Tensor, "B N T H"]:
    """Returns attention within windows, of T tokens of the grid.

    Args:
        windows: who sees whom.
        mask: padding mask of the keys.
        bias: of the logits in a window.
        softmax: the scale and the dropout.
    """
    sees = windows.mask()
    if sees is not None:
        sees = ops.tile(sees, (ops.shape(query)[0], 1, 1, 1))
    if mask is not None:
        sees = masks.both(sees, windows.split(mask[:, None])[:, :, None])
    query, key, value = (windows.split(x) for x in (query, key, value))
    y = dot_product_attention(query, key, value, mask=sees, bias=bias, softmax=softmax)
    return windows.join(y)
