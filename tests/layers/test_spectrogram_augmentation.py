"""SpectrogramAugmentation: cases for the contract, and the widths of section 2 of the paper."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.SpectrogramAugmentation,
        config={"time_masks": 0, "frequency_masks": 0},
        inputs={"spectrogram": ("T", 4, 1)},
        masks={"mask": "spectrogram"},
        dropout={"time_masks": 1, "max_share": 0.9, "frequency_masks": 1, "max_bands": 2},
        stateless=True,
    )
]


def masked(frames=12, bands=8, mask=None, **config):
    """Of 400 spectrograms of ones, what is left."""
    keras.utils.set_random_seed(0)
    layer = ka.layers.SpectrogramAugmentation(**config)
    ones = np.ones((400, frames, bands), "float32")
    return to_numpy(layer(ones, mask=mask, training=True))


def test_whole_frames_are_lost_in_one_span_of_any_width():
    spectrograms = masked(time_masks=1, max_frames=5, max_share=0.9, frequency_masks=0)
    frames = spectrograms[:, :, 0]
    np.testing.assert_array_equal(spectrograms, np.repeat(frames[..., None], 8, axis=2))
    widths = (frames == 0).sum(axis=1)
    assert set(widths) == set(range(6)), "uniform from 0 to the maximum"
    assert np.bincount(widths).min() > 40
    assert (np.abs(np.diff(frames, axis=1)).sum(axis=1) <= 2).all()
    assert (frames == 0).any(axis=0).all(), "each frame may be lost"


def test_whole_bands_are_lost():
    spectrograms = masked(time_masks=0, frequency_masks=2, max_bands=3)
    bands = spectrograms[:, 0]
    np.testing.assert_array_equal(spectrograms, np.repeat(bands[:, None], 12, axis=1))
    assert set((bands == 0).sum(axis=1)) == set(range(7))


def test_time_masks_take_a_share_of_the_valid_frames():
    lengths = np.repeat([12, 4], 200)
    mask = np.arange(12)[None] < lengths[:, None]
    config = {"time_masks": 1, "max_frames": 12, "max_share": 0.5, "frequency_masks": 0}
    for valid in (mask, mask[:, ::-1].copy()):  # padded at the end, and at the beginning
        lost = ((masked(mask=valid, **config)[:, :, 0] == 0) & valid).sum(axis=1)
        assert set(lost[:200]) == set(range(7))
        assert set(lost[200:]) == set(range(3))


def test_each_spectrogram_loses_others():
    spectrograms = masked(time_masks=1, max_share=0.5)
    assert len({row.tobytes() for row in spectrograms}) > 100


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"time_masks": -1}, "`time_masks` must be a positive integer"),
        ({"max_frames": 0}, "`max_frames` must be a positive integer"),
        ({"max_share": 1.0}, "`max_share` must be a number in"),
    ],
)
def test_configuration_is_checked(config, message):
    with pytest.raises(ValueError, match=message):
        ka.layers.SpectrogramAugmentation(**config)
