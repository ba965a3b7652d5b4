"""Layers whose configuration says more than their arguments."""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, ClassVar, Self

import keras
from keras import ops

from keras_attention.kernels import AdaptedKernel
from keras_attention.layers import part_settings, weight_states
from keras_attention.layers.part_settings import parts

_MOST = 32  # layers of different configurations that are kept to compare others with


class Composite(keras.layers.Layer):
    """A layer whose configuration says what of its parts and weights its arguments do not.

    Keras saves the arguments of a layer, and makes its parts anew from them. Lost would be which
    parts and weights are frozen, which kernels are adapted, and what was set on parts since, as by
    `block.attention_norm.epsilon = 0.1`. So the configuration has more keys where there is
    something to say: those of `WeightStates`, and `parts`, settings by path and name.

    Attributes:
        kernel_names: names of the weights `(D, U)` that a call multiplies by with `kernels.linear`
            and the like, so that they may be an `AdaptedKernel`.

    Raises:
        ValueError: of `get_config`, if something was set on a part that JSON cannot hold.
    """

    kernel_names: ClassVar[tuple[str, ...]] = ()
    _to_restore: weight_states.WeightStates | None = None  # once it is built

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "get_config" in vars(cls):
            cls.get_config = _with_parts(cls.get_config)  # type: ignore[assignment]
        if "build" in vars(cls):
            cls.build = _with_weights(cls.build)  # type: ignore[assignment]

    def _set_policy(self, value: Any) -> None:
        """Sets the policy of the parts too; one that quantizes is theirs by `quantize` alone."""
        keras.layers.Layer.dtype_policy.fset(self, value)
        if self.dtype_policy.quantization_mode is None:
            for _, part in parts(self):
                part.dtype_policy = self.dtype_policy

    dtype_policy = keras.layers.Layer.dtype_policy.setter(_set_policy)  # Keras's getter is traced

    def adapt(self, name: str) -> AdaptedKernel:
        """Returns the kernel `name`, which is an `AdaptedKernel` from now on."""
        kernel = getattr(self, name)
        if isinstance(kernel, AdaptedKernel):
            return kernel
        adapted = AdaptedKernel(kernel, name=name, dtype=self.dtype_policy)
        self._replace(kernel, adapted)
        return adapted

    def merge(self, name: str) -> None:
        """Makes the kernel `name`, if it has an adapter, the sum of both."""
        kernel = getattr(self, name)
        if not (isinstance(kernel, AdaptedKernel) and kernel.rank):
            return
        value = kernel.value()
        kernel.remove_adapter()
        if kernel.quantized:
            kernel.quantize_to(ops.convert_to_numpy(value))
            return
        kernel.variable.assign(ops.cast(value, kernel.variable.dtype))
        self._replace(kernel, kernel.variable)

    def quantize(
        self, mode: str | None = None, type_check: bool = True, config: Any = None
    ) -> None:
        """Has the kernels in 8 bits, with a scale per column; activations stay floats.

        Raises:
            NotImplementedError: the layer has no kernels, or `mode` is another one.
        """
        if not self.kernel_names or mode != "int8":
            raise NotImplementedError(
                f"{type(self).__name__} {self.name!r} "
                + ("takes" if self.kernel_names else "has no kernels of its own for")
                + f' `quantize("int8")` alone. Received: mode={mode!r}'
            )
        for name in self.kernel_names:
            if getattr(self, name, None) is not None:
                self.quantize_kernel(name)

    def quantize_kernel(self, name: str) -> None:
        """Has the kernel `name` in 8 bits, if it is not."""
        kernel = self.adapt(name)
        if not kernel.quantized:
            variable = kernel.variable
            kernel.quantize_to(ops.convert_to_numpy(ops.cast(variable.value, "float32")))
            self._untrack_variable(variable)

    def _replace(self, kernel: Any, other: Any) -> None:
        """Has `other` where `kernel` was, by whichever of its names."""
        self._tracker.unlock()  # Keras has no other way to change what is built
        for name in self.kernel_names:
            if getattr(self, name, None) is kernel:
                if isinstance(kernel, keras.layers.Layer):
                    delattr(self, name)  # PyTorch takes nothing but modules in its place
                    self._tracker.untrack(kernel)
                setattr(self, name, other)
        self._tracker.lock()

    def get_config(self) -> dict[str, Any]:
        states, pending = weight_states.of(self), self._to_restore
        if pending is not None:  # the weights, and the parts of kernels, are not there yet
            missing = set(pending.frozen) - dict(parts(self)).keys()
            states = replace(pending, frozen=(*states.frozen, *missing), thawed=states.thawed)
        return {**super().get_config(), **states.config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        config = dict(config)
        settings, states = config.pop("parts", {}), weight_states.take(config)
        layer = super().from_config(config)
        part_settings.restore(layer, settings)
        weight_states.restore_parts(layer, states)
        if states.config():
            layer._to_restore = states
        return layer


def _with_weights(build: Callable[..., None]) -> Callable[..., None]:
    """`build` of a class, which restores the states of weights once all are there."""

    @wraps(build)
    def with_weights(self: Any, *args: Any, **kwargs: Any) -> None:
        build(self, *args, **kwargs)
        states = self._to_restore
        if states is not None and type(self).build is with_weights:
            self._to_restore = None
            weight_states.restore(self, states)

    return with_weights


def _with_parts(get_config: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """`get_config` of a class, which adds `parts` if no subclass has more arguments to say."""

    @wraps(get_config)
    def with_parts(self: Any) -> dict[str, Any]:
        config = get_config(self)
        if type(self).get_config is not with_parts or not any(parts(self)):
            return config
        example = _example(type(self), config)
        if example is None or part_settings.alike(self, example):
            return config
        return {**config, "parts": part_settings.differences(self, _made_of(type(self), config))}

    return with_parts


def _example(cls: type[Composite], config: dict[str, Any]) -> Composite | None:
    """A layer as a configuration makes it, one for all layers with the same: to be read alone."""
    key = cls, repr({**config, "name": None})
    if key not in _examples:
        if len(_examples) == _MOST:
            _examples.clear()
        _examples[key] = _made_of(cls, config)
    return _examples[key]


def _made_of(cls: type[Composite], config: dict[str, Any]) -> Composite | None:
    """The layer that a configuration makes; `None` if its class cannot be made of one.

    A class without a `get_config` of its own may be such. Its weights can be saved and restored,
    as by a checkpoint, so it is no error here.
    """
    state = random.getstate()  # of which layers that drop draw their seeds
    try:
        return cls.from_config(config)
    except TypeError:
        return None
    finally:
        random.setstate(state)


_examples: dict[tuple[type[Composite], str], Composite | None] = {}
