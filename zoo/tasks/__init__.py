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
    from zoo.tasks.answers import questions as questions
    from zoo.tasks.audio import audio_classification as audio_classification
    from zoo.tasks.captions import captioning as captioning
    from zoo.tasks.forecasting import series as series
    from zoo.tasks.graphs import graph as graph
    from zoo.tasks.images import image_classification as image_classification
    from zoo.tasks.language import language_model as language_model
    from zoo.tasks.tabular import table as table
    from zoo.tasks.taggers import tagging as tagging
    from zoo.tasks.text import text_classification as text_classification
    from zoo.tasks.translators import translation as translation

# By task the file that has its function. Nothing is imported before it is asked for.
MODULES = {
    "captioning": "captions",
    "questions": "answers",
    "image_classification": "images",
    "audio_classification": "audio",
    "graph": "graphs",
    "language_model": "language",
    "series": "forecasting",
    "table": "tabular",
    "tagging": "taggers",
    "text_classification": "text",
    "translation": "translators",
}
__all__ = [*MODULES]


def __getattr__(name: str) -> Any:
    """Returns the function of the task `name`, and imports its file when it is asked for."""
    if name in MODULES:
        return getattr(importlib.import_module(f"{__name__}.{MODULES[name]}"), name)
    raise AttributeError(f"module 'zoo.tasks' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
