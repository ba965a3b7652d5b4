"""A training of a user's own data."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import keras

from zoo.harness import experiment, reports
from zoo.harness.experiment import Recipe, Result
from zoo.readers.findings import Findings

_NAMES = 1_000  # characters of a list of names


def make_request(task: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a user asked a task for, as `metrics.json` keeps it.

    Paths of files are absolute. Of data that came as an object there is its kind alone, and the
    task cannot be asked again.
    """

    def keep(name: str, value: Any) -> Any:
        if isinstance(value, Path) or (isinstance(value, str) and _is_path(name, value)):
            return str(Path(value).resolve())
        if value is None or isinstance(value, str | int | float | bool):
            return value
        if isinstance(value, list | tuple) and len(str(value)) <= _NAMES:  # and no texts
            return [keep(name, each) for each in value]
        return {"object": type(value).__name__}

    return {
        "task": task,
        "arguments": {name: keep(name, value) for name, value in arguments.items()},
    }


def _is_path(name: str, value: str) -> bool:
    """Whether an argument is the path of a file or folder, and not the name of a column that some
    file has too."""
    looks_so = name == "data" or bool(Path(value).suffix) or Path(value).name != value
    return looks_so and os.path.exists(value)


class Run:
    """A training that is ready to begin; the tasks of `zoo.tasks` return one.

    Attributes:
        recipe: what is trained on what, and how.
        findings: what there is in the data; `print(run.findings)`.
        result: what the training gave; `None` before.
        metrics: the content of `metrics.json`; empty before anything is saved.
    """

    def __init__(self, recipe: Recipe, findings: Findings) -> None:
        self.recipe = replace(recipe, findings=(*findings.facts, *findings.warnings))
        self.findings = findings
        self.result: Result | None = None
        self.metrics: Mapping[str, Any] = {}

    @property
    def model(self) -> keras.Model:
        """The model, trained or not yet."""
        return self.recipe.model

    def fit(
        self, folder: str | Path | None = None, *, resume: bool = False, watch: bool = True
    ) -> Self:
        """Trains the model and tests it.

        Args:
            folder: where to leave checkpoints meanwhile, and what `save` leaves; nowhere if `None`.
            resume: go on from the checkpoints that are there, or begin.
            watch: show a progress bar.

        Raises:
            ValueError: `folder` has checkpoints of another training, or of one that was
                interrupted while `resume` is `False`.
        """
        checkpoints = None if folder is None else Path(folder) / "checkpoints"
        self.result = experiment.train(
            self.recipe, watch=watch, checkpoint_folder=checkpoints, resume=resume
        )
        if folder is not None:
            self.save(folder)
        return self

    def save(self, folder: str | Path) -> Mapping[str, Any]:
        """Writes model, card, metrics beside simpler methods, pictures and wrong answers.

        Returns:
            The content of `metrics.json`.

        Raises:
            ValueError: nothing was trained yet.
        """
        if self.result is None:
            raise ValueError("Nothing was trained yet: call `run.fit()` first.")
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.metrics = reports.save(self.result, folder)
        return self.metrics
