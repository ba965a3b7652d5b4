"""Tables of results: what is in them, and that the committed ones are generated."""

import json
import re
from pathlib import Path

import pytest

from zoo import recipes
from zoo.harness import records, results

pytestmark = pytest.mark.runs_on("torch")

ROOT = Path(__file__).parents[3]
RUN = {
    "recipe": "text",
    "variant": "default",
    "score": "accuracy",
    "backend": "jax",
    "parameters": 1234,
    "epochs": 3,
    "batch_size": 8,
    "device": "cpu",
    "versions": {"keras": "3"},
    "command": "python scripts/train.py text",
    "published": {"others": 0.9},
    "data": {"name": "Data", "url": "https://x.org", "license": "MIT", "citation": "-"},
}


def write(folder, name, content):
    (folder / name).write_text(json.dumps(content))
    return folder / name


def test_repeats_and_single_runs_become_rows(tmp_path):
    runs = [
        {
            "seed": seed,
            "model": accuracy,
            "simple": 0.5,
            "seconds": 60,
            "test": {"accuracy": accuracy, "loss": 0.25},
            "data_sha256": "a",
        }
        for seed, accuracy in ((0, 0.8), (1, 0.9))
    ]
    summary = {"model": {}, "simple": {}, "seconds": {}}
    single = {
        "seed": 4,
        "seconds": 30.0,
        "test": {"accuracy": 0.75},
        "baselines": {"simple": {"accuracy": 0.25}},
        "data_sha256": "b",
    }
    trainings = [
        *results.read(write(tmp_path, "a.json", {**RUN, "runs": runs, "summary": summary})),
        *results.read(write(tmp_path, "b.json", {**RUN, **single, "backend": "torch"})),
        *results.read(
            write(tmp_path, "c.json", {**RUN, **single, "recipe": "house", "variant": "big"})
        ),
    ]
    assert len(trainings) == 4
    head, _, *rows = results.summary(trainings).splitlines()
    assert "| jax | torch |" in head
    assert rows[0].startswith("| `house` | big | accuracy, % | 75.0 (1 seed) |  | 0.5 | 1,234 |")
    assert rows[1] == (
        "| `text` | default | accuracy, % | 85.0 ± 5.0 (2 seeds) | 75.0 (1 seed) | 0.8 | 1,234 "
        "| simple 41.7 | others 90.0 |"
    )
    details = results.details(trainings)
    assert "| loss | 0.250 ± 0.000 (2 seeds) |  |" in details
    assert "- jax: seeds 0 to 1, 60 s of training each on cpu" in details


def test_returns_are_no_shares(tmp_path):
    test = {"mean_return": 487.25, "kept_up": 0.5}
    run = {**RUN, "score": "mean_return", "seed": 0, "seconds": 6.0, "test": test, "published": {}}
    run |= {"baselines": {"random": {"mean_return": 21.0}}, "data_sha256": "a"}
    trainings = results.read(write(tmp_path, "a.json", run))
    assert "| mean return | 487.2 (1 seed) | 0.1 | 1,234 | random 21.0 |" in results.summary(
        trainings
    )
    assert "| kept up, % | 50.0 (1 seed) |" in results.details(trainings)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="not what a training of a recipe leaves"):
        results.read(write(tmp_path, "x.json", {"a": 1}))
    smoke = {**RUN, "command": "python scripts/train.py text --smoke"}
    with pytest.raises(ValueError, match="of a smoke run"):
        results.read(write(tmp_path, "x.json", smoke))


def test_a_recipe_has_a_file_and_a_training_a_line(tmp_path):
    """One that was measured again stays in its place."""
    measured = [
        {"recipe": "b", "seed": 0, "score": 1.0},
        {"recipe": "b", "seed": 1, "score": 2.0},
        {"recipe": "a", "seed": 0, "score": 3.0, "by": "Müller"},
    ]
    records.add(measured, tmp_path / "new", key=("seed",))
    records.add([{"recipe": "b", "seed": 0, "score": 4.0}], tmp_path / "new", key=("seed",))
    assert (tmp_path / "new/b.jsonl").read_text().count("\n") == 2
    loaded = records.load(tmp_path / "new")
    assert loaded == [measured[2], {**measured[0], "score": 4.0}, measured[1]]


def test_the_committed_page_is_generated():
    """Not by hand: docs/results.md says what the files in docs/results say."""
    page = results.page(records.load(ROOT / "docs/results"))
    assert (ROOT / "docs/results.md").read_text(encoding="utf-8") == page
    assert re.search(r"`vit_digits` \| default", page)
    _, _, sources = page.partition("## Data\n")
    assert all(f"`{name}`" in sources for name in recipes.names()), "each recipe's data"
