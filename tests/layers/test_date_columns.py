"""DateColumns: cases for the contract, against NumPy's calendar, and raw rows."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from keras_attention.layers import DateColumns
from tests.backend import to_numpy
from tests.contracts import Case

CASES = [
    Case(
        layer=DateColumns,
        config={"names": ["born", "seen"], "hidden_dim": 4},
        inputs={"dates": (2,)},
        silent=("missing",),  # as no date is
    )
]
FORMS = [
    "2024-05-31 13:30",
    "2024/05/31 13:30:00",
    "2024-05-31T13:30+09:00",
    datetime(2024, 5, 31, 13, 30, tzinfo=UTC),
    np.datetime64("2024-05-31T13:30", "ns"),
]


def test_every_form_is_the_same_day():
    expected = (np.datetime64("2024-05-31T13:30") - np.datetime64("2000-01-01T00:00")) / (
        np.timedelta64(1, "D")
    )
    encoded = DateColumns(["at"], 2).encode({"at": FORMS})
    np.testing.assert_allclose(encoded[:, 0], expected, atol=1e-3)
    dates = DateColumns(["at"], 2).encode([{"at": date(2000, 1, 2)}, {"at": None}, {"at": "NA"}])
    np.testing.assert_array_equal(dates, [[1], [np.nan], [np.nan]])


def test_a_token_has_the_day_and_the_times_of_year_week_and_day():
    rng = np.random.default_rng(0)
    layer = DateColumns(["at"], 3)
    x = layer.encode({"at": ["2001-03-02", "2010-07-20 18:00", "2019-12-31 06:30"]})
    layer.adapt(np.concatenate([x, [[np.nan]]]))
    kernel = rng.normal(size=(1, 7, 3)).astype("float32")
    bias, missing = rng.normal(size=(2, 1, 3)).astype("float32")
    layer.kernel.assign(kernel)
    layer.bias.assign(bias)
    layer.missing.assign(missing)
    turns = 2 * np.pi * x.astype("float64") / [[365.2425, 7, 1]]
    waves = np.stack([np.sin(turns), np.cos(turns)], axis=-1).reshape(3, 6)
    features = np.concatenate([(x - x.mean()) / x.std(), waves], axis=1)
    expected = (features @ kernel[0] + bias)[:, None]
    np.testing.assert_allclose(to_numpy(layer(x)), expected, atol=1e-2)
    empty = to_numpy(layer(np.array([[np.nan]], "float32")))
    np.testing.assert_array_equal(empty, missing[None])


def test_errors_teach():
    layer = DateColumns(["born", "seen"], 2)
    with pytest.raises(ValueError, match=r"'seen' must have dates such as 2024-05-31 .*'soon' in"):
        layer.encode(["2020-01-01,2020-01-02", "2020-01-01,soon"])
    with pytest.raises(ValueError, match=r"'born' must have dates .* 7 in row 0"):
        layer.encode([[7, None]])
    with pytest.raises(ValueError, match="Missing: seen"):
        layer.encode([{"born": "2020-01-01"}])
    with pytest.raises(ValueError, match="at least one column"):
        DateColumns([], 2)
