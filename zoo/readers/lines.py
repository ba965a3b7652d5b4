"""Plain text: files of lines, pairs of texts, and corpora that are read a piece at a time."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

from zoo.readers.findings import Findings, name_some
from zoo.readers.tables import SUFFIXES, Table, choose_column, read_table, read_texts

PIECE = 2**16  # characters that are read at a time
LONGEST = 500  # characters of a text of a pair
# What the first line of a file of pairs says if it names the columns.
SOURCES, TARGETS = ("source", "src", "text", "input"), ("target", "tgt", "translation", "output")
_CODE = 3  # letters of a language's code at most, such as `de` or `deu`
_UNLIKE = 9  # times as long as its translation is what hardly belongs to it

Corpus = Callable[[], Iterator[str]]


def read_lines(path: str | Path, *, argument: str = "data") -> list[str]:
    """Returns the lines of a text file without their ends.

    Raises:
        ValueError: there is no such file, or it is not UTF-8.
    """
    path = _check_file(path, argument)
    with _open(path) as file:
        try:
            return [line.rstrip("\n") for line in file]
        except UnicodeDecodeError as error:
            raise _describe_encoding(path) from error


def read_pairs(
    data: Table,
    target: str | None,
    *,
    source: str | None = None,
    argument: str = "data",
    findings: Findings,
) -> tuple[list[str], list[str]]:
    """Returns texts and their translations.

    Pairs with an empty side are left out, and those that are too long to be sentences; `findings`
    says how many.

    Args:
        data: a file of lines, whose translations are the lines of the file `target`; or a file
            (`.tsv`, with or without names of its columns) or table of pairs.
        target: that file; or the column of the translations, the second if `None`.
        source: the column of the texts, the first if `None`.
        argument: the name of `data`, for messages.
        findings: what is found is added to them.

    Raises:
        ValueError: the files have different numbers of lines, a column or a file is missing, a
            file is not UTF-8, or no pair is whole.
    """
    if isinstance(data, str | Path) and Path(data).suffix.lower() not in SUFFIXES:
        pairs = _read_two_files(data, target, argument)
    elif isinstance(data, str | Path) and Path(data).suffix.lower() == ".tsv":
        pairs = _read_tabs(data, source, target, argument, findings)
    else:
        pairs = _read_columns(data, source, target, argument)
    whole = [(a.strip(), b.strip()) for a, b in pairs if a.strip() and b.strip()]
    kept = [pair for pair in whole if max(map(len, pair)) <= LONGEST]
    findings.add(f"{argument.capitalize()}: {len(pairs):,} pairs")
    if len(whole) < len(pairs):
        findings.warn(f"{len(pairs) - len(whole):,} pairs are left out: one side is empty.")
    if len(kept) < len(whole):
        findings.warn(
            f"{len(whole) - len(kept):,} pairs are left out: they have more than {LONGEST} "
            "characters. Cut them into sentences."
        )
    if not kept:
        raise ValueError(f"No pair of `{argument}` has text on both sides.")
    unlike = sum(max(map(len, pair)) > _UNLIKE * min(map(len, pair)) for pair in kept)
    if unlike:
        findings.warn(
            f"{unlike:,} pairs have a side that is more than {_UNLIKE} times as long as the other: "
            "do they belong together?"
        )
    return [a for a, _ in kept], [b for _, b in kept]


def read_corpus(data: Table, *, text: str | None = None, argument: str = "data") -> Corpus:
    """Returns a function that goes through a corpus in pieces of `PIECE` characters at most.

    Args:
        data: a text file, a folder with `.txt` files, a list of texts, or a table with a column of
            texts, which then have an empty line between them.
        text: that column; `text` if there is one of this name.
        argument: the name of `data`, for messages.

    Raises:
        ValueError: there is no such file, or none in the folder; or, while it is read, a file is
            not UTF-8.
    """
    if isinstance(data, str | Path) and Path(data).suffix.lower() not in SUFFIXES:
        paths = _find_files(Path(data), argument)
        return lambda: _read_pieces(paths)
    if isinstance(data, list | tuple) and all(isinstance(each, str) for each in data):
        texts = list(data)
    else:
        frame = read_table(data, argument=argument)
        texts = read_texts(frame, choose_column(frame, text, argument="text", usual=("text",)))
    return lambda: _cut_pieces(f"{each}\n\n" for each in texts if each.strip())


def _read_two_files(data: str | Path, target: str | None, argument: str) -> list[tuple[str, str]]:
    if target is None:
        raise ValueError(
            f"`{argument}` is a file of lines, and their translations are missing: pass the file "
            f"with a translation of each line as `target`. Received: {data}"
        )
    texts, translations = read_lines(data, argument=argument), read_lines(target, argument="target")
    if len(texts) != len(translations):
        raise ValueError(
            f"{data} has {len(texts):,} lines and {target} has {len(translations):,}: each line "
            "must have its translation in the line of the same number."
        )
    return list(zip(texts, translations, strict=True))


def _read_tabs(
    path: str | Path, source: str | None, target: str | None, argument: str, findings: Findings
) -> list[tuple[str, str]]:
    """Returns two columns of a file whose fields have tabs between them and no need of quotes."""
    rows = [list(map(_unquote, line.split("\t"))) for line in read_lines(path, argument=argument)]
    rows = [row for row in rows if any(map(str.strip, row))]
    if not rows:
        raise ValueError(f"`{argument}` has no rows. Received: {path}")
    header, columns = [name.strip() for name in rows[0]], [0, 1]
    if source is not None or target is not None or _names_columns(header):
        findings.add(f"Columns: {name_some(header)}, by the first line")
        columns = _choose_columns(header, source, target, argument)
        rows = rows[1:]
    else:
        findings.add("The first line is a pair, and names no columns.")
    short = sum(len(row) < 2 for row in rows)
    if short * 2 > len(rows):
        raise ValueError(
            f"{path} has no tab in {short:,} of {len(rows):,} lines: a line must be a text, a tab "
            "and its translation."
        )
    return [
        (row[columns[0]], row[columns[1]]) if len(row) > max(columns) else ("", "") for row in rows
    ]


def _read_columns(
    data: Table, source: str | None, target: str | None, argument: str
) -> list[tuple[str, str]]:
    frame = read_table(data, argument=argument)
    if len(frame.columns) == 1 and isinstance(frame.iloc[0, 0], Mapping):  # as `datasets` have them
        frame = read_table(list(frame.iloc[:, 0]), argument=argument)
    names = list(frame.columns)
    first, second = _choose_columns(names, source, target, argument)
    columns = (read_texts(frame, names[first]), read_texts(frame, names[second]))
    return list(zip(*columns, strict=True))


def _choose_columns(
    names: list[str], source: str | None, target: str | None, argument: str
) -> list[int]:
    """Returns the places of texts and translations among columns.

    Raises:
        ValueError: there is one column alone, or not that which is asked for.
    """
    if len(names) < 2:
        raise ValueError(
            f"`{argument}` must have a column of texts and one of their translations. "
            f"Columns: {name_some(names)}"
        )
    places: dict[str, int] = {}
    # That with a name comes first, so that the other one is not taken for it.
    roles = {"source": (source, SOURCES), "target": (target, TARGETS)}
    for role, (name, usual) in sorted(roles.items(), key=lambda item: item[1][0] is None):
        if name is not None and name not in names:
            raise ValueError(
                f"There is no column {name!r} for `{role}`. Columns: {name_some(names)}"
            )
        free = [place for place in range(len(names)) if place not in places.values()]
        usually = [place for place in free if names[place].lower() in usual]
        places[role] = names.index(name) if name is not None else [*usually, *free][0]
    if places["source"] == places["target"]:
        raise ValueError(f"`source` and `target` are the same column. Received: {source!r}")
    return [places["source"], places["target"]]


def _names_columns(header: list[str]) -> bool:
    """Whether the first line of a file names columns: by usual names, or codes of languages."""
    lower = [name.lower() for name in header[:2]]
    usual = {*SOURCES, *TARGETS}
    return len(lower) == 2 and (
        usual.issuperset(lower)
        or all(len(name) <= _CODE and name.isalpha() and name.islower() for name in header[:2])
    )


def _unquote(field: str) -> str:
    """Returns a field without the quotes that a writer of tables puts around quotes."""
    inside = field[1:-1]
    quoted = len(field) > 1 and field[0] == field[-1] == '"' and '""' in inside
    if quoted and '"' not in inside.replace('""', ""):
        return inside.replace('""', '"')
    return field


def _find_files(path: Path, argument: str) -> list[Path]:
    if not path.is_dir():
        return [_check_file(path, argument)]
    paths = sorted(each for each in path.rglob("*.txt") if each.is_file())
    if not paths:
        raise ValueError(f"`{argument}` is a folder without a .txt file. Received: {path}")
    return paths


def _read_pieces(paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        with _open(path) as file:
            try:
                while piece := file.read(PIECE):
                    yield piece
            except UnicodeDecodeError as error:
                raise _describe_encoding(path) from error


def _cut_pieces(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        for start in range(0, len(text), PIECE):
            yield text[start : start + PIECE]


def _check_file(path: str | Path, argument: str) -> Path:
    if not Path(path).is_file():
        raise ValueError(f"`{argument}` names no file. Received: {path}")
    return Path(path)


def _open(path: Path) -> TextIO:
    return open(path, encoding="utf-8-sig")


def _describe_encoding(path: Path) -> ValueError:
    """Returns an error that says which line of a file is not UTF-8."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                wide = number == 1 and line[:2] in (b"\xff\xfe", b"\xfe\xff")
                return ValueError(
                    f"{path} is not UTF-8: line {number:,} has the byte "
                    f"{line[error.start]:#x}. Convert it: iconv -f "
                    f"{'UTF-16' if wide else 'LATIN1'} -t UTF-8 {path.name}"
                )
    return ValueError(f"{path} is not UTF-8.")
