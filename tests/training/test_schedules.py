"""The schedules: their equations, files, clipping and mixed precision."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy


@pytest.mark.parametrize("step", [1, 10, 3999, 4000, 4001, 100_000])
def test_equation_3(step):
    schedule = ka.schedules.InverseSqrtWarmup(4000, hidden_dim=512)
    expected = 512**-0.5 * min(step**-0.5, step * 4000**-1.5)
    np.testing.assert_allclose(to_numpy(schedule(step - 1)), expected, rtol=1e-5)


def test_the_peak_is_reached_at_the_last_warmup_step():
    schedule = ka.schedules.InverseSqrtWarmup(50, peak=2e-3)
    rates = [float(to_numpy(schedule(step))) for step in range(200)]
    assert np.argmax(rates) == 49
    np.testing.assert_allclose(rates[49], 2e-3, rtol=1e-5)
    np.testing.assert_allclose(rates[199], 1e-3, rtol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_it_trains_clips_and_travels_in_the_file(policy, tmp_path):
    """With `global_clipnorm`, mixed precision and a callback; the file resumes at the rate."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(32, 5, 8)).astype("float32")
    inputs = keras.Input((None, 8))
    y = ka.layers.TransformerBlock(2, 16, dtype=policy)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, dtype="float32")(y))
    schedule = ka.schedules.InverseSqrtWarmup(5, peak=1e-2)
    model.compile(keras.optimizers.AdamW(schedule, global_clipnorm=1.0), "mse")
    path = tmp_path / "model.keras"
    model.fit(
        x, x[..., :1], batch_size=8, epochs=5, verbose=0,
        callbacks=[keras.callbacks.ModelCheckpoint(path)],
    )  # fmt: skip
    losses = model.history.history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    loaded = keras.saving.load_model(path)
    restored = loaded.optimizer
    restored = getattr(restored, "inner_optimizer", restored)
    assert isinstance(restored._learning_rate, ka.schedules.InverseSqrtWarmup)
    assert restored._learning_rate.get_config() == schedule.get_config()


@pytest.mark.parametrize(("steps", "warmup"), [(12, 4), (5, 0), (1, 0), (3, 3)])
def test_half_a_cosine_after_the_warmup(steps, warmup):
    """By hand, step by step; a training has one step of warmup at least."""
    schedule = ka.schedules.warmup_cosine(steps, peak=3e-3, warmup_steps=warmup)
    first = max(1, warmup)
    rest = max(1, steps - first)
    for step in range(steps + 3):
        done = min(1.0, (step - first) / rest)
        expected = 3e-3 * (step / first if step < first else 0.5 * (1 + np.cos(np.pi * done)))
        np.testing.assert_allclose(to_numpy(schedule(step)), expected, rtol=1e-5, atol=1e-9)


def test_it_is_a_schedule_of_keras():
    """So a file that names it loads without this library."""
    schedule = ka.schedules.warmup_cosine(10, peak=1e-2, warmup_steps=2)
    assert type(schedule) is keras.optimizers.schedules.CosineDecay


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0, "peak": 1.0}, "`steps` must be a positive integer"),
        ({"steps": 5, "peak": 0.0}, "`peak` must be a positive number"),
        ({"steps": 5, "peak": 1.0, "warmup_steps": -1}, "0 or a positive integer"),
        ({"steps": 5, "peak": 1.0, "warmup_steps": 6}, "at most `steps`, the whole training"),
    ],
)
def test_a_warmup_is_part_of_the_training(arguments, message):
    with pytest.raises(ValueError, match=message):
        ka.schedules.warmup_cosine(**arguments)
