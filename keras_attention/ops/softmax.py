"""The settings of a softmax of logits, as one value."""

from typing import Any, NamedTuple

from keras_attention.types import Float, Tensor


class Softmax(NamedTuple):
    """The scale of logits, and the share of their weights that training drops.

    Attributes:
        scale: factor of the logits; `1 / sqrt(H)` if `None`.
        dropout: share of the weights that are dropped.
        seed: a `keras.random.SeedGenerator` to draw them from; `None` drops nothing.
    """

    scale: Any = None  # a float, once `of` has been called
    dropout: float = 0.0
    seed: Any = None

    def of(self, query: Float[Tensor, "B N T H"]) -> "Softmax":
        """Returns the same with a `scale` for these queries, and no `dropout` without a `seed`."""
        scale = query.shape[-1] ** -0.5 if self.scale is None else self.scale
        return Softmax(scale, 0.0 if self.seed is None else self.dropout, self.seed)


PLAIN = Softmax()
