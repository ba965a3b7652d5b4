"""The audio transformer: cases for the contract, and files in, names out."""

import numpy as np
import pytest
import soundfile

import keras_attention as ka
from tests.backend import to_numpy
from tests.zoo.models.contracts import ModelCase
from zoo.models.audio_transformer import VARIANTS, audio_transformer

pytestmark = pytest.mark.runs_on("tensorflow")

HOP = 80


def waveforms(frames):
    """Recordings of which all but the first end earlier, after `multiple` frames or so."""

    def made(rng, batch):
        audio = rng.normal(scale=0.1, size=(batch, frames * HOP)).astype("float32")
        for number, row in enumerate(audio):
            row[len(row) - 700 * number :] = np.nan
        return {"audio": audio}

    return made


def padded(multiple):
    def more(inputs, by):
        audio = inputs["audio"]
        end = np.full((len(audio), by * multiple * HOP), np.nan, "float32")
        return {"audio": np.concatenate([audio, end], axis=1)}

    return more


CASES = [
    ModelCase(
        model=audio_transformer,
        sizes=VARIANTS[variant],
        inputs=waveforms(frames=24),
        maps=2,
        config={"max_frames": 64, "num_classes": 3, "class_names": ("yes", "no", "maybe")},
        padded=padded(multiple),
    )
    for variant, multiple in (("tiny", 8), ("tiny_stem", 4))
]
PARAMETERS = {
    "default": 118_339,
    "stem": 135_715,
    "tiny": 1_371,
    "tiny_stem": 1_573,
    "base": 85_871_619,
}


def test_a_file_is_the_waveform_in_it(tmp_path):
    model = CASES[0].make()
    wave = CASES[0].data()["audio"][0]
    soundfile.write(tmp_path / "a.wav", wave, 8000, subtype="FLOAT")
    answer = ka.predict(model, tmp_path / "a.wav")
    (expected,) = ka.predict(model, [wave])
    assert answer.label in ("yes", "no", "maybe")
    np.testing.assert_allclose(answer.probability, expected.probability, atol=1e-5)


def test_class_names_are_enough():
    assert audio_transformer(class_names=("yes", "no")).output_shape == (None, 2)


def test_batches_may_have_few_lengths():
    model = CASES[0].make(multiple=32)
    waves = [np.full(length, 0.1) for length in (100, 32 * HOP + 1)]
    assert [ka.encode(model, [wave]).shape for wave in waves] == [(1, 32 * HOP), (1, 64 * HOP)]
    answers = [ka.predict(each, waves) for each in (model, CASES[0].make())]
    for few, many in zip(*answers, strict=True):
        assert dict(few.ranking) == pytest.approx(dict(many.ranking), abs=1e-5)


def test_loudness_does_not_matter():
    model = CASES[1].make()
    audio = CASES[1].data()["audio"]
    np.testing.assert_allclose(to_numpy(model(audio * 3)), to_numpy(model(audio)), atol=1e-2)


def test_what_is_too_long_is_cut_off():
    model = CASES[0].make()
    wave = np.random.default_rng(0).normal(scale=0.1, size=100 * HOP)
    whole, cut = ka.predict(model, [wave, wave[: 64 * HOP]])
    assert whole.label == cut.label
    assert dict(whole.ranking) == pytest.approx(dict(cut.ranking), abs=1e-6)


def test_a_patch_may_be_all_bands_of_some_frames():
    model = audio_transformer(**VARIANTS["default"], max_frames=128)
    shape = model.get_layer("patches").compute_output_shape((None, 128, 48, 1))
    assert shape == (None, 32, 64)


def test_augmentation_is_for_training_alone():
    layers = {
        "augmentation": [ka.layers.WaveformAugmentation()],
        "spectrogram_augmentation": [ka.layers.SpectrogramAugmentation(max_bands=4)],
    }
    plain, augmented = CASES[0].make(), CASES[0].make(**layers)
    audio = CASES[0].data()["audio"]
    expected = to_numpy(plain(audio))
    np.testing.assert_allclose(to_numpy(augmented(audio, training=False)), expected, atol=1e-6)
    changed = to_numpy(augmented(audio, training=True))
    assert np.abs(changed - expected).max() > 1e-3
