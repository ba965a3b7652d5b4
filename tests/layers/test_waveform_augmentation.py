"""WaveformAugmentation: cases for the contract, and each change by itself."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case

OFF = {"gain": 0.0, "speed": 0.0, "shift": 0, "noise": 0.0}
CASES = [
    Case(
        layer=ka.layers.WaveformAugmentation,
        config=OFF,
        inputs={"audio": ("T",)},
        masks={"mask": "audio"},
        dropout={"gain": 6.0, "speed": 0.2, "shift": 2, "noise": 0.1},
        stateless=True,
    )
]


def changed(audio, mask=None, **config):
    keras.utils.set_random_seed(0)
    layer = ka.layers.WaveformAugmentation(**{**OFF, **config})
    return to_numpy(layer(audio, mask=mask, training=True))


def test_gain_is_a_factor_of_each_recording():
    waveforms = changed(np.ones((500, 4), "float32"), gain=6.0)
    np.testing.assert_array_equal(waveforms, np.repeat(waveforms[:, :1], 4, axis=1))
    decibels = 20 * np.log10(waveforms[:, 0])
    assert -6.0 <= decibels.min() < -5.5
    assert 5.5 < decibels.max() <= 6.0


def test_shift_moves_silence_in_at_either_end():
    ramp = np.tile(np.arange(1, 101, dtype="float32"), (300, 1))
    waveforms = changed(ramp, shift=10)
    for row in waveforms:
        inside = row > 0
        np.testing.assert_allclose(np.diff(row[inside]), 1.0, atol=1e-4)
    moved = 50 - waveforms[:, 49]
    assert -10 <= moved.min() < -9 < 9 < moved.max() <= 10


def test_speed_reads_a_recording_faster_or_slower():
    ramp = np.tile(np.arange(100, dtype="float32"), (300, 1))
    waveforms = changed(ramp, speed=0.2)
    speeds = waveforms[:, 60] / 60
    assert 0.8 <= speeds.min() < 0.83
    assert 1.17 < speeds.max() <= 1.2
    for row, speed in zip(waveforms, speeds, strict=True):
        steps = speed * np.arange(100)
        np.testing.assert_allclose(row, np.where(row > 0, steps, 0), atol=1e-2)
        assert (row[steps < 98.9][1:] > 0).all()


def test_noise_is_a_share_of_the_recordings_level():
    audio = np.ones((200, 400), "float32") * np.array([[1.0], [100.0]] * 100, "float32")
    noise = (changed(audio, noise=0.1) - audio) / audio[:, :1]
    levels = noise.std(axis=1)
    assert levels.max() < 0.12
    assert 0.03 < levels.mean() < 0.07
    assert abs(levels[::2].mean() - levels[1::2].mean()) < 0.02


@pytest.mark.parametrize("side", ["right", "left"])
def test_nothing_reaches_beyond_the_recording(side):
    audio = np.full((100, 30), 5.0, "float32")
    valid = np.tile(np.arange(30)[None] < 20, (100, 1))
    valid = valid if side == "right" else valid[:, ::-1].copy()
    audio[~valid] = np.nan
    waveforms = changed(audio, valid, gain=3.0, speed=0.3, shift=5, noise=0.01)
    np.testing.assert_array_equal(waveforms[~valid], 0.0)
    assert np.isfinite(waveforms).all()
    assert (np.abs(waveforms[valid]) > 1).mean() > 0.7, "it is moved within its own bounds"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"speed": 1.0}, "`speed` must be a number in"),
        ({"shift": -1}, "`shift` must be a positive number"),
        ({"gain": -1.0}, "`gain` must be a positive number"),
    ],
)
def test_configuration_is_checked(config, message):
    with pytest.raises(ValueError, match=message):
        ka.layers.WaveformAugmentation(**config)
