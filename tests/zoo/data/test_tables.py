"""Adult and California housing: files made by hand in their format."""

import numpy as np
import pytest

from zoo.data import adult, california_housing

pytestmark = pytest.mark.runs_on("torch")

ROW = "39, State-gov, 77516, Bachelors, 13, Never-married, ?, Not-in-family, White, Male, 2174, 0, "


def test_adult(tmp_path):
    path = tmp_path / "adult.test"
    path.write_text(
        f"|1x3 Cross validator\n{ROW}40, United-States, <=50K.\n{ROW}50, Cuba, >50K.\n\n"
    )
    x, y = adult.read(path)
    assert y.tolist() == [0, 1]
    assert x["hours-per-week"].tolist() == [40.0, 50.0]
    assert x["native-country"].tolist() == ["United-States", "Cuba"]
    assert x["occupation"].tolist() == ["?", "?"]
    assert "fnlwgt" not in x
    path.write_text(f"{ROW}40, United-States, rich\n")
    with pytest.raises(ValueError, match="a row that is not one of this dataset: '39, State-gov"):
        adult.read(path)


def test_housing(tmp_path):
    path = tmp_path / "housing.csv"
    names = [*california_housing.NUMBERS, california_housing.TARGET, "ocean_proximity"]
    path.write_text(
        ",".join(names)
        + "\n-122.2,37.8,41,880,129,322,126,8.3,452600,NEAR BAY"
        + "\n-122,37,41,880,,322,126,8,50000,INLAND"
    )
    x, y = california_housing.read(path)
    np.testing.assert_allclose(y, [[4.526], [0.5]])
    np.testing.assert_array_equal(x["total_bedrooms"], [129, np.nan])
    assert x["ocean_proximity"].tolist() == ["NEAR BAY", "INLAND"]


def test_housing_is_split_without_overlap():
    splits = california_housing.sample()
    parts = [splits.train, splits.validation, splits.test]
    assert [len(y) for _, y in parts] == [102, 26, 32]
    values = np.concatenate([y[:, 0] for _, y in parts])
    assert len(set(values.tolist())) == 160
