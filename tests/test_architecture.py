"""The house: who imports whom, what files look like, what imports cost."""

import ast
import graphlib
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

import keras_attention as ka

pytestmark = pytest.mark.runs_on("torch")

ROOT = Path(__file__).parents[1]
NAMES = ("torch", "jax", "tensorflow")
KERNELS = ROOT / "keras_attention" / "kernels"
CONCERNS = sorted(KERNELS.glob("*/__init__.py"))
PEERS = ROOT / "scripts" / "benchmarks" / "peers"
BACKENDS = {"torch", "jax", "jaxlib", "tensorflow", "flax", "torch_geometric"}
# The only modules that import them: the doors to the backends, and what we are measured beside.
DOORS = ("keras_attention.kernels.", "scripts.benchmarks.peers.")
# A floor imports only from those below it.
FLOORS = [
    ("keras_attention.types", "keras_attention.version"),
    ("keras_attention.kernels",),
    ("keras_attention.ops",),
    ("keras_attention.scope", "keras_attention.roles", "keras_attention.texts"),
    ("keras_attention.layers",),
    ("keras_attention.training",),
    ("keras_attention.inference", "keras_attention.reading", "keras_attention.windows"),
    ("keras_attention.token_answers",),
    ("keras_attention.prediction", "keras_attention.raw_batches", "keras_attention.comparison"),
    ("keras_attention.saving",),
    ("keras_attention.decoding", "keras_attention.explain", "keras_attention.callbacks"),
    ("keras_attention",),
    ("zoo", "zoo.box", "zoo.data", "zoo.models", "zoo.readers"),
    ("zoo.harness",),
    ("zoo.tasks", "zoo.pretrained"),
    ("zoo.recipes", "zoo.serve"),
    ("zoo.box.build",),
    ("zoo.program", "zoo.__main__"),
    ("scripts",),
]
SOURCES = sorted(
    path
    for folder in ("keras_attention", "zoo", "scripts")
    for path in (ROOT / folder).rglob("*.py")
)


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(module):
    """The floor of the longest prefix that names one; `None` for others' modules."""
    matches = [
        (len(name), number)
        for number, floor in enumerate(FLOORS)
        for name in floor
        if module == name or module.startswith(name + ".")
    ]
    return max(matches)[1] if matches else None


def imports_of(path, *, typing=True):
    """Yields what a file imports; without `typing`, not what it does under `TYPE_CHECKING`."""
    tree = ast.parse(path.read_text())
    skipped = {
        node
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.unparse(branch.test)
        for node in ast.walk(branch)
        if not typing
    }
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:  # `from a import b` may import the module a.b
                yield f"{node.module}.{alias.name}"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_point_down(path):
    module = module_of(path)
    for imported in imports_of(path):
        top = imported.split(".")[0]
        assert not imported.startswith("keras.src"), imported
        if top in BACKENDS:
            assert module.startswith(DOORS), f"{module} imports {imported}"
            if module.startswith("keras_attention."):  # kernels/*/torch.py, kernels/*/torch_x.py
                assert path.stem.split("_")[0] == top, f"{module} imports {imported}"
        if floor_of(imported) is not None:
            assert floor_of(imported) <= floor_of(module), f"{module} imports {imported}"


def test_no_circle_of_files():
    """Imports inside functions count too; those for annotations alone do not."""
    modules = {module_of(path) for path in SOURCES}
    order = graphlib.TopologicalSorter()
    for path in SOURCES:
        imported = set()
        for name in imports_of(path, typing=False):
            # `from a import b` is the module a.b, or something in the module a
            parent = name.rpartition(".")[0]
            imported |= {name} if name in modules else {parent} & modules
        order.add(module_of(path), *(imported - {module_of(path)}))
    order.prepare()  # raises `CycleError`


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_decoding_and_explain_know_no_layer(path):
    """Layers say what they do, see `roles`."""
    if module_of(path).startswith(("keras_attention.decoding", "keras_attention.explain")):
        for imported in imports_of(path):
            assert not imported.startswith("keras_attention.layers"), imported
            assert imported != "keras_attention", "which has them too"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_files_are_of_house_size(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= (80 if path.parent.name == "scripts" else 500), len(lines)
    if lines:
        assert lines[0].startswith('"""'), "a file says what it is"


def test_one_public_layer_per_file():
    files = {path.stem for path in (ROOT / "keras_attention" / "layers").rglob("*.py")}
    modules = {getattr(ka.layers, name).__module__.rpartition(".")[2] for name in ka.layers.__all__}
    assert len(modules) == len(ka.layers.__all__)
    assert modules <= files


@pytest.mark.parametrize("name", ka.layers.__all__)
def test_layers_are_registered_and_documented(name):
    import keras

    layer = getattr(ka.layers, name)
    assert keras.saving.get_registered_name(layer) == f"keras_attention>{name}"
    assert "Call arguments:" in layer.__doc__
    assert "Output:" in layer.__doc__


def functions_of(path):
    """The public functions of a file by name."""
    return {
        node.name: node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def arguments_of(function):
    return [argument.arg for argument in function.args.args + function.args.kwonlyargs]


def test_peers_offer_the_same_functions():
    torch, jax, tensorflow = (
        {name: arguments_of(f) for name, f in functions_of(PEERS / f"{backend}.py").items()}
        for backend in NAMES
    )
    assert torch == jax == tensorflow


def offered(init, backend):
    """The names that an `__init__.py` of the kernels imports on a backend."""

    def visit(nodes):
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and node.module.startswith("keras_attention."):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.If):
                left, relation, right = ast.unparse(node.test).split()
                assert left == "BACKEND", "what a backend offers is told by its name alone"
                holds = (right == repr(backend)) == (relation == "==")
                yield from visit(node.body if holds else node.orelse)

    names = [name for name in visit(ast.parse(init.read_text()).body) if name != "BACKEND"]
    assert len(names) == len(set(names))
    return set(names)


@pytest.mark.parametrize("init", [KERNELS / "__init__.py", *CONCERNS], ids=module_of)
def test_kernels_are_the_same_on_every_backend(init):
    """Apart from what one backend's other kernels are made of."""
    alone = {"fused_attention", "listed_attention", "barrier"}
    torch, jax, tensorflow = (offered(init, backend) - alone for backend in NAMES)
    assert torch == jax == tensorflow


@pytest.mark.parametrize("init", CONCERNS, ids=module_of)
def test_a_kernel_has_a_file_where_it_does_better(init):
    """Files agree in the arguments of a function, and differ in what it does."""
    functions = [
        item
        for name in ("default", *NAMES)
        if (path := init.with_name(f"{name}.py")).exists()
        for item in functions_of(path).items()
    ]
    for (name, one), (other_name, other) in itertools.combinations(functions, 2):
        if name == other_name:
            assert arguments_of(one) == arguments_of(other), name
            assert body_of(one) != body_of(other), f"{name} belongs into default.py"


def body_of(function):
    return [ast.dump(node) for node in function.body[1:]]  # without the docstring


def test_import_is_light():
    """Beside Keras, importing the package loads nothing of a third party."""
    program = """
import sys, keras
before = set(sys.modules)
import keras_attention
added = {name.split(".")[0] for name in set(sys.modules) - before}
print(sorted(name for name in added - {"keras_attention"} if name not in sys.stdlib_module_names))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert run.stdout.strip().splitlines()[-1] in ("[]",), run.stdout


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_keras_trainer_is_called_under_guard(path):
    """On JAX an error in it, or a second thread, would lose the model: see `inference`."""
    names = ("evaluate", "train_on_batch", "test_on_batch", "predict_on_batch")
    if path.parent.name != "recipes":  # where scikit-learn's models predict
        names += ("predict",)
    calls = re.compile(rf"^\s+[^`]*\b(model|network)\.({'|'.join(names)})\(")
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if calls.match(line) and not _in_docstring(lines, number):
            assert "guarded(" in lines[number - 1], f"{path}:{number + 1}: {line}"


def _in_docstring(lines, number):
    return "\n".join(lines[:number]).count('"""') % 2
