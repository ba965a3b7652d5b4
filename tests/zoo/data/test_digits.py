"""The digits of scikit-learn."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from zoo.data import digits as data

pytestmark = pytest.mark.runs_on("torch")


def test_splits_are_fixed_stratified_and_complete():
    splits = data.load()
    (x, y), (x_test, y_test) = splits.train, splits.test
    assert (x.shape, x_test.shape) == ((1437, 8, 8, 1), (360, 8, 8, 1))
    assert (x.dtype, y.dtype) == (np.uint8, np.int32)
    counts = np.bincount(load_digits().target)
    np.testing.assert_allclose(np.bincount(y_test), counts / 5, atol=1)
    pixels = np.concatenate([x, x_test]).reshape(-1, 64).astype(int)
    expected = np.round(load_digits().data * 255 / 16).astype(int)
    np.testing.assert_array_equal(pixels[np.lexsort(pixels.T)], expected[np.lexsort(expected.T)])
    assert splits.class_names == tuple("0123456789")
    assert splits.sha256() == data.load().sha256()


def test_sample_has_all_digits():
    splits = data.sample()
    for x, y in (splits.train, splits.test):
        assert (x.shape, set(y)) == ((64, 8, 8, 1), set(range(10)))
