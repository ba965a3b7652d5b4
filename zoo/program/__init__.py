"""The program `keras-attention`, which is `python -m zoo` too: a command per file of `commands`.

A command is checked before anything heavy is imported: neither Keras nor pandas is, for `--help`
or a mistake.
"""

import argparse
import sys
from collections.abc import Sequence

from zoo.program import commands, console

EXAMPLES = """
examples:
  keras-attention train text-classification --data reviews.csv --text review --label stars
  keras-attention predict runs/text-classification-reviews "a warm and funny film"

`keras-attention COMMAND --help` has the options of a command, and an example.
"""


def main(words: Sequence[str] | None = None) -> None:
    """Runs a command line.

    Args:
        words: of the line; those that the process was started with if `None`.

    Raises:
        SystemExit: a mistake or an interruption ended it, after a sentence on standard error.
    """
    words = sys.argv[1:] if words is None else list(words)
    names = commands.names()
    width = max(map(len, names)) + 1
    listing = "\n".join(f"  {name:<{width}} {commands.promise(name)}" for name in names)
    parser = console.Parser(
        prog="keras-attention",
        description="Trains models of attention, and asks them.",
        epilog=f"commands:\n{listing}\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kind = console.one_of("command", names)
    parser.add_argument("command", metavar="COMMAND", type=kind, help="see below")
    parser.add_argument("words", nargs=argparse.REMAINDER, help="of the command")
    if not words:
        parser.print_help()
        raise SystemExit(2)
    args = parser.parse_args(words)
    console.start(commands.load(args.command), args.words, prog=f"{parser.prog} {args.command}")
