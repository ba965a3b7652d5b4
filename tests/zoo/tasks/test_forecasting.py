"""Forecasts of a user's own series: what is chosen, trained, measured and left."""

import json

import keras
import numpy as np
import pandas
import pytest
from sklearn.linear_model import Ridge

import keras_attention as ka
from zoo import tasks
from zoo.data import etth1
from zoo.readers.findings import Findings
from zoo.readers.series import Series
from zoo.tasks import forecasting


def make_table(rows=400):
    rng = np.random.default_rng(0)
    hours = np.arange(rows)
    return pandas.DataFrame(
        {
            "id": hours,
            "time": pandas.date_range("2024-01-01", periods=rows, freq="h"),
            "load": 50 + 10 * np.sin(2 * np.pi * hours / 24) + rng.normal(size=rows),
            "wind": rng.normal(size=rows),
        }
    )


def test_a_user_trains_and_asks_the_file(tmp_path):
    path = tmp_path / "load.csv"
    make_table().to_csv(path, index=False)
    run = tasks.series(str(path), target="load", horizon=6, look_back=24, epochs=2)
    said = str(run.findings)
    assert "Period: 24 hours" in said
    assert "Time: 'time', 2024-01-01 00:00:00 to 2024-01-17 15:00:00, in hours" in said
    run.fit(tmp_path / "run")
    files = {file.name for file in (tmp_path / "run").iterdir()}
    assert files > {"model.keras", "mistakes.csv", "forecast.png", "residuals.png", "attention.png"}
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert {"ridge regression per series", "last value repeated"} < set(metrics["baselines"])
    assert "seasonal naive, 24 hours" in metrics["baselines"]
    assert metrics["test"]["mae of load"] == pytest.approx(
        metrics["test"]["mae"] * run.recipe.data.std[0], rel=1e-3
    )
    assert run.recipe.next_step.endswith(str(path))
    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    (forecast,) = ka.predict(model, path)  # the next hours, after the last row of the file
    last = make_table()["load"].to_numpy()[None, -24:, None].astype("float32")
    np.testing.assert_allclose(forecast["load"], ka.predict(model, last)[0]["load"], rtol=1e-5)
    assert forecast["load"].shape == (6,)


WINDOWS = etth1.sample(look_back=30, horizon=30)


@pytest.mark.runs_on("torch")
def test_simpler_methods_by_hand():
    x, y = WINDOWS.test
    scaled = (x - np.array(WINDOWS.mean)) / np.array(WINDOWS.std)
    naive = [scaled[:, 6 + step % 24] for step in range(30)]
    expected = np.square(np.stack(naive, axis=1) - y).mean()
    assert forecasting.seasonal_naive(WINDOWS, period=24) == pytest.approx(expected, rel=1e-5)
    expected = np.square(scaled[:, -1:] - y).mean()
    assert forecasting.last_value(WINDOWS) == pytest.approx(expected, rel=1e-5)
    known, following = WINDOWS.train
    known = (known - np.array(WINDOWS.mean)) / np.array(WINDOWS.std)
    ridge = Ridge().fit(known[..., 2], following[..., 2]).predict(scaled[..., 2])
    np.testing.assert_allclose(forecasting.forecast_by_ridge(WINDOWS)[..., 2], ridge, rtol=1e-4)
    assert not forecasting.fits(WINDOWS, 31)


@pytest.mark.runs_on("torch")
def test_the_worst_windows_do_not_overlap(monkeypatch):
    windows = etth1.sample(look_back=8, horizon=4)
    _, y = windows.test
    forecasts = y.copy()
    forecasts[3, :, 1] += 2
    forecasts[4, :, 1] += 1  # overlaps with that, and says the same
    forecasts[9, :, 0] += 1.5
    monkeypatch.setattr(forecasting, "predict", lambda *_, **__: forecasts)
    times = [f"t{i}" for i in range(len(y))]
    worst = forecasting.find_mistakes(None, windows, times=times, most=2)
    assert [(each["begins"], each["series"]) for each in worst] == [("t3", "HULL"), ("t9", "HUFL")]
    truth = y[3, :, 1].mean() * windows.std[1] + windows.mean[1]
    assert worst[0]["mean_truth"] == pytest.approx(truth, rel=1e-5)
    assert worst[0]["mean_forecast"] == pytest.approx(truth + 2 * windows.std[1], rel=1e-5)
    assert worst[0]["mse_standardised"] == pytest.approx(4, rel=1e-4)


def make_series(rows, filled=()):
    gaps = np.zeros((rows, 1), bool)
    gaps[list(filled)] = True
    values = np.arange(rows, dtype="float32")[:, None]
    return Series(values, ("x",), gaps, [""] * rows, "rows")


@pytest.mark.runs_on("torch")
def test_windows_with_many_gaps_are_left_out():
    findings = Findings()
    begins = forecasting.find_begins(make_series(40, [10, 11]), (20, 30, 40), 3, 1, findings)
    # The windows of four rows that have both.
    assert sorted({*range(3, 20)} - set(begins[0])) == [11, 12, 13]
    assert begins[1].tolist() == list(range(20, 30))
    assert "3 windows are left out" in str(findings)
    with pytest.raises(ValueError, match="no window of 4 rows"):
        forecasting.find_begins(make_series(40, range(18, 30)), (20, 30, 40), 3, 1, findings)


@pytest.mark.runs_on("torch")
def test_of_many_windows_some_are_taken_evenly(monkeypatch):
    monkeypatch.setattr(forecasting, "MOST", 10)
    findings = Findings()
    begins = forecasting.find_begins(make_series(100), (60, 80, 100), 5, 2, findings)
    assert len(begins[0]) <= 10
    assert len(set(np.diff(begins[0]))) == 1
    assert "9 of 54 windows are learned from, evenly chosen" in str(findings)


@pytest.mark.runs_on("torch")
def test_few_rows_get_a_sentence():
    with pytest.raises(ValueError, match="too few rows: 50, of which 2 are to learn from"):
        tasks.series(make_table(50), target="load", horizon=24)
    with pytest.raises(ValueError, match="`look_back` 300 and `horizon` 24"):
        tasks.series(make_table(), target="load", look_back=300)
    run = tasks.series(make_table(60), target=["load", "wind"], horizon=6)
    assert run.model.input.shape[2] == 2
