"""Every code block of the README and of the guide in docs/ runs, and what they name is there."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import keras
import pytest

import keras_attention as ka

pytestmark = pytest.mark.runs_on("torch")
ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/*.md"))]
BEGINNING = 'import os\n\nos.environ["KERAS_BACKEND"] = "torch"  # the backend that is installed'
FAMILIES = sorted((ROOT / "zoo/pretrained").glob("[!_]*.py"))
# What makes them quick; tests/scripts/test_benchmark.py measures.
SMALL = {
    "epochs=10": "epochs=1",
    "--label stars\n": "--label stars --epochs 1\n",
    "train.py iris\n": "train.py iris --smoke --output runs/iris\n",
    "train.py vit_digits\n": "train.py vit_digits --smoke --output runs/vit_digits\n",
    "evaluate.py runs/vit_digits/model.keras": "evaluate.py runs/vit_digits/model.keras --smoke",
    "benchmark.py\n": "benchmark.py --help\n",
    "hf://sentence-transformers/all-MiniLM-L6-v2": "published",  # as `publish` makes it
}


def blocks_of(page):
    """The language and the code of each block of a page."""
    pattern = r"^```(\w*)\n(.*?)^```$"
    return re.findall(pattern, page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def name(page):
    return str(page.relative_to(ROOT))


GUIDE = [
    page for page in PAGES if page.parent.name == "docs" and any(k for k, _ in blocks_of(page))
]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_blocks_are_code_that_we_know_how_to_run(page):
    assert {language for language, _ in blocks_of(page)} <= {"bash", "python", ""}
    assert page.read_text(encoding="utf-8").count("```") == 2 * len(blocks_of(page))


def publish(folder):
    """Makes a checkpoint of a tiny random model, with a vocabulary and as sentence embeddings."""
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(ROOT / "tests/zoo/pretrained/checkpoints/bert" / name, folder / name)
    words = "[PAD] [UNK] [CLS] [SEP] [MASK] a happy sad so person dog ##s"
    (folder / "vocab.txt").write_text("\n".join(words.split()))
    modules = [{"type": "Transformer", "path": ""}, {"type": "Pooling", "path": "1_Pooling"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder with the scripts in it, and what a reader's shell would find there."""
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    publish(tmp_path / "published")
    (tmp_path / "reviews.csv").write_text(
        "review,stars\n" + "".join(f"film {i} is {i % 2},{i % 2 + 4}\n" for i in range(40))
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(
        "PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


@pytest.mark.parametrize("page", [README, *GUIDE], ids=name)
def test_the_pages_run(page, folder):
    """Each in a process of its own, which no variable tells the backend."""
    environment = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.blocks"],
        input=json.dumps(runnable(page)),
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-4000:]
    if page is README:
        assert {"attention.png", "sort.keras"} <= {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("page", [README, *GUIDE], ids=name)
def test_pages_choose_the_backend_first(page):
    """As who has installed another than TensorFlow, Keras's own default, must."""
    first = next((code for language, code in blocks_of(page) if language == "python"), BEGINNING)
    assert first.startswith(BEGINNING)


def runnable(page):
    """The blocks of a page with what is installed here, and with small models."""
    return [(language, quick(code)) for language, code in blocks_of(page) if language]


def quick(code):
    backend = keras.backend.backend()
    # The console command is of the installed package, which `tests/use_wheel.py` tries.
    code = re.sub(r"^keras-attention ", "python -m zoo ", code, flags=re.MULTILINE)
    code = re.sub(r"^python -m (pip|venv) .*$", "", code, flags=re.MULTILINE)
    code = re.sub(r"""(KERAS_BACKEND=|"KERAS_BACKEND"] = ")\w+""", rf"\g<1>{backend}", code)
    for written, small in SMALL.items():
        code = code.replace(written, small)
    return code


def test_the_commands_are_the_tested_ones():
    """CI runs the README's test command, and the extras it installs exist."""
    commands = [
        line for kind, code in blocks_of(README) if kind == "bash" for line in code.split("\n")
    ]
    (test_command,) = (line for line in commands if line.endswith("&& tox"))
    assert test_command in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = set(extras["project"]["optional-dependencies"])
    for page in PAGES:
        named = re.findall(r"(?:\.|keras-attention)\[([\w,]+)\]", page.read_text(encoding="utf-8"))
        assert {extra for names in named for extra in names.split(",")} <= extras, page


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    """To files that are there, and to headings that they have."""
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, heading = link.partition("#")
        if not link.startswith(("http", "hf://")):
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not heading or heading in headings(target), link


def headings(page):
    """The anchors that GitHub gives to the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 130


@pytest.mark.parametrize("layer", sorted(ka.layers.__all__))
def test_every_layer_is_in_the_table(layer):
    assert f"| `{layer}` |" in (ROOT / "docs/layers.md").read_text(encoding="utf-8")


def test_every_model_is_in_the_table():
    page = (ROOT / "docs/zoo.md").read_text(encoding="utf-8")
    models = [path.stem for path in (ROOT / "zoo/models").glob("[!_]*.py")]
    assert [model for model in models if f"`zoo.{model}`" not in page] == []


def test_every_family_of_checkpoints_is_in_the_table():
    page = (ROOT / "docs/pretrained.md").read_text(encoding="utf-8")
    modules = [import_module(f"zoo.pretrained.{path.stem}") for path in FAMILIES]
    types = [name for module in modules for name in getattr(module, "MODEL_TYPES", ())]
    assert "bert" in types
    assert [name for name in types if f"`{name}`" not in page] == []
