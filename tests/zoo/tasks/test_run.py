"""What a user asked for, as it is kept."""

from pathlib import Path

import pandas
import pytest

from zoo.tasks.run import make_request

pytestmark = pytest.mark.runs_on("torch")


def test_files_are_kept_by_their_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("data", "reviews.csv", "text"):  # the last is the name of a column, too
        Path(name).touch()
    given = {"data": "data", "test": "reviews.csv", "text": "text", "target": ["text", "x" * 300]}
    kept = make_request("tagging", given)
    assert kept == {
        "task": "tagging",
        "arguments": {
            "data": str(tmp_path / "data"),
            "test": str(tmp_path / "reviews.csv"),
            "text": "text",
            "target": ["text", "x" * 300],
        },
    }


def test_of_objects_there_is_their_kind():
    table = pandas.DataFrame({"a": [1]})
    given = {"data": table, "seed": 3, "columns": ["a text"] * 1000}
    assert make_request("table", given)["arguments"] == {
        "data": {"object": "DataFrame"},
        "seed": 3,
        "columns": {"object": "list"},
    }
