"""A model's outputs without Keras's trainer, and a guard for where its trainer is needed.

On JAX `model.predict`, `evaluate` and `train_on_batch` take the values of the variables away while
they compute. If anything raises meanwhile, such as a text that is too long, or if two threads call,
the values are not given back: the model is lost.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary, proxy

import keras
import numpy as np
from keras import ops

from keras_attention import kernels
from keras_attention.kernels import compiled_for

_locks: WeakKeyDictionary[keras.Model, Any] = WeakKeyDictionary()
_lock = threading.Lock()


def outputs(model: keras.Model, arrays: Any, *, batch_size: int = 32) -> Any:
    """Returns the outputs of a model for arrays, batch by batch, as `model.predict` gives them.

    Unlike `model.predict` it may run in several threads at once, and leaves the model as it was,
    whatever it raises: it reads the variables and changes none.

    Args:
        model: functional.
        arrays: `(B, ...)`, or such arrays by input name or in a list.
        batch_size: rows computed at a time. Where there are more, the last batch is filled up, so
            that one size is compiled.

    Returns:
        NumPy arrays `(B, ...)` in the structure of the model's outputs.

    Raises:
        TypeError: an array is not of numbers.
        ValueError: the inputs differ in their number of rows.
    """
    batches = [*stream(model, arrays, batch_size=batch_size)]
    if not batches:
        return keras.tree.map_structure(_make_empty, model.output)
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *batches)


def outputs_by_length(
    model: keras.Model, ids: np.ndarray, lengths: np.ndarray, *, batch_size: int = 32
) -> Any:
    """Returns the outputs of a model for texts, as `outputs` does, but faster.

    Texts of like lengths are computed together, and the padding that all of them have is cut off.
    Where each size is compiled, sizes are few: see `kernels.round_length`.

    Args:
        model: functional, of one input, whose outputs do not depend on padding.
        ids: `(B, T)` or `(B, T, ...)`, padded on the right.
        lengths: `(B,)`, of the texts without padding.
        batch_size: rows computed at a time.
    """
    order = np.argsort(lengths, kind="stable")[::-1]
    size = min(batch_size, kernels.round_length(len(order)))
    batches = []
    for start in range(0, len(order), size):
        rows = np.resize(order[start : start + size], size)  # so that one size compiles
        longest = kernels.round_length(max(1, int(lengths[rows].max())))
        batches.append(outputs(model, ids[rows, :longest], batch_size=size))
    back = np.argsort(order)
    return keras.tree.map_structure(
        lambda *parts: np.concatenate(parts)[: len(order)][back], *batches
    )


def stream(model: keras.Model, arrays: Any, *, batch_size: int = 32) -> Iterator[Any]:
    """Yields the outputs of each batch, for those that take much memory; see `outputs`."""
    arrays = keras.tree.map_structure(np.asarray, arrays, none_is_leaf=False)
    count = _count_rows(model, arrays)
    if not count:
        return
    call = _forward(model)
    for start in range(0, count, batch_size):
        rows = np.arange(start, min(start + batch_size, count))
        full = np.resize(rows, batch_size) if count > batch_size else rows
        computed = call(keras.tree.map_structure(lambda array, some=full: array[some], arrays))
        yield keras.tree.map_structure(lambda x, some=rows: _to_numpy(x)[: len(some)], computed)


@contextmanager
def guarded(model: keras.Model) -> Iterator[None]:
    """A block in which Keras's trainer may fail, and the model keeps its values.

    ```python
    with guarded(model):
        model.evaluate(x, y)
    ```

    One thread at a time enters the block of a model. Others must not read the model meanwhile. On
    JAX the values are copied first: a compiled step overwrites them as it runs.
    """
    with _lock:
        lock = _locks.setdefault(model, threading.RLock())
    with lock:
        optimizer = getattr(model, "optimizer", None)
        variables = [*model.variables, *model.metrics_variables]
        variables += optimizer.variables if optimizer else []
        on_jax = hasattr(model, "jax_state_sync")
        before = [(v, ops.copy(v.value) if on_jax else v.value) for v in variables]
        try:
            yield
        except BaseException:
            if on_jax:
                model.jax_state_sync()  # what complete steps have made of them
            for variable, value in before:
                if _is_lost(variable):
                    variable.assign(value)
            # On TensorFlow a function that failed when it was traced makes no variables later on.
            if getattr(model, "train_function", None) is not None:
                model.make_train_function(force=True)
            raise


def _is_lost(variable: keras.Variable) -> bool:
    """Whether Keras took the value away, or a step of JAX that failed had overwritten it."""
    try:
        value = variable.value
    except TypeError:  # Keras looks for an initializer, which is gone
        return True
    return value is None or (hasattr(value, "is_deleted") and value.is_deleted())


def _forward(model: keras.Model) -> Callable:
    """Returns the compiled pass of a model as it is now."""
    if kernels.BACKEND == "torch":  # which compiles nothing that would have to be kept
        return kernels.compile_forward(lambda inputs: model(inputs, training=False), ())
    functions = compiled_for(model)
    if "outputs" not in functions:
        itself = proxy(model)  # a function that held the model would keep it alive
        functions["outputs"] = kernels.compile_forward(
            lambda inputs: itself(inputs, training=False), model.variables
        )
    return functions["outputs"]


def _count_rows(model: keras.Model, arrays: Any) -> int:
    """Returns the number of rows, which all inputs share."""
    flat = keras.tree.flatten(arrays)
    for array in flat:
        if array.dtype.kind in "OUSV" or not array.ndim:
            raise TypeError(
                f"The model {model.name!r} takes arrays of numbers (B, ...). Received: "
                f"{array.dtype} of shape {array.shape}. `ka.encode(model, raw)` makes arrays of "
                "raw values."
            )
    counts = [len(array) for array in flat]
    if len(set(counts)) > 1:
        names = arrays if isinstance(arrays, dict) else range(len(counts))
        each = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
        raise ValueError(
            f"The inputs of the model {model.name!r} must have as many rows. Received: {each}"
        )
    return counts[0]


def _to_numpy(tensor: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


def _make_empty(tensor: Any) -> np.ndarray:
    """Returns an output for no rows."""
    return np.zeros((0, *(size or 0 for size in tensor.shape[1:])), np.float32)
