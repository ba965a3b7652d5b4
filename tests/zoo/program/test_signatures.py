"""The options that are read from the functions of tasks."""

import argparse
import ast
import inspect
import textwrap

import pytest

from zoo import tasks
from zoo.program import console, signatures

pytestmark = pytest.mark.runs_on("torch")
SOURCE = '''
"""A module that cannot be imported."""
import no_such_library

def sorting(
    data: Table,
    *,
    test: Table | None = None,
    column: str | None = None,
    words: Sequence[str] = (),
    order: Literal["up", "down"] = "up",
    rate: float = 0.5,
    epochs: int | None = None,
    batch_size: int = 32,
    mirror: bool = True,
    strict: bool = False,
    seed: int = 0,
) -> Run:
    """Sorts what there is.

        keras-attention train sorting --data x.csv

    Args:
        data: a table, or what `zoo.readers.tables.read_table` takes: rows of it,
            100 % of them.
        test: another one; a tenth of the rows if `None`.
        column, words: of the rows.
        order: up or down.
        rate, epochs, batch_size: of the training.
        mirror: flip rows.
        strict: stop at the first fault.
        seed: of the order.

    Raises:
        ValueError: data: not there.
    """
'''


@pytest.fixture
def sorting(tmp_path, monkeypatch):
    (tmp_path / "module_of_sorting.py").write_text(SOURCE)
    (tmp_path / "x.csv").write_text("a\n1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return signatures.read("module_of_sorting", "sorting")


def parse(signature, line):
    parser = console.Parser(prog="sorting")
    for parameter in signature.parameters:
        parameter.add_argument(parser)
    return parser, vars(parser.parse_args(line.split()))


def test_options_are_the_parameters(sorting):
    _, given = parse(sorting, "--data x.csv")
    assert given == {
        "data": "x.csv",
        "test": None,
        "column": None,
        "words": (),
        "order": "up",
        "rate": 0.5,
        "epochs": None,
        "batch_size": 32,
        "mirror": True,
        "strict": False,
        "seed": 0,
    }
    _, given = parse(
        sorting,
        "--data . --test x.csv --words a b --order down --rate 1e-3 --epochs 3 --batch-size 8 "
        "--no-mirror --strict --seed 7 --column c",
    )
    assert given == {
        "data": ".",
        "test": "x.csv",
        "column": "c",
        "words": ["a", "b"],
        "order": "down",
        "rate": 0.001,
        "epochs": 3,
        "batch_size": 8,
        "mirror": False,
        "strict": True,
        "seed": 7,
    }


def test_help_is_the_docstring(sorting):
    parser, _ = parse(sorting, "--data x.csv")
    text = " ".join(parser.format_help().split())
    assert sorting.promise == "Sorts what there is."
    assert sorting.description.endswith("\n\n    keras-attention train sorting --data x.csv")
    assert "--data PATH a table: rows of it, 100 % of them" in text
    assert "another one; a tenth of the rows if it is not given" in text
    assert "--rate RATE of the training; 0.5" in text
    assert "--order up|down" in text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "the following arguments are required: --data"),
        ("--data y.csv", "there is no file y.csv: did you mean x.csv?"),
        ("--data x.csv --order upp", "there is no order 'upp': did you mean up?"),
        ("--data x.csv --rate fast", "'fast' is no number"),
        ("--data x.csv --rate nan", "'nan' is no number"),
        ("--data x.csv --epochs 0", "'0' is no whole number from 1 on"),
        ("--data x.csv --seed -1", "'-1' is no whole number from 0 on"),
        ("--data x.csv --batchsize 3", "did you mean --batch-size?"),
    ],
)
def test_mistakes_are_one_line(sorting, line, message, capsys):
    with pytest.raises(SystemExit) as end:
        parse(sorting, line)
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert message in said
    assert said.count("\n") == 1


def test_what_is_not_documented_is_told(sorting, tmp_path):
    (tmp_path / "module_of_silence.py").write_text("def quiet(data, *, rows=1):\n    '''Is.'''\n")
    with pytest.raises(ValueError, match=r"module_of_silence\.quiet does not document data, rows"):
        signatures.read("module_of_silence", "quiet")
    with pytest.raises(ValueError, match="has no function loud"):
        signatures.read("module_of_silence", "loud")


@pytest.mark.parametrize("name", tasks.MODULES)
def test_tasks_are_read_as_python_reads_them(name):
    signature = signatures.read(f"zoo.tasks.{tasks.MODULES[name]}", name)
    function = getattr(tasks, name)
    assert {each.name: each.default for each in signature.parameters if each.name != "data"} == {
        each.name: each.default
        for each in inspect.signature(function).parameters.values()
        if each.name != "data"
    }
    assert (
        signature.description
        == textwrap.dedent(inspect.getdoc(function).partition("\nArgs:")[0]).rstrip()
    )
    assert f"keras-attention train {name.replace('_', '-')} --data" in signature.description
    parser = argparse.ArgumentParser()
    for parameter in signature.parameters:
        assert parameter.help
        parameter.add_argument(parser)
    assert ast.parse(inspect.getsource(function)).body[0].args.args[0].arg == "data"
