"""Columns of a table by what they hold: numbers, categories and dates, for a model of tables."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keras_attention.ops import tables
from zoo.readers.findings import Findings, name_some
from zoo.readers.tables import choose_column, read_texts

if TYPE_CHECKING:
    from pandas import DataFrame

Rows = dict[str, np.ndarray]  # raw values by column: numbers as float64, others as texts

_RARE = 1000  # rows from which on a category that is there once counts as unknown
_FEW = 20  # values that a column of texts may have, however few rows there are
_LEADING_ZERO = re.compile(r"0\d")
_ID = re.compile(r"(?i:(^|[\W_])(id|uuid|index|unnamed)($|[\W_]))|[a-z]I[Dd]$")


@dataclass(frozen=True)
class Features:
    """Columns that a model reads, each list in the order of the file.

    Attributes:
        numbers, categories, dates: names of the columns.
        names: all of them, in the order of the file.
    """

    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    dates: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def by_kind(self) -> tuple[str, ...]:
        """The names in the order of a model's tokens."""
        return (*self.numbers, *self.categories, *self.dates)

    def take(self, frame: "DataFrame", *, argument: str = "data") -> Rows:
        """Returns the raw values of a table.

        Raises:
            ValueError: a column is missing, or a field of it is no number or no date.
        """
        rows: Rows = {}
        for name in self.names:
            texts = read_texts(frame, choose_column(frame, name, argument=argument))
            if name in self.numbers:
                values = read_numbers(texts)
                if values is None:  # which says where
                    values = tables.numbers({name: texts})[:, 0]
                rows[name] = values
            else:
                rows[name] = np.array([text.strip() for text in texts], object)
                if name in self.dates and not are_dates(texts):
                    tables.numbers({name: texts}, tables.day)
        return rows


def sort_columns(
    frame: "DataFrame",
    *,
    target: str,
    ignore: Collection[str] = (),
    categories: Collection[str] = (),
    findings: Findings,
) -> Features:
    """Returns which columns of a table are numbers, categories and dates, and says so.

    Left out are columns that are empty or the same in each row, that number the rows, or that have
    another text in nearly each row.

    Args:
        frame: the table.
        target: the column that is predicted.
        ignore: columns to leave out.
        categories: columns of categories, though they look like numbers.
        findings: gets what was found.

    Raises:
        ValueError: there is no such column, a name twice, or no column is left.
    """
    names = list(frame.columns)
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ValueError(f"`data` has columns of the same name: {name_some(twice)}. Rename them.")
    for argument, given in (("ignore", ignore), ("categories", categories)):
        for name in given:
            choose_column(frame, name, argument=argument)
    kinds: dict[str, list[str]] = {"numbers": [], "categories": [], "dates": []}
    left_out: list[str] = []
    holes: list[str] = []
    for name in names:
        if name == target or name in ignore:
            continue
        texts = read_texts(frame, name)
        kind, reason = _tell_kind(name, texts, category=name in categories)
        if kind is None:
            left_out.append(f"{name!r} ({reason})")
            continue
        kinds[kind].append(name)
        missing = sum(map(tables.is_missing, texts))
        if missing:
            holes.append(f"{name!r} ({missing:,}, {missing / len(texts):.1%})")
        if reason:
            findings.warn(f"Column {name!r} is read as categories: {reason}.")
    parts = [f"{len(held)} {kind} ({name_some(held)})" for kind, held in kinds.items() if held]
    findings.add(f"Columns: {', '.join(parts) or 'none'}")
    if left_out:
        findings.add(f"Left out: {name_some(left_out)}")
    if holes:
        findings.add(f"Missing values: {name_some(holes)}")
    held = {name for each in kinds.values() for name in each}
    if not held:
        raise ValueError(
            f"`data` has no column to predict {target!r} from. "
            + (f"Left out: {name_some(left_out)}" if left_out else f"Columns: {name_some(names)}")
        )
    return Features(
        **{kind: tuple(each) for kind, each in kinds.items()},
        names=tuple(name for name in names if name in held),
    )


def read_numbers(texts: Sequence[str]) -> np.ndarray | None:
    """Returns texts as float64, NaN where one is missing or infinite; `None` where one is no
    number."""
    values = np.full(len(texts), np.nan)
    try:
        for row, text in enumerate(texts):
            if not tables.is_missing(text):
                values[row] = float(text)
    except ValueError:
        return None
    return np.where(np.isfinite(values), values, np.nan)


def are_dates(texts: Sequence[str]) -> bool:
    """Whether all texts but missing ones are dates in the form of ISO 8601."""
    try:
        tables.numbers({"": texts}, tables.day)
    except ValueError:
        return False
    return True


def list_categories(rows: Rows, names: Sequence[str]) -> dict[str, list[str]]:
    """Returns the categories of columns in rows to train on; a missing one is among them.

    Of many rows those that are there once are left out: from them the model learns what it is to
    know nothing of a category.
    """
    least = 2 if names and len(rows[names[0]]) >= _RARE else 1
    return {
        name: sorted(value for value, count in Counter(rows[name]).items() if count >= least)
        for name in names
    }


def rows_as_keys(rows: Rows) -> list[tuple]:
    """Returns each row as a value that can be compared; missing numbers are alike."""
    columns = [
        column if column.dtype == object else np.where(np.isnan(column), None, column)
        for column in rows.values()
    ]
    return list(zip(*(column.tolist() for column in columns), strict=True))


def select(rows: Mapping[str, np.ndarray], which: np.ndarray) -> Rows:
    """Returns the rows `which`."""
    return {name: column[which] for name, column in rows.items()}


def find_giveaways(rows: Rows, y: np.ndarray, *, number: bool) -> Iterator[str]:
    """Yields columns that tell the target all by themselves, which predictions seldom can have."""
    for name, column in rows.items():
        if number and column.dtype != object:
            if _correlation(column, y) > 0.9999:
                yield name
        elif not number:
            targets: dict[object, Counter] = {}
            for value, target in zip(column.tolist(), y.tolist(), strict=True):
                targets.setdefault(value, Counter())[target] += 1
            repeated = [counts for counts in targets.values() if counts.total() > 1]
            rows_of = sum(counts.total() for counts in repeated)
            right = sum(max(counts.values()) for counts in repeated)
            if rows_of > 0.9 * len(y) and right == rows_of:
                yield name


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Returns the size of the correlation where both are known, 0 where one does not vary."""
    known = np.isfinite(a)
    if known.sum() < 3 or np.ptp(a[known]) == 0 or np.ptp(b[known]) == 0:
        return 0.0
    return abs(float(np.corrcoef(a[known], b[known])[0, 1]))


def _tell_kind(name: str, texts: Sequence[str], *, category: bool) -> tuple[str | None, str]:
    """Returns the kind of a column, `None` to leave it out, and why, where that is to be said."""
    known = [text.strip() for text in texts if not tables.is_missing(text)]
    distinct = Counter(known)
    if not distinct:
        return None, "empty"
    if len(distinct) == 1 and len(known) == len(texts):
        return None, f"{known[0]!r:.40} in each row"
    if category:
        return "categories", ""
    numbers = read_numbers(known)
    if numbers is not None and not any(_LEADING_ZERO.match(text) for text in distinct):
        if _number_rows(name, numbers, len(texts)):
            return None, "another number in each row, as ids have"
        return "numbers", ""
    if numbers is None and are_dates(known):
        return "dates", ""
    if len(distinct) > max(_FEW, len(known) / 2):
        return None, f"{len(distinct):,} texts in {len(known):,} rows, as names, ids or free text"
    strays = [text for text in distinct if read_numbers([text]) is None]
    if numbers is None and sum(distinct[text] for text in strays) < 0.1 * len(known):
        return "categories", f"some fields are no numbers, such as {name_some(map(repr, strays))}"
    return "categories", ""


def _number_rows(name: str, numbers: np.ndarray, rows: int) -> bool:
    """Whether numbers are ids: whole, another one in each row, and named so or without a gap."""
    if len(numbers) < rows or len(np.unique(numbers)) < rows or np.any(numbers % 1):
        return False
    return bool(_ID.search(name)) or (rows > _FEW and float(np.ptp(numbers)) == rows - 1)
