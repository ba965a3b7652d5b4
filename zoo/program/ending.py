"""The end of a command that is interrupted or whose training fails: a sentence and an exit code."""

import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from zoo.harness import invocation


@contextmanager
def explain_exit() -> Iterator[None]:
    """Ends with 130 after Ctrl-C, 143 after SIGTERM, and says how to go on.

    Those are 128 and the number of the signal, as a shell has it. A loss that is no number ends
    with 1.
    """
    try:
        yield
    except KeyboardInterrupt as error:  # `zoo.harness.interruption.Interrupted` has the number
        number = getattr(error, "number", None)
        words = invocation.words()
        again = [*words, *(["--resume"] if "--resume" not in words else [])]
        if number is not None:
            print(f"{error} It is saved. To go on: {shlex.join(again)}", file=sys.stderr)
        else:
            print("Interrupted.", file=sys.stderr)
        raise SystemExit(128 + (number or signal.SIGINT)) from None
    except FloatingPointError as error:
        raise SystemExit(str(error)) from None
