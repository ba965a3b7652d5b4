"""Tables: CSV, TSV, JSON lines and Parquet, and tables or batches of other libraries."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data import Source

if TYPE_CHECKING:
    from pandas import DataFrame

# A path, a table, or what gives rows.
Table = Any
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_JSON = (".jsonl", ".ndjson")
SUFFIXES = (*_SEPARATORS, *_JSON, ".parquet")


def read_table(data: Table, *, argument: str = "data") -> "DataFrame":
    """Returns a table of a file, of another library, or of rows.

    Fields of CSV and TSV files stay text, as they are written: an empty one is an empty text, and
    `007` no number.

    Args:
        data: a path (`.csv`, `.tsv`, `.jsonl`, `.parquet`), a pandas table, a mapping of columns,
            a sequence of mappings, a `datasets.Dataset`, a `tf.data.Dataset`, or a PyTorch
            `DataLoader` or other iterable of rows or batches: mappings by column, or pairs that
            become the columns `"x"` and `"y"`.
        argument: the name of it, for messages.

    Raises:
        ModuleNotFoundError: pandas is not installed.
        ValueError: the file is missing, damaged, empty or of an unknown kind.
        TypeError: `data` is none of these.
    """
    pandas = _import_pandas()
    if isinstance(data, str | Path):
        frame = _read_file(pandas, Path(data), argument)
    elif isinstance(data, pandas.DataFrame):
        frame = data
    elif hasattr(data, "to_pandas"):  # of datasets, pyarrow and polars
        frame = data.to_pandas()
    elif isinstance(data, Mapping):
        frame = pandas.DataFrame({name: list(column) for name, column in data.items()})
    elif hasattr(data, "as_numpy_iterator"):
        frame = pandas.DataFrame(_list_rows(data.as_numpy_iterator(), argument))
    elif isinstance(data, Iterable):
        frame = pandas.DataFrame(_list_rows(data, argument))
    else:
        raise TypeError(f"`{argument}` must be a table or the path of one. Received: {data!r:.200}")
    if not len(frame):
        raise ValueError(f"`{argument}` has no rows. Received: {_short(data)}")
    frame = frame.reset_index(drop=True)
    frame.columns = [str(name) for name in frame.columns]
    return frame


def read_texts(frame: "DataFrame", column: str) -> list[str]:
    """Returns the values of a column as texts; a missing one is empty."""
    values = frame[column]
    return [
        "" if missing else _as_text(value)
        for value, missing in zip(values, values.isna(), strict=True)
    ]


def choose_column(
    frame: "DataFrame", name: str | None, *, argument: str, usual: Sequence[str] = ()
) -> str:
    """Returns the name of a column: that given, or the first of the usual names that is there.

    Raises:
        ValueError: there is no such column, and which there are.
    """
    columns = list(frame.columns)
    if name is None:
        by_lower = {column.lower(): column for column in reversed(columns)}
        for each in usual:
            if each in by_lower:
                return by_lower[each]
        raise ValueError(f"Say which column `{argument}` is. Columns: {', '.join(columns)[:1000]}")
    if name not in columns:
        close = difflib.get_close_matches(name, columns, n=1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"There is no column {name!r} for `{argument}`.{meant} "
            f"Columns: {', '.join(columns)[:1000]}"
        )
    return name


def name_source(data: Table) -> Source:
    """Returns what a card says of a user's data."""
    path = Path(data).resolve() if isinstance(data, str | Path) else None
    return Source(
        name=path.name if path else f"a {type(data).__name__}",
        url="",
        license="not stated; it is the user's own",
        citation="",
    )


def _read_file(pandas: Any, path: Path, argument: str) -> "DataFrame":
    suffix = path.suffix.lower()
    if not path.is_file():
        raise ValueError(f"`{argument}` names no file. Received: {path}")
    if suffix not in SUFFIXES:
        raise ValueError(f"`{argument}` must be one of {', '.join(SUFFIXES)}. Received: {path}")
    try:
        if suffix == ".parquet":
            return pandas.read_parquet(path)
        if suffix in _JSON:
            return pandas.read_json(path, lines=True, dtype=False, convert_dates=False)
        return pandas.read_csv(
            path, sep=_SEPARATORS[suffix], dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except ImportError as error:
        raise ModuleNotFoundError(
            f"{path} needs pyarrow: python -m pip install 'keras-attention[tables]'"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8: byte {error.start:,} is {error.object[error.start]:#x}. "
            f"Convert it: iconv -f LATIN1 -t UTF-8 {path.name}"
        ) from error
    except (ValueError, OSError) as error:  # of pandas's parsers, and of pyarrow's
        raise ValueError(f"{path} cannot be read as {suffix[1:]}: {error}") from error


def _list_rows(rows: Iterable[Any], argument: str) -> list[dict[str, Any]]:
    """Returns the rows of an iterable of rows or of batches, each by its columns."""
    listed: list[dict[str, Any]] = []
    for each in rows:
        if isinstance(each, tuple | list) and len(each) == 2:
            each = dict(zip(("x", "y"), each, strict=True))
        if not isinstance(each, Mapping):
            raise TypeError(
                f"`{argument}` must give mappings, or pairs of x and y. Received: {each!r:.200}"
            )
        columns = {str(name): _as_numpy(value) for name, value in each.items()}
        sizes = {len(column) if _is_batch(column) else None for column in columns.values()}
        if sizes == {None} or len(sizes) > 1:
            listed.append({name: _as_item(value) for name, value in columns.items()})
            continue
        listed += [
            {name: _as_item(column[i]) for name, column in columns.items()}
            for i in range(next(iter(sizes)))
        ]
    return listed


def _is_batch(value: Any) -> bool:
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _as_numpy(value: Any) -> Any:
    return value.numpy() if hasattr(value, "numpy") else value


def _as_item(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return value.decode("utf-8") if isinstance(value, bytes) else value


def _as_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a whole number in a column with missing ones
    return value if isinstance(value, str) else str(value)


def _short(data: Any) -> str:
    return str(data) if isinstance(data, str | Path) else f"a {type(data).__name__}"


def _import_pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ModuleNotFoundError(
            "Your own tables need pandas: python -m pip install 'keras-attention[tables]'"
        ) from error
    return pandas
