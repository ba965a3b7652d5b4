"""Tables: CSV, TSV, JSON lines and Parquet, and tables or batches of other libraries."""

import difflib
import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from csv import QUOTE_NONE
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


def read_table(data: Table, *, argument: str = "data", lists: bool = False) -> "DataFrame":
    """Returns a table of a file, of another library, or of rows.

    Fields of CSV and TSV files stay text, as they are written: an empty one is an empty text, and
    `007` no number. Classes of a `datasets.Dataset` have their names.

    Args:
        data: a path (`.csv`, `.tsv`, `.jsonl`, `.parquet`), a pandas table, a mapping of columns,
            a sequence of mappings, a `datasets.Dataset`, a `tf.data.Dataset`, or a PyTorch
            `DataLoader` or other iterable of rows or batches: mappings by column, or pairs that
            become the columns `"x"` and `"y"`.
        argument: the name of it, for messages.
        lists: whether values are lists, such as the words of a sentence, so that a mapping of
            lists is one row and no batch.

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
        frame = _read_columns(pandas, data, argument)
    elif hasattr(data, "as_numpy_iterator"):
        frame = pandas.DataFrame(_list_rows(data.as_numpy_iterator(), argument, lists))
    elif isinstance(data, Iterable):
        frame = pandas.DataFrame(_list_rows(data, argument, lists))
    else:
        raise TypeError(f"`{argument}` must be a table or the path of one. Received: {data!r:.200}")
    if not len(frame):
        raise ValueError(f"`{argument}` has no rows. Received: {_short(data)}")
    frame = frame.reset_index(drop=True)
    frame.columns = [str(name) for name in frame.columns]
    if frame.columns.has_duplicates:
        repeated = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"`{argument}` has several columns {repeated!r}. Rename them.")
    features = getattr(data, "features", None)  # of datasets
    return _name_classes(frame, features) if isinstance(features, Mapping) else frame


def read_texts(frame: "DataFrame", column: str) -> list[str]:
    """Returns the values of a column as texts; a missing one is empty.

    Raises:
        ValueError: a value is a list or the like, or bytes that are not UTF-8.
    """
    values = frame[column]
    texts = []
    for row, (value, missing) in enumerate(zip(values, values.isna(), strict=True), 1):
        try:
            texts.append("" if missing else _as_text(value))
        except UnicodeDecodeError as error:
            raise ValueError(
                f"Row {row:,} of the column {column!r} has bytes that are not UTF-8: {error}"
            ) from error
        except TypeError as error:
            raise ValueError(
                f"The column {column!r} must have a text in each row. Received, in row {row:,}: "
                f"{value!r:.200}"
            ) from error
    return texts


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


def explain_encoding(path: Path) -> str:
    """Returns in which line a file is not UTF-8, and how to convert it."""
    with open(path, "rb") as file:
        encoding = "UTF-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "LATIN1"
        file.seek(0)
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return (
                    f"{path} is not UTF-8: line {number:,} has the byte {line[error.start]:#x}. "
                    f"Convert it, from {encoding} for instance: "
                    f"iconv -f {encoding} -t UTF-8 {path.name} > utf8-{path.name}"
                )
    return f"{path} is not UTF-8."


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
            return pandas.DataFrame(_read_json_lines(path))
        frame = _read_separated(pandas, path, _SEPARATORS[suffix])
        _check_separator(frame, _SEPARATORS[suffix])
        return frame
    except ImportError as error:
        raise ModuleNotFoundError(
            f"{path} needs pyarrow: python -m pip install 'keras-attention[tables]'"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(explain_encoding(path)) from error
    except (ValueError, OSError) as error:  # of pandas's parsers, and of pyarrow's
        raise ValueError(f"{path} cannot be read as {suffix[1:]}: {error}") from error


def _read_separated(pandas: Any, path: Path, separator: str) -> "DataFrame":
    """Returns the table of a CSV or TSV file; quotes of a TSV file may be letters of its texts."""

    def read(**settings: Any) -> "DataFrame":
        with warnings.catch_warnings():
            # Of a first row longer than the header pandas would make an index, or drop the rest.
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            try:
                return pandas.read_csv(
                    path,
                    sep=separator,
                    dtype=str,
                    keep_default_na=False,
                    encoding="utf-8-sig",
                    index_col=False,
                    **settings,
                )
            except pandas.errors.ParserWarning as error:
                raise ValueError(
                    "a row has more fields than the header. Quote a text that has a separator in it"
                ) from error

    if separator == ",":
        return read()
    try:
        frame = read()
    except pandas.errors.ParserError:  # a quote is never closed
        return read(quoting=QUOTE_NONE)
    swallowed = any(
        frame[name].str.contains("\t", regex=False).any()
        and frame[name].str.contains("\n", regex=False).any()
        for name in frame
    )
    return read(quoting=QUOTE_NONE) if swallowed else frame


def _check_separator(frame: "DataFrame", separator: str) -> None:
    """Raises `ValueError` if the one column that there is seems to be several."""
    (name, *others) = map(str, frame.columns)
    for other in {",", ";", "\t"} - {separator}:
        if not others and other in name and frame.iloc[:, 0].str.contains(other, regex=False).all():
            raise ValueError(
                f"there is one column, {name!r}, whose fields {other!r} seems to separate. "
                f"Separate them by {separator!r}"
            )


def _read_json_lines(path: Path) -> list[dict[str, Any]]:
    rows = []
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"line {number:,} is no JSON: {error}") from error
            if not isinstance(row, dict):
                raise ValueError(
                    f"line {number:,} must be an object with names of columns. "
                    f"Received: {line.strip():.200}"
                )
            rows.append(row)
    return rows


def _read_columns(pandas: Any, data: Mapping[Any, Any], argument: str) -> "DataFrame":
    tables = (hasattr(part, "columns") or hasattr(part, "column_names") for part in data.values())
    if any(tables):  # as in a `datasets.DatasetDict`
        raise ValueError(
            f"`{argument}` has several tables: {', '.join(map(str, data))}. Pass one of them."
        )
    columns = {name: [_as_item(value) for value in column] for name, column in data.items()}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Columns of `{argument}` must be of one length. Received: {lengths}")
    return pandas.DataFrame(columns)


def _name_classes(frame: "DataFrame", features: Mapping[str, Any]) -> "DataFrame":
    """Returns the table of a `datasets.Dataset` with names in place of numbers of classes.

    Args:
        frame: the table.
        features: by column what it has: `names` if they are numbers of classes, and a `feature`
            with those if they are lists of them. Numbers below 0 are missing classes.
    """

    def name(value: Any, names: Sequence[str]) -> str | None:
        return names[int(value)] if value is not None and value >= 0 else None

    for column, feature in features.items():
        if (names := getattr(feature, "names", None)) is not None:
            frame[column] = [name(value, names) for value in frame[column]]
        elif (names := getattr(getattr(feature, "feature", None), "names", None)) is not None:
            frame[column] = [[name(value, names) for value in row] for row in frame[column]]
    return frame


def _list_rows(rows: Iterable[Any], argument: str, lists: bool) -> list[dict[str, Any]]:
    """Returns the rows of an iterable of rows or of batches, each by its columns."""
    listed: list[dict[str, Any]] = []
    for each in rows:
        if isinstance(each, tuple | list) and each and isinstance(each[0], Mapping):
            listed += _list_rows(each, argument, lists)  # a batch that nobody collated
            continue
        if isinstance(each, tuple | list) and len(each) == 2:
            each = dict(zip(("x", "y"), each, strict=True))
        if not isinstance(each, Mapping):
            raise TypeError(
                f"`{argument}` must give mappings, or pairs of x and y. Received: {each!r:.200}"
            )
        columns = {str(name): _as_numpy(value) for name, value in each.items()}
        sizes = {len(column) if _is_batch(column, lists) else None for column in columns.values()}
        if sizes == {None} or len(sizes) > 1:
            listed.append({name: _as_item(value) for name, value in columns.items()})
            continue
        listed += [
            {name: _as_item(column[i]) for name, column in columns.items()}
            for i in range(next(iter(sizes)))
        ]
    return listed


def _is_batch(value: Any, lists: bool = False) -> bool:
    """Whether a value has one for each of several rows, which are lists themselves if `lists`."""
    is_list = isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)
    return is_list and (not lists or (len(value) > 0 and all(map(_is_batch, value))))


def _as_numpy(value: Any) -> Any:
    if hasattr(value, "detach"):  # of PyTorch, from another device perhaps
        value = value.detach().cpu()
    return value.numpy() if hasattr(value, "numpy") else value


def _as_item(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _as_text(value: Any) -> str:
    """Returns a value as a text; raises `TypeError` if it holds several."""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, float | np.floating) and value.is_integer():
        return str(int(value))  # a whole number in a column with missing ones
    if isinstance(value, Iterable) and not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is no text.")
    return str(value)


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
