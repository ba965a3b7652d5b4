"""Tables of files, of other libraries and of rows, by any of which the same is read."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from zoo.readers.tables import choose_column, read_table, read_texts

pytestmark = pytest.mark.runs_on("torch")

TEXTS, LABELS = ["a, b", 'say "x"', "two\nlines", ""], ["1", "2", "1", "007"]
FRAME = pd.DataFrame({"text": TEXTS, "label": LABELS})


class Tensor:
    """What batches of TensorFlow and PyTorch hold."""

    def __init__(self, values):
        self.values = values

    def numpy(self):
        return np.array(self.values)


class Dataset:
    """What `tf.data.Dataset` gives: texts are bytes."""

    def __init__(self, elements):
        self.elements = elements

    def as_numpy_iterator(self):
        return iter(self.elements)


class Published:
    """A `datasets.Dataset` with numbers of classes and their names."""

    @property
    def features(self):
        return {
            "label": SimpleNamespace(names=["no", "yes"]),
            "tags": SimpleNamespace(feature=SimpleNamespace(names=["O", "B-x"])),
            "text": SimpleNamespace(dtype="string"),
        }

    def to_pandas(self):
        return pd.DataFrame(
            {"text": ["a", "b"], "label": [1, -1], "tags": [np.array([0, 1]), np.array([1])]}
        )


def encode(texts):
    return np.array([text.encode() for text in texts], dtype=object)


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def given(kind, folder):
    path = folder / f"data.{kind}"
    match kind:
        case "csv":
            FRAME.to_csv(path, index=False)
        case "tsv":
            FRAME.to_csv(path, index=False, sep="\t")
        case "jsonl":
            FRAME.to_json(path, orient="records", lines=True)
        case "parquet":
            FRAME.to_parquet(path)
        case "frame":
            return FRAME
        case "mapping":
            return {"text": np.array(TEXTS), "label": LABELS}
        case "rows":
            return FRAME.to_dict("records")
        case "bytes":
            return {"text": encode(TEXTS), "label": LABELS}
        case "tf.data rows":
            return Dataset(
                [{"text": t.encode(), "label": y} for t, y in zip(TEXTS, LABELS, strict=True)]
            )
        case "tf.data batches":
            halves = [slice(0, 3), slice(3, None)]
            return Dataset([{"text": encode(TEXTS[h]), "label": encode(LABELS[h])} for h in halves])
        case "DataLoader":  # as its own collation makes batches
            return iter(
                [{"text": TEXTS[:2], "label": LABELS[:2]}, {"text": TEXTS[2:], "label": LABELS[2:]}]
            )
        case "uncollated":
            return iter([FRAME.to_dict("records")])
    return str(path)


KINDS = (
    *("csv", "tsv", "jsonl", "parquet", "frame", "mapping", "rows", "bytes"),
    *("tf.data rows", "tf.data batches", "DataLoader", "uncollated"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_is_read(kind, tmp_path):
    frame = read_table(given(kind, tmp_path))
    assert read_texts(frame, "text") == TEXTS
    assert read_texts(frame, "label") == LABELS


def test_pairs_are_x_and_y():
    frame = read_table([(["a", "b"], Tensor([0, 1])), (["c"], Tensor([1]))])
    assert read_texts(frame, "x") == ["a", "b", "c"]
    assert read_texts(frame, "y") == ["0", "1", "1"]


def test_lists_are_rows():
    rows = [{"tokens": ["a", "b"], "tags": ["O", "O"]}, {"tokens": ["c"], "tags": ["O"]}]
    assert list(read_table(rows, lists=True)["tokens"]) == [["a", "b"], ["c"]]
    batch = {name: [row[name] for row in rows] for name in rows[0]}
    assert list(read_table(iter([batch]), lists=True)["tokens"]) == [["a", "b"], ["c"]]


def test_classes_of_a_dataset_have_names():
    frame = read_table(Published())
    assert read_texts(frame, "label") == ["yes", ""]
    assert list(frame["tags"]) == [["O", "B-x"], ["B-x"]]


def test_values_stay_as_they_are(tmp_path):
    path = write(tmp_path / "x.csv", "\ufefftext,label\nNA,007\nnull,\n1e5,1.0\n")
    frame = read_table(path)
    assert read_texts(frame, "text") == ["NA", "null", "1e5"]
    assert read_texts(frame, "label") == ["007", "", "1.0"]
    rows = read_table({"y": [1.0, None, 2.5, True]})
    assert read_texts(rows, "y") == ["1", "", "2.5", "True"]


def test_quotes_of_tsv_may_be_letters(tmp_path):
    path = write(tmp_path / "x.tsv", 'text\tlabel\n"It is 5\t1\nb" c\t2\n"open\t1\n')
    assert read_texts(read_table(path), "text") == ['"It is 5', 'b" c', '"open']


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", "text,label\n", "`data` has no rows"),
        ("x.csv", "", "cannot be read as csv: No columns"),
        ("x.csv", "text,label\na,b,1\n", "a row has more fields than the header"),
        ("x.csv", "text,label\na,1\na,b,1\n", "Expected 2 fields in line 3, saw 3"),
        ("x.csv", b"text,label\na,1\nd\xe9j\xe0,2\n", "not UTF-8: line 3 has the byte 0xe9"),
        ("x.tsv", "text\tlabel\na\t1\n".encode("utf-16"), "iconv -f UTF-16 -t UTF-8 x.tsv"),
        ("x.jsonl", '{"a": 1}\n{"a": \n', "line 2 is no JSON"),
        ("x.jsonl", '{"a": 1}\n[1]\n', "line 2 must be an object with names of columns"),
        ("x.jsonl", '{"a": 1}\n' + "[" * 100_000 + "\n", "line 2 is no JSON"),
        ("x.parquet", "no", "cannot be read as parquet"),
        ("x.xlsx", "", "`data` must be one of .csv"),
    ],
)
def test_bad_files(name, content, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path / name, content))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("nowhere.csv", "`data` names no file. Received: nowhere.csv"),
        ({"train": FRAME, "test": FRAME}, "has several tables: train, test. Pass one of them"),
        ({"a": [1, 2], "b": [1]}, "must be of one length. Received: {'a': 2, 'b': 1}"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "has several columns 'a'"),
        ([], "`data` has no rows. Received: a list"),
    ],
)
def test_bad_tables(data, message):
    with pytest.raises(ValueError, match=message):
        read_table(data)


@pytest.mark.parametrize("data", [3, [1, 2], ["a"]])
def test_no_tables(data):
    with pytest.raises(TypeError, match=r"`data` must (be a table|give mappings)"):
        read_table(data)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", ["b"]], r"must have a text in each row. Received, in row 2: \['b'\]"),
        ([b"\xe9"], "Row 1 of the column 'x' has bytes that are not UTF-8"),
    ],
)
def test_bad_values(values, message):
    with pytest.raises(ValueError, match=message):
        read_texts(read_table({"x": values}), "x")


def test_columns_are_named_or_usual():
    assert choose_column(FRAME, "label", argument="label") == "label"
    assert choose_column(FRAME, None, argument="text", usual=("review", "text")) == "text"
    with pytest.raises(ValueError, match=r"no column 'texts' for `text`\. Did you mean 'text'\? "):
        choose_column(FRAME, "texts", argument="text")
    with pytest.raises(ValueError, match=r"Say which column `text` is\. Columns: text, label"):
        choose_column(FRAME, None, argument="text", usual=("review",))


def test_json_keeps_what_it_has(tmp_path):
    rows = [{"text": "a", "label": "2020-01-01"}, {"text": "b", "label": 3}, {"text": "c"}]
    path = write(tmp_path / "x.jsonl", "\n\n".join(map(json.dumps, rows)))
    assert read_texts(read_table(path), "label") == ["2020-01-01", "3", ""]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text;label\na;b\nc;d\n"),
        ("a.csv", "text\tlabel\na\tb\n"),
        ("a.tsv", "a,b\n1,2\n"),
    ],
)
def test_other_separators_are_told(name, content, tmp_path):
    with pytest.raises(ValueError, match=r"there is one column, '.*' seems to separate\. Separate"):
        read_table(write(tmp_path / name, content))
    alone = write(tmp_path / "alone.csv", "text; or more\nyes; it is\nno\n")
    assert list(read_table(alone)["text; or more"]) == ["yes; it is", "no"]
