"""Sentences whose words have tags: CoNLL-U, columns, and tables with a list in each field."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from zoo.readers.tables import Table, choose_column, explain_encoding, read_table

Sentence = tuple[list[str], list[str]]  # words, and the tag of each

TABLES = (".jsonl", ".ndjson", ".parquet")  # other files are of columns
_WORDS = ("tokens", "words")
_TAGS = ("tags", "labels", "ner_tags", "pos_tags", "upos")
_CONLLU = 10  # fields of a line of CoNLL-U
_FORM, _UPOS = 1, 3
_DOCUMENT = "-DOCSTART-"  # what CoNLL-2003 has in place of the first word of a document


def read_sentences(
    data: Table, *, tokens: str | None = None, tags: str | None = None, argument: str = "data"
) -> list[Sentence]:
    """Returns the words of each sentence and their tags.

    A file whose suffix is none of `TABLES` has a word a line and an empty line behind each
    sentence. In CoNLL-U (https://universaldependencies.org/format.html), which is known by its ten
    fields, the tag of a word is its universal part of speech; in other files the word is in the
    first column and the tag in the last, with tabs or spaces between.

    Args:
        data: the path of such a file; or a table, see `zoo.readers.tables.read_table`, with a
            list of words and a list of tags in each row.
        tokens, tags: the columns of a table; those with a usual name if `None`.
        argument: the name of `data`, for messages.

    Raises:
        ValueError: a line is broken, there is no such column, a sentence has other numbers of
            words and tags, or there is no sentence.
    """
    if isinstance(data, str | Path) and Path(data).suffix.lower() not in TABLES:
        return _read_file(Path(data), argument)
    frame = read_table(data, argument=argument, lists=True)
    words = choose_column(frame, tokens, argument="tokens", usual=(*_WORDS, "x"))
    names = choose_column(frame, tags, argument="tags", usual=(*_TAGS, "y"))
    return [
        _check_row(*row, number, argument)
        for number, row in enumerate(zip(frame[words], frame[names], strict=True), 1)
    ]


def parse_conllu(lines: Iterable[str]) -> Iterator[Sentence]:
    """Yields the forms and universal tags of the syntactic words of CoNLL-U.

    Lines with the id of a range (of a word that is written as one, "don't") or with a decimal one
    (of a word that is not written) repeat nothing that others lack.

    Raises:
        ValueError: a line is broken, with its number.
    """

    def read(line: str) -> tuple[str, str] | None:
        fields = line.split("\t")
        if len(fields) != _CONLLU:
            raise ValueError(f"it must have {_CONLLU} fields with tabs between")
        if not fields[0].isdigit():
            if fields[0].replace("-", "").replace(".", "").isdigit():
                return None
            raise ValueError(f"its first field must be the number of a word, not {fields[0]!r}")
        if fields[_UPOS] in ("", "_"):
            raise ValueError(f"{fields[_FORM]!r} has no part of speech in the field UPOS")
        return fields[_FORM], fields[_UPOS]

    return _parse(lines, read, lambda line: line[0] == "#")


def parse_columns(lines: Iterable[str]) -> Iterator[Sentence]:
    """Yields words and tags of the first and the last column; all lines have as many.

    What begins with `#` and has another number of columns is a comment: `# O` is a word.

    Raises:
        ValueError: a line is broken, with its number.
    """
    lines = list(lines)
    written = [line for line in lines if line.strip() and line[0] != "#"]
    with_tabs = any("\t" in line for line in written)

    def split(line: str) -> list[str]:
        if with_tabs:
            return line.rstrip("\t\r\n ").split("\t")
        return [field for field in line.rstrip("\r\n").split(" ") if field]

    columns = next((len(split(line)) for line in written if split(line)[0] != _DOCUMENT), 0)

    def read(line: str) -> tuple[str, str] | None:
        fields = split(line)
        if fields[0] == _DOCUMENT:
            return None
        if len(fields) < 2 or len(fields) != columns or not fields[0]:
            raise ValueError(
                f"it must have {max(2, columns)} columns, a word first and its tag last"
            )
        return fields[0], fields[-1]

    return _parse(lines, read, lambda line: line[0] == "#" and len(split(line)) != columns)


def _parse(
    lines: Iterable[str],
    read: Callable[[str], tuple[str, str] | None],
    is_comment: Callable[[str], bool],
) -> Iterator[Sentence]:
    """Yields the sentences of lines, each of which `read` makes a word and its tag of."""
    words: list[str] = []
    tags: list[str] = []
    number = 0
    for number, line in enumerate((*lines, ""), 1):
        line = line.rstrip("\r\n")
        if not line.strip():
            if words:
                yield words, tags
            words, tags = [], []
        elif not is_comment(line):
            try:
                pair = read(line)
            except ValueError as error:
                raise ValueError(
                    f"line {number:,} is broken: {error}. Received: {line:.200}"
                ) from None
            if pair is not None:
                words.append(pair[0])
                tags.append(pair[1])


def _read_file(path: Path, argument: str) -> list[Sentence]:
    if not path.is_file():
        raise ValueError(f"`{argument}` names no file. Received: {path}")
    if path.suffix.lower() == ".csv":
        raise ValueError(
            f"`{argument}` must be a file with a word and its tag a line, or one of "
            f"{', '.join(TABLES)} with lists. Received: {path}"
        )
    try:
        # Words may hold other ends of lines.
        with open(path, encoding="utf-8-sig", newline="\n") as file:
            lines = list(file)
    except UnicodeDecodeError as error:
        raise ValueError(explain_encoding(path)) from error
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    fields = first.rstrip("\r\n").split("\t")
    is_conllu = path.suffix.lower() == ".conllu" or (
        len(fields) == _CONLLU and fields[0][:1].isdigit()
    )
    try:
        sentences = list((parse_conllu if is_conllu else parse_columns)(lines))
    except ValueError as error:
        raise ValueError(f"{path}, {error}") from error
    if not sentences:
        raise ValueError(f"`{argument}` has no sentences. Received: {path}")
    return sentences


def _check_row(words: Any, tags: Any, number: int, argument: str) -> Sentence:
    def listed(values: Any, name: str) -> Sequence[Any]:
        if isinstance(values, str) or not hasattr(values, "__len__"):
            raise ValueError(
                f"`{name}` must have a list in each row. Received, in row {number:,} of "
                f"`{argument}`: {values!r:.200}"
            )
        return values

    words, tags = listed(words, "tokens"), listed(tags, "tags")
    if len(words) != len(tags):
        raise ValueError(
            f"Row {number:,} of `{argument}` has {len(words):,} tokens and {len(tags):,} tags: "
            f"{' '.join(map(_as_text, words)):.200}"
        )
    missing = [_as_text(word) for word, tag in zip(words, tags, strict=True) if tag is None]
    if missing:
        raise ValueError(f"Row {number:,} of `{argument}` has no tag for {missing[0]!r}.")
    return list(map(_as_text, words)), list(map(_as_text, tags))


def _as_text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
