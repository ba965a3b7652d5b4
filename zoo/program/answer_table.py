"""Answers to the rows of a table, as columns beside those that it has."""

from pathlib import Path
from typing import Any

import keras_attention as ka
from keras_attention.saving.files import complete
from zoo.progress import track
from zoo.readers.tables import choose_column, read_table, read_texts

BATCH = 256  # rows between two looks at the clock
COLUMNS = ("text", "sentence", "review", "question", "path", "file")


def write(
    model: Any, data: Path, output: Path, *, kinds: set[str] | None, column: str | None
) -> str:
    """Writes a table with the answers to its rows, as CSV, and returns a sentence about it.

    Args:
        model: whose first layers encode and whose last one decodes.
        data: the table. Paths of files in it are relative to its folder.
        output: a file.
        kinds: what the model reads, see `zoo.program.inputs.find_kinds`.
        column: of the texts or paths; a usual name if `None`. Models of tables read all columns.

    Raises:
        ValueError: there is no such column, or the model does not read rows of a table.
    """
    frame = read_table(data)
    if kinds == {"tables"}:
        rows: Any = frame
    elif kinds in ({"texts"}, {"images"}, {"recordings"}):
        values = read_texts(frame, choose_column(frame, column, argument="column", usual=COLUMNS))
        rows = values if kinds == {"texts"} else [data.parent / value for value in values]
    else:
        raise ValueError(
            f"The model {model.name!r} does not answer rows of a table one by one. Pass its input "
            "as INPUT."
        )
    answers: list[dict[str, Any]] = []
    for start in track(range(0, len(frame), BATCH), "Answered", unit=f"batches of {BATCH} rows"):
        answers += map(spread, ka.predict(model, rows[start : start + BATCH]))
    for name in answers[0]:
        frame[name] = [answer.get(name) for answer in answers]
    with complete(output) as temporary:
        frame.to_csv(temporary, index=False)
    return f"{output}: {len(frame):,} rows with their {' and '.join(answers[0])}."


def spread(answer: Any) -> dict[str, Any]:
    """Returns an answer by the names of columns."""
    if isinstance(answer, dict):  # of a regression
        return {f"answer_{name}": value for name, value in answer.items()}
    if hasattr(answer, "probability") and hasattr(answer, "label"):
        return {"answer": answer.label, "probability": round(answer.probability, 4)}
    if isinstance(answer, list):  # of words
        return {"answer": " ".join(getattr(a, "label", str(a)) for _, a in answer)}
    return {"answer": str(answer)}
