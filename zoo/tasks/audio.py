"""Audio classification: of a user's own recordings, and what the recipes of the zoo share."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import keras_attention as ka
from keras_attention.explain import plots
from keras_attention.ops import batches
from zoo.data import Arrays, Splits
from zoo.harness import charts
from zoo.harness.experiment import Recipe, predict
from zoo.harness.stopping import StopEarly
from zoo.models.audio_transformer import audio_transformer
from zoo.readers import folders
from zoo.readers.findings import Findings
from zoo.readers.tables import Table
from zoo.tasks.mistakes import list_mistakes
from zoo.tasks.optimizers import adamw_cosine
from zoo.tasks.run import Run, make_request

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".opus", ".aiff", ".aif", ".au")
SEEN = 60_000  # recordings that a training sees, epochs times recordings
HIGHEST_RATE = 16_000  # samples per second that a model hears
LONGEST = 10  # seconds that a model hears
PER_SECOND = 100  # frames
MEMORY = 2**29  # bytes of samples that are kept; of more, files are read in every epoch
SHOWN = 10  # test recordings whose attention is drawn
READABLE = 40  # classes in a confusion matrix


def audio_classification(
    data: Table,
    *,
    labels: Table | None = None,
    path: str | None = None,
    label: str | None = None,
    test: Table | None = None,
    on_error: Literal["stop", "skip"] = "stop",
    epochs: int | None = None,
    batch_size: int = 16,
    seed: int = 0,
) -> Run:
    """Classes of recordings, such as yes or no, from a folder with a folder for each class.

        keras-attention train audio-classification --data clips/ --labels clips.csv

    Args:
        data: the folder, such as clips/ with clips/yes/1.wav, or with train/ and test/ that have
            the folders of classes; or a table with a column of paths and one of classes.
        labels: a table of the files in `data` and their classes, where `data` has no folders.
        path: the table's column of the files; `path` or `file` if there is one of this name.
        label: the table's column of the classes; `label` if there is one of this name.
        test: another folder or table to test on; a tenth of the recordings if `None`.
        on_error: stop at a recording that cannot be read, or skip it.
        epochs: how often each recording is heard at most; by their number if `None`.
        batch_size: recordings per step.
        seed: of the split, the initial weights, the order and the augmentation.

    Raises:
        ValueError: a recording cannot be read, a column is missing, there is one class alone, or a
            class in the test data alone.
    """
    request = make_request("audio_classification", locals())
    keras.utils.set_random_seed(seed)
    findings = Findings()
    splits, recordings = folders.read_splits(
        data,
        test,
        kind=folders.Kind("recordings", SUFFIXES, look),
        labels=labels,
        path=path,
        label=label,
        on_error=on_error,
        seed=seed,
        findings=findings,
    )
    rate = choose_rate(recordings)
    frames = choose_frames(recordings)
    add_sound(findings, recordings, rate, frames)
    hop = rate // PER_SECOND
    stream = len(splits.train[1]) * frames * hop * 4 > MEMORY
    findings.add(
        "Recordings are read "
        + ("batch by batch in every epoch" if stream else "into memory once")
        + f", and heard at {rate:,} Hz, up to {frames / PER_SECOND:g} s"
    )
    quarter = math.ceil(frames / 16) * 4
    count = len(splits.train[1])
    epochs = epochs or int(np.clip(SEEN / count, 10, 100))
    recipe = make_recipe(
        splits,
        name="audio-classification",
        variant="default",
        seed=seed,
        model=make_model(splits, rate, frames, frames if stream else None),
        epochs=epochs,
        batch_size=batch_size,
        peak=2e-3,
        # Of files alone the lengths are not known, and one length is compiled.
        buckets=() if stream else tuple(range(quarter * hop, frames * hop, quarter * hop)),
        stream=stream,
        stop=StopEarly("val_accuracy", mode="max", patience=max(5, epochs // 4)),
        baselines={
            "logistic regression on mel statistics": partial(
                logistic_regression, sampling_rate=rate, seconds=frames / PER_SECOND
            )
        },
        request=request,
        next_step="keras-attention predict {folder}/model.keras {folder}/example.wav",
    )
    return Run(recipe, findings)


@dataclass(frozen=True)
class Recording:
    """What is worth knowing of a sound file: samples per second, its length, silent or not."""

    rate: int
    seconds: float
    is_silent: bool


def look(path: Path) -> Recording:
    """Returns what a sound file is like, read as `ka.predict` reads it.

    Raises:
        ImportError: soundfile is not installed.
        ValueError: it is damaged, of an unknown format, or has no samples.
    """
    rate = _read_rate(path)
    (waveform,) = _make_reader(rate).encode([path])
    return Recording(rate, len(waveform) / rate, is_silent=not waveform.any())


def _read_rate(path: Path) -> int:
    """Returns the samples per second of a file, by its header."""
    try:
        import soundfile
    except ImportError as error:
        raise ImportError(
            'Sound files need soundfile: python -m pip install "keras-attention[audio]"'
        ) from error
    batches.regular_file(path)
    try:
        return soundfile.info(str(path)).samplerate
    except (soundfile.SoundFileError, TypeError) as error:  # a raw file tells no rate
        raise ValueError(f"{path} cannot be read as sound: {error}") from error


@lru_cache
def _make_reader(rate: int) -> ka.layers.AudioConverter:
    """Returns what reads the beginning of recordings; the same one for all of a rate."""
    return ka.layers.AudioConverter(rate, LONGEST * rate, name="reader")


def choose_rate(recordings: Sequence[Recording]) -> int:
    """Returns the rate that most recordings have, at most `HIGHEST_RATE`."""
    ((rate, _),) = Counter(each.rate for each in recordings).most_common(1)
    return min(rate, HIGHEST_RATE)


def choose_frames(recordings: Sequence[Recording]) -> int:
    """Returns the frames that 99 of 100 recordings have at most, a multiple of 16."""
    seconds = float(np.percentile([each.seconds for each in recordings], 99))
    return int(np.clip(math.ceil(seconds * PER_SECOND / 16), 1, LONGEST * PER_SECOND // 16)) * 16


def add_sound(findings: Findings, recordings: Sequence[Recording], rate: int, frames: int) -> None:
    """Adds lengths and rates, and what of it may harm."""
    seconds = np.array([each.seconds for each in recordings])
    middle, most, longest = np.percentile(seconds, [50, 95, 100])
    longer = int((seconds > frames / PER_SECOND).sum())
    findings.add(
        f"Lengths: {middle:.2f} s in the middle, 19 of 20 up to {most:.2f} s, at most "
        + (f"{longest:.2f} s" if longest < LONGEST else f"{LONGEST} s or more")
    )
    if longer:
        findings.add(
            f"Longer than {frames / PER_SECOND:g} s, whose beginning alone is heard: {longer:,}"
        )
    rates = Counter(each.rate for each in recordings).most_common()
    listed = ", ".join(f"{each:,} Hz ({count:,})" for each, count in rates[:8])
    findings.add(f"Sampling rates: {listed}")
    if len(rates) > 1:
        findings.warn(
            f"The sampling rates differ: all are resampled to {rate:,} Hz. A class that was "
            "recorded at another rate may be told by that alone."
        )
    silent = sum(each.is_silent for each in recordings)
    if silent:
        findings.warn(f"{silent:,} recordings are silent.")


def make_model(splits: Splits, rate: int, frames: int, multiple: int | None) -> keras.Model:
    """Returns an audio transformer whose tokens are 40 ms of all bands."""
    bins = 48 if rate <= 8_000 else 64
    return audio_transformer(
        patch_size=(4, bins),
        num_mel_bins=bins,
        sampling_rate=rate,
        frame_length=rate // 40,
        hop_length=rate // PER_SECOND,
        max_frames=frames,
        multiple=multiple,
        **make_augmentation(rate, bins),
        dropout=0.1,
        num_classes=len(splits.class_names),
        class_names=splits.class_names,
    )


def make_augmentation(rate: int, bins: int) -> dict[str, list[keras.layers.Layer]]:
    """Returns the layers that change recordings in training, by arguments of the model."""
    return {
        "augmentation": [
            ka.layers.WaveformAugmentation(
                gain=6.0, speed=0.1, shift=rate // 20, noise=0.03, name="waveform_augmentation"
            )
        ],
        "spectrogram_augmentation": [
            ka.layers.SpectrogramAugmentation(
                time_masks=1,
                max_frames=8,
                frequency_masks=1,
                max_bands=max(1, bins // 8),
                name="spectrogram_augmentation",
            )
        ],
    }


def make_recipe(
    splits: Splits,
    *,
    model: keras.Model,
    epochs: int,
    batch_size: int,
    peak: float,
    buckets: tuple[int, ...],
    **others: Any,
) -> Recipe:
    """Returns a recipe of audio classification.

    Args:
        splits: waveforms, or paths of sound files, and the numbers of their classes.
        model: to train.
        epochs, batch_size: of the training.
        peak: the highest learning rate.
        buckets: samples to which batches are cut off.
        others: further attributes of the recipe.
    """
    steps = epochs * splits.num_batches(batch_size)
    return Recipe(
        model=model,
        data=splits,
        optimizer=adamw_cosine(
            steps, peak=peak, warmup_steps=steps // 10, weight_decay=0.05, spared=["table"]
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=("accuracy",),
        score="accuracy",
        epochs=epochs,
        batch_size=batch_size,
        buckets=buckets,
        pictures=partial(draw_pictures, buckets=buckets),
        mistakes=partial(find_mistakes, buckets=buckets),
        task="audio-classification",
        **others,
    )


def logistic_regression(splits: Splits, *, sampling_rate: int, seconds: float) -> float:
    """Returns the test accuracy of logistic regression on statistics of mel bands."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    return _score(model, splits, sampling_rate, seconds)


def support_vectors(splits: Splits, *, sampling_rate: int, seconds: float) -> float:
    """Returns the test accuracy of a support vector machine on statistics of mel bands."""
    return _score(make_pipeline(StandardScaler(), SVC(C=10.0)), splits, sampling_rate, seconds)


def _score(model: Any, splits: Splits, sampling_rate: int, seconds: float) -> float:
    x, x_test = (
        compute_mel_statistics(part, sampling_rate, seconds) for part in (splits.train, splits.test)
    )
    return float(model.fit(x, splits.train[1]).score(x_test, splits.test[1]))


def compute_mel_statistics(part: Arrays, sampling_rate: int, seconds: float) -> np.ndarray:
    """Returns mean and deviation of 40 bands, and their means in thirds of the time, `(B, 200)`.

    Recordings are read one by one, up to so many seconds. All are padded to a length of few, for
    each of which a backend compiles.
    """
    hop = sampling_rate // PER_SECOND
    reader = ka.layers.AudioConverter(
        sampling_rate, round(seconds * PER_SECOND) * hop, 64 * hop, name="reader"
    )
    spectrogram = ka.layers.LogMelSpectrogram(sampling_rate, 40, sampling_rate // 40, hop)
    rows = []
    for recording in part[0]:
        audio = reader.encode([recording])
        valid = ~np.isnan(audio)
        padded = spectrogram(np.nan_to_num(audio), mask=valid)
        bands = keras.ops.convert_to_numpy(padded)[0, : math.ceil(valid.sum() / hop)]
        thirds = [third.mean(axis=0) for third in np.array_split(bands, 3) if len(third)]
        thirds += [thirds[-1]] * (3 - len(thirds))  # of one frame or two
        rows.append(np.concatenate([bands.mean(axis=0), bands.std(axis=0), *thirds]))
    return np.array(rows)


def find_mistakes(
    model: keras.Model, splits: Splits, *, buckets: tuple[int, ...] = ()
) -> list[dict[str, Any]]:
    """Returns the test recordings whose wrong class the model is surest of."""
    logits = predict(model, splits.test, batch_size=128, buckets=buckets)
    return list_mistakes(logits, splits, "recording")


def draw_pictures(model: keras.Model, splits: Splits, *, buckets: tuple[int, ...] = ()) -> dict:
    """Draws the confusion matrix, and attention to one test recording of each of some classes."""
    x, y = splits.test
    logits = predict(model, splits.test, batch_size=128, buckets=buckets)
    predicted = np.argmax(logits, axis=-1)
    names = splits.class_names
    rows = np.unique(y, return_index=True)[1][:SHOWN]
    audio = ka.encode(model, x[rows])
    with ka.capture() as maps:
        model(audio, training=False)
    spectrogram = model.get_layer("spectrogram")
    spectrograms = keras.Model(model.input, spectrogram.output)(audio)
    patches = model.get_layer("patches")
    one_row = (2 ** len(patches.stem)) if patches.stem else patches.patch_size[0]  # frames
    total, columns = (
        patches.compute_output_shape((None, frames, *spectrograms.shape[2:]))[1]
        for frames in (spectrograms.shape[1], one_row)
    )
    titles = [
        names[y[row]] + ("" if predicted[row] == y[row] else f"\n(as {names[predicted[row]]})")
        for row in rows
    ]
    samples = np.count_nonzero(~np.isnan(audio), axis=1)
    draw = charts.confusion_matrix if len(names) <= READABLE else charts.confused_pairs
    return {
        "confusion_matrix": draw(
            y, predicted, names, title=f"{splits.source.name}, {len(y):,} test recordings"
        ),
        "attention": plots.spectrogram_attention(
            spectrograms,
            plots.patch_weights(maps, total // columns, columns),
            titles,
            frames=[-(-count // spectrogram.hop_length) for count in samples],
            seconds=spectrogram.hop_length / spectrogram.sampling_rate,
            title="What each layer attends to, mean over heads; test recordings",
        ),
    }
