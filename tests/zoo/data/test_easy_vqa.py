"""easy-VQA: questions and images as upstream has them, in both kinds of archives."""

import hashlib
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from zoo.data import archives, easy_vqa

pytestmark = pytest.mark.runs_on("torch")

QUESTIONS = {
    "train": [
        ["what is the red shape?", "circle", 0],
        ["is there a blue shape?", "no", 0],
        ["what color is the shape?", "teal", 1],
        ["is there a circle?", "yes", 11],
    ],
    "test": [["what shape is present?", "triangle", 0]],
}
COUNTS = {"train": 12, "test": 1}  # images, of which the file 11.png comes before 2.png


def png(number):
    file = io.BytesIO()
    Image.fromarray(np.full((64, 64, 3), number, np.uint8)).save(file, "PNG")
    return file.getvalue()


def images(part):
    return {f"{i}.png": png(i) for i in range(COUNTS[part])}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache with all files but the images, whose content counts as that which was published."""
    monkeypatch.setenv("KERAS_ATTENTION_DATA", str(tmp_path))
    monkeypatch.setattr(easy_vqa, "_VALIDATION", 2)
    hashes = {}
    for part, questions in QUESTIONS.items():
        (tmp_path / "easy_vqa" / part).mkdir(parents=True)
        content = json.dumps(questions).encode()
        (tmp_path / "easy_vqa" / part / "questions.json").write_bytes(content)
        hashes[part] = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(easy_vqa, "_QUESTIONS", hashes)
    published = {part: archives.digest(images(part)) for part in COUNTS}
    monkeypatch.setattr(easy_vqa, "_IMAGES", published)
    return tmp_path / "easy_vqa"


def pack(folder):
    for part in COUNTS:
        with zipfile.ZipFile(folder / f"{part}_images.zip", "w") as archive:
            for name, content in images(part).items():
                archive.writestr(name, content)


def archive(folder):
    """Returns an archive with the files as the repository has them."""
    with tarfile.open(folder / easy_vqa._ARCHIVE.name, "w:gz") as file:
        for part in COUNTS:
            for name, content in images(part).items():
                path = f"easy-VQA-3b553bb/easy_vqa/data/{part}/images/{name}"
                member = tarfile.TarInfo(path)
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("stored", [pack, archive])
def test_questions_stand_beside_their_images(folder, stored):
    stored(folder)
    splits = easy_vqa.load()
    x, y = splits.train
    assert x["question_ids"].tolist() == [question for question, _, _ in QUESTIONS["train"][:3]]
    assert [splits.class_names[answer] for answer in y] == ["circle", "no", "teal"]
    assert (x["image"].shape, x["image"].dtype, y.dtype) == ((3, 64, 64, 3), np.uint8, np.int32)
    assert x["image"][:, 0, 0, 0].tolist() == [0, 0, 1]
    x, _ = splits.validation  # of images that training never saw
    assert x["question_ids"].tolist() == ["is there a circle?"]
    assert x["image"][0].max() == 11
    assert splits.test[0]["question_ids"].tolist() == ["what shape is present?"]


def test_other_images_than_those_published_are_refused(folder, monkeypatch):
    pack(folder)
    monkeypatch.setitem(easy_vqa._IMAGES, "test", "0" * 64)
    with pytest.raises(ValueError, match="test images in"):
        easy_vqa.load()


def test_sample_is_of_the_same_form():
    splits = easy_vqa.sample()
    for x, y in (splits.train, splits.validation, splits.test):
        assert set(x) == {"image", "question_ids"}
        assert x["image"].shape == (len(y), 64, 64, 3)
        assert x["image"].dtype == np.uint8
        assert all(isinstance(text, str) for text in x["question_ids"])
    assert {"yes", "no", "circle", "red"} <= {splits.class_names[i] for i in splits.train[1]}
    assert splits.sha256() == easy_vqa.sample().sha256()


def test_the_shape_is_what_is_not_background():
    rng = np.random.default_rng(0)
    for shape in easy_vqa.SHAPES:
        image = easy_vqa.draw(rng, shape, "yellow")
        inside = easy_vqa.shapes(image[None])[0]
        np.testing.assert_array_equal(inside, (image == (255, 255, 0)).all(axis=-1))
        assert 0 < inside.mean() < 0.3
