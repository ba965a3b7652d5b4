"""Tables that name pictures: what is read, what is found, and what is refused in a sentence."""

import numpy as np
import pytest
from PIL import Image

from zoo.readers import pictures
from zoo.readers.findings import Findings

pytestmark = pytest.mark.runs_on("torch")

COLUMNS = {"image": (None, pictures.IMAGES), "caption": (None, ("caption",))}
COLOURS = {"a.png": (255, 0, 0), "sub/b.png": (0, 0, 255), "c.png": (255, 0, 0)}


@pytest.fixture
def folder(tmp_path):
    """Two red pictures and a blue one, and a table of captions."""
    for name, colour in COLOURS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (12, 10), colour).save(tmp_path / name)
    (tmp_path / "captions.tsv").write_text(
        "image\tcaption\na.png\tred\nsub/b.png\tblue\na.png\tall red\nc.png\tred\n"
    )
    return tmp_path


def read(folder, table=None, *, on_error="stop"):
    findings = Findings()
    table = pictures.find_table(folder, argument="captions") if table is None else table
    rows = pictures.read_rows(table, COLUMNS, argument="captions", findings=findings)
    album, rows = pictures.read_album(
        folder, rows, size=4, argument="data", on_error=on_error, findings=findings
    )
    return album, rows, findings


def test_pictures_and_what_is_said_of_them(folder):
    Image.new("RGB", (4, 4)).save(folder / "unused.png")
    album, rows, findings = read(folder)
    assert rows == [("a.png", "red"), ("sub/b.png", "blue"), ("a.png", "all red"), ("c.png", "red")]
    expected = [np.broadcast_to(np.uint8(COLOURS[name]), (4, 4, 3)) for name, _ in rows]
    np.testing.assert_array_equal(album.of(name for name, _ in rows), expected)
    assert album.digests["a.png"] == album.digests["c.png"] != album.digests["sub/b.png"]
    assert findings.facts[:2] == ["Captions: 4 rows", "Pictures: 3, with 1.3 rows each"]
    assert "0.0 MB, kept in memory" in findings.facts[2]
    assert [text.split(":")[0] for text in findings.warnings] == [
        "1 pictures look like another one of another name; those stay in one part.",
        "1 pictures are in no row",
    ]


def test_too_many_to_keep_are_files(folder, monkeypatch):
    monkeypatch.setattr(pictures, "MEMORY", 100)
    album, _, findings = read(folder)
    assert album.of(["a.png"]).tolist() == [folder.resolve() / "a.png"]
    assert "read batch by batch" in str(findings)


def test_images_in_memory():
    images = {"x": np.zeros((5, 6, 3), np.uint8), "y": Image.new("L", (3, 3), 200)}
    table = [{"file": "x", "caption": "black"}, {"file": "y", "caption": "grey"}]
    album, rows, _ = read(images, table)
    assert [name for name, _ in rows] == ["x", "y"]
    np.testing.assert_array_equal(album.pixels["y"], np.full((4, 4, 3), 200))
    with pytest.raises(ValueError, match="The picture 'z' of a row cannot be used: z does not"):
        read(images, [*table, {"file": "z", "caption": "nothing"}])


def test_a_table_without_a_header(folder):
    table = folder / "bare.tsv"
    table.write_text("a.png\tred\nc.png\tred too\n")
    _, rows, findings = read(folder, table)
    assert rows == [("a.png", "red"), ("c.png", "red too")]
    assert "has no header: its columns are taken for image, caption" in str(findings)


def test_what_is_missing_stops_or_is_skipped_and_counted(folder):
    (folder / "torn.png").write_bytes((folder / "a.png").read_bytes()[:40])
    rows = [
        {"image": "a.png", "caption": "red"},
        {"image": "gone.png", "caption": "what was there"},
        {"image": "gone.png", "caption": "again"},
        {"image": "torn.png", "caption": "half"},
        {"image": "c.png", "caption": " "},
        {"image": "", "caption": "of nothing"},
    ]
    with pytest.raises(
        ValueError, match=r"'gone\.png' of a row .*gone\.png does not exist\. .*skip"
    ):
        read(folder, rows)
    with pytest.raises(ValueError, match=r"'torn\.png' of a row .*cannot be read as an image"):
        read(folder, [rows[3]])
    _, kept, findings = read(folder, rows, on_error="skip")
    assert kept == [("a.png", "red")]
    said = str(findings)
    assert "2 of 3 pictures are missing or damaged, and 3 rows about them are left out: " in said
    assert "1 rows of `captions` are left out: their caption is empty." in said
    assert "1 rows of `captions` are left out: their image is empty." in said
    with pytest.raises(ValueError, match="None of the 1 pictures that rows name can be read"):
        read(folder, [rows[1]], on_error="skip")
    with pytest.raises(ValueError, match="No row of `captions` has all of image, caption"):
        read(folder, rows[4:])


def test_arguments_that_name_nothing(folder, tmp_path):
    with pytest.raises(ValueError, match="`on_error` must be 'stop' or 'skip'"):
        read(folder, on_error="ignore")
    with pytest.raises(ValueError, match="There is none in `data` by the name of captions or"):
        pictures.find_table(folder / "sub", argument="captions")
    with pytest.raises(ValueError, match="`data` must be a folder of pictures, or a mapping"):
        read(folder / "a.png", [{"image": "a.png", "caption": "red"}])
    with pytest.raises(ValueError, match=r"Say which column `caption` is\. Columns: image, words"):
        read(folder, [{"image": "a.png", "words": "red"}])
