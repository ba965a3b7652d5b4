"""Block-sparse attention."""

import random
from typing import Any

import keras

from keras_attention.layers.attention.mechanism import MechanismLayer, Memory
from keras_attention.ops import block_sparse, checks
from keras_attention.ops.softmax import Softmax
from keras_attention.ops.visibility import Band, Visibility
from keras_attention.types import Float, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class BlockSparseAttention(MechanismLayer):
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

    def pattern(self, band: Band, memory: Memory) -> block_sparse.Pattern:
        return block_sparse.Pattern(
            size=self.block_size,
            near=self.window_blocks,
            leading=self.global_blocks,
            random=self.random_blocks,
            seed=self.seed,
            causal=band.causal,
        )

    def attend(
        self,
        query: Float[Tensor, "B N T H"],
        memory: Memory,
        visibility: Visibility,
        softmax: Softmax,
    ) -> Float[Tensor, "B N T H"]:
        return block_sparse.attention(
            query,
            memory.key,
            memory.value,
            visibility.pattern,
            mask=memory.mask,
            softmax=softmax,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "block_size": self.block_size,
            "window_blocks": self.window_blocks,
            "global_blocks": self.global_blocks,
            "random_blocks": self.random_blocks,
            "seed": self.seed,
        }
