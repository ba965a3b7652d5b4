"""Absolute positions, sinusoidal or learned, for sequences and grids."""

from typing import Any

import keras
from keras import ops

from keras_attention import kernels, scope
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks, masks, positions
from keras_attention.types import Bool, Float, Int, Tensor

_REMEDY = "Make the learned table larger, or use kind='sinusoidal'."


@keras.saving.register_keras_serializable(package="keras_attention")
class PositionalEncoding(Entrance, keras.layers.Layer):
    """Adds absolute positions to a sequence or a grid (https://arxiv.org/abs/1706.03762).

    Sinusoids of section 3.5 of Vaswani et al., 2017, or a learned table. On a grid the first
    half of the channels encodes the row, the second half the column. With a padding mask the
    first unmasked element of a row has position 0, so padding on the left changes nothing.

    Args:
        kind: `"sinusoidal"` or `"learned"`.
        max_length: rows of the learned table; `(height, width)` for grids.
        max_wavelength: of the sinusoids, in units of 2 pi.
        scale_inputs: multiply the inputs by the root of their width first, as section 3.4 does
            with embeddings.

    Call arguments:
        inputs: `(B, T, D)`, or `(B, height, width, D)`.
        mask: `(B, T)` boolean, for sequences.

    Output:
        The shape of `inputs`.

    Raises:
        ValueError: a sequence longer than the learned table. Where a compiled function alone knows
            how long it is, such as a step at an index that is a tensor, positions beyond the table
            are NaN; TensorFlow raises `InvalidArgumentError` outside of XLA.
    """

    takes = tensors(inputs="(B, T, D) or (B, height, width, D)")

    def __init__(
        self,
        kind: str = "sinusoidal",
        max_length: int | tuple[int, int] | None = None,
        max_wavelength: float = 10_000.0,
        scale_inputs: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.one_of("kind", kind, ("sinusoidal", "learned"))
        if kind == "learned":
            for size in max_length if isinstance(max_length, (tuple, list)) else (max_length,):
                checks.positive_int(max_length=size)
        elif max_length is not None:
            raise ValueError(
                "`max_length` is the size of a learned table; sinusoids have no limit. Received: "
                f"max_length={max_length!r}, kind={kind!r}"
            )
        self.kind = kind
        # A file's config has lists for tuples.
        self.max_length: Any = tuple(max_length) if isinstance(max_length, list) else max_length
        self.max_wavelength = max_wavelength
        self.scale_inputs = scale_inputs
        self.supports_masking = True
        self.built_for = ("D",) if kind == "learned" else ()

    @property
    def num_positions(self) -> int | None:
        """How many positions a sequence may have: the rows of a learned table."""
        return self.max_length if isinstance(self.max_length, int) else None

    def build(self, inputs_shape: tuple) -> None:
        self._check(inputs_shape)
        checks.known("inputs", inputs_shape)
        if self.kind == "learned":
            names = ("table",) if len(inputs_shape) == 3 else ("row_table", "column_table")
            self._tables = [
                self.add_weight(
                    name=name,
                    shape=(length, dim),
                    initializer=keras.initializers.RandomNormal(stddev=0.02),
                )
                for name, length, dim in zip(
                    names, self._lengths(), self._dims(inputs_shape), strict=True
                )
            ]
        self.built = True

    def call(
        self, inputs: Float[Tensor, "B ... D"], mask: Bool[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B ... D"]:
        self._check(inputs.shape)
        x = inputs * inputs.shape[-1] ** 0.5 if self.scale_inputs else inputs
        if len(inputs.shape) == 3:
            checks.sequence_mask("mask", mask, "inputs", inputs.shape)
            return x + self._encode(self._steps(inputs, mask), 0, inputs)
        height, width = ops.shape(inputs)[1:3]
        rows = self._encode(masks.positions(height), 0, inputs)[:, None]  # (height, 1, D / 2)
        columns = self._encode(masks.positions(width), 1, inputs)[None]  # (1, width, D / 2)
        rows, columns = (
            ops.broadcast_to(axis, (height, width, axis.shape[-1])) for axis in (rows, columns)
        )
        return x + ops.concatenate([rows, columns], axis=-1)

    def _steps(
        self, inputs: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"] | None
    ) -> Int[Tensor, "... T"]:
        """Returns positions `(T,)`, or `(B, T)` where rows begin at different places."""
        cache = scope.current_cache()
        length = ops.shape(inputs)[1]
        if cache is None:
            if mask is None:
                return masks.positions(length)
            start = masks.first_valid(mask)
            return ops.maximum(masks.positions(length)[None] - start[:, None], 0)
        slot = cache.slot(self)
        if cache.prefill:
            batch = ops.shape(inputs)[0]
            mask = scope.padded(mask)
            start = ops.zeros((batch,), "int32") if mask is None else masks.first_valid(mask)
            slot.write(start=ops.cast(start, "int32"))
        start = slot.read()["start"]
        return ops.maximum(masks.positions(length, cache.index)[None] - start[:, None], 0)

    def _encode(self, steps: Int[Tensor, "... T"], axis: int, inputs: Tensor) -> Tensor:
        if self.kind == "learned":
            encoding = self._look_up(steps, axis)
        else:
            encoding = positions.sinusoids(
                steps, self._dims(inputs.shape)[axis], self.max_wavelength
            )
        return ops.cast(encoding, inputs.dtype)

    def _look_up(self, steps: Int[Tensor, "... T"], axis: int) -> Float[Tensor, "... T D"]:
        """Returns rows of a learned table."""
        table, limit = ops.convert_to_tensor(self._tables[axis]), self._lengths()[axis]
        if len(steps.shape) == 1 and steps.shape[0] is not None:  # consecutive from 0
            return table[: steps.shape[0]]
        if self._end(steps) <= limit:
            return ops.take(table, steps, axis=0)
        kernels.check_below(
            steps,
            limit,
            f"The size of `inputs` must be at most max_length={limit} in the layer {self.path!r}, "
            f"with what a cache holds. {_REMEDY}",
        )
        # In compiled code nothing raises, and a row that is not there would be any other one.
        rows = ops.take(table, ops.minimum(steps, limit - 1), axis=0)
        return ops.where(steps[..., None] < limit, rows, float("nan"))

    @staticmethod
    def _end(steps: Int[Tensor, "... T"]) -> float:
        """Returns a number that all positions are below, infinite where shapes do not tell."""
        index, length = scope.first_position(), steps.shape[-1]
        return index + length if isinstance(index, int) and length is not None else float("inf")

    def _check(self, shape: tuple) -> None:
        if len(shape) not in (3, 4):
            raise ValueError(
                "`inputs` must have shape (B, T, D) or (B, height, width, D). Received: "
                f"inputs of shape {tuple(shape)}"
            )
        if self.kind == "learned":
            lengths = self._lengths()
            if len(lengths) != len(shape) - 2:
                raise ValueError(
                    "`max_length` must be one number for (B, T, D) and (height, width) for "
                    f"(B, height, width, D). Received: max_length={self.max_length}, "
                    f"inputs of shape {tuple(shape)}"
                )
            for size, limit in zip(shape[1:-1], lengths, strict=True):
                checks.at_most(
                    "inputs",
                    size,
                    "max_length",
                    limit,
                    _REMEDY,
                )

    def _lengths(self) -> tuple[int, ...]:
        return self.max_length if isinstance(self.max_length, tuple) else (self.max_length,)

    @staticmethod
    def _dims(shape: tuple) -> tuple[int, ...]:
        """Returns the channels per axis."""
        dim = shape[-1]
        return (dim,) if len(shape) == 3 else ((dim + 1) // 2, dim // 2)

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        self._check(inputs_shape)
        return tuple(inputs_shape)

    def compute_output_spec(self, inputs: Tensor, mask: Tensor | None = None) -> keras.KerasTensor:
        if len(inputs.shape) == 3:
            checks.sequence_mask("mask", mask, "inputs", inputs.shape)
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kind": self.kind,
            "max_length": self.max_length,
            "max_wavelength": self.max_wavelength,
            "scale_inputs": self.scale_inputs,
        }
