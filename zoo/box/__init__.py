"""Trained models that come along, each ready without training and without a network.

```python
import zoo

model = zoo.load("text_clinc")
```

Each is a folder here: `NAME.keras`, its card `NAME.md`, and `metrics.json` with what was measured
on that very file. `zoo.box.build` makes them. What there is can be told without Keras, for it
stands in `metrics.json`.
"""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class BoxedModel:
    """A model that comes along.

    Attributes:
        name: by which it is loaded; that of its recipe.
        path: of its file.
        task: as Hugging Face calls it.
        data: name of the data that it learned from.
        license: of the model, as Hugging Face calls it.
        score: what it is measured by, a name in `test`.
        test: metrics on the test data, measured on the file.
        by_backend: the score on each backend, measured on the file too.
        size: of the file, in bytes.
        sha256: of the file.
        metrics: all that `metrics.json` says.
    """

    name: str
    path: Path
    task: str
    data: str
    license: str
    score: str
    test: Mapping[str, float]
    by_backend: Mapping[str, float]
    size: int
    sha256: str
    metrics: Mapping[str, Any]


def names() -> list[str]:
    """Returns the names of the models that come along."""
    return sorted(path.parent.name for path in FOLDER.glob("*/metrics.json"))


def describe(name: str) -> BoxedModel:
    """Returns what is known of a model that comes along, without loading it.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in names():
        raise ValueError(f"No trained model {name!r} comes along{_suggest(name)}")
    metrics = json.loads((FOLDER / name / "metrics.json").read_text(encoding="utf-8"))
    return BoxedModel(
        name=name,
        path=FOLDER / name / f"{name}.keras",
        task=metrics["task"],
        data=metrics["data"]["name"],
        license=metrics["license"],
        score=metrics["score"],
        test=metrics["test"],
        by_backend=metrics["by_backend"],
        size=metrics["bytes"],
        sha256=metrics["sha256"],
        metrics=metrics,
    )


def find(source: str | Path) -> str | Path:
    """Returns what `ka.load_model` takes for the name of a model.

    Args:
        source: a name in `names()`; the path of a `.keras` file, of a folder with the members of
            one, or of the folder that a training left; or an `hf://` address. A file or folder
            that has a name of the box is reached as `./NAME`, or as a `Path`.

    Raises:
        FileNotFoundError: there is no such model, file or folder.
    """
    if isinstance(source, str):
        if source.startswith("hf://"):
            return source
        if source in names():
            return describe(source).path
    path = Path(source)
    if path.is_dir() and not (path / "config.json").exists() and (path / "model.keras").exists():
        return path / "model.keras"  # a training left this folder
    if not path.exists():
        raise FileNotFoundError(
            f"There is no file {str(source)!r}, and no trained model of this name comes along"
            f"{_suggest(str(source))}"
        )
    return path


def load(source: str | Path, **options: Any) -> "keras.Model":
    """Returns a trained model: one that comes along by its name, or any other by its place.

    ```python
    model = zoo.load("text_clinc")
    model = zoo.load("runs/reviews")
    model = zoo.load("hf://user/name")
    ```

    Args:
        source: see `find`. `zoo.box.names()` are those that come along, and docs/models.md tells
            what each of them is worth.
        options: of `ka.load_model`. Of a model that comes along the file must be the one that was
            measured, by its SHA-256.

    Raises:
        FileNotFoundError: there is no such model, file or folder.
        FileError: the file is damaged, changed or refused, see `ka.load_model`.
    """
    import keras_attention as ka  # and with it Keras, whose backend is chosen by then

    path = find(source)
    if isinstance(source, str) and source in names():
        options = {"sha256": describe(source).sha256, **options}
    return ka.load_model(path, **options)


def table() -> str:
    """Returns the table of the models that come along, in Markdown."""
    rows = [
        "| model | task | data | score | jax | torch | tensorflow | kB | licence |",
        "|---|---|---|---|---:|---:|---:|---:|---|",
    ]
    for name in names():
        model = describe(name)
        scores = [
            f"{model.by_backend[backend]:.4g}" if backend in model.by_backend else ""
            for backend in ("jax", "torch", "tensorflow")
        ]
        rows.append(
            f"| `{name}` | {model.task} | [{model.data}]({model.metrics['data']['url']}) | "
            f"{model.score} | {' | '.join(scores)} | {model.size / 1000:,.0f} | {model.license} |"
        )
    return "\n".join(rows)


def _suggest(name: str) -> str:
    close = difflib.get_close_matches(name, names(), n=1)
    return f": did you mean {close[0]}?" if close else f". There are {', '.join(names())}."
