"""Tasks: models of a user's own data, and what the recipes of a kind share.

```python
from zoo import tasks

run = tasks.text_classification("reviews.csv", text="review", label="stars")
print(run.findings)  # what there is, before anything is trained
run.fit("runs/reviews")  # model, card, metrics beside a simpler method, pictures
run.model
```

A task is a function that returns a `Run`. It reads data, splits them, chooses sizes and epochs by
how much there is, and makes a recipe of them; recipes of the zoo are made by the same code.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # so that editors and type checkers know the tasks, a line each
    from zoo.tasks.graphs import graph as graph
    from zoo.tasks.tabular import table as table
    from zoo.tasks.text import text_classification as text_classification

# By task the file that has its function. Nothing is imported before it is asked for.
MODULES = {
    "graph": "graphs",
    "table": "tabular",
    "text_classification": "text",
}
__all__ = [*MODULES]


def __getattr__(name: str) -> Any:
    """Returns the function of the task `name`, and imports its file when it is asked for."""
    if name in MODULES:
        return getattr(importlib.import_module(f"{__name__}.{MODULES[name]}"), name)
    raise AttributeError(f"module 'zoo.tasks' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
