"""ETTh1: a small file in upstream's format, and its windows."""

import numpy as np
import pytest

from zoo.data import etth1
from zoo.data.windows import cut

pytestmark = pytest.mark.runs_on("torch")

HEADER = "date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT\n"


def test_reads_upstreams_format(tmp_path):
    (tmp_path / "ETTh1.csv").write_text(
        HEADER
        + "2016-07-01 00:00:00,5.827000141143799,2.009000062942505,1.5989999771118164,"
        + "0.4620000123977661,4.203000068664552,1.3400000333786009,30.5310001373291\n"
        + "2016-07-01 01:00:00,5.692999839782715,2.075999975204468,1.4919999837875366,"
        + "0.4259999990463257,4.142000198364259,1.371000051498413,27.78700065612793\n"
    )
    rows = etth1.read(tmp_path / "ETTh1.csv")
    assert (rows.dtype, rows.shape) == (np.float32, (2, 7))
    np.testing.assert_allclose(rows[:, -1], [30.531, 27.787])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("date,a\nx,1\n", "must have the columns date, HUFL"),
        (HEADER + "2016-07-01 00:00:00,1,2,3\n" + "x,1,2,3,4,5,6,7\n", "not seven numbers"),
        (HEADER + "2016-07-01 00:00:00,1,2,3,4,5,6,hot\n", "not seven numbers"),
    ],
)
def test_what_is_not_of_that_format_is_refused(tmp_path, content, message):
    (tmp_path / "wrong.csv").write_text(content)
    with pytest.raises(ValueError, match=message):
        etth1.read(tmp_path / "wrong.csv")


def test_standard_split_has_2785_test_windows():
    series = np.random.default_rng(0).normal(size=(14_500, 1)).astype("float32")
    windows = cut(series, etth1._ENDS, 96, 96)
    parts = (windows.train, windows.validation, windows.test)
    assert [len(x) for x, _ in parts] == [8449, 2785, 2785]


def test_sample_is_of_the_same_form():
    windows = etth1.sample()
    for x, y in (windows.train, windows.validation, windows.test):
        assert (x.dtype, x.shape[1:]) == (np.float32, (96, 7))
        assert (y.dtype, y.shape[1:]) == (np.float32, (96, 7))
    assert windows.feature_names == etth1.COLUMNS
    assert windows.sha256() == etth1.sample().sha256()
