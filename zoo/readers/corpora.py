"""Parts of a corpus that is read a piece at a time, and what is found in it."""

from collections.abc import Iterator
from functools import partial

from zoo.readers.findings import Findings
from zoo.readers.lines import PIECE, Corpus
from zoo.readers.splitting import SHARE, count_parts

TESTED = 500_000  # characters that are split off to choose by, and again to test on, at most
LINE = 40  # characters of a line that is not there twice by chance
_SMALL = 2**12  # characters of a piece of a sample
_LINES = 1_000_000  # lines that are compared with others, at most


def add_size(findings: Findings, corpus: Corpus, argument: str) -> int:
    """Adds how much text there is, and returns the number of its characters.

    Raises:
        ValueError: there is none.
    """
    size, lines, alphabet = 0, 0, set()
    for piece in corpus():
        size, lines = size + len(piece), lines + piece.count("\n")
        alphabet.update(piece)
    if not size:
        raise ValueError(f"`{argument}` has no text.")
    findings.add(
        f"{argument.capitalize()}: {size:,} characters, {len(alphabet):,} that differ, in "
        f"{lines:,} lines"
    )
    return size


def split_corpus(corpus: Corpus, size: int, *, parts: int) -> list[Corpus]:
    """Returns the parts of a corpus of so many characters, in their order; the first is the
    largest."""
    each = min(int(SHARE * size), TESTED)
    ends = [size - each * later for later in range(count_parts(parts) - 1, -1, -1)]
    return [
        partial(_read_between, corpus, start, stop)
        for start, stop in zip([0, *ends[:-1]], ends, strict=True)
    ][:parts]


def add_repeated_lines(findings: Findings, train: Corpus, test: Corpus) -> None:
    """Adds how many long lines are repeated, and how many of the test part are trained on."""
    known: set[int] = set()
    count = 0
    for count, line in enumerate(_read_long_lines(train), 1):
        known.add(hash(line))
        if count == _LINES:
            break
    if count > len(known):
        findings.warn(f"{count - len(known):,} of {count:,} long lines repeat an earlier one.")
    tested = [hash(line) in known for line in _read_long_lines(test)]
    if any(tested):
        findings.warn(
            f"{sum(tested):,} of {len(tested):,} long lines of the test part are in the training "
            "part too: the score is better than that on new texts."
        )


def find_alphabet(corpus: Corpus) -> list[str]:
    """Returns the characters of a corpus, sorted."""
    alphabet: set[str] = set()
    for piece in corpus():
        alphabet.update(piece)
    return sorted(alphabet)


def read_sample(corpus: Corpus, size: int) -> Iterator[str]:
    """Yields a corpus up to `size` characters, in small pieces.

    Who learns from them reads hundreds ahead, so that of large ones nobody could say how far it is.
    """
    for piece in _read_between(corpus, 0, size):
        for start in range(0, len(piece), _SMALL):
            yield piece[start : start + _SMALL]


def _read_between(corpus: Corpus, start: int, stop: int) -> Iterator[str]:
    place = 0
    for piece in corpus():
        some = piece[max(0, start - place) : max(0, stop - place)]
        if some:
            yield some
        place += len(piece)
        if place >= stop:
            return


def _read_long_lines(corpus: Corpus) -> Iterator[str]:
    rest = ""
    for piece in corpus():
        *lines, rest = (rest + piece).split("\n")
        yield from (line for line in lines if len(line) >= LINE)
        if len(rest) > PIECE:  # a text without lines
            rest = ""
    if len(rest) >= LINE:
        yield rest
