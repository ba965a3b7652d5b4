"""How the logits after each token are computed: from a cache, or from all tokens again."""

from typing import Any

from keras import ops

from keras_attention import scope
from keras_attention.decoding.parts import Parts
from keras_attention.ops import masks
from keras_attention.types import Bool, Float, Int, Tensor


class Cached:
    """A step reads one token, and what the decoder has kept of those before it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def rows(self, batch: int) -> int | None:
        """Returns how many rows a step multiplies by weights."""
        return batch

    def begin(
        self,
        token_ids: Int[Tensor, "B T"],
        padding_mask: Bool[Tensor, "B T"] | None,
        memory: dict[str, Tensor],
        room: int,
    ) -> tuple[Float[Tensor, "B V"], dict]:
        """Returns float32 logits after the prompt, and the state that a step continues.

        Args:
            token_ids: `(B, T)`, padded on the left.
            padding_mask: `(B, T)`, false where they are; `None` if nowhere.
            memory: what the decoder reads beside them.
            room: positions of prompt and continuation.
        """
        with scope.cache(max_length=room, padding_mask=padding_mask) as cache:
            logits = self._parts.logits(token_ids, memory)
        return ops.cast(logits[:, -1], "float32"), cache.state

    def step(
        self, token: Int[Tensor, " B"], memory: dict[str, Tensor], state: dict, index: Any
    ) -> tuple[Float[Tensor, "B V"], dict, list[str]]:
        """Returns logits after the token at position `index`, the state, and the keys of it that
        were written, which are what differs between beams."""
        with scope.cache(state, index=index, in_place=True) as cache:
            logits = self._parts.logits(token[:, None], memory)
        return ops.cast(logits[:, -1], "float32"), cache.state, cache.written


class Recomputed:
    """A step reads all tokens again: for causal decoders that no cache continues.

    Rows begin at the left, since such a decoder may not know how to leave out padding before
    them. What stands behind them changes nothing.
    """

    _STATE = "token_ids"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def rows(self, batch: int) -> int | None:
        return None  # many, which take weights as they are

    def begin(
        self,
        token_ids: Int[Tensor, "B T"],
        padding_mask: Bool[Tensor, "B T"] | None,
        memory: dict[str, Tensor],
        room: int,
    ) -> tuple[Float[Tensor, "B V"], dict]:
        batch, length = token_ids.shape
        before = ops.zeros((batch,), "int32")
        if padding_mask is not None:
            before = ops.cast(masks.first_valid(padding_mask), "int32")
        width = self._parts.length or room
        place = ops.minimum(masks.positions(width)[None] + before[:, None], length - 1)
        tokens = ops.take_along_axis(token_ids, place, axis=1)  # (B, R)
        last = length - 1 - before
        return self._after(tokens, last, memory), {self._STATE: {"ids": tokens, "before": before}}

    def step(
        self, token: Int[Tensor, " B"], memory: dict[str, Tensor], state: dict, index: Any
    ) -> tuple[Float[Tensor, "B V"], dict, list[str]]:
        tokens, before = state[self._STATE]["ids"], state[self._STATE]["before"]
        last = index - before
        here = masks.positions(tokens.shape[1])[None] == last[:, None]
        tokens = ops.where(here, token[:, None], tokens)
        logits = self._after(tokens, last, memory)
        return logits, {self._STATE: {"ids": tokens, "before": before}}, [self._STATE]

    def _after(
        self, tokens: Int[Tensor, "B R"], last: Int[Tensor, " B"], memory: dict[str, Tensor]
    ) -> Float[Tensor, "B V"]:
        """Returns logits after the token at `last`."""
        logits = self._parts.logits(tokens, memory)
        logits = ops.take_along_axis(logits, last[:, None, None], axis=1)[:, 0]
        return ops.cast(logits, "float32")
