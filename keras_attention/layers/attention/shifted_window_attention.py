"""Attention within windows of a grid of tokens."""

import math
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from keras_attention.layers.attention.mechanism import MechanismLayer, Memory
from keras_attention.ops import attention, checks, masks
from keras_attention.ops import windows as of_grid
from keras_attention.ops.softmax import Softmax
from keras_attention.ops.visibility import Band, Visibility
from keras_attention.types import Float, Int, Tensor

if TYPE_CHECKING:
    from keras_attention.layers.attention.multi_head_self_attention import MultiHeadSelfAttention


@keras.saving.register_keras_serializable(package="keras_attention")
class ShiftedWindowAttention(MechanismLayer):
    """Attention within windows of a grid of tokens, of Liu et al., 2021 (Swin,
    https://arxiv.org/abs/2103.14030, section 3.2), with its relative position bias (equation 4).

    As `mechanism` of `MultiHeadSelfAttention` it takes the tokens row by row, `(B, H * W, D)`. In
    every other layer shift the windows by half their size, so that tokens on both sides of a border
    meet; what wraps around the image is told apart. Grids that windows do not divide will do.

    Args:
        window_size: rows and columns of a window.
        shift: how many rows and columns the windows are moved; not along an axis that has but one.
        grid: rows and columns of the tokens; a square if `None`.
        use_bias: whether to learn a bias for each head and offset in a window.

    Call arguments:
        query: `(B, N, T, H)`.
        key, value: `(B, K, T, H)`; K divides N.
        causal: must be False.

    Output:
        `(B, N, T, H)`.

    Raises:
        ValueError: the tokens are not those of the grid, or the attention is causal.
    """

    def __init__(
        self,
        window_size: int = 7,
        shift: int = 0,
        grid: tuple[int, int] | None = None,
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(window_size=window_size)
        checks.not_negative_int(shift=shift)
        if shift >= window_size:
            raise ValueError(
                "`shift` must be below `window_size`. Received: "
                f"shift={shift}, window_size={window_size}"
            )
        for size in grid or ():
            checks.positive_int(grid=size)
        self.window_size = window_size
        self.shift = shift
        self.grid = None if grid is None else tuple(grid)  # a file's config has a list
        self.use_bias = use_bias
        self.built_for = ("N",) if use_bias else ()

    def check(self, layer: "MultiHeadSelfAttention") -> None:
        self._check_order(layer.causal)
        super().check(layer)

    def build(self, query_shape: tuple, key_shape: tuple, value_shape: tuple) -> None:
        checks.known("query", query_shape, axis=1)
        if self.use_bias:
            self.table = self.add_weight(
                name="table",
                shape=((2 * self.window_size - 1) ** 2, query_shape[1]),
                initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            )
        super().build(query_shape, key_shape, value_shape)

    def pattern(self, band: Band, memory: Memory) -> of_grid.Windows:
        self._check_order(band.causal)
        return self._windows(memory.key.shape[2])

    def attend(
        self,
        query: Float[Tensor, "B N T H"],
        memory: Memory,
        visibility: Visibility,
        softmax: Softmax,
    ) -> Float[Tensor, "B N T H"]:
        bias = None
        if self.use_bias:  # as in a grid that is one window
            cells = masks.positions(self.window_size**2)
            size = self.window_size
            bias = self._bias(of_grid.Windows(size, size, size, 0), cells, cells)
        return of_grid.attention(
            query,
            memory.key,
            memory.value,
            visibility.pattern,
            mask=memory.mask,
            bias=bias,
            softmax=softmax,
        )

    def attention_weights(
        self,
        query: Float[Tensor, "B N T H"],
        memory: Memory,
        visibility: Visibility,
        scale: float,
    ) -> Float[Tensor, "B N T S"]:
        bias = None
        if self.use_bias:
            bias = self._bias(visibility.pattern, *visibility.positions())
        mask = visibility.mask()
        return attention.attention_weights(query, memory.key, mask=mask, bias=bias, scale=scale)

    def _bias(
        self, windows: of_grid.Windows, t: Int[Tensor, " T"], s: Int[Tensor, " S"]
    ) -> Float[Tensor, "1 N T S"]:
        """Returns the bias of tokens in the same window, and any numbers for others."""
        bias = ops.take(self.table, windows.offsets(t, s), axis=0)  # (T, S, N)
        return ops.transpose(bias, (2, 0, 1))[None]

    def _windows(self, length: int | None) -> of_grid.Windows:
        grid = self.grid
        if grid is None and length is not None:
            grid = (math.isqrt(length),) * 2
        if grid is None or (length is not None and math.prod(grid) != length):
            raise ValueError(
                "`grid` must be the rows and columns of the tokens. Received: "
                f"grid={self.grid}, {length} tokens"
            )
        rows, columns = grid
        return of_grid.Windows(rows, columns, self.window_size, self.shift)

    @staticmethod
    def _check_order(causal: bool) -> None:
        if causal:
            raise ValueError(
                "Windows of an image have no order. Received: causal=True. Use "
                "`BlockSparseAttention`, or `window` of `MultiHeadSelfAttention`, for sequences."
            )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "window_size": self.window_size,
            "shift": self.shift,
            "grid": self.grid,
            "use_bias": self.use_bias,
        }
