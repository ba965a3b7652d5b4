"""Extras by use: what each installs, and that messages name the one that helps."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.runs_on("torch")

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
BACKENDS = {"jax", "tensorflow", "torch"}
BY_USE = {"text", "audio", "image", "plots", "tables", "serve", "rl", "metrics", "hub"}
DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn"}  # whose module has another name
SOURCES = sorted(
    path for folder in ("keras_attention", "zoo") for path in (ROOT / folder).rglob("*.py")
)


def libraries(extra):
    """The distributions that an extra installs, those of the extras it names included."""
    for requirement in EXTRAS[extra]:
        name, inner = re.match(r"([\w-]+)(?:\[(.*?)\])?", requirement).groups()
        if name == "keras-attention":
            for other in inner.split(","):
                yield from libraries(other)
        else:
            yield name


def imported(node):
    """The distributions whose modules are imported at or below a node of a syntax tree."""
    modules = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in child.names}
        elif isinstance(child, ast.ImportFrom):
            modules.add(child.module.split(".")[0])
    return {DISTRIBUTIONS.get(module, module) for module in modules}


def messages(tree):
    """The extra that each handler of an import names, with the libraries imported there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                for extra in re.findall(r"keras-attention\[(\w+)\]", ast.unparse(handler)):
                    yield extra, set().union(*map(imported, node.body))


def test_a_backend_brings_itself_alone():
    for backend in BACKENDS:
        assert list(libraries(backend)) == [backend]


def test_zoo_is_the_union_of_the_extras_by_use():
    expected = [library for extra in BY_USE for library in libraries(extra)]
    assert sorted(libraries("zoo")) == sorted(expected)


def test_messages_name_an_extra_that_has_the_library():
    named = []
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for extra, needed in messages(tree):
            named.append(path)
            own = {"keras_attention"}  # one of our files may be what imports the library
            if needed - own and path.parent.name != "recipes":
                assert needed - own <= set(libraries(extra)), f"{path}: {extra} lacks {needed}"
        written = re.findall(r"keras-attention\[", ast.unparse(tree))
        assert named.count(path) == len(written), f"{path}: a message is not beside its import"
    assert {path.stem for path in named} >= {"audio_converter", "image_file", "tokenizer_file"}


def test_what_is_imported_is_in_an_extra():
    core = {"keras", "numpy", "h5py", "ml_dtypes"}  # the last two are Keras's own requirements
    known = {"keras_attention", "zoo"} | core | BACKENDS | sys.stdlib_module_names
    for path in SOURCES:
        libraries_of_file = imported(ast.parse(path.read_text(encoding="utf-8")))
        assert libraries_of_file <= known | set(libraries("zoo")), path
