"""Forecasts of series: of a user's own table, and what the recipes of the zoo share."""

import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from sklearn.linear_model import Ridge

import keras_attention as ka
from keras_attention.explain import plots
from zoo.data.windows import Windows, cut
from zoo.harness import charts
from zoo.harness.experiment import Recipe, predict
from zoo.harness.stopping import StopEarly
from zoo.models.patch_tst import patch_tst
from zoo.readers.findings import Findings
from zoo.readers.series import Series, find_period, read_series
from zoo.readers.tables import Table, name_source
from zoo.tasks.run import Run, make_request

SEEN = 60_000  # windows that a training sees, epochs times windows, or a few epochs of more
MOST = 20_000  # windows that are trained on, evenly chosen among more
LONGEST = 512  # rows that a forecast is made from, if not said otherwise
TESTED, CHOSEN = 0.2, 0.1  # of the rows, the last ones
GAPS = 0.25  # share of a window that may be made up where values are missing
_NAMED = 8  # series whose error is a metric of its own


def series(
    data: Table,
    *,
    target: Sequence[str] | None = None,
    horizon: int = 24,
    time: str | None = None,
    look_back: int | None = None,
    epochs: int | None = None,
    batch_size: int = 64,
    seed: int = 0,
) -> Run:
    """Forecasts of one series or of several, from a table with a column of each.

        keras-attention train series --data load.csv --target load --horizon 24

    The last fifth of the rows is for testing, and what is before it to choose by.

    Args:
        data: the table, a row for each time: a file (CSV, TSV, JSON lines, Parquet), or what
            `zoo.readers.tables.read_table` takes.
        target: the columns to forecast, all from their own past; all columns of numbers if
            `None`.
        horizon: rows that are forecast.
        time: the column of the times; found by its name or its values if `None`.
        look_back: rows that a forecast is made from; by the horizon and the period if `None`.
        epochs: how often each window is seen at most; by their number if `None`.
        batch_size: windows per step.
        seed: of the initial weights, the order and the dropout.

    Raises:
        ValueError: a column is missing or has no numbers, a time cannot be read or is there twice,
            or there are too few rows for a window in each part.
    """
    request = make_request("series", locals())
    keras.utils.set_random_seed(seed)
    findings = Findings()
    names = (target,) if isinstance(target, str) else tuple(target or ())
    table = read_series(data, target=names, time=time, findings=findings)
    ends = find_ends(len(table.values), horizon)
    period = find_period(table.values[: ends[0]])
    findings.add(
        f"Period: {period} {table.step}, by the autocorrelation of the rows to learn from"
        if period
        else "Period: none that stands out in the autocorrelation"
    )
    look_back = choose_look_back(look_back, ends, horizon=horizon, period=period)
    begins = find_begins(table, ends, look_back, horizon, findings)
    windows = cut(
        table.values,
        ends,
        look_back,
        horizon,
        names=table.names,
        source=name_source(data),
        begins=begins,
    )
    patch = int(np.clip(look_back // 4, 2, 16))
    model = patch_tst(
        patch_size=patch,
        stride=patch // 2,
        look_back=look_back,
        horizon=horizon,
        names=windows.feature_names,
        mean=windows.mean,
        std=windows.std,
        dropout=0.2,
        linear=True,
    )
    findings.add(
        f"Model: a patch transformer of {model.count_params():,} parameters, from {look_back:,} "
        f"{table.step} to the next {horizon:,}"
    )
    recipe = make_recipe(
        windows,
        name="series",
        seed=seed,
        model=model,
        epochs=epochs or int(np.clip(SEEN / len(begins[0]), 5, 40)),
        batch_size=batch_size,
        period=period,
        step=table.step,
        times=[table.times[row] or f"row {row + 1}" for row in begins[-1]],
        stop=StopEarly(patience=4),
        request=request,
        next_step=f"keras-attention predict {{folder}}/model.keras {_name_example(data)}",
    )
    return Run(recipe, findings)


def find_ends(rows: int, horizon: int) -> tuple[int, int, int]:
    """Returns the rows before which the parts to learn from, to choose by and to test on end."""
    tested, chosen = (max(horizon, round(share * rows)) for share in (TESTED, CHOSEN))
    return rows - tested - chosen, rows - tested, rows


def choose_look_back(
    look_back: int | None, ends: Sequence[int], *, horizon: int, period: int | None
) -> int:
    """Returns the rows that a forecast is made from: that given; else two periods and two horizons
    at least, as far as a third of the rows to learn from allows.

    Raises:
        ValueError: there are too few rows for one window to learn from.
    """
    chosen = look_back or int(np.clip(max(96, 2 * horizon, 2 * (period or 0)), 4, LONGEST))
    if look_back is None:
        chosen = max(4, min(chosen, (ends[0] - horizon) * 2 // 3))
    if ends[0] < chosen + horizon:
        raise ValueError(
            f"`data` has too few rows: {ends[-1]:,}, of which {max(0, ends[0]):,} are to learn "
            f"from. A window takes {chosen + horizon:,}: `look_back` {chosen:,} and `horizon` "
            f"{horizon:,}, and the parts to choose by and to test on take a horizon each. Pass "
            "more rows, or a smaller `horizon` or `look_back`."
        )
    return chosen


def find_begins(
    table: Series, ends: Sequence[int], look_back: int, horizon: int, findings: Findings
) -> list[np.ndarray]:
    """Returns for each part the rows at which forecasts begin.

    Windows that are made up in more than `GAPS` are left out, and of more than `MOST` to learn
    from some are taken, evenly; `findings` says how many.

    Raises:
        ValueError: a part has no window.
    """
    made_up = np.concatenate([[0], np.cumsum(table.filled.mean(axis=1))])
    begins, left_out = [], 0
    for start, stop in zip([look_back, *ends[:-1]], ends, strict=True):
        rows = np.arange(start, stop - horizon + 1)
        share = (made_up[rows + horizon] - made_up[rows - look_back]) / (look_back + horizon)
        begins.append(rows[share <= GAPS])
        left_out += len(rows) - len(begins[-1])
    if left_out:
        findings.warn(f"{left_out:,} windows are left out: too many of their values are missing.")
    if not all(map(len, begins)):
        raise ValueError(
            f"A part of `data` has no window of {look_back + horizon:,} rows in which at most "
            f"{GAPS:.0%} of the values are missing. Fill the gaps, or pass a smaller `look_back`."
        )
    count = len(begins[0])
    if count > MOST:
        begins[0] = begins[0][:: -(-count // MOST)]
        findings.warn(f"{len(begins[0]):,} of {count:,} windows are learned from, evenly chosen.")
    findings.add(
        f"Parts by time: {len(begins[0]):,} windows to learn from, {len(begins[1]):,} to choose "
        f"by, {len(begins[2]):,} to test on"
    )
    return begins


def make_recipe(
    windows: Windows,
    *,
    model: keras.Model,
    epochs: int,
    batch_size: int,
    period: int | None,
    step: str,
    times: Sequence[str] = (),
    **others: Any,
) -> Recipe:
    """Returns a recipe of forecasts.

    Args:
        windows: of series.
        model: to train, whose forecast is standardised.
        epochs, batch_size: of the training.
        period: rows after which the series repeat themselves, for a baseline.
        step: what a row is called.
        times: at which the forecasts of the test windows begin, for the list of the worst; numbers
            of windows if there are none.
        others: further attributes of the recipe.
    """
    steps = epochs * windows.num_batches(batch_size)
    naive = {f"seasonal naive, {period} {step}": partial(seasonal_naive, period=period)}
    baselines = {"ridge regression per series": ridge, "last value repeated": last_value}
    return Recipe(
        model=model,
        data=windows,
        optimizer=ka.optimizers.Adam(
            ka.schedules.warmup_cosine(steps, peak=2e-3, warmup_steps=steps // 10),
            global_clipnorm=1.0,
        ),
        loss=keras.losses.MeanSquaredError(),
        metrics=(
            keras.metrics.MeanSquaredError(name="mse"),
            keras.metrics.MeanAbsoluteError(name="mae"),
        ),
        score="mse",
        epochs=epochs,
        batch_size=batch_size,
        task="time-series-forecasting",
        **{
            "variant": "default",
            "measure": measure,
            "baselines": {**baselines, **(naive if fits(windows, period) else {})},
            "pictures": partial(draw_pictures, step=step),
            "mistakes": partial(find_mistakes, times=times),
            **others,
        },
    )


def fits(windows: Windows, period: int | None) -> bool:
    """Whether windows look back over a whole period."""
    return period is not None and period <= windows.test[0].shape[1]


def measure(model: keras.Model, windows: Windows) -> dict[str, float]:
    """Returns the mean absolute error of each series in its unit, of the first ones."""
    errors = np.abs(predict(model, windows.test, batch_size=256) - windows.test[1])
    errors = errors.mean(axis=(0, 1)) * np.array(windows.std)
    return {
        f"mae of {name}": float(error)
        for name, error in zip(windows.feature_names[:_NAMED], errors, strict=False)
    }


def ridge(windows: Windows) -> float:
    """Returns the test error of a ridge regression for each series by itself."""
    return _error(forecast_by_ridge(windows) - windows.test[1])


def last_value(windows: Windows) -> float:
    """Returns the test error of forecasting no change."""
    x, y = windows.test
    return _error(_standardize(windows, x[:, -1:]) - y)


def seasonal_naive(windows: Windows, *, period: int) -> float:
    """Returns the test error of forecasting what was a period ago, the last one again and again."""
    x, y = windows.test
    rows = x.shape[1] - period + np.arange(y.shape[1]) % period
    return _error(_standardize(windows, x[:, rows]) - y)


def forecast_by_ridge(windows: Windows) -> np.ndarray:
    """Returns forecasts of the test windows by a ridge regression for each series by itself."""
    (x, y), (x_test, _) = windows.train, windows.test
    forecasts = []
    for i, (mean, std) in enumerate(np.transpose([windows.mean, windows.std])):
        known, asked = ((each[..., i] - mean) / std for each in (x, x_test))
        forecasts.append(Ridge(alpha=1.0).fit(known, y[..., i]).predict(asked))
    return np.stack(forecasts, axis=-1)


def _standardize(windows: Windows, x: np.ndarray) -> np.ndarray:
    return (x - np.array(windows.mean)) / np.array(windows.std)


def _error(difference: np.ndarray) -> float:
    return float(np.square(difference).mean())


def find_mistakes(
    model: keras.Model, windows: Windows, *, times: Sequence[str], most: int = 50
) -> list[dict[str, Any]]:
    """Returns the test windows with the worst forecasts, by series and in the unit of each.

    Windows of one series that overlap say the same: of them the worst stands for all.
    """
    _, y = windows.test
    forecasts = predict(model, windows.test, batch_size=256)
    errors = np.square(forecasts - y).mean(axis=1)  # (B, C)
    listed: list[dict[str, Any]] = []
    taken = np.zeros(errors.shape, bool)
    for place in np.argsort(-errors, axis=None, kind="stable"):
        window, series = np.unravel_index(place, errors.shape)
        if taken[window, series]:
            continue
        taken[max(0, window - y.shape[1]) : window + y.shape[1], series] = True
        mean, std = windows.mean[series], windows.std[series]
        listed.append(
            {
                "begins": times[window] if times else int(window) + 1,
                "series": windows.feature_names[series],
                "mse_standardised": round(float(errors[window, series]), 4),
                "mean_truth": float(y[window, :, series].mean() * std + mean),
                "mean_forecast": float(forecasts[window, :, series].mean() * std + mean),
            }
        )
        if len(listed) == most:
            break
    return listed


def draw_pictures(model: keras.Model, windows: Windows, *, step: str) -> dict:
    """Draws a forecast beside the truth, the error by how far ahead, what was forecast beside what
    came, and attention between patches."""
    x, y = windows.test
    forecasts = predict(model, windows.test, batch_size=256)
    by_ridge = forecast_by_ridge(windows)
    window = len(y) // 2
    units = {
        name: value[window] * np.array(windows.std) + np.array(windows.mean)
        for name, value in {"truth": y, "PatchTST": forecasts, "ridge": by_ridge}.items()
    }
    some = slice(None, None, max(1, y[..., 0].size // 5_000))
    first = [
        value[..., 0].ravel()[some] * windows.std[0] + windows.mean[0] for value in (y, forecasts)
    ]
    name = windows.feature_names[0]
    shown = x[:: max(1, len(x) // 64)]
    with ka.capture() as maps:
        model(ka.encode(model, shown), training=False)
    return {
        "forecast": charts.forecast(
            x[window],
            units.pop("truth"),
            units,
            windows.feature_names,
            title=f"Test window {window + 1:,} of {len(y):,}, in the units of the data",
            step=step,
        ),
        "error_by_step": charts.error_by_step(
            {
                "PatchTST": np.square(forecasts - y).mean(axis=(0, 2)),
                "ridge regression": np.square(by_ridge - y).mean(axis=(0, 2)),
            },
            title=f"Mean over {len(y):,} test windows and {y.shape[-1]} series",
            step=step,
        ),
        "residuals": charts.predictions(
            *first, title=f"All steps of test windows: {name}", unit=name
        ),
        "attention": plots.attention_heads(
            {path.removesuffix("/attention"): weights for path, weights in maps.items()},
            _name_patches(model, x.shape[1], next(iter(maps.values())).shape[-1]),
            title=f"Attention between patches, mean over {len(shown)} test windows and all series",
        ),
    }


def _name_patches(model: keras.Model, length: int, count: int) -> list[str]:
    """Returns the steps that patches have, the last before the forecast being -1."""
    config = model.get_layer("patches").get_config()
    size, stride = (config[name][0] for name in ("patch_size", "stride"))
    begins = [i * stride - length for i in range(count)]
    return [f"{begin} to {min(0, begin + size)}" for begin in begins]


def _name_example(data: Table) -> str:
    """Returns a file with rows to forecast from, for a command line: the data, if it is one."""
    path = str(data) if isinstance(data, str | Path) else ""
    path = path if path.endswith(".csv") else "RECENT.csv"
    return shlex.quote(path).replace("{", "{{").replace("}", "}}")
