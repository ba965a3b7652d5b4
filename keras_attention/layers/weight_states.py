"""States of the parts and weights of a layer that its arguments do not say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from keras_attention.kernels import AdaptedKernel
from keras_attention.layers.part_settings import parts

_SETTINGS = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class WeightStates:
    """What was made of the parts and weights of a layer, by paths like `attention.query_kernel`.

    Attributes:
        frozen: parts that are not trained, in a layer that is.
        thawed: parts that are trained, in a layer that is not.
        frozen_weights: weights that are not trained, of the layer or of a part that is.
        kernels: the settings of each `AdaptedKernel`.
    """

    frozen: tuple[str, ...] = ()
    thawed: tuple[str, ...] = ()
    frozen_weights: tuple[str, ...] = ()
    kernels: _SETTINGS | None = None

    def config(self) -> dict[str, Any]:
        """Returns the keys of the layer's configuration, none where there is nothing to say."""
        config: dict[str, Any] = {
            "frozen": sorted(self.frozen),
            "thawed": sorted(self.thawed),
            "frozen_weights": list(self.frozen_weights),
            "kernels": self.kernels,
        }
        return {key: value for key, value in config.items() if value}


def of(layer: keras.Layer) -> WeightStates:
    """Returns the states of a layer's parts and weights."""
    kernels: dict[str, Any] = {}
    weights: list[str] = []
    for path, part in [("", layer), *parts(layer)]:
        kernel_names = reversed(getattr(part, "kernel_names", ()))
        names = {id(getattr(part, name, None)): name for name in kernel_names}  # of two the first
        for kernel in part._layers:  # in the order in which they were made, that of weights
            if isinstance(kernel, AdaptedKernel):
                kernels[_join(path, names[id(kernel)])] = kernel.settings()
        if part.trainable:
            weights += [_join(path, v.name) for v in _learned(part) if not v.trainable]
    trained, frozen = set[str](), set[str]()
    for path, part in parts(layer):
        (trained if part.trainable else frozen).add(path)
    return WeightStates(
        tuple(frozen if layer.trainable else ()),
        tuple(() if layer.trainable else trained),
        tuple(weights),
        kernels,
    )


def take(config: dict[str, Any]) -> WeightStates:
    """Returns the states that a configuration says, and takes them out of it.

    Raises:
        ValueError: they are not as `WeightStates.config` makes them.
    """
    paths = {name: config.pop(name, []) for name in ("frozen", "thawed", "frozen_weights")}
    kernels = config.pop("kernels", {})
    for name, value in paths.items():
        if not isinstance(value, list | tuple):
            raise ValueError(f"`{name}` must be a list of paths. Received: {name}={value!r:.80}")
    if not isinstance(kernels, Mapping):
        raise ValueError(f"`kernels` must be settings by path. Received: kernels={kernels!r:.80}")
    return WeightStates(
        **{name: tuple(map(str, each)) for name, each in paths.items()}, kernels=kernels
    )


def restore_parts(layer: keras.Layer, states: WeightStates) -> None:
    """Freezes and thaws the parts of a layer."""
    for path, part in parts(layer):
        if path in states.thawed:
            part.trainable = True
        elif path in states.frozen or not layer.trainable:
            part.trainable = False


def restore(layer: keras.Layer, states: WeightStates) -> None:
    """Gives the parts and weights of a layer that was just built the states of another one's.

    Raises:
        ValueError: it has no such weight.
    """
    by_path = {"": layer, **dict(parts(layer))}
    for path, settings in (states.kernels or {}).items():
        part_path, _, name = str(path).rpartition(".")
        part: Any = by_path.get(part_path)
        if name not in getattr(part, "kernel_names", ()) or getattr(part, name, None) is None:
            raise ValueError(f"{layer.name!r} has no kernel {path!r}, which its configuration has.")
        _adapt(part, name, settings)
    variables = {
        _join(path, variable.name): variable
        for path, part in by_path.items()
        for variable in _learned(part)
    }
    for path in states.frozen_weights:
        if path not in variables:
            raise ValueError(f"{layer.name!r} has no weight {path!r}, which its configuration has.")
        variables[path].trainable = False
    restore_parts(layer, states)


def _adapt(part: Any, name: str, settings: Mapping[str, Any]) -> None:
    """Makes a kernel what `settings` of `AdaptedKernel` says, if it is not that already."""
    settings = dict(settings) if isinstance(settings, Mapping) else {"settings": settings}
    rank, alpha = settings.pop("rank", 0), settings.pop("alpha", 0.0)
    int8 = settings.pop("int8", False)
    if settings or type(alpha) not in (int, float) or type(rank) is not int or rank < 0:
        raise ValueError(
            f"`{name}` must have a rank, an alpha and whether it is in int8. Received: "
            f"rank={rank!r}, alpha={alpha!r} and {settings}"
        )
    if int8:
        part.quantize_kernel(name)
    kernel = part.adapt(name)
    if rank and not kernel.rank:
        kernel.add_adapter(rank, alpha)


def _learned(layer: keras.Layer) -> Iterator[keras.Variable]:
    """The weights of a layer, but for those of its parts, that it was made to train."""
    return iter(layer._trainable_variables)  # Keras tells nowhere else


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
