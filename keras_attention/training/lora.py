"""LoRA: training a large model by few weights, which are kept apart or merged."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import combinations
from typing import Any, NamedTuple

import keras

from keras_attention.kernels import AdaptedKernel, forget_functions
from keras_attention.layers.composite import Composite
from keras_attention.ops import checks


def enable_lora(
    model: keras.Model,
    rank: int,
    *,
    alpha: float | None = None,
    targets: Sequence[str] | None = None,
    train: Sequence[str] | None = None,
    seed: int | None = None,
) -> None:
    """Freezes a model, and gives its kernels adapters to train (Hu et al., 2021,
    https://arxiv.org/abs/2106.09685, equation 3): `W + alpha / rank * A B`.

    B is zero at first, so outputs do not change. The kernels are those of attention, feed-forward
    networks and recurrent decoders of `keras_attention.layers`. They may be in 8 bits, by
    `ka.quantize`. Files keep adapters as what they are, on every backend, and `merge_lora` makes
    kernels of them again. Compile the model afterwards.

    ```python
    ka.enable_lora(model, 8)
    ka.enable_lora(model, 16, alpha=32, targets=["query", "value"], train=["head"])
    ka.enable_lora(gpt, 8, targets=["block_1*"], train=[])
    ```

    Args:
        model: is built. Of a model inside of it, pass the outer one.
        rank: r, of A `(D, r)` and B `(r, U)`; a kernel has `r * (D + U)` weights to train.
        alpha: what adapters are scaled by, times `rank`; `rank` itself if `None`.
        targets: names of kernels, such as `"query"` or `"query_kernel"`, or of layers they are in,
            such as `"attention"`, `"block_0"` or `"block_0/attention"`; `*` is whatever.
            All kernels if `None`.
        train: names of layers that are trained whole, as a new head must be. If `None`, each
            `keras.layers.Dense` that no target comes after.
        seed: of the A.

    Raises:
        ValueError: there is no such kernel or layer, or the model has adapters.
    """
    checks.positive_int(rank=rank)
    if not model.built:
        raise ValueError(f"`model` must be built: call it on data once. Received: {model.name!r}")
    kernels = _kernels(model)
    adapted = [kernel.path for kernel in kernels if kernel.rank]
    if adapted:
        raise ValueError(
            f"The model {model.name!r} has adapters, as {adapted[0]!r}. Merge them first, by "
            "`ka.merge_lora(model)`."
        )
    chosen = kernels if targets is None else _choose(kernels, targets)
    if not chosen:
        raise ValueError(
            f"The model {model.name!r} has no kernels for adapters: they are of attention and "
            "feed-forward networks of `keras_attention.layers`. Received: targets="
            f"{targets}, of {_shorten(kernel.path for kernel in kernels)}"
        )
    heads = _heads(model, chosen) if train is None else _named(model, train)
    for number, kernel in enumerate(chosen):
        each_seed = None if seed is None else seed + number
        adapted = kernel.layer.adapt(kernel.name)
        adapted.add_adapter(rank, float(rank if alpha is None else alpha), each_seed)
    owners = {id(kernel.layer) for kernel in chosen}
    _freeze(model, owners, {id(layer) for layer in heads})
    forget_functions(model)


def merge_lora(model: keras.Model) -> None:
    """Makes each kernel that has an adapter the sum of both: the model is a plain one again.

    What is frozen stays so; `model.trainable = False` and then `True` thaws all of it. A kernel in
    8 bits stays in 8 bits, so the sum is rounded.

    Args:
        model: of `enable_lora`; without adapters nothing happens.
    """
    for kernel in _kernels(model):
        kernel.layer.merge(kernel.name)
    forget_functions(model)


class _Kernel(NamedTuple):
    """A kernel of a layer.

    Attributes:
        layer: that has it.
        name: of the attribute.
    """

    layer: Composite
    name: str

    @property
    def value(self) -> Any:
        return getattr(self.layer, self.name)

    @property
    def path(self) -> str:
        """Where it is in the model, such as `block_0/attention/query_kernel`."""
        return f"{self.layer.path}/{self.name}"

    @property
    def rank(self) -> int:
        return self.value.rank if isinstance(self.value, AdaptedKernel) else 0

    def fits(self, target: str) -> bool:
        """Whether `target` is the name of the kernel or of a layer it is in."""
        parts = self.path.split("/")
        spans = combinations(range(len(parts) + 1), 2)
        names = ["/".join(parts[start:end]) for start, end in spans]
        return any(
            fnmatchcase(name, target) for name in [*names, self.name.removesuffix("_kernel")]
        )


def _kernels(model: keras.Model) -> list[_Kernel]:
    """The kernels of a model that can have adapters, each once."""
    kernels = []
    seen: set[int] = set()
    for layer in _flatten(model):
        for name in layer.kernel_names if isinstance(layer, Composite) else ():
            value = getattr(layer, name, None)
            if value is not None and id(value) not in seen:
                seen.add(id(value))
                kernels.append(_Kernel(layer, name))
    return kernels


def _choose(kernels: Sequence[_Kernel], targets: Sequence[str]) -> list[_Kernel]:
    """The kernels that targets name; each target names one at least."""
    for target in targets:
        if not any(kernel.fits(target) for kernel in kernels):
            raise ValueError(
                f"`targets` must be names of kernels or of layers they are in. Received: "
                f"{target!r}, of {_shorten(kernel.path for kernel in kernels)}"
            )
    return [kernel for kernel in kernels if any(map(kernel.fits, targets))]


def _heads(model: keras.Model, chosen: Sequence[_Kernel]) -> list[keras.Layer]:
    """The `keras.layers.Dense` behind the last of the chosen kernels."""
    owners = {id(kernel.layer) for kernel in chosen}
    heads: list[keras.Layer] = []
    for layer in _flatten(model):
        if id(layer) in owners:
            heads = []
        elif isinstance(layer, keras.layers.Dense):
            heads.append(layer)
    return heads


def _named(model: keras.Model, names: Sequence[str]) -> list[keras.Layer]:
    """The layers of a model that have these names."""
    layers = [layer for layer in _flatten(model) if layer.weights]
    for name in names:
        if name not in {layer.name for layer in layers}:
            raise ValueError(
                f"`train` must be names of layers with weights. Received: {name!r}, of "
                f"{_shorten(layer.name for layer in layers)}"
            )
    named = [layer for layer in layers if layer.name in names]
    for layer in named:
        if any(variable.dtype == "int8" for variable in layer.weights):
            raise ValueError(
                f"The layer {layer.name!r} is in 8 bits, which cannot be trained. Leave it out, by "
                f"`ka.quantize(model, skip=[{layer.name!r}])`. Received: train={list(names)}"
            )
    return named


def _freeze(layer: keras.Layer, owners: Collection[int], heads: Collection[int]) -> None:
    """Freezes a layer but for adapters and heads inside.

    Args:
        layer: to freeze, with its parts.
        owners: the `id` of each layer whose kernels have adapters.
        heads: the `id` of each layer to train.
    """
    if isinstance(layer, AdaptedKernel):
        layer.trainable = bool(layer.rank)
        return
    inside = {id(each) for each in [layer, *_flatten(layer)]}
    if id(layer) in heads:
        layer.trainable = False  # on TensorFlow nothing happens to parts if the value is the same
        layer.trainable = True
        return
    # Keras trains nothing inside of a layer that is frozen itself.
    layer.trainable = not (inside.isdisjoint(owners) and inside.isdisjoint(heads))
    if layer.trainable:
        for variable in layer._trainable_variables:  # its own, which Keras tells nowhere else
            variable.trainable = False
        for part in layer._layers:
            _freeze(part, owners, heads)


def _flatten(layer: keras.Layer, seen: set[int] | None = None) -> Iterator[keras.Layer]:
    """The layers inside of a layer, each once and before its parts, in the order of their calls."""
    seen = set() if seen is None else seen
    for part in layer.layers if isinstance(layer, keras.Model) else layer._layers:
        if id(part) not in seen:
            seen.add(id(part))
            yield part
            yield from _flatten(part, seen)


def _shorten(names: Iterable[str]) -> str:
    names = sorted(set(names))
    return ", ".join(names[:20]) + (" ..." if len(names) > 20 else "")
