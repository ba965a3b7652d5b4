"""Command lines whose mistakes are told in one line, before Keras is imported."""

import argparse
import difflib
import math
import os
import sys
import traceback
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn

from zoo.program import ending

OURS = [Path(__file__).parents[2] / folder for folder in ("keras_attention", "zoo", "scripts")]


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

    def parse(self, words: Sequence[str] | None) -> argparse.Namespace:
        """Returns the arguments of a command line, whose inputs may stand behind options."""
        leaves_rest = any(action.nargs == argparse.REMAINDER for action in self._actions)
        return self.parse_args(words) if leaves_rest else self.parse_intermixed_args(words)


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


def number(text: str) -> float:
    """The type of a number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no number.")
    return value


def start(command: Any, words: Sequence[str] | None = None, *, prog: str | None = None) -> None:
    """Runs a command, see `zoo.program.commands`.

    Args:
        command: its module, or the module of a script.
        words: of the command line; those that the process was started with if `None`.
        prog: what the command line begins with; the file that was started if `None`.
    """
    parser = Parser(
        prog=prog,
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    run(command.run, parser, words)


def run(main: Callable[[argparse.Namespace], Any], parser: Parser, words: Any = None) -> None:
    """Runs `main` on the arguments of a command line.

    What the user, our own code or the disk says is one line; a fault has its traceback.
    """
    args = parser.parse(words)
    try:
        with ending.explain_exit():
            main(args)
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    except BrokenPipeError:  # the reader of the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (ValueError, TypeError, ImportError, OSError) as error:
        raised_in = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
        if not (isinstance(error, OSError) or any(map(raised_in.is_relative_to, OURS))):
            raise
        raise SystemExit(f"{parser.prog}: {error}") from error
