"""Block-sparse attention."""

import random
from typing import Any

import keras
from keras import ops

from keras_attention.layers.attention.mechanism import Mechanism
from keras_attention.ops import block_sparse, checks, masks


@keras.saving.register_keras_serializable(package="keras_attention")
class BlockSparseAttention(Mechanism):
    """Attention between near, global and random blocks, of Zaheer et al., 2020 (BigBird,
    https://arxiv.org/abs/2007.14062, section 2); without random blocks that of Beltagy et al.,
    2020 (Longformer, https://arxiv.org/abs/2004.05150, section 3.1).

    As `mechanism` of `MultiHeadSelfAttention` it is dense attention under a mask that is never
    made. Any length will do, causal or not, and no padding changes which blocks see each other:
    they are counted from the first unmasked element.

    Args:
        block_size: elements of a block.
        window_blocks: blocks that a block sees on each side of itself.
        global_blocks: how many blocks, from the first, see all and are seen by all.
        random_blocks: further blocks that each sees, one from each of as many equal parts of the
            rest, so that they spread over the whole sequence; the same for all heads.
        seed: of the random blocks; drawn when the layer is built if `None`, and then kept.

    Call arguments:
        query: `(B, N, T, H)`.
        key, value: `(B, K, T, H)`; K divides N.
        causal: whether to hide the positions after each query.

    Output:
        `(B, N, T, H)`.
    """

    def __init__(
        self,
        block_size: int = 64,
        window_blocks: int = 1,
        global_blocks: int = 1,
        random_blocks: int = 3,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(block_size=block_size)
        checks.not_negative_int(
            window_blocks=window_blocks, global_blocks=global_blocks, random_blocks=random_blocks
        )
        self.block_size = block_size
        self.window_blocks = window_blocks
        self.global_blocks = global_blocks
        self.random_blocks = random_blocks
        self.seed: Any = seed  # an integer once it is built

    def build(self, query_shape: tuple, key_shape: tuple, value_shape: tuple) -> None:
        if self.seed is None:
            self.seed = random.randrange(2**31)  # Python's, which Keras seeds as well
        super().build(query_shape, key_shape, value_shape)

    def _pattern(self, causal: bool) -> block_sparse.Pattern:
        return block_sparse.Pattern(
            size=self.block_size,
            near=self.window_blocks,
            leading=self.global_blocks,
            random=self.random_blocks,
            seed=self.seed,
            causal=causal,
        )

    def attend(
        self,
        query: Any,
        key: Any,
        value: Any,
        *,
        causal: bool,
        mask: Any = None,
        scale: float | None = None,
        dropout: float = 0.0,
        seed: Any = None,
        state: Any = None,
    ) -> Any:
        return block_sparse.attention(
            query,
            key,
            value,
            self._pattern(causal),
            mask=mask,
            scale=scale,
            dropout=dropout,
            seed=seed,
        )

    def sees(self, query_positions: Any, key_positions: Any, *, causal: bool, mask: Any) -> Any:
        pattern = self._pattern(causal)
        count = block_sparse.block_count(pattern, ops.shape(key_positions)[0], mask)
        if mask is None:
            return pattern.sees(query_positions, key_positions, count)[None, None]
        start = masks.first_valid(mask)[:, None]
        return pattern.sees(query_positions - start, key_positions - start, count)[:, None]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "block_size": self.block_size,
            "window_blocks": self.window_blocks,
            "global_blocks": self.global_blocks,
            "random_blocks": self.random_blocks,
            "seed": self.seed,
        }
