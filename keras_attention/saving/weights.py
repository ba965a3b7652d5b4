"""The weights of a file: HDF5, of which only plain arrays of numbers are taken."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_attention.saving.errors import DamagedFileError, FileError, RefusedFileError, cause
from keras_attention.saving.limits import Limits, exceeded

if TYPE_CHECKING:
    import h5py

OPTIMIZER, INNER = "optimizer/vars/", "optimizer/inner_optimizer/"

_MAGIC = b"\x89HDF\r\n\x1a\n"
_CHUNK = 2**22  # numbers looked at together for NaN


@dataclass(frozen=True)
class Weights:
    """The content of a file of weights.

    Attributes:
        size: how many numbers.
        optimizer: the variables of the optimizer in their order, empty if there is none.
        scales_loss: whether that optimizer wraps another, as for mixed_float16.
    """

    size: int
    optimizer: list[np.ndarray]
    scales_loss: bool


def read(content: bytes, limits: Limits) -> Weights:
    """Looks at every array of an HDF5 file and keeps those of the optimizer.

    Raises:
        DamagedFileError: it is not HDF5, or not whole.
        RefusedFileError: it has links, external, virtual, chunked or overlapping data, other
            types than numbers, or numbers that are not finite.
    """
    import h5py

    if content[:8] != _MAGIC:
        raise DamagedFileError("model.weights.h5 is not an HDF5 file.")
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            datasets = dict(_datasets(file, limits))
            _check_total(datasets, len(content))
            optimizer = {}
            for name, dataset in datasets.items():
                array = _array(name, dataset, limits)
                if name.startswith(OPTIMIZER):
                    optimizer[name.removeprefix(OPTIMIZER)] = array
            return Weights(
                size=sum(dataset.size for dataset in datasets.values()),
                optimizer=[optimizer[str(i)] for i in range(len(optimizer))],
                scales_loss=any(name.startswith(INNER) for name in datasets),
            )
    except FileError:
        raise
    except Exception as error:  # whatever HDF5 says of bytes that make no sense to it
        raise DamagedFileError(f"model.weights.h5 cannot be read: {error}") from cause(error)


def narrow(content: bytes, dtype: str) -> bytes:
    """Returns a file of weights with its matrices in a narrower type.

    Vectors stay as they are: they are few, and among them are statistics of columns, which
    float16 may not hold. So does the optimizer.

    Args:
        content: of an HDF5 file that Keras wrote.
        dtype: of NumPy.

    Raises:
        ValueError: a weight is beyond what `dtype` holds.
    """
    import h5py

    with (
        h5py.File(io.BytesIO(content), "r") as wide,
        h5py.File(written := io.BytesIO(), "w") as file,
    ):

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
    return written.getvalue()


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


def check_finite(model: keras.Model) -> None:
    """Refuses what became infinite in a model whose type is narrower than that of its file.

    Raises:
        RefusedFileError: a weight is NaN or infinite.
    """
    for variable in model.variables:
        if keras.backend.is_float_dtype(variable.dtype):
            _check_finite(variable.path, keras.ops.convert_to_numpy(variable.value))


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


def _array(where: str, dataset: "h5py.Dataset", limits: Limits) -> np.ndarray:
    array = np.asarray(dataset[()])
    if _is_bfloat16(dataset):
        array = array.view("bfloat16")  # by ml_dtypes, which Keras imports
    if not limits.non_finite and array.dtype.kind not in "biu":
        _check_finite(where, array)
    return array


def _check_finite(where: str, array: np.ndarray) -> None:
    flat = array.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        if not np.isfinite(flat[start : start + _CHUNK].astype("float64")).all():
            raise RefusedFileError(
                f"model.weights.h5 has NaN or an infinity in {where!r}.",
                "If you trust the file, pass `limits=ka.saving.Limits(non_finite=True)`.",
            )


def _is_bfloat16(dataset: "h5py.Dataset") -> bool:
    """Whether a dataset is of two bytes each that Keras marked as bfloat16."""
    dtype = dataset.dtype
    return dtype.kind == "V" and dtype.itemsize == 2 and dataset.attrs.get("dtype") == "bfloat16"
