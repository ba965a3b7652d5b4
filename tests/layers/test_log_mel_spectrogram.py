"""LogMelSpectrogram: cases for the contract, and SciPy's window with NumPy's transform."""

import keras
import numpy as np
import pytest
from scipy.signal import get_window

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case, WithMask


def case(**config):
    return Case(
        layer=ka.layers.LogMelSpectrogram,
        config={
            "sampling_rate": 8,
            "num_mel_bins": 3,
            "frame_length": 5,
            "hop_length": 2,
            "fft_length": 16,
            "min_frequency": 0.0,
            **config,
        },
        inputs={"audio": ("T",)},
        masks={"mask": "audio"},
        rows=lambda start, stop: slice(start // 2, -(-stop // 2)),
        lengths=(7, 1),
        stateless=True,
    )


CASES = [case(), case(normalize="bands", channel_axis=True)]


def speech_like(rng, length, rate=8000):
    """A gliding tone with overtones over noise."""
    seconds = np.arange(length) / rate
    phase = 2 * np.pi * (150 * seconds + 200 * seconds**2)
    wave = sum(np.sin(n * phase) / n for n in range(1, 12)) * 0.1
    return (wave + rng.normal(scale=0.01, size=length)).astype("float32")


def reference(wave, rate, bins, frame, hop, fft, low, high, floor):
    """Frame by frame and filter by filter, in double precision."""
    wave = np.concatenate([wave.astype("float64"), np.zeros(frame)])
    count = -(-(len(wave) - frame) // hop)
    window = get_window("hann", frame, fftbins=True)
    hertz = np.fft.rfftfreq(fft, 1 / rate)
    mel = np.linspace(*(2595 * np.log10(1 + f / 700) for f in (low, high)), bins + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    rows = []
    for f in range(count):
        power = np.abs(np.fft.rfft(wave[f * hop : f * hop + frame] * window, fft)) ** 2
        bands = [power @ np.interp(hertz, edges[m : m + 3], [0, 1, 0]) for m in range(bins)]
        rows.append(np.log(np.maximum(bands, floor)))
    return np.array(rows)


@pytest.mark.parametrize("hop", [80, 75])
def test_is_the_logarithm_of_power_in_mel_bands(hop):
    wave = speech_like(np.random.default_rng(0), 2025)
    layer = ka.layers.LogMelSpectrogram(8000, 32, 200, hop, normalize=None)
    output = to_numpy(layer(wave[None]))[0]
    expected = reference(wave, 8000, 32, 200, hop, 256, 20.0, 4000.0, 1e-6)
    np.testing.assert_allclose(output, expected, atol=1e-4)


@pytest.mark.parametrize(("normalize", "axes"), [("recording", (0, 1)), ("bands", 0)])
def test_normalised_it_does_not_depend_on_loudness(normalize, axes):
    wave = speech_like(np.random.default_rng(0), 1600)
    layer = ka.layers.LogMelSpectrogram(8000, 16, 200, 80, normalize=normalize)
    loud, quiet = to_numpy(layer(np.stack([wave, 0.2 * wave])))
    np.testing.assert_allclose(loud, quiet, atol=1e-3)
    np.testing.assert_allclose(loud.mean(axes), 0, atol=1e-3)
    np.testing.assert_allclose(loud.std(axes), 1, atol=1e-2)


def test_digital_silence_is_finite():
    for normalize in ("recording", "bands", None):
        layer = ka.layers.LogMelSpectrogram(8000, 4, 200, 80, normalize=normalize)
        assert np.isfinite(to_numpy(layer(np.zeros((1, 400), "float32")))).all()


def test_a_frame_is_valid_if_it_begins_in_the_recording():
    layer = ka.layers.LogMelSpectrogram(8000, 4, 200, 80)
    mask = np.arange(400)[None] < np.array([[400], [161], [160], [0]])
    output = layer(WithMask()([np.ones((4, 400), "float32"), mask]))
    assert to_numpy(output._keras_mask).sum(axis=1).tolist() == [5, 3, 2, 0]
    np.testing.assert_array_equal(to_numpy(output)[2, 2:], 0.0)


def test_unlike_that_of_keras_it_does_not_depend_on_the_batch():
    """Why there is another one."""
    quiet = speech_like(np.random.default_rng(0), 1600)
    batch = np.stack([quiet, 1000 * quiet])
    theirs = keras.layers.MelSpectrogram(256, 80, 200, sampling_rate=8000, num_mel_bins=16)
    ours = ka.layers.LogMelSpectrogram(8000, 16, 200, 80)
    assert np.abs(to_numpy(theirs(batch))[0] - to_numpy(theirs(batch[:1]))[0]).max() > 1
    assert np.abs(to_numpy(ours(batch))[0] - to_numpy(ours(batch[:1]))[0]).max() < 1e-5


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"num_mel_bins": 0}, "`num_mel_bins` must be a positive integer"),
        ({"hop_length": 300}, "`hop_length` must be at most `frame_length`"),
        ({"fft_length": 128}, "at most `fft_length`"),
        ({"max_frequency": 5000.0}, "half of the sampling rate"),
        ({"normalize": "batch"}, "`normalize` must be one of 'recording', 'bands', None"),
        ({"floor": 0.0}, "`floor` must be a positive number"),
    ],
)
def test_configuration_is_checked(config, message):
    with pytest.raises(ValueError, match=message):
        ka.layers.LogMelSpectrogram(
            **{"sampling_rate": 8000, "frame_length": 200, "hop_length": 80, **config}
        )
