"""Fashion-MNIST: its file format, and its look-alike."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from zoo.data import fashion_mnist as data

pytestmark = pytest.mark.runs_on("torch")


def idx(path, array, kind=8):
    """A file as http://yann.lecun.com/exdb/mnist describes it."""
    header = struct.pack(">BBBB", 0, 0, kind, array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    path.write_bytes(gzip.compress(header + array.tobytes()))
    return path


def test_images_and_labels_are_read(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    np.testing.assert_array_equal(data.read_idx(idx(tmp_path / "a.gz", images)), images)
    labels = np.array([9, 0, 3], np.uint8)
    np.testing.assert_array_equal(data.read_idx(idx(tmp_path / "b.gz", labels)), labels)


def test_other_files_are_refused(tmp_path):
    images = np.zeros((3, 2, 2), np.uint8)
    with pytest.raises(ValueError, match="not an idx file of unsigned bytes"):
        data.read_idx(idx(tmp_path / "a.gz", images, kind=13))
    path = idx(tmp_path / "b.gz", images)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))
    with pytest.raises(ValueError, match=r"11 bytes for an array of shape \(3, 2, 2\)"):
        data.read_idx(path)
    path.write_bytes(gzip.compress(b"\0"))
    with pytest.raises(ValueError, match="not an idx file"):
        data.read_idx(path)


def test_load_splits_the_official_parts(tmp_path, monkeypatch):
    """In the order of the files, the last training images for validation."""
    monkeypatch.setattr(data, "_VALIDATION", 2)
    rng = np.random.default_rng(0)
    arrays = {}
    for part, size in (("train", 6), ("t10k", 3)):
        arrays[f"{part}-images-idx3-ubyte.gz"] = rng.integers(0, 256, (size, 28, 28), np.uint8)
        arrays[f"{part}-labels-idx1-ubyte.gz"] = rng.integers(0, 10, size, np.uint8)
    for name, array in arrays.items():
        idx(tmp_path / name, array)
    monkeypatch.setattr(data, "fetch", lambda dataset, file: tmp_path / file.url.split("/")[-1])
    splits = data.load()
    x, y = splits.train
    assert (x.shape, x.dtype, y.dtype) == ((4, 28, 28, 1), np.uint8, np.int32)
    for (images, labels), part, rows in (
        (splits.train, "train", slice(0, 4)),
        (splits.validation, "train", slice(4, 6)),
        (splits.test, "t10k", slice(0, 3)),
    ):
        expected = arrays[f"{part}-images-idx3-ubyte.gz"][rows]
        np.testing.assert_array_equal(images[..., 0], expected)
        np.testing.assert_array_equal(labels, arrays[f"{part}-labels-idx1-ubyte.gz"][rows])


def test_sample_looks_alike():
    splits = data.sample()
    for x, y in (splits.train, splits.validation, splits.test):
        assert (x.shape[1:], x.dtype, y.dtype) == ((28, 28, 1), np.uint8, np.int32)
        assert set(y) == set(range(10))
    assert splits.class_names == data.CLASS_NAMES
    assert len(set(data.CLASS_NAMES)) == 10
    assert splits.sha256() == data.sample().sha256()


def test_of_a_file_no_more_is_expanded_than_its_header_says(tmp_path):
    path = tmp_path / "zeros.gz"
    with gzip.open(path, "wb") as file:
        file.write(struct.pack(">HBBI", 0, 8, 1, 3) + bytes(2**24))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"more than 3 bytes for an array of shape \(3,\)"):
        data.read_idx(path)
    assert tracemalloc.get_traced_memory()[1] < 2**21
    tracemalloc.stop()
    with gzip.open(path, "wb") as file:
        file.write(struct.pack(">HBBII", 0, 8, 2, 2**31, 2**31))
    with pytest.raises(ValueError, match="above 268,435,456 bytes"):
        data.read_idx(path)
