"""Windows of series, beside windows cut by hand."""

import numpy as np
import pytest

from zoo.data.windows import cut

pytestmark = pytest.mark.runs_on("torch")


def test_every_window_of_each_part_is_there_once():
    rows = np.arange(20.0, dtype="float32")
    series = np.stack([rows, rows**2], axis=1)
    windows = cut(series, (10, 14, 20), look_back=3, horizon=2)
    mean, std = series[:10].mean(axis=0), series[:10].std(axis=0)
    np.testing.assert_allclose([windows.mean, windows.std], [mean, std], rtol=1e-6)
    for part, starts in (
        (windows.train, range(3, 9)),  # rows of the forecasts: 3 to 9
        (windows.validation, range(10, 13)),
        (windows.test, range(14, 19)),
    ):
        x, y = part
        assert len(x) == len(y) == len(starts)
        for start, past, future in zip(starts, x, y, strict=True):
            np.testing.assert_array_equal(past, series[start - 3 : start])
            np.testing.assert_allclose(
                future, (series[start : start + 2] - mean) / std, rtol=1e-5, atol=1e-5
            )


def test_windows_share_the_memory_of_the_series():
    series = np.random.default_rng(0).normal(size=(100, 2)).astype("float32")
    x, _ = cut(series, (60, 80, 100), 8, 4).train
    assert np.shares_memory(x, series)
    begins = [np.array([8, 12, 16]), np.array([60]), np.array([80, 81, 90])]
    windows = cut(series, (60, 80, 100), 8, 4, begins=begins)
    assert np.shares_memory(windows.train[0], series)
    for (x, y), rows in zip((windows.train, windows.validation, windows.test), begins, strict=True):
        np.testing.assert_array_equal(x, [series[row - 8 : row] for row in rows])
        assert len(y) == len(rows)


def test_a_series_that_never_changes_has_the_scale_1():
    windows = cut(np.full((40, 1), 7, "float32"), (20, 30, 40), 4, 2)
    assert windows.std == (1.0,)
    assert not windows.test[1].any()
