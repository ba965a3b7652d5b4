"""AudioConverter: cases for the contract, files of many kinds, and silence that is no padding."""

import struct
import sys
import tracemalloc

import keras
import numpy as np
import pytest
import soundfile

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case

TORCH = pytest.mark.runs_on("torch")
CASES = [
    Case(
        layer=ka.layers.AudioConverter,
        config={"sampling_rate": 8000},
        inputs={"audio": ("T",)},
        stateless=True,
    )
]


def tone(rate, hertz=440.0, seconds=0.1):
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype("f4")


def test_silence_is_sound_and_padding_is_not():
    silence, sound = np.zeros(3, "float32"), np.ones(5, "float32")
    layer = ka.layers.AudioConverter(8000, multiple=4)
    audio = layer.encode([silence, sound])
    assert (audio.dtype, audio.shape) == (np.float32, (2, 8))
    output = layer(audio)
    expected = np.arange(8)[None] < np.array([[3], [5]])
    np.testing.assert_array_equal(to_numpy(output._keras_mask), expected)
    np.testing.assert_array_equal(to_numpy(output), expected * np.array([[0.0], [1.0]]))


def test_files_and_arrays_are_the_same(tmp_path):
    wave = tone(8000)
    soundfile.write(tmp_path / "a.wav", wave, 8000, subtype="FLOAT")
    soundfile.write(tmp_path / "a.flac", wave, 8000)
    integers = np.round(wave * 2**15).astype("int16")
    raw = [tmp_path / "a.wav", tmp_path / "a.flac", wave, wave.astype("float64"), integers]
    for waveform in ka.layers.AudioConverter(8000).encode(raw):
        np.testing.assert_allclose(waveform, wave, atol=2**-15)


def test_channels_are_averaged_and_rates_changed(tmp_path):
    left, right = tone(44_100), tone(44_100, 880.0)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], 1), 44_100, subtype="FLOAT")
    (waveform,) = ka.layers.AudioConverter(8000).encode([tmp_path / "stereo.wav"])
    expected = (tone(8000) + tone(8000, 880.0)) / 2
    assert len(waveform) == len(expected)
    middle = slice(40, -40)  # at its ends a filter sees the silence outside
    np.testing.assert_allclose(waveform[middle], expected[middle], atol=5e-3)


def test_of_long_recordings_the_beginning_is_kept():
    wave = tone(8000)
    waveforms = ka.layers.AudioConverter(8000, max_length=100).encode([wave, wave[:50]])
    assert waveforms.shape == (2, 100)
    np.testing.assert_array_equal(waveforms[0], wave[:100])


def test_an_array_is_padded_to_the_multiple():
    layer = ka.layers.AudioConverter(8000, multiple=4)
    waveforms = layer.encode(np.ones((2, 5)))
    assert waveforms.shape == (2, 8)
    assert np.isnan(waveforms[:, 5:]).all()
    assert layer.encode([]).shape == (0, 0)
    with pytest.raises(ValueError, match=r"multiple of 4, padded with NaN.*\(2, 5\)"):
        layer(np.ones((2, 5), "float32"))


def test_what_is_no_recording_is_named(tmp_path):
    layer = ka.layers.AudioConverter(8000)
    (tmp_path / "note.wav").write_text("not a sound")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, "float32"), 8000)
    for name, message in (("note", "cannot be read as sound"), ("empty", "has no samples")):
        with pytest.raises(ValueError, match=rf"{name}\.wav {message}"):
            layer.encode([tmp_path / f"{name}.wav"])
    with pytest.raises(FileNotFoundError, match=r"absent\.wav"):
        layer.encode([tmp_path / "absent.wav"])
    with pytest.raises(TypeError, match="a list of recordings"):
        layer.encode(tmp_path / "note.wav")
    for wrong in (np.zeros((2, 3), "float32"), np.zeros(3, "int32")):
        with pytest.raises(ValueError, match=r"path, or an array \(T,\) of floats or int16"):
            layer.encode([wrong])
    for wrong in (np.zeros(0, "float32"), np.array([0.0, np.nan])):
        with pytest.raises(ValueError, match="no samples, or some that are not finite"):
            layer.encode([wrong])


@pytest.mark.parametrize("library", ["soundfile", "scipy.signal"])
def test_a_missing_library_is_named_with_its_extra(monkeypatch, tmp_path, library):
    soundfile.write(tmp_path / "a.wav", tone(4000), 4000)
    monkeypatch.setitem(sys.modules, library, None)
    layer = ka.layers.AudioConverter(8000)
    assert layer.encode([tone(8000)]).shape == (1, 800)  # arrays need none
    with pytest.raises(ImportError, match=r'pip install "keras-attention\[audio\]"'):
        layer.encode([tmp_path / "a.wav"])


def test_precision_of_the_model_does_not_reach_the_waveform():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = ka.layers.AudioConverter(8000)
    finally:
        keras.config.set_dtype_policy(before)
    assert layer.compute_dtype == "float32"


@pytest.mark.parametrize("name", ["sampling_rate", "max_length", "multiple"])
def test_configuration_is_checked(name):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer"):
        ka.layers.AudioConverter(**{"sampling_rate": 8000, name: 0})


def wav(rate, samples, channels=1):
    data = samples.astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * 2 * channels, 2 * channels, 16)
    body = (
        b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


@TORCH
@pytest.mark.parametrize(("rate", "length"), [(44_100, 300), (4000, 300), (11_025, 500)])
def test_no_more_is_read_than_is_kept(tmp_path, rate, length):
    """The beginning of a file is the beginning of what the whole file is, resampled."""
    wave = np.random.default_rng(0).normal(scale=0.1, size=rate).astype("float32")
    soundfile.write(tmp_path / "a.wav", wave, rate, subtype="FLOAT")
    whole = ka.layers.AudioConverter(8000).encode([tmp_path / "a.wav"])
    waveforms = ka.layers.AudioConverter(8000, max_length=length).encode([tmp_path / "a.wav"])
    assert waveforms.shape == (1, length)
    np.testing.assert_allclose(waveforms, whole[:, :length], atol=1e-6)


@TORCH
def test_a_header_of_1_hertz_asks_for_no_more_than_is_kept(tmp_path):
    (tmp_path / "slow.wav").write_bytes(wav(1, np.arange(200_000) % 100))
    tracemalloc.start()
    waveforms = ka.layers.AudioConverter(8000, max_length=8000).encode([tmp_path / "slow.wav"])
    assert waveforms.shape == (1, 8000)
    with pytest.raises(ValueError, match=r"slow\.wav has more samples than the limit"):
        ka.layers.AudioConverter(8000).encode([tmp_path / "slow.wav"])
    assert tracemalloc.get_traced_memory()[1] < 2**25
    tracemalloc.stop()


@TORCH
def test_long_silence_is_read_as_far_as_it_is_kept(tmp_path):
    silence = np.zeros((2_000_000, 2), "int16")
    soundfile.write(tmp_path / "silence.flac", silence, 8000)
    assert (tmp_path / "silence.flac").stat().st_size < 20_000
    layer = ka.layers.AudioConverter(8000, max_length=8000)
    tracemalloc.start()
    assert layer.encode([tmp_path / "silence.flac"]).shape == (1, 8000)
    assert tracemalloc.get_traced_memory()[1] < 2**21
    tracemalloc.stop()
    layer = ka.layers.AudioConverter(8000)
    layer.max_samples = 1_999_999
    with pytest.raises(ValueError, match=r"limit of 1,999,999.*set the layer's `max_samples`"):
        layer.encode([tmp_path / "silence.flac"])
    layer.max_samples += 1
    assert layer.encode([tmp_path / "silence.flac"]).shape == (1, 2_000_000)
    assert "max_samples" not in layer.get_config()


@TORCH
def test_rates_that_no_filter_serves_are_named(tmp_path):
    for rate in (2**31 - 1, 999_983):
        (tmp_path / "odd.wav").write_bytes(wav(rate, np.ones(10)))
        with pytest.raises(ValueError, match=rf"odd\.wav has {rate} Hz, which cannot be resampled"):
            ka.layers.AudioConverter(8000).encode([tmp_path / "odd.wav"])


@TORCH
def test_only_paths_name_files(tmp_path):
    layer = ka.layers.AudioConverter(8000)
    (tmp_path / "a.wav").write_bytes(wav(8000, np.ones(10)))
    with pytest.raises(TypeError, match=r"named by a `pathlib\.Path`.*a\.wav"):
        layer.encode([str(tmp_path / "a.wav")])
    for wrong, message in ((tmp_path, "is no file"), (tmp_path / ("x" * 300), "names no file")):
        with pytest.raises(ValueError, match=message):
            layer.encode([wrong])
    (tmp_path / "a.raw").write_bytes(bytes(100))
    with pytest.raises(ValueError, match=r"a\.raw cannot be read as sound"):
        layer.encode([tmp_path / "a.raw"])


@TORCH
def test_every_kind_of_batch_is_one():
    layer, waves = ka.layers.AudioConverter(8000), [np.ones(3, "f4"), np.ones(2, "f4")]
    array = np.empty(2, object)
    array[:] = waves
    for raw in (waves, tuple(waves), array, iter(waves)):
        assert layer.encode(raw).shape == (2, 3)


@TORCH
@pytest.mark.parametrize(("name", "value"), [("sampling_rate", 10**7), ("multiple", 10**9)])
def test_sizes_of_the_configuration_are_bounded(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be at most"):
        ka.layers.AudioConverter(**{"sampling_rate": 8000, name: value})
