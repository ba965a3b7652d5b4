"""Pairs of texts and corpora of files made by hand."""

import pandas
import pytest

from zoo.readers import corpora, lines
from zoo.readers.findings import Findings

pytestmark = pytest.mark.runs_on("torch")

GERMAN, ENGLISH = ["Ein Hund.", "Zwei Männer.", "Der Ball."], ["A dog.", "Two men.", "The ball."]


def read(data, target=None, **settings):
    findings = Findings()
    return (*lines.read_pairs(data, target, **settings, findings=findings), str(findings))


def test_two_files_of_lines(tmp_path):
    (tmp_path / "a.de").write_bytes(("\ufeff" + "\r\n".join(GERMAN)).encode())
    (tmp_path / "b.en").write_text("\n".join(ENGLISH) + "\n", encoding="utf-8")
    sources, targets, said = read(tmp_path / "a.de", str(tmp_path / "b.en"))
    assert (sources, targets) == (GERMAN, ENGLISH)
    assert said == "Data: 3 pairs"


@pytest.mark.parametrize("header", ["", "de\ten\n", "Source\tTarget\n"])
def test_lines_with_a_tab_with_or_without_a_header(tmp_path, header):
    path = tmp_path / "pairs.tsv"
    rows = "".join(f"{a}\t{b}\n" for a, b in zip(GERMAN, ENGLISH, strict=True))
    path.write_text(header + rows, encoding="utf-8")
    sources, targets, said = read(str(path))
    assert (sources, targets) == (GERMAN, ENGLISH)
    assert ("names no columns" in said) == (not header)


def test_quotes_of_a_sentence_stay_and_those_of_a_writer_go(tmp_path):
    rows = pandas.DataFrame({"source": ['Er rief "Halt"!'], "target": ['He cried "Stop"!']})
    rows.to_csv(tmp_path / "written.tsv", sep="\t", index=False)
    assert read(tmp_path / "written.tsv")[:2] == (['Er rief "Halt"!'], ['He cried "Stop"!'])
    (tmp_path / "plain.tsv").write_text('"Halt"\t"Stop"\n"Er kam.\t"He came.\n')
    assert read(tmp_path / "plain.tsv")[0] == ['"Halt"', '"Er kam.']


def test_columns_are_chosen_by_name_or_place():
    table = {"id": [1, 2], "en": ["a dog", "a ball"], "de": ["ein Hund", "ein Ball"]}
    assert read(table, "de", source="en")[:2] == (table["en"], table["de"])
    table = {"translation": ["ein Hund"], "text": ["a dog"], "id": [1]}
    assert read(table)[:2] == (["a dog"], ["ein Hund"])
    assert read({"x": ["a"], "y": ["b"]}, "x")[:2] == (["b"], ["a"])
    nested = [{"translation": {"de": "ein Hund", "en": "a dog"}}]  # as `datasets` have them
    assert read(nested)[:2] == (["ein Hund"], ["a dog"])


def test_what_is_no_pair_is_left_out_and_said():
    table = {"de": ["Hund", "", "Ball", "x" * 600, "ja"], "en": ["dog", "cat", " ", "x", "y" * 30]}
    sources, targets, said = read(table)
    assert sources == ["Hund", "ja"]
    assert targets == ["dog", "y" * 30]
    assert "2 pairs are left out: one side is empty" in said
    assert "1 pairs are left out: they have more than 500 characters" in said
    assert "1 pairs have a side that is more than 9 times as long" in said


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.de": b"eins\nzwei\n", "b.en": b"one\n"}, r"a.de has 2 lines and \S+b.en has 1"),
        ({"a.de": b"eins\n", "b.en": b"\n"}, "No pair of `data` has text on both sides"),
        ({"a.de": b"eins\nz\xfcge\n", "b.en": b"one\n"}, "line 2 has the byte 0xfc.*LATIN1"),
        ({"a.de": "eins".encode("utf-16"), "b.en": b"one\n"}, "line 1 has the byte.*UTF-16"),
        ({"a.de": b"eins\n"}, "`target` names no file"),
        ({"a.tsv": b"eins one\nzwei two\n"}, "no tab in 2 of 2 lines"),
        ({"a.tsv": b"\n"}, "has no rows"),
    ],
)
def test_bad_files_get_a_sentence(tmp_path, files, message):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    target = None if "a.tsv" in files else str(tmp_path / "b.en")
    with pytest.raises(ValueError, match=message):
        read(tmp_path / next(iter(files)), target)


def test_bad_columns_get_a_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"no column 'fr' for `target`. Columns: de, en"):
        read({"de": ["a"], "en": ["b"]}, "fr")
    with pytest.raises(ValueError, match="same column"):
        read({"de": ["a"], "en": ["b"]}, "de", source="de")
    with pytest.raises(ValueError, match=r"and one of their translations\. Columns: de"):
        read({"de": ["a"]})
    (tmp_path / "a.de").write_text("eins")
    with pytest.raises(ValueError, match="their translations are missing: pass the file"):
        read(tmp_path / "a.de")


def test_a_corpus_of_a_file_a_folder_and_a_table(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "a.txt").write_text("first\r\n", encoding="utf-8")
    (tmp_path / "b" / "c.txt").write_text("zweite Zeile ß\n", encoding="utf-8")
    (tmp_path / "note.md").write_text("left out")
    assert "".join(lines.read_corpus(tmp_path)()) == "first\nzweite Zeile ß\n"
    assert "".join(lines.read_corpus(str(tmp_path / "a.txt"))()) == "first\n"
    assert "".join(lines.read_corpus({"text": ["one", "", "two"]})()) == "one\n\ntwo\n\n"
    assert "".join(lines.read_corpus(["one", "two"])()) == "one\n\ntwo\n\n"
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"folder without a \.txt file"):
        lines.read_corpus(tmp_path / "empty")
    (tmp_path / "a.txt").write_bytes(b"ok\nna\xefve")
    with pytest.raises(ValueError, match=r"a\.txt is not UTF-8: line 2 has the byte 0xef"):
        list(lines.read_corpus(tmp_path)())


def test_parts_of_a_corpus_are_its_text_in_order(monkeypatch, tmp_path):
    text = "".join(f"line {i} is long enough to be compared with others\n" for i in range(400))
    (tmp_path / "corpus.txt").write_text(text)
    monkeypatch.setattr(lines, "PIECE", 1000)
    findings = Findings()
    corpus = lines.read_corpus(tmp_path / "corpus.txt")
    assert max(map(len, corpus())) == 1000
    size = corpora.add_size(findings, corpus, "data")
    assert size == len(text)
    parts = ["".join(part()) for part in corpora.split_corpus(corpus, size, parts=3)]
    assert "".join(parts) == text
    assert [len(part) for part in parts[1:]] == [len(text) // 10] * 2
    assert "".join(corpora.read_sample(corpus, 1500)) == text[:1500]
    assert corpora.find_alphabet(corpus) == sorted(set(text))
    assert f"{len(text):,} characters, {len(set(text))} that differ, in 400 lines" in str(findings)
    with pytest.raises(ValueError, match="`data` has no text"):
        corpora.add_size(findings, lambda: iter(()), "data")


def test_repeated_lines_are_said(monkeypatch):
    long = ["x" * 50, "y" * 50, "z" * 50]
    findings = Findings()
    train, test = "\n".join([long[0], long[1], long[0], "short", "short"]), f"{long[1]}\n{long[2]}"
    pieces = [train[i : i + 7] for i in range(0, len(train), 7)]  # across pieces
    corpora.add_repeated_lines(findings, lambda: iter(pieces), lambda: iter([test]))
    assert "1 of 3 long lines repeat" in str(findings)
    assert "1 of 2 long lines of the test part" in str(findings)
