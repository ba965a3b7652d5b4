"""Tables of what was measured, from the `metrics.json` and `repeats.json` of trainings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

KEY = ("variant", "backend", "seed")  # tells the trainings of a recipe apart
# What all seeds of a training share.
_SHARED = (
    *("task", "score", "published", "data", "init", "parameters", "epochs", "batch_size"),
    "precision",
    *("versions", "device", "command"),
)
_ERRORS = ("loss", "entropy", "mse", "mae", "rmse")
_POINTS = ("return",)  # neither errors nor shares
_HEAD = """# Results

Made by `python scripts/results.py` from the files in [results](results), which trainings left:
mean ± standard deviation over seeds. Baselines are simpler methods on the same split, by
scikit-learn. Published figures are others', as each recipe's docstring says; not all
are measured the same way. Seconds are those of `fit` alone, on whatever else the machine had to do.
"""
_DATA = """## Data

What the recipes learn from, each under its own terms, and what to cite.
"""


def read(path: str | Path) -> list[dict[str, Any]]:
    """Returns a record for each training in a file, for `zoo.harness.records`.

    Raises:
        ValueError: it is neither `metrics.json` nor `repeats.json`, or of a smoke run.
    """
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    if not {"recipe", "variant", "score", "backend"} <= set(content):
        raise ValueError(f"{path} is not what a training of a recipe leaves.")
    if "--smoke" in content.get("command", "").split():
        raise ValueError(f"{path} is of a smoke run, which says nothing.")
    records = []
    for run in content.get("runs", [content]):
        if "baselines" in run:
            beside = {name: scores[content["score"]] for name, scores in run["baselines"].items()}
        else:
            names = [name for name in content["summary"] if name not in ("model", "seconds")]
            beside = {name: run[name] for name in names}
        training = {name: run[name] for name in ("seed", "test", "seconds", "data_sha256")}
        records.append(
            {
                **{name: content[name] for name in ("recipe", "variant", "backend")},
                **training,
                "beside": beside,
                **{name: content[name] for name in _SHARED if name in content},
            }
        )
    return records


def page(records: list[dict[str, Any]]) -> str:
    """Returns `docs/results.md`: scores, where the data comes from, and all that was measured."""
    parts = (_HEAD, summary(records), "", _DATA, sources(records), "", details(records))
    return "\n".join(parts) + "\n"


def summary(records: list[dict[str, Any]]) -> str:
    """Returns a table of scores by backend, beside others' and those of simpler methods.

    It has a row for each recipe and variant.
    """
    backends = [
        b for b in ("jax", "torch", "tensorflow") if any(r["backend"] == b for r in records)
    ]
    lines = [
        f"| recipe | variant | score | {' | '.join(backends)} | minutes | parameters | baselines "
        "| published |",
        f"|---|---|---|{'---|' * len(backends)}---:|---:|---|---|",
    ]
    for (recipe, variant), trainings in _grouped(records):
        score = trainings[0]["score"]
        cells = [
            _spread([r["test"][score] for r in trainings if r["backend"] == backend], score)
            for backend in backends
        ]
        minutes = np.mean([r["seconds"] for r in trainings]) / 60
        beside = _mean([r["beside"] for r in trainings])
        published = trainings[0].get("published") or {}
        lines.append(
            f"| `{recipe}` | {variant} | {_name(score)} | {' | '.join(cells)} | {minutes:.1f} "
            f"| {trainings[0]['parameters']:,} | {_named(beside, score)} "
            f"| {_named(published, score)} |"
        )
    return "\n".join(lines)


def details(records: list[dict[str, Any]]) -> str:
    """Returns a section for each recipe: all test metrics, and what the numbers depend on."""
    parts = []
    for (recipe, variant), trainings in _grouped(records):
        lines = [f"## {recipe}, {variant}", ""]
        data = trainings[0].get("data")
        if data:
            lines += [f"Data: {data['name']}, <{data['url']}>. Licence: {data['license']}.", ""]
        init = trainings[0].get("init")
        if init:
            lines += [f"Starts from {init['source']}, weights of sha256 {init['sha256']}.", ""]
        by_backend: dict[str, list[dict[str, Any]]] = {}
        for record in trainings:
            by_backend.setdefault(record["backend"], []).append(record)
        lines += [f"| test metric | {' | '.join(by_backend)} |", f"|---|{'---|' * len(by_backend)}"]
        for metric in trainings[0]["test"]:
            cells = [
                _spread([r["test"][metric] for r in runs if metric in r["test"]], metric)
                for runs in by_backend.values()
            ]
            lines.append(f"| {_name(metric)} | {' | '.join(cells)} |")
        lines.append("")
        for backend, runs in by_backend.items():
            seeds = sorted(r["seed"] for r in runs)
            seconds = [r["seconds"] for r in runs]
            versions = ", ".join(f"{k} {v}" for k, v in runs[0]["versions"].items())
            commands = ", ".join(dict.fromkeys(f"`{run['command']}`" for run in runs))
            lines.append(
                f"- {backend}: {_seeds(seeds)}, {np.mean(seconds):.0f} s of training each on "
                f"{runs[0]['device']}, {runs[0]['epochs']} epochs, batches of "
                f"{runs[0]['batch_size']}, {runs[0].get('precision', 'float32')}; {versions}; "
                f"{commands}"
            )
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def sources(records: list[dict[str, Any]]) -> str:
    """Returns a table of the datasets: who learns from each, its licence and what to cite."""
    recipes: dict[tuple[str, ...], set[str]] = {}
    for record in records:
        data = record.get("data")
        if data:
            named = f"[{data['name']}]({data['url']})"
            row = named, data["license"], data["citation"]
            recipes.setdefault(row, set()).add(record["recipe"])
    rows = [
        (", ".join(f"`{name}`" for name in sorted(names)), *row) for row, names in recipes.items()
    ]
    lines = ["| recipes | data | licence | cite |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in sorted(rows))])


def _grouped(records: list[dict[str, Any]]) -> list[tuple[tuple[str, str], list[dict[str, Any]]]]:
    """Returns the records of each recipe and variant, the default first."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in records:
        groups.setdefault((record["recipe"], record["variant"]), []).append(record)
    return sorted(groups.items(), key=lambda g: (g[0][0], g[0][1] != "default", g[0][1]))


def _mean(values: list[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for each in values for name in each)
    return {name: float(np.mean([v[name] for v in values if name in v])) for name in names}


def _is_error(metric: str) -> bool:
    return metric.rpartition("_")[2] in _ERRORS


def _is_points(metric: str) -> bool:
    return metric.rpartition("_")[2] in _POINTS


def _number(value: float, metric: str) -> str:
    if _is_error(metric):
        return f"{value:.3f}"
    return f"{value:.1f}" if _is_points(metric) else f"{100 * value:.1f}"


def _spread(values: list[float], metric: str) -> str:
    """Returns mean, standard deviation over seeds if there are several, and how many."""
    if not values:
        return ""
    mean = _number(float(np.mean(values)), metric)
    if len(values) == 1:
        return f"{mean} (1 seed)"
    return f"{mean} ± {_number(float(np.std(values)), metric)} ({len(values)} seeds)"


def _named(values: Mapping[str, float], metric: str) -> str:
    return "; ".join(f"{name} {_number(value, metric)}" for name, value in values.items())


def _name(metric: str) -> str:
    words = metric.replace("_", " ")
    return words if _is_error(metric) or _is_points(metric) else f"{words}, %"


def _seeds(seeds: list[int]) -> str:
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    if seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"seeds {', '.join(map(str, seeds))}"
