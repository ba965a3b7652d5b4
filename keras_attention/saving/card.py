"""A model card: what a model was made of and is worth, from the `metrics.json` of its training.

It is Markdown with the front matter that the Hugging Face Hub reads. Nothing is in it that is not
in `metrics.json`, and what that does not have is left out.
"""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_attention.saving.digests import digests, join
from keras_attention.saving.files import write_text
from keras_attention.saving.hub import CARD, parse

_HUB_DATASET = re.compile(r"https://(?:huggingface\.co|hf\.co)/datasets/([\w.-]+(?:/[\w.-]+)?)/?")


def write(path: str | Path, metrics: Mapping[str, Any], *, url: str | None = None) -> Path:
    """Writes the card of a model, completely or not at all.

    Args:
        path: the `.keras` file, whose card is `.md` beside it, or a folder with the files of a
            model, whose card is its `README.md`.
        metrics: the content of `metrics.json`.
        url: where the model will be, `hf://user/name`, instead of `path`.

    Returns:
        The path of the card.
    """
    path = Path(path)
    target = path / CARD if path.is_dir() else path.with_suffix(".md")
    write_text(target, describe(path, metrics, path=path, url=url))
    return target


def describe(
    written: Path, metrics: Mapping[str, Any], *, path: Path, url: str | None = None
) -> str:
    """The card of a model that is written, perhaps under another name than it will have.

    Args:
        written: its file or folder.
        metrics: the content of `metrics.json`.
        path, url: where the model will be, see `write`.
    """
    files = digests(written)
    return card(
        metrics,
        name=parse(url).repository.partition("/")[2] if url else path.stem,
        address=url or path.name,
        sha256=join(written, files),
        files=files if written.is_dir() else {path.name: files[written.name]},
    )


def metrics_of(source: Mapping[str, Any] | str | Path) -> Mapping[str, Any]:
    """The content of a `metrics.json`, given as it is or by its path, of the shape of one.

    Raises:
        TypeError, ValueError: it is none; of a file, the error names it.
    """
    if not isinstance(source, str | Path):
        _known(source)
        return source
    try:
        content = json.loads(Path(source).read_text(encoding="utf-8"))
        _known(content)
    except (RecursionError, TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"`card` names {source}, which is no metrics.json: {error}") from error
    return content


def card(
    metrics: Mapping[str, Any],
    *,
    name: str,
    address: str,
    sha256: str,
    files: Mapping[str, str],
) -> str:
    """The text of a model card.

    Args:
        metrics: as `zoo.harness.reports.save` writes them. Known are `task` (Hugging Face's name),
            `license` (of the model, Hugging Face's name), `data` (`name`, `url`, `license`,
            `citation`), `data_sha256`, `test` and `baselines` (numbers by metric), `versions`,
            and the conditions that the metrics depend on, such as `seed` and `backend`. All may
            be absent, and others are left out.
        name: of the model.
        address: where it is, for `ka.load_model`.
        sha256: `ka.saving.digest` of it.
        files: the digest of each of its files.

    Raises:
        TypeError: `metrics`, or what must be a mapping in it, is none.
    """
    known = _known(metrics)
    sections = {
        "Task": _lines(known, {"task": "Task", "recipe": "Recipe", "variant": "Variant"}),
        "Data": _data(known),
        "Metrics": _metrics(known),
        "How to load": _how_to_load(address, sha256),
        "Versions": "\n".join(
            f"- {_text(library)} {_text(version)}"
            for library, version in known.get("versions", {}).items()
        ),
        "SHA-256": "\n".join(f"- {_text(file)}: `{value}`" for file, value in files.items()),
    }
    body = [f"## {title}\n\n{content}" for title, content in sections.items() if content]
    return "\n\n".join([_front_matter(known, name), f"# {_text(name)}", *body]) + "\n"


def _known(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the entries of `metrics` that say something, after checking their shape."""
    if not isinstance(metrics, Mapping):
        raise TypeError(f"`metrics` must be the content of a metrics.json. Received: {metrics!r}")
    known = {key: value for key, value in metrics.items() if value is not None}
    baselines = known.get("baselines")
    inner = [baselines] if not isinstance(baselines, Mapping) else [baselines, *baselines.values()]
    for value in [*(known.get(key, {}) for key in ("data", "test", "versions")), *inner]:
        if value is not None and not isinstance(value, Mapping):
            raise TypeError(
                "In `metrics`, `data`, `test`, `versions`, `baselines` and each of the baselines "
                f"must be mappings. Received: {value!r}"
            )
    return known


def _front_matter(metrics: Mapping[str, Any], name: str) -> str:
    """YAML, whose values are JSON: every YAML reader reads it, whatever the strings hold."""
    data = metrics.get("data", {})
    on_hub = _HUB_DATASET.fullmatch(str(data.get("url")))
    fields = {
        "library_name": "keras",
        "license": metrics.get("license"),
        "datasets": [on_hub[1]] if on_hub else None,
        "pipeline_tag": metrics.get("task"),
        "tags": ["keras", "keras_attention"],
        "model-index": _model_index(metrics, name, on_hub[1] if on_hub else None),
    }
    lines = [f"{key}: {_yaml(value)}" for key, value in fields.items() if value is not None]
    return "\n".join(["---", *lines, "---"])


def _model_index(
    metrics: Mapping[str, Any], name: str, dataset: str | None
) -> list[dict[str, Any]] | None:
    """The test metrics, which the Hub shows beside the card; it wants task and data with them."""
    data, task = metrics.get("data", {}), metrics.get("task")
    values = [
        {"type": metric, "value": value}
        for metric, value in metrics.get("test", {}).items()
        if isinstance(value, int | float) and math.isfinite(value)
    ]
    if not (values and task and data.get("name")):
        return None
    slug = re.sub(r"[^a-z0-9]+", "-", str(data["name"]).lower()).strip("-")
    about = {"name": data["name"], "type": dataset or slug or "other", "split": "test"}
    return [
        {
            "name": name,
            "results": [{"task": {"type": task}, "dataset": about, "metrics": values}],
        }
    ]


def _data(metrics: Mapping[str, Any]) -> str:
    titles = {"name": "Name", "url": "URL", "license": "Licence", "citation": "Citation"}
    values = {**metrics.get("data", {}), "sha256": metrics.get("data_sha256")}
    return _lines(values, {**titles, "sha256": "SHA-256 of the arrays"})


def _metrics(metrics: Mapping[str, Any]) -> str:
    """A column for the model and one for each baseline, then what the numbers depend on."""
    columns = {"model": metrics.get("test", {}), **metrics.get("baselines", {})}
    rows = dict.fromkeys(metric for values in columns.values() for metric in values)
    table = [
        f"| test | {' | '.join(map(_text, columns))} |",
        f"|---|{'---:|' * len(columns)}",
        *(
            f"| {_text(row)} | {' | '.join(_text(c.get(row, '')) for c in columns.values())} |"
            for row in rows
        ),
    ]
    conditions = {
        "parameters": "Parameters",
        "seed": "Seed",
        "epochs": "Epochs",
        "batch_size": "Batch size",
        "seconds": "Seconds of training",
        "backend": "Backend",
        "device": "Device",
        "command": "Command",
    }
    parts = ["\n".join(table) if rows else "", _lines(metrics, conditions)]
    return "\n\n".join(part for part in parts if part)


def _how_to_load(address: str, sha256: str) -> str:
    pinned = ""
    if address.startswith("hf://"):
        pinned = (
            "\n\nThe digest pins the content. To pin the version too, add `revision=` with the "
            "hash of a commit."
        )
    return (
        "```python\n"
        "import keras_attention as ka\n"
        "\n"
        f"model = ka.load_model(\n    {_quoted(address)},\n    sha256={_quoted(sha256)},\n)\n"
        f"```{pinned}"
    )


def _lines(values: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """A list of the values that there are."""
    return "\n".join(
        f"- {title}: {_text(values[key])}"
        for key, title in titles.items()
        if values.get(key) is not None
    )


def _yaml(value: Any) -> str:
    """JSON that is YAML too: JSON leaves characters as they are that YAML wants escaped."""
    return "\n  ".join(_escaped(json.dumps(value, indent=2, ensure_ascii=False)).split("\n"))


def _quoted(value: str) -> str:
    return _escaped(json.dumps(value, ensure_ascii=False))


def _escaped(text: str) -> str:
    """Characters that are not printed, as both Python and YAML write them in double quotes."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\U{ord(c):08x}" for c in text)


def _text(value: Any) -> str:
    """A value on one line of Markdown, as it is and not as Markdown would take it."""
    if isinstance(value, float):
        return f"{value:.6g}"
    line = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    if re.fullmatch(r"https?://[^\s<>|`\"\\]+", line):
        return f"<{line}>"
    return re.sub(r"([\\`*\[\]<>|#&~$]|\b_|_\b)", r"\\\1", line)
