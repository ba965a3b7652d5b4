"""Command lines whose mistakes are told in one line, before Keras is imported."""

import argparse
import difflib
import sys
import traceback
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NoReturn

OURS = [Path(__file__).parents[1] / folder for folder in ("keras_attention", "zoo", "scripts")]


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong, and which name was meant."""

    def error(self, message: str) -> NoReturn:
        _, _, unknown = message.partition("unrecognized arguments: ")
        if unknown:
            options = [option for action in self._actions for option in action.option_strings]
            message = f"there is no argument {unknown}"
            message += suggest(unknown.split()[0].split("=")[0], options)
        stop = "" if message.endswith(("?", ".")) else "."
        self.exit(2, f"{self.prog}: {message}{stop} See --help.\n")

    def check(self, kind: Callable[[str], Any], text: str) -> None:
        """Checks what depends on another argument."""
        try:
            kind(text)
        except argparse.ArgumentTypeError as error:
            self.error(str(error))


def suggest(name: str, names: Collection[str]) -> str:
    """Returns the end of a sentence: the name that was meant, or the names there are, if few."""
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f": did you mean {close[0]}?"
    return f"; there are {', '.join(names)}." if 0 < len(names) <= 10 else "."


def one_of(what: str, names: Collection[str]) -> Callable[[str], str]:
    """Returns the type of an argument that is one of these names."""

    def check(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"there is no {what} {text!r}{suggest(text, names)}")
        return text

    return check


def at_least(lowest: int) -> Callable[[str], int]:
    """Returns the type of a whole number."""

    def check(text: str) -> int:
        if not text.isdecimal() or not lowest <= int(text) < 2**32:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {lowest} on.")
        return int(text)

    return check


def run(main: Callable[[], Any]) -> None:
    """Runs a script. What our own code or the disk says is one line; a fault has its traceback."""
    try:
        main()
    except (ValueError, TypeError, ImportError, OSError) as error:
        raised_in = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
        if not (isinstance(error, OSError) or any(map(raised_in.is_relative_to, OURS))):
            raise
        raise SystemExit(f"{Path(sys.argv[0]).name}: {error}") from error
