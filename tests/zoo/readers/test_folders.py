"""Folders of classes, folders of parts, tables of paths, and files that cannot be read."""

import csv

import numpy as np
import pytest

from zoo.readers.findings import Findings
from zoo.readers.folders import Kind, find_parts, read_splits

pytestmark = pytest.mark.runs_on("torch")


def look(path):
    text = path.read_text()
    if text == "damaged":
        raise ValueError("it is damaged")
    return len(text)


KIND = Kind("notes", (".note",), look)


def write(folder, count, classes=("cat", "dog"), text="{name} {i}"):
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            (folder / name / f"{i}.note").write_text(text.format(name=name, i=i))
    return folder


def read(data, **settings):
    findings = Findings()
    given = dict(test=None, labels=None, path=None, label=None, on_error="stop", seed=0)
    splits, facts = read_splits(data, **{**given, **settings}, kind=KIND, findings=findings)
    return splits, facts, str(findings)


def classes_of(splits, part):
    x, y = getattr(splits, part)
    assert [path.parent.name for path in x] == [splits.class_names[number] for number in y]
    return sorted(path.parent.name for path in x)


def test_a_folder_for_each_class(tmp_path):
    """Each class has its share in every part, and files below a class are of it."""
    write(tmp_path, 30)
    (tmp_path / "cat" / "0.note").unlink()
    write(tmp_path / "cat", 1, ["more"])
    splits, facts, text = read(tmp_path)
    assert splits.class_names == ("cat", "dog")
    for part, count in (("validation", 3), ("test", 3)):
        assert classes_of(splits, part) == ["cat"] * count + ["dog"] * count
    paths = np.concatenate([splits.train[0], splits.validation[0], splits.test[0]])
    assert set(paths) == set(tmp_path.rglob("*.note"))
    assert sorted(facts) == sorted(len(path.read_text()) for path in paths)
    assert "Data: 60 notes in 2 folders\nClasses: cat (30), dog (30)" in text
    assert "48 notes to train on, 6 to choose by, 6 to test on; validation and test split" in text
    again, _, _ = read(tmp_path)
    assert again.sha256() == splits.sha256()
    other, _, _ = read(tmp_path, seed=1)
    assert other.sha256() != splits.sha256()


def write_more_of_the_same(folder):
    """Copies of files, in other folders."""
    for i in range(10):
        (folder / "cat" / f"copy_{i}.note").write_text(f"cat {i}")
    (folder / "dog" / "a cat.note").write_text("cat 0")


def test_copies_stay_in_one_part(tmp_path):
    write_more_of_the_same(write(tmp_path, 20))
    splits, _, text = read(tmp_path)
    contents = [
        {path.read_text() for path in getattr(splits, part)[0]}
        for part in ("train", "validation", "test")
    ]
    assert len(set.union(*contents)) == sum(map(len, contents))
    assert "11 of 51 rows repeat an earlier one" in text
    assert "1 inputs have labels that differ" in text


def test_what_was_trained_on_and_is_tested_is_counted(tmp_path):
    write(tmp_path / "train", 20)
    write(tmp_path / "other", 5)
    splits, _, text = read(tmp_path / "train", test=tmp_path / "other")
    assert len(splits.test[0]) == 10
    assert "10 of 10 rows of the test data are in the training data too" in text


@pytest.mark.parametrize("names", [("train", "test"), ("training", "val", "test")])
def test_folders_of_parts(names, tmp_path):
    for name in names:
        write(tmp_path / name, 12, text=name + " {name} {i}")
    splits, _, text = read(tmp_path)
    assert "are taken for parts" in text
    assert classes_of(splits, "test") == ["cat"] * 12 + ["dog"] * 12
    assert {path.parents[1].name for path in splits.test[0]} == {"test"}
    expected = {"val"} if "val" in names else {"train"}
    assert {path.parents[1].name for path in splits.validation[0]} == expected
    assert ("all given" in text) == ("val" in names)


def test_folders_of_parts_may_be_classes(tmp_path):
    """A train beside a bus is a vehicle."""
    write(tmp_path, 12, ("train", "bus"))
    assert not find_parts(tmp_path)
    assert read(tmp_path)[0].class_names == ("bus", "train")
    write(tmp_path / "flat", 12, ("train", "test"))
    assert not find_parts(tmp_path / "flat"), "without classes below"


@pytest.mark.parametrize("as_labels", [False, True])
def test_a_table_of_paths(as_labels, tmp_path):
    """Paths are relative to the table, or to the folder that it labels."""
    write(tmp_path / "all", 20)
    rows = [(f"{name}/{i}.note", name.upper()) for name in ("cat", "dog") for i in range(20)]
    table = (tmp_path if as_labels else tmp_path / "all") / "notes.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("File", "animal"), *rows, ("", "CAT")])
    settings = {"labels": table} if as_labels else {}
    splits, _, text = read(tmp_path / "all" if as_labels else table, label="animal", **settings)
    assert splits.class_names == ("CAT", "DOG")
    paths = np.concatenate([splits.train[0], splits.validation[0], splits.test[0]])
    assert {path.relative_to(tmp_path / "all").as_posix() for path in paths} == dict(rows).keys()
    assert "1 rows of `data` are left out: their path or class is empty." in text
    with pytest.raises(ValueError, match=r"no column 'kind' for `label`.*Columns: File, animal"):
        read(tmp_path / "all" if as_labels else table, label="kind", **settings)


def test_files_that_cannot_be_read(tmp_path):
    write(tmp_path, 20)
    bad = tmp_path / "cat" / "3.note"
    bad.write_text("damaged")
    with pytest.raises(ValueError, match=rf"{bad}: it is damaged\. .*on_error='skip'"):
        read(tmp_path)
    splits, facts, text = read(tmp_path, on_error="skip")
    assert len(facts) == 39
    assert bad not in {*splits.train[0], *splits.validation[0], *splits.test[0]}
    assert f"1 of 40 files of `data` cannot be read and are left out: {bad}: it is damaged" in text
    with pytest.raises(ValueError, match=r"must be 'stop' or 'skip'\. Received: on_error='ignore'"):
        read(tmp_path, on_error="ignore")
    write(tmp_path / "none", 2, text="damaged")
    with pytest.raises(ValueError, match="None of the 4 files of `data` can be read"):
        read(tmp_path / "none", on_error="skip")
    (tmp_path / "notes.csv").write_text("path,label\ncat/1.note,cat\ncat/100.note,cat\n")
    with pytest.raises(ValueError, match=r"100\.note"):
        read(tmp_path / "notes.csv")


def test_what_is_left_out_is_said(tmp_path):
    write(tmp_path, 20)
    write(tmp_path, 3, ["owl"])
    (tmp_path / "hamster").mkdir()
    (tmp_path / "cat" / "about.txt").write_text("a cat")
    (tmp_path / "loose.note").write_text("a")
    for hidden in (tmp_path / ".git", tmp_path / "dog" / "__MACOSX"):
        write(hidden, 1)
    (tmp_path / "dog" / "._1.note").write_text("damaged")
    splits, facts, text = read(tmp_path)
    assert len(facts) == 43
    assert "Folders without notes: hamster." in text
    assert "left out: .txt (1)." in text
    assert "1 notes in" in text
    assert "Classes with fewer than 20 notes: owl (3)." in text
    assert "owl" not in classes_of(splits, "test")


@pytest.mark.parametrize(
    ("classes", "settings", "message"),
    [
        ((), {}, r"`data` must have a folder of notes for each class, such as cat/1\.note"),
        (("cat",), {}, "one class alone"),
        (("cat", "dog"), {"labels": {"path": ["a"]}}, "Say which column `label` is"),
    ],
)
def test_bad_folders(classes, settings, message, tmp_path):
    write(tmp_path, 12, classes)
    with pytest.raises(ValueError, match=message):
        read(tmp_path, **settings)


def test_places_that_are_none(tmp_path):
    with pytest.raises(ValueError, match="`data` names neither a folder nor a table"):
        read(tmp_path / "nothing")
    write(tmp_path, 12)
    with pytest.raises(ValueError, match="`test` names neither"):
        read(tmp_path, test=tmp_path / "nothing")
    write(tmp_path / "test", 12, ["cat", "owl"], text="test {name} {i}")
    with pytest.raises(ValueError, match=r"classes that no row to train on has: 'owl'"):
        read(write(tmp_path / "data", 12), test=tmp_path / "test")
    (tmp_path / "empty" / "cat").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"`data` has no notes \(\.note\) in its 1 folders"):
        read(tmp_path / "empty")
