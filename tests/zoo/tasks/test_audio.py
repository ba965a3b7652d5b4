"""Audio classification of a user's own files."""

import csv

import keras
import numpy as np
import pytest
import soundfile

import keras_attention as ka
from tests.zoo.tasks.files import read_mistakes
from zoo import tasks
from zoo.data import objects
from zoo.tasks import audio

RNG = np.random.default_rng(0)


def make_tone(pitch, seconds=0.3, rate=8000):
    time = np.arange(int(seconds * rate)) / rate
    return 0.3 * np.sin(2 * np.pi * pitch * time) + RNG.normal(scale=0.01, size=len(time))


def write(folder, count=15, rate=8000):
    """Tones of two pitches, of two lengths, each of which is compiled for."""
    for name, pitch in (("high", 2000), ("low", 500)):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            tone = make_tone(pitch + 10 * i, 0.1 + 0.16 * (i % 2), rate)
            soundfile.write(folder / name / f"{i}.wav", tone, rate)
    return folder


@pytest.mark.parametrize(
    "memory",
    # Lengths that differ are what TensorFlow is strict about.
    [audio.MEMORY, pytest.param(0, marks=pytest.mark.runs_on("tensorflow"))],
)
def test_a_folder_becomes_a_model(memory, tmp_path, monkeypatch):
    """From memory or from disk, it leaves what recipes leave, and the file's own answers have the
    score that is told."""
    monkeypatch.setattr(audio, "MEMORY", memory)
    run = tasks.audio_classification(write(tmp_path / "clips"), epochs=1)
    assert run.recipe.stream == (memory == 0)
    run.fit(tmp_path / "run", watch=False)
    model = ka.load_model(tmp_path / "run" / "model.keras")
    paths, y = run.recipe.data.test
    right = [
        answer.label == path.parent.name
        for path, answer in zip(paths, ka.predict(model, list(paths)), strict=True)
    ]
    assert len(y) == 4
    assert run.metrics["test"]["accuracy"] == pytest.approx(np.mean(right))
    assert run.metrics["baselines"]["logistic regression on mel statistics"]["accuracy"] == 1.0
    assert len(read_mistakes(tmp_path / "run")) == right.count(False)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"attention.png", "confusion_matrix.png", "training_curves.png", "model.md"} <= names
    assert ka.predict(model, tmp_path / "run" / "example.wav").label in ("high", "low")


@pytest.mark.runs_on("torch")
def test_a_table_of_labels_and_several_rates(tmp_path):
    """Recordings of all rates are resampled to that of the most, which is said."""
    clips = write(tmp_path / "clips", 12)
    write(tmp_path / "clips" / "other", 3, rate=44_100)
    with (tmp_path / "clips.csv").open("w", newline="") as file:
        rows = [(path.relative_to(clips), path.parent.name) for path in clips.rglob("*.wav")]
        csv.writer(file).writerows([("path", "label"), *rows])
    run = tasks.audio_classification(clips, labels=tmp_path / "clips.csv")
    text = str(run.findings)
    assert "Sampling rates: 8,000 Hz (24), 44,100 Hz (6)" in text
    assert "The sampling rates differ: all are resampled to 8,000 Hz." in text
    assert run.model.get_layer("waveform").sampling_rate == 8000
    assert run.recipe.data.class_names == ("high", "low")


@pytest.mark.runs_on("torch")
def test_damaged_and_silent_recordings(tmp_path):
    clips = write(tmp_path, 12)
    soundfile.write(clips / "low" / "silence.wav", np.zeros(2000), 8000)
    text = str(tasks.audio_classification(clips).findings)
    assert "1 recordings are silent." in text
    (clips / "low" / "text.wav").write_text("no sound")
    with pytest.raises(ValueError, match=r"text\.wav cannot be read as sound.*--on-error skip"):
        tasks.audio_classification(clips)
    soundfile.write(clips / "low" / "empty.wav", np.zeros(0), 8000)
    text = str(tasks.audio_classification(clips, on_error="skip").findings)
    assert "2 of 27 files of `data` cannot be read and are left out" in text
    assert "empty.wav has no samples" in text


@pytest.mark.runs_on("torch")
def test_rate_and_length_of_most():
    def make(rate, seconds):
        return audio.Recording(rate, seconds, is_silent=False)

    assert audio.choose_rate([make(8000, 1), make(8000, 1), make(44_100, 1)]) == 8000
    assert audio.choose_rate([make(44_100, 1)]) == 16_000
    assert audio.choose_frames([make(8000, 0.95)] * 9) == 96
    assert audio.choose_frames([make(8000, 10.0)] * 9) == 992, "within 10 s"
    assert audio.choose_frames([make(8000, 0.01)]) == 16


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize("seconds", [0.02, 0.3, 0.9])
def test_statistics_are_those_of_the_recording_alone(seconds, tmp_path):
    """However it is padded, and of a file as of its samples."""
    wave = make_tone(700, seconds).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, 8000, subtype="FLOAT")
    y = np.zeros(1)
    rows = [
        audio.compute_mel_statistics((objects([x]), y), 8000, 10)[0]
        for x in (wave, tmp_path / "a.wav")
    ]
    spectrogram = ka.layers.LogMelSpectrogram(8000, 40, 200, 80)
    bands = np.asarray(keras.ops.convert_to_numpy(spectrogram(wave[None])))[0]
    np.testing.assert_allclose(rows[0][:40], bands.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(rows[0][40:80], bands.std(axis=0), atol=1e-4)
    np.testing.assert_allclose(rows[0][80:120], np.array_split(bands, 3)[0].mean(0), atol=1e-4)
    np.testing.assert_allclose(rows[1], rows[0], atol=1e-5)
    assert rows[0].shape == (200,)
