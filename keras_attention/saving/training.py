"""The state of a training that Keras does not save.

Keras saves weights and the variables of the optimizer. Missing are the random states (of the
layers that drop, of Python, NumPy and the backend), the variables that the optimizer does not
decay, and that it scales the loss.
"""

import random
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from keras_attention import kernels
from keras_attention.saving import archive
from keras_attention.saving.archive import Archive
from keras_attention.saving.errors import DamagedFileError, NewerFileError, cause

FORMAT = 1
_FIELDS = {
    "format": int, "backend": str, "began": bool, "policy": str, "jit_compile": bool, "seeds": list,
    "scales_loss": bool, "not_decayed": list, "random": dict,
}  # fmt: skip


def state_of(model: keras.Model) -> dict[str, Any]:
    """The training state of a compiled model, as JSON can hold it."""
    optimizer = model.optimizer
    return {
        "format": FORMAT,
        "backend": keras.backend.backend(),
        "began": optimizer is not None and optimizer.built,
        "policy": model.dtype_policy.name,
        "jit_compile": model.jit_compile,
        "seeds": [keras.ops.convert_to_numpy(seed.value).tolist() for seed in _seeds(model)],
        "scales_loss": isinstance(optimizer, keras.optimizers.LossScaleOptimizer),
        "not_decayed": [
            [
                i
                for i, variable in enumerate(model.trainable_variables)
                if not _decays(leaf, variable)
            ]
            for leaf in leaves(optimizer)
        ],
        "random": random_state(),
    }


def read(saved: Archive) -> dict[str, Any] | None:
    """The training state in a file, or `None` if Keras alone saved it.

    Raises:
        NewerFileError: it has a format of a later version.
        DamagedFileError: it is not as `state_of` makes it.
    """
    if archive.TRAINING not in saved.names:
        return None
    state = saved.json(archive.TRAINING)
    version = state.get("format") if isinstance(state, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise NewerFileError(
            f"training.json has format {version}, and this version of keras_attention knows "
            f"{FORMAT}. Install a newer one."
        )
    if version != FORMAT or state.keys() != _FIELDS.keys():
        raise DamagedFileError("training.json is not a training state.")
    for name, kind in _FIELDS.items():
        if type(state[name]) is not kind:
            raise DamagedFileError(f"training.json has {state[name]!r:.80} as {name!r}.")
    if not all(_are_numbers(each, 2, 2**63) for each in state["seeds"]):
        raise DamagedFileError(
            "training.json has random states of layers that are not two numbers."
        )
    if not all(_are_numbers(each, None, 2**31) for each in state["not_decayed"]):
        raise DamagedFileError("training.json has no numbers of variables as 'not_decayed'.")
    _check_random_state(state["random"])
    return state


def restore_seeds(model: keras.Model, state: Mapping[str, Any]) -> None:
    """Gives the layers that draw random numbers the states they had."""
    seeds = _seeds(model)
    saved = state["seeds"]
    if len(saved) != len(seeds):
        raise DamagedFileError(
            f"The training state has {len(saved)} random states of layers; the model has "
            f"{len(seeds)}."
        )
    for seed, value in zip(seeds, saved, strict=True):
        seed.assign(np.array(value, "int64").astype(seed.dtype))


def leaves(optimizer: keras.optimizers.Optimizer | None) -> Iterator[keras.optimizers.Optimizer]:
    """The optimizers that update variables: what the wrapping ones wrap, or itself."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        yield from leaves(optimizer.inner_optimizer)
    elif isinstance(optimizer, keras.optimizers.MultiOptimizer):
        for inner in optimizer.optimizers:
            yield from leaves(inner)
    elif optimizer is not None:
        yield optimizer


def random_state() -> dict[str, Any]:
    """The states of the random numbers of this process: Python's, NumPy's and the backend's.

    TensorFlow's cannot be read. `keras.random` draws from states of its own.
    """
    version, numbers, gauss = random.getstate()
    numpy = np.random.get_state(legacy=False)
    return {
        "python": [version, list(numbers), gauss],
        "numpy": {**numpy, "state": {**numpy["state"], "key": numpy["state"]["key"].tolist()}},
        keras.backend.backend(): kernels.random_state(),
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    """Sets what `random_state` read; the part of another backend is left out.

    Raises:
        DamagedFileError: it is not as `random_state` makes it, and nothing is set.
    """
    _check_random_state(state)
    try:
        if state.get(keras.backend.backend()) is not None:
            kernels.set_random_state(state[keras.backend.backend()])
        version, numbers, gauss = state["python"]
        random.setstate((version, tuple(numbers), gauss))
        np.random.set_state(state["numpy"])
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise DamagedFileError(f"The random state cannot be set: {error}") from cause(error)


def _check_random_state(state: Mapping[str, Any]) -> None:
    """Raises `DamagedFileError` for numbers that Python or NumPy would take and crash by.

    Both have the Mersenne twister, of 624 numbers and a position among them. NumPy does not
    check the position, and reads the memory behind.
    """
    try:
        version, numbers, gauss = state["python"]
        numpy = state["numpy"]
        key, position = numpy["state"]["key"], numpy["state"]["pos"]
        python_fits = version == 3 and _is_number(gauss, none=True)
        numpy_fits = numpy["bit_generator"] == "MT19937" and _is_number(numpy["gauss"])
        positions = [position, numpy["has_gauss"], numbers[-1]]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DamagedFileError(f"The random state is not whole: {error!r}.") from cause(error)
    if not (
        python_fits
        and numpy_fits
        and _are_numbers(numbers, 625, 2**32)
        and _are_numbers(key, 624, 2**32)
        and _are_numbers(positions, 3, 625)
        and numpy["has_gauss"] in (0, 1)
        and isinstance(state.get(keras.backend.backend()), str | None)
    ):
        raise DamagedFileError("The random state has numbers that no generator can have.")


def _are_numbers(value: Any, length: int | None, end: int) -> bool:
    """Whether `value` is a list of so many whole numbers from 0 on, below `end`."""
    return (
        isinstance(value, list)
        and length in (None, len(value))
        and all(type(each) is int and 0 <= each < end for each in value)
    )


def _is_number(value: Any, none: bool = False) -> bool:
    return (none and value is None) or (type(value) in (int, float) and abs(value) < 1e3)


def _seeds(model: keras.Model) -> list[keras.Variable]:
    """The states of the model's `keras.random.SeedGenerator`s."""
    return [variable for variable in model.variables if variable.name == "seed_generator_state"]


def _decays(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> bool:
    return optimizer._use_weight_decay(variable)  # Keras tells nowhere else.
