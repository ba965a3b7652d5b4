"""Kernels that are not plain numbers: with an adapter of low rank, in 8 bits, or both."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.kernels.compilation import define_gradient
from keras_attention.types import Float, Int, Tensor

_LARGEST = 127  # of 8 bits, so that zero is in the middle


class AdaptedKernel(keras.layers.Layer):
    """A kernel that a layer has in the place of its variable: `W + alpha / rank * A B`.

    `A B` is the adapter of LoRA (Hu et al., 2021, https://arxiv.org/abs/2106.09685, equation 3).
    W is the variable, which stays that of the layer; or it is in 8 bits with a scale per column,
    which are weights of this one (Dettmers et al., 2022, https://arxiv.org/abs/2208.07339, vector-
    wise). Products are rounded nowhere: inputs stay floats.

    Args:
        variable: W, `(D, U)`.

    Attributes:
        rank: of the adapter, 0 without one.
        alpha: what the adapter is scaled by, times `rank`.
    """

    def __init__(self, variable: keras.Variable, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shape = tuple(variable.shape)
        self._scope = variable.path.rpartition("/")[0]
        self.rank, self.alpha = 0, 0.0
        # Keras would make a weight of this layer of an attribute that it sees.
        self.__dict__["variable"] = variable
        self.built = True

    def settings(self) -> dict[str, Any]:
        """Returns what it is made of, as JSON can hold it."""
        return {"rank": self.rank, "alpha": self.alpha, "int8": self.quantized}

    @property
    def quantized(self) -> bool:
        """Whether W is in 8 bits."""
        return self.variable.dtype == "int8"

    def add_adapter(self, rank: int, alpha: float, seed: int | None = None) -> None:
        """Adds `A B`, which is zero at first."""
        (inputs, outputs), dtype = self.shape, "float32"  # 16 bits are few to learn in
        # As of PEFT: uniform within 1 / sqrt(D).
        draw = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed=seed)
        with self._adding():
            self.lora_a = self.add_weight(
                name="lora_a", shape=(inputs, rank), initializer=draw, dtype=dtype
            )
            self.lora_b = self.add_weight(
                name="lora_b", shape=(rank, outputs), initializer="zeros", dtype=dtype
            )
        self.rank, self.alpha = rank, alpha

    def remove_adapter(self) -> None:
        """Removes `A B`."""
        del self.lora_a, self.lora_b
        self.rank, self.alpha = 0, 0.0

    def quantize_to(self, kernel: np.ndarray) -> None:
        """Has W in 8 bits, as near to `kernel` as they are."""
        kernel = np.asarray(kernel, "float32")
        scale = np.maximum(np.abs(kernel).max(axis=0, initial=0.0), 1e-12) / _LARGEST
        if not self.quantized:
            with self._adding():
                self.scale = self._add_fixed("scale", scale.shape, "float32")
                self.values = self._add_fixed("values", self.shape, "int8")
            self.__dict__["variable"] = self.values
        self.values.assign(np.rint(kernel / scale).astype("int8"))
        self.scale.assign(scale)

    def _add_fixed(self, name: str, shape: tuple[int, ...], dtype: str) -> keras.Variable:
        return self.add_weight(
            name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False
        )

    @contextmanager
    def _adding(self) -> Iterator[None]:
        """A block that adds weights to this layer, with paths behind that of the variable's."""
        outer, _, inner = self._scope.rpartition("/")
        self._tracker.unlock()  # Keras has no other way to add weights to what is built
        scope = keras.name_scope(inner, deduplicate=False, override_parent=outer)
        with scope if inner else nullcontext():
            yield
        self._tracker.lock()

    def value(self, dtype: str = "float32") -> Float[Tensor, "D U"]:
        """Returns the whole of it."""
        kernel = ops.cast(self.variable.value, "float32")
        if self.quantized:
            kernel = kernel * ops.cast(self.scale.value, "float32")
        if self.rank:
            kernel = kernel + ops.cast(self._product(), "float32")
        return ops.cast(kernel, dtype)

    def _product(self) -> Float[Tensor, "D U"]:
        return ops.matmul(self.lora_a.value, self.lora_b.value) * (self.alpha / self.rank)

    def multiply(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... U"]:
        """Returns `x` times it, which is not computed as a whole.

        So a step of training takes no gradient of the size of W.
        """
        if self.quantized:
            values, scale = (ops.convert_to_tensor(w.value) for w in (self.values, self.scale))
            y = _multiply_int8(x, values, ops.cast(scale, x.dtype))
        else:
            y = ops.matmul(x, ops.cast(self.variable.value, x.dtype))
        return self.add_to(y, x)

    def add_to(self, y: Float[Tensor, "... U"], x: Float[Tensor, "... D"]) -> Tensor:
        """Returns `y` and what the adapter gives for `x`."""
        if not self.rank:
            return y
        lora_a, lora_b = (ops.cast(w.value, x.dtype) for w in (self.lora_a, self.lora_b))
        return y + ops.matmul(ops.matmul(x, lora_a) * (self.alpha / self.rank), lora_b)

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        """Raises: the layer that has the kernel is quantized, by `ka.quantize`."""
        raise NotImplementedError(
            f"Keras does not ask the layer of {self.variable.path} itself: `ka.quantize(model)` "
            "quantizes every kernel."
        )


def multiply(x: Float[Tensor, "... D"], kernel: Any) -> Float[Tensor, "... U"]:
    """Returns `x W` of a variable or an `AdaptedKernel`."""
    return kernel.multiply(x) if isinstance(kernel, AdaptedKernel) else ops.matmul(x, kernel)


def value_of(kernel: Any) -> Float[Tensor, "D U"]:
    """Returns a kernel as a tensor: that of a variable or an `AdaptedKernel`."""
    if isinstance(kernel, AdaptedKernel):
        return kernel.value(kernel.compute_dtype)
    return ops.convert_to_tensor(kernel)


def variable_of(kernel: Any) -> keras.Variable:
    """Returns the variable of a kernel."""
    return kernel.variable if isinstance(kernel, AdaptedKernel) else kernel


def _forward(
    x: Float[Tensor, "... D"], values: Int[Tensor, "D U"], scale: Float[Tensor, " U"]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    return ops.matmul(x, ops.cast(values, x.dtype)) * scale, (values, scale)


def _backward(saved: tuple[Tensor, ...], gradient: Tensor) -> tuple[Tensor | None, ...]:
    values, scale = saved
    kernel = ops.transpose(ops.cast(values, gradient.dtype))
    return ops.matmul(gradient * scale, kernel), None, None


# What a gradient needs would be W as floats, four times as much as is saved by this.
_multiply_int8 = define_gradient(_forward, _backward)
