"""Sentences of files and tables, beside those that the loaders of the zoo read."""

import json

import pytest

from zoo.data import ud_english_ewt, wnut17
from zoo.readers.columns import read_sentences

pytestmark = pytest.mark.runs_on("torch")

CONLLU = """# sent_id = 1
# text = I don't.
1\tI\tI\tPRON\tPRP\t_\t2\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t0\troot\t_\t_
3\tn't\tnot\tPART\tRB\t_\t2\tadvmod\t_\t_
3.1\tgo\tgo\tVERB\t_\t_\t_\t_\t_\t_

1\tNew York\tx\tPROPN\tNNP\t_\t0\troot\t_\t_
"""


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("suffix", ["conllu", "conll", "txt"])
def test_conllu_is_known_by_its_fields(suffix, tmp_path):
    path = write(tmp_path / f"x.{suffix}", CONLLU)
    assert read_sentences(path) == ud_english_ewt.parse(CONLLU.split("\n"))
    assert read_sentences(path) == [
        (["I", "do", "n't"], ["PRON", "AUX", "PART"]),
        (["New York"], ["PROPN"]),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "# one\nRome\tB-a\nis\tO\n\n\n#\tO\n\x85\tO\n",
        "Rome\tB-a\r\nis\tO\r\n \r\n#\tO\r\n\x85\tO",
    ],
)
def test_two_columns(content, tmp_path):
    sentences = [(["Rome", "is"], ["B-a", "O"]), (["#", "\x85"], ["O", "O"])]
    assert read_sentences(write(tmp_path / "x.conll", content)) == sentences
    lines = content.replace("# one\n", "").split("\n")
    assert wnut17.parse(line.rstrip("\r") for line in lines) == sentences


def test_columns_of_conll_2003(tmp_path):
    content = "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\n# NN I-NP O\n"
    assert read_sentences(write(tmp_path / "eng.train", content)) == [
        (["EU", "rejects"], ["I-ORG", "O"]),
        (["#"], ["O"]),
    ]


def test_tables_have_lists(tmp_path):
    rows = [{"words": ["a", "b"], "labels": ["X", 1]}, {"words": [], "labels": []}]
    path = write(tmp_path / "x.jsonl", "\n".join(map(json.dumps, rows)))
    assert read_sentences(path) == [(["a", "b"], ["X", "1"]), ([], [])]
    assert read_sentences(rows, tokens="words", tags="labels") == read_sentences(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tX\nb\n", "line 2 is broken: it must have 2 columns, .* Received: b"),
        ("a\n\nb\n", "line 1 is broken: it must have 2 columns"),
        ("a\tX\n\nb\tY\tZ\n", "line 3 is broken: it must have 2 columns"),
        ("a\tX\n\tY\n", "line 2 is broken"),
        (CONLLU.replace("2\tdo\tdo", "2\tdo"), "line 5 is broken: it must have 10 fields"),
        (CONLLU.replace("2\tdo", "x\tdo"), "line 5 is broken: its first field must be the number"),
        (CONLLU.replace("PROPN", "_"), "line 9 is broken: 'New York' has no part of speech"),
        ("\n# nothing\n", "`data` has no sentences"),
        (b"a\tX\n\nd\xe9\tX\n", "not UTF-8: line 3 has the byte 0xe9"),
    ],
)
def test_broken_files(content, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_sentences(write(tmp_path / "x.conll", content))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tokens": ["a", "b"], "tags": ["X"]}, "Row 2 of `data` has 2 tokens and 1 tags: a b"),
        ({"tokens": "a b", "tags": ["X", "X"]}, "`tokens` must have a list in each row"),
        ({"tokens": ["a"], "tags": [None]}, "Row 2 of `data` has no tag for 'a'"),
        ({"tokens": ["a"], "tags": None}, "`tags` must have a list .* row 2"),
    ],
)
def test_broken_rows(row, message):
    with pytest.raises(ValueError, match=message):
        read_sentences([{"tokens": ["a"], "tags": ["X"]}, row])


def test_what_is_no_file_of_columns(tmp_path):
    with pytest.raises(ValueError, match="a word and its tag a line"):
        read_sentences(write(tmp_path / "x.csv", "tokens,tags\n"))
    with pytest.raises(ValueError, match=r"`test` names no file\. Received: nowhere\.conll"):
        read_sentences("nowhere.conll", argument="test")
    with pytest.raises(ValueError, match=r"Say which column `tags` is\. Columns: tokens, other"):
        read_sentences([{"tokens": ["a"], "other": ["X"]}])
