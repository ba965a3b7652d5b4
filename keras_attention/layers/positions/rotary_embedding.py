"""Rotary position embedding."""

from typing import Any

import keras

from keras_attention import scope
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.layers.positions.position_strategy import PositionStrategy
from keras_attention.ops import checks, masks, positions
from keras_attention.ops.visibility import Span
from keras_attention.types import Float, Int, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class RotaryEmbedding(PositionStrategy, Entrance, keras.layers.Layer):
    """Rotary position embedding of Su et al., 2021 (https://arxiv.org/abs/2104.09864).

    Turns pairs of channels of queries and keys by angles that grow with the position, so that
    their dot product depends on the distance alone. As `position` of `MultiHeadSelfAttention`
    it does so inside; called by itself it turns what it is given.

    Args:
        max_wavelength: base of the angles (the paper's 10000, "rope_theta" elsewhere).
        scaling: `None`, `"linear"` (positions divided by `factor`,
            https://arxiv.org/abs/2306.15595) or `"ntk"` (base stretched for `factor`,
            https://arxiv.org/abs/2309.00071, section 3.1), for contexts longer than trained.
        factor: how many times longer the context becomes.
        fraction: share of the channels that turn, from the first; the others pass.
        interleaved: pair neighbouring channels (the paper, GPT-J) instead of channel i with
            channel i + half (GPT-NeoX, Llama).

    Call arguments:
        x: `(B, N, T, H)`, head-major queries or keys.

    Output:
        The shape and dtype of `x`; angles are computed in float32.

    Raises:
        ValueError: `fraction` of H is not an even, positive number of channels.
    """

    takes = tensors(x="(B, N, T, H)")
    built_for = ("H",)

    def __init__(
        self,
        max_wavelength: float = 10_000.0,
        scaling: str | None = None,
        factor: float = 1.0,
        fraction: float = 1.0,
        interleaved: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.one_of("scaling", scaling, (None, "linear", "ntk"))
        if not factor >= 1:
            raise ValueError(f"`factor` must be at least 1. Received: factor={factor!r}")
        if not 0 < fraction <= 1:
            raise ValueError(f"`fraction` must be in (0, 1]. Received: fraction={fraction!r}")
        self.max_wavelength = max_wavelength
        self.scaling = scaling
        self.factor = factor
        self.fraction = fraction
        self.interleaved = interleaved
        self.supports_masking = True

    def build(self, x_shape: tuple) -> None:
        checks.rank("x", x_shape, "(B, N, T, H)")
        checks.known("x", x_shape)
        dim = int(x_shape[-1] * self.fraction)
        if dim <= 0 or dim % 2 or (dim == 2 and self.scaling == "ntk"):
            raise ValueError(
                "Rotary embedding turns pairs of channels: `head_dim * fraction` must be even "
                f"and positive (above 2 for scaling='ntk'). Received: head_dim={x_shape[-1]}, "
                f"fraction={self.fraction}"
            )
        self._frequencies = positions.rotary_frequencies(
            dim, self.max_wavelength, self.scaling, self.factor
        )
        self.built = True

    def rotate(
        self, query: Float[Tensor, "B N T H"], key: Float[Tensor, "B K T H"], span: Span
    ) -> tuple[Float[Tensor, "B N T H"], Float[Tensor, "B K T H"]]:
        steps = span.positions()
        return self._turn(query, steps), self._turn(key, steps)

    def _turn(self, x: Float[Tensor, "B N T H"], steps: Int[Tensor, " T"]) -> Tensor:
        return positions.rotate(x, steps, self._frequencies, self.interleaved)

    def call(self, x: Float[Tensor, "B N T H"]) -> Float[Tensor, "B N T H"]:
        return self._turn(x, masks.positions(keras.ops.shape(x)[2], scope.first_position()))

    def compute_output_shape(self, x_shape: tuple) -> tuple:
        return tuple(x_shape)

    def compute_output_spec(self, x: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(x.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_wavelength": self.max_wavelength,
            "scaling": self.scaling,
            "factor": self.factor,
            "fraction": self.fraction,
            "interleaved": self.interleaved,
        }
