"""Image classification of a user's own files."""

import struct
import zlib
from dataclasses import replace

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

import keras_attention as ka
from tests.backend import to_numpy
from tests.zoo.tasks.files import PUBLISHED_VIT, read_mistakes
from zoo import tasks
from zoo.data import Splits, objects
from zoo.tasks import fine_tuning, images

RNG = np.random.default_rng(0)


def write(folder, count=30, side=12, mode="RGB"):
    """Noise around red, or around blue."""
    for name, colour in (("blue", (40, 60, 200)), ("red", (200, 60, 40))):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            noise = RNG.integers(-40, 40, (side, side + 2, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).convert(mode).save(folder / name / f"{i}.png")
    return folder


def test_a_folder_becomes_a_model(tmp_path):
    """It leaves what recipes leave, and the file's own answers have the score that is told."""
    run = tasks.image_classification(write(tmp_path / "photos"), epochs=2, batch_size=16)
    assert "The model sees 12 x 12 pixels, in colour: 0.0 MB, read into memory once" in str(
        run.findings
    )
    assert "Sizes: 14 x 12 to 14 x 12 pixels" in str(run.findings)
    run.fit(tmp_path / "run", watch=False)
    model = ka.load_model(tmp_path / "run" / "model.keras")
    paths, y = run.recipe.data.test
    right = [
        answer.label == path.parent.name
        for path, answer in zip(paths, ka.predict(model, list(paths)), strict=True)
    ]
    assert len(y) == 6
    assert run.metrics["test"]["accuracy"] == pytest.approx(np.mean(right))
    assert run.metrics["baselines"] == {
        "logistic regression on 16 x 16 grey pixels": {"accuracy": pytest.approx(0.8, abs=0.2)}
    }
    assert run.metrics["request"]["arguments"]["data"] == str(tmp_path / "photos")
    assert len(read_mistakes(tmp_path / "run")) == right.count(False)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"attention.png", "confusion_matrix.png", "training_curves.png", "model.md"} <= names
    assert ka.predict(model, tmp_path / "run" / "example.png").label in ("blue", "red")


@pytest.mark.runs_on("torch")
def test_files_are_read_batch_by_batch_and_resumed(tmp_path, monkeypatch):
    """An interrupted training of files ends where one does that was not."""
    monkeypatch.setattr(images, "MEMORY", 0)
    data = write(tmp_path / "photos", 12)

    def make(*callbacks):
        run = tasks.image_classification(data, epochs=3, batch_size=4)
        assert run.recipe.stream
        run.recipe = replace(run.recipe, callbacks=callbacks)
        return run

    assert "read batch by batch in every epoch" in str(make().findings)
    counts, encode = [], ka.layers.ImageConverter.encode

    def count(self, rows):
        counts.append(len(rows))
        return encode(self, rows)

    monkeypatch.setattr(ka.layers.ImageConverter, "encode", count)
    whole = make().fit(watch=False)
    assert max(counts[1:]) == 4, "but for those that mean and deviation are of"
    with pytest.raises(RuntimeError, match="power cut"):
        make(Cut()).fit(tmp_path / "run", watch=False)
    resumed = make().fit(tmp_path / "run", watch=False, resume=True)
    assert len(resumed.result.history["loss"]) == 3
    for a, b in zip(whole.model.weights, resumed.model.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(a), to_numpy(b), err_msg=a.path)
    assert whole.result.test == resumed.result.test


class Cut(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise RuntimeError("power cut")


@pytest.mark.runs_on("torch")
def test_a_published_model_learns_the_classes(tmp_path):
    data = write(tmp_path / "photos", 12)
    run = tasks.image_classification(data, init=PUBLISHED_VIT, lora=2, epochs=1, batch_size=8)
    assert (run.recipe.epochs, run.recipe.batch_size) == (1, 8)
    run.fit(tmp_path / "run", watch=False)
    assert run.metrics["init"]["lora"] == 2
    assert run.model.get_layer("labels").class_names == ("blue", "red")
    assert run.model.get_layer("augmentation").flip
    assert "Half of the images are mirrored" in str(run.findings)
    x = run.recipe.data.test[0]
    expected = ka.predict(run.model, x)
    assert ka.predict(ka.load_model(tmp_path / "run" / "model.keras"), x) == expected
    with pytest.raises(ValueError, match="`lora` adapts a published model: pass `init`"):
        tasks.image_classification(data, lora=2)
    with pytest.raises(ValueError, match="`image_size` is of a model from scratch"):
        tasks.image_classification(data, init=PUBLISHED_VIT, image_size=32)


class Mirror(keras.layers.Layer):
    def call(self, inputs):
        return keras.ops.flip(inputs, axis=2)


@pytest.mark.runs_on("torch")
def test_a_published_model_sees_images_that_were_changed():
    settings = replace(images.FINE_TUNING, augmentation=Mirror())
    pixels = RNG.integers(0, 256, (2, 30, 30, 3), np.uint8)
    plain, mirrored = (
        fine_tuning._load(PUBLISHED_VIT, ("blue", "red"), each)
        for each in (images.FINE_TUNING, settings)
    )
    mirrored.set_weights(plain.get_weights())  # the heads begin at random
    x = plain.get_layer("pixels").encode(list(pixels))
    expected = to_numpy(plain(np.flip(x, axis=2).copy()))
    np.testing.assert_allclose(to_numpy(mirrored(x)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize(
    ("sides", "expected"), [([28], 28), ([4], 8), ([15, 30, 500], 28), ([3000, 2000], 64)]
)
def test_the_size_is_the_median_within_limits(sides, expected):
    pictures = [images.Picture(2 * side, side, is_grey=False) for side in sides]
    assert images.choose_size(pictures) == expected


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize("side", [8, 12, 28, 32, 48, 64, 128])
def test_tokens_are_about_8_by_8(side, tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(2)]
    for path in paths:
        Image.new("L", (20, 20), "grey").save(path)
    part = (objects(paths), np.array([0, 1]))
    model = images.make_model(
        Splits(part, part, class_names=("a", "b")), side, channels=1, mirror=False
    )
    _, rows, columns, _ = model.get_layer("patches").output.shape
    assert rows == columns
    assert 4 <= rows <= 10


@pytest.mark.runs_on("torch")
def test_grey_images_have_one_channel(tmp_path):
    run = tasks.image_classification(
        write(tmp_path, 12, mode="L"), image_size=16, mirror=False, epochs=1
    )
    assert run.model.input_shape == (None, 16, 16, 1)
    assert "24 of 24 are grey" in str(run.findings)
    assert not run.model.get_layer("augmentation").flip
    assert "mirrored" not in str(run.findings)


@pytest.mark.runs_on("torch")
def test_the_baseline_is_scikit_learns(tmp_path):
    """On the pixels of files that are 16 x 16 and grey already."""
    write(tmp_path, 20, mode="L")
    x = RNG.integers(0, 256, (40, 16, 16), np.uint8)
    y = RNG.integers(0, 2, 40)
    x[y == 1, :8] //= 2
    paths = [tmp_path / f"{i}.png" for i in range(40)]
    for path, pixels in zip(paths, x, strict=True):
        Image.fromarray(pixels).save(path)
    splits = Splits((objects(paths[:30]), y[:30]), (objects(paths[30:]), y[30:]))
    model = LogisticRegression(max_iter=2000, tol=1e-6).fit(x[:30].reshape(30, -1) / 255, y[:30])
    expected = model.score(x[30:].reshape(10, -1) / 255, y[30:])
    assert images.logistic_regression(splits) == pytest.approx(expected, abs=0.101)


@pytest.mark.runs_on("torch")
def test_every_kind_of_image_is_looked_at_as_it_is_read(tmp_path):
    """Upright, on white, of any mode and depth."""
    turned = Image.new("RGB", (20, 10), "red")
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    turned.save(tmp_path / "turned.jpg", exif=exif)
    Image.new("CMYK", (20, 10), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg")
    Image.new("RGB", (20, 10), "red").quantize(4).save(tmp_path / "palette.png")
    Image.new("RGBA", (20, 10), (255, 0, 0, 128)).save(tmp_path / "alpha.png")
    sixteen = Image.fromarray(np.full((10, 20), 40_000, np.uint16))
    sixteen.save(tmp_path / "sixteen.png")
    seen = {path.name: images.look(path) for path in tmp_path.iterdir()}
    assert seen.pop("turned.jpg") == images.Picture(10, 20, is_grey=False)
    assert seen.pop("sixteen.png") == images.Picture(20, 10, is_grey=True)
    assert set(seen.values()) == {images.Picture(20, 10, is_grey=False)}
    assert len(seen) == 3


def chunk(kind, content):
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.runs_on("torch")
def test_damaged_images_and_bombs_are_named(tmp_path):
    data = write(tmp_path / "photos", 12)
    whole = (data / "red" / "1.png").read_bytes()
    (data / "red" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (data / "red" / "text.jpg").write_text("no image")
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    (data / "red" / "bomb.png").write_bytes(bomb)
    with pytest.raises(ValueError, match=r"bomb\.png .*pixels.*--on-error skip"):
        tasks.image_classification(data)
    text = str(tasks.image_classification(data, on_error="skip", epochs=1).findings)
    assert "3 of 27 files of `data` cannot be read and are left out" in text
    for name in ("cut.png", "text.jpg", "bomb.png"):
        assert f"{data / 'red' / name} " in text
