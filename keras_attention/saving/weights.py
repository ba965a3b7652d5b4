"""The weights of a file: HDF5, of which only plain arrays of numbers are taken."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import ml_dtypes
import numpy as np

from keras_attention.saving.errors import DamagedFileError, FileError, RefusedFileError, cause
from keras_attention.saving.limits import MIB, Limits, exceeded

if TYPE_CHECKING:
    import h5py

OPTIMIZER, INNER = "optimizer/vars/", "optimizer/inner_optimizer/"

_MAGIC = b"\x89HDF\r\n\x1a\n"
_CHUNK = 4 * MIB  # bytes looked at together for NaN


@dataclass(frozen=True)
class Weights:
    """The content of a file of weights.

    Attributes:
        size: how many numbers.
        largest: the largest number that the widest of its types can hold.
        optimizer: the variables of the optimizer in their order, empty if there is none.
        scales_loss: whether that optimizer wraps another, as for mixed_float16.
    """

    size: int
    largest: float
    optimizer: list[np.ndarray]
    scales_loss: bool


def read(path: Path, limits: Limits, *, optimizer: bool) -> Weights:
    """Looks at every array of an HDF5 file.

    Args:
        path: of a file that nobody else changes.
        limits: of numbers that are not finite, and of the number of arrays.
        optimizer: whether to return the variables of the optimizer.

    Raises:
        DamagedFileError: it is not HDF5, or not whole.
        RefusedFileError: it has links, external, virtual, chunked or overlapping data, other
            types than numbers, or numbers that are not finite.
    """
    import h5py

    with path.open("rb") as opened:
        if opened.read(8) != _MAGIC:
            raise DamagedFileError("model.weights.h5 is not an HDF5 file.")
    try:
        with h5py.File(path, "r") as file:
            datasets = dict(_datasets(file, limits))
            _check_total(datasets, path.stat().st_size)
            kept = {}
            for name, dataset in datasets.items():
                if optimizer and name.startswith(OPTIMIZER):
                    kept[name.removeprefix(OPTIMIZER)] = array = _array(dataset, ...)
                    _check_finite(name, array, limits)
                    continue
                for array in _parts(dataset):
                    _check_finite(name, array, limits)
            return Weights(
                size=sum(dataset.size for dataset in datasets.values()),
                largest=max(map(_largest, datasets.values()), default=0.0),
                optimizer=[kept[str(i)] for i in range(len(kept))],
                scales_loss=any(name.startswith(INNER) for name in datasets),
            )
    except FileError:
        raise
    except Exception as error:  # whatever HDF5 says of bytes that make no sense to it
        raise DamagedFileError(f"model.weights.h5 cannot be read: {error}") from cause(error)


def narrow(path: Path, dtype: str) -> None:
    """Has a file of weights keep its matrices in a narrower type.

    Vectors stay as they are: they are few, and among them are statistics of columns, which
    float16 may not hold. So does the optimizer.

    Args:
        path: of an HDF5 file that Keras wrote.
        dtype: of NumPy.

    Raises:
        ValueError: a weight is beyond what `dtype` holds.
    """
    import h5py

    written = path.with_name(f"narrow-{path.name}")
    with h5py.File(path, "r") as wide, h5py.File(written, "w") as file:

        def copy(name: str, each: Any) -> None:
            if isinstance(each, h5py.Group):
                copied = file.create_group(name)
            else:
                array = each[()]
                if each.ndim > 1 and each.dtype.kind == "f" and not name.startswith("optimizer/"):
                    array = _cast(name, array, dtype)
                copied = file.create_dataset(name, data=array)
            copied.attrs.update(each.attrs)

        file.attrs.update(wide.attrs)
        wide.visititems(copy)
    written.replace(path)


def _cast(where: str, array: np.ndarray, dtype: str) -> np.ndarray:
    if array.dtype.itemsize <= np.dtype(dtype).itemsize:
        return array
    with np.errstate(over="ignore"):
        cast = array.astype(dtype)
    if (np.isinf(cast) & np.isfinite(array)).any():
        raise ValueError(
            f"`weights_dtype` must hold every weight. Received: {dtype!r}, and {where!r} has "
            f"numbers up to {np.abs(array).max():.3g}. Save without `weights_dtype`."
        )
    return cast


def check_finite(model: keras.Model, largest: float) -> None:
    """Refuses what became infinite in a model whose type is narrower than that of its file.

    Args:
        model: with the weights of the file.
        largest: see `Weights`.

    Raises:
        RefusedFileError: a weight is NaN or infinite.
    """
    for variable in model.variables:
        dtype = variable.dtype
        if keras.backend.is_float_dtype(dtype) and float(ml_dtypes.finfo(dtype).max) < largest:
            _check_finite(variable.path, keras.ops.convert_to_numpy(variable.value), Limits())


def _datasets(file: "h5py.File", limits: Limits) -> Iterator[tuple[str, "h5py.Dataset"]]:
    """Every dataset by path, along plain names alone."""
    import h5py

    seen = set()
    pending: list[tuple[str, Any]] = [("", file)]
    while pending:
        path, group = pending.pop()
        for name in group:
            where = f"{path}/{name}" if path else name
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise RefusedFileError(f"model.weights.h5 has a link, {where!r}.")
            each = group[name]
            address = h5py.h5o.get_info(each.id).addr
            if address in seen:
                raise RefusedFileError(f"model.weights.h5 has {where!r} under two names.")
            seen.add(address)
            if len(seen) > limits.objects:
                what = "The number of groups and arrays in model.weights.h5"
                raise exceeded(what, len(seen), "objects", limits.objects)
            if isinstance(each, h5py.Group):
                pending.append((where, each))
            elif isinstance(each, h5py.Dataset):
                _check_dataset(where, each)
                yield where, each
            else:
                raise RefusedFileError(f"model.weights.h5 has a type as an object, {where!r}.")


def _check_dataset(where: str, dataset: "h5py.Dataset") -> None:
    """Refuses all but numbers that lie in the file one after the other."""
    import h5py

    properties = dataset.id.get_create_plist()
    if properties.get_external_count():
        raise RefusedFileError(f"model.weights.h5 keeps {where!r} in another file.")
    layout = properties.get_layout()
    if layout not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT) or properties.get_nfilters():
        raise RefusedFileError(
            f"model.weights.h5 has {where!r} in pieces, compressed or virtual.",
            "Save it anew with `ka.save_model`.",
        )
    numbers = dataset.dtype.kind in "biuf" or _is_bfloat16(dataset)
    if dataset.shape is None or not numbers:
        raise RefusedFileError(
            f"model.weights.h5 has {where!r} of type {dataset.dtype}: not numbers."
        )
    if dataset.size and dataset.id.get_storage_size() != dataset.nbytes:
        raise RefusedFileError(
            f"model.weights.h5 declares {dataset.nbytes:,} bytes for {where!r} and has "
            f"{dataset.id.get_storage_size():,}."
        )


def _check_total(datasets: dict[str, "h5py.Dataset"], available: int) -> None:
    declared = sum(dataset.nbytes for dataset in datasets.values())
    if declared > available:
        raise RefusedFileError(
            f"model.weights.h5 declares {declared:,} bytes of weights and has {available:,}."
        )


def _parts(dataset: "h5py.Dataset") -> Iterator[np.ndarray]:
    """Yields the numbers of an array in parts of about `_CHUNK` bytes, as far as its rows allow."""
    if dataset.nbytes <= _CHUNK:
        yield _array(dataset, ...)
        return
    rows = max(1, _CHUNK * len(dataset) // dataset.nbytes)
    for start in range(0, len(dataset), rows):
        yield _array(dataset, slice(start, start + rows))


def _array(dataset: "h5py.Dataset", part: Any) -> np.ndarray:
    array = np.asarray(dataset[part])
    return array.view("bfloat16") if _is_bfloat16(dataset) else array  # by ml_dtypes


def _check_finite(where: str, array: np.ndarray, limits: Limits) -> None:
    if not limits.non_finite and array.dtype.kind not in "biu" and not np.isfinite(array).all():
        raise RefusedFileError(
            f"model.weights.h5 has NaN or an infinity in {where!r}.",
            "If you trust the file, pass `limits=ka.saving.Limits(non_finite=True)`.",
        )


def _largest(dataset: "h5py.Dataset") -> float:
    """Returns the largest number that the type of an array can hold; 0 of one that is whole."""
    if dataset.dtype.kind in "biu":
        return 0.0
    return float(ml_dtypes.finfo("bfloat16" if _is_bfloat16(dataset) else dataset.dtype).max)


def _is_bfloat16(dataset: "h5py.Dataset") -> bool:
    """Whether a dataset is of two bytes each that Keras marked as bfloat16."""
    dtype = dataset.dtype
    return dtype.kind == "V" and dtype.itemsize == 2 and dataset.attrs.get("dtype") == "bfloat16"
