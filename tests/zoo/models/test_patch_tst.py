"""PatchTST: cases for the contract, and what the paper says of channels and levels."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.zoo.models.contracts import ModelCase
from zoo.models.patch_tst import VARIANTS, patch_tst

pytestmark = pytest.mark.runs_on("jax")

NAMES = ("load", "temperature", "oil")


def series(rng, batch):
    return {"series": rng.normal(size=(batch, 32, 3)).astype("float32").cumsum(axis=1)}


CASES = [
    ModelCase(
        model=patch_tst,
        sizes=VARIANTS["tiny"],
        inputs=series,
        maps=1,
        config={"look_back": 32, "horizon": 8, "names": NAMES, "std": (1.0, 2.0, 3.0)},
        classes=False,
    )
]
PARAMETERS = {"default": 18_862, "paper": 17_070, "large": 404_494, "tiny": 982}


def model_and_series():
    (case,) = CASES
    return case.make(), case.data(batch=2)["series"]


def test_no_series_sees_another():
    model, x = model_and_series()
    changed = x.copy()
    changed[..., 1] += np.random.default_rng(1).normal(size=(2, 32))
    before, after = (to_numpy(model(values)) for values in (x, changed))
    np.testing.assert_array_equal(after[..., [0, 2]], before[..., [0, 2]])
    assert np.abs(after[..., 1] - before[..., 1]).max() > 1e-3


def test_a_forecast_follows_level_and_scale():
    """Reversible normalisation: what is shifted and stretched is forecast shifted and stretched."""
    model, x = model_and_series()
    std = np.array(CASES[0].config["std"])
    expected = 100 + 3 * to_numpy(model(x)) * std
    np.testing.assert_allclose(to_numpy(model(100 + 3 * x)) * std, expected, rtol=1e-3)


def test_patches_overlap_and_one_ends_the_series():
    model = patch_tst(**VARIANTS["default"], names=NAMES)
    assert model.get_layer("patches").output.shape == (None, 12, 3, 32)
    x = np.zeros((1, 96, 3), "float32")
    with ka.capture() as maps:
        model(x)
    assert [weights.shape for weights in maps.values()] == [(3, 4, 12, 12)] * 2


def test_answers_have_names_and_units():
    model = patch_tst(
        **VARIANTS["tiny"], look_back=32, horizon=8, names=NAMES, mean=[5, 6, 7], std=[1, 2, 3]
    )
    x = CASES[0].data(batch=2)["series"] * [1, 2, 3] + [5, 6, 7]
    answers = ka.predict(model, x.astype("float32"))
    standardised = to_numpy(model(x.astype("float32")))
    assert [list(answer) for answer in answers] == [list(NAMES)] * 2
    np.testing.assert_allclose(answers[1]["oil"], standardised[1, :, 2] * 3 + 7, rtol=1e-4)


def test_a_table_is_read_from_a_file(tmp_path):
    model, _ = model_and_series()
    x = series(np.random.default_rng(3), 1)["series"][0]
    rows = [f"2016-07-01 {i:02}:00:00," + ",".join(map(str, row)) for i, row in enumerate(x)]
    (tmp_path / "rows.csv").write_text("\n".join(["date,a,b,c", "x,0,0,0", *rows]))
    (answer,) = ka.predict(model, tmp_path / "rows.csv")
    (expected,) = ka.predict(model, x[None])
    for name in NAMES:
        np.testing.assert_allclose(answer[name], expected[name], rtol=1e-4)
    assert keras.ops.ndim(expected["oil"]) == 1


def test_it_may_begin_as_the_last_value_repeated():
    (case,) = CASES
    model = patch_tst(**case.sizes, **case.config, linear=True)
    x = case.data(batch=2)["series"]
    expected = np.repeat(x[:, -1:] / np.array(case.config["std"]), 8, axis=1)
    np.testing.assert_allclose(to_numpy(model(x)), expected, rtol=1e-3, atol=1e-4)
    model.get_layer("linear").kernel.assign(np.full((32, 8), 0.1, "float32"))
    change = (x - x[:, -1:]).sum(axis=1, keepdims=True) / 10 / np.array(case.config["std"])
    np.testing.assert_allclose(to_numpy(model(x)), expected + change, rtol=1e-3, atol=1e-3)


def test_sizes_have_defaults():
    with keras.StatelessScope(initialize_variables=False):
        model = patch_tst(names=NAMES)
    assert model.output.shape == (None, 96, len(NAMES))
    assert model.get_layer("block_1").get_config()["num_heads"] == 4
