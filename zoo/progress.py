"""How far long work is, and how long the rest of it takes."""

import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Self, TextIO, TypeVar

Item = TypeVar("Item")
_QUIET = 2.0  # seconds, in which most work is done and nothing has to be said
_TERMINAL, _LOG = 0.2, 10.0  # seconds between lines that a person watches, or reads later


class Progress(AbstractContextManager["Progress"]):
    """A line on standard error: `Translated 1,200 of 5,000 (24 %), 3 min left`.

    A terminal shows one line that changes, a log file has one every ten seconds. Work that takes
    less than two seconds says nothing.

    Args:
        what: was done to those that are done.
        total: how many there are; `None` if nobody knows.
        unit: of the numbers.
        stream: instead of standard error.
        clock: gives seconds.
    """

    def __init__(
        self,
        what: str,
        total: int | None,
        *,
        unit: str = "",
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = 0
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._begin = clock()
        self._said: float | None = None

    def advance(self, count: int = 1) -> None:
        """Notes that so many more are done."""
        self.done += count
        now = self._clock()
        if self._stream.isatty():
            if now - (self._said or self._begin) >= (_TERMINAL if self._said else _QUIET):
                self._stream.write(f"\r{self.line(now):<78}")
                self._stream.flush()
                self._said = now
        elif now - (self._said or self._begin) >= _LOG:
            print(self.line(now), file=self._stream, flush=True)
            self._said = now

    def line(self, now: float) -> str:
        """Returns the sentence that is true now."""
        unit = f" {self.unit}" if self.unit else ""
        if not self.total:
            return f"{self.what} {self.done:,}{unit}"
        left = (now - self._begin) * (self.total - self.done) / max(self.done, 1)
        share = self.done / self.total
        return (
            f"{self.what} {self.done:,} of {self.total:,}{unit} ({100 * share:.0f} %), "
            f"{format_seconds(left)} left"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        if self._said is not None and self._stream.isatty():
            self._stream.write(f"\r{'':<78}\r")  # what comes next has the line
            self._stream.flush()


def track(items: Collection[Item], what: str, **settings: Any) -> Iterator[Item]:
    """Yields items, each of which counts as done when the next is asked for; see `Progress`."""
    with Progress(what, len(items), **settings) as progress:
        for item in items:
            yield item
            progress.advance()


@contextmanager
def show_waiting(what: str, **settings: Any) -> Iterator[None]:
    """Says how long work has taken whose parts nobody can count: `Choosing tokens for 12 s`.

    A thread says it, so the work must let other threads run, as calls of compiled libraries do.

    Args:
        what: is done; the seconds follow.
        settings: of `Progress`.
    """
    over = threading.Event()
    begin = time.monotonic()

    def say() -> None:
        while not over.wait(_TERMINAL):
            progress.advance(int(time.monotonic() - begin) - progress.done)

    with Progress(what, None, unit="s", **settings) as progress:
        thread = threading.Thread(target=say, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def format_seconds(seconds: float) -> str:
    """Returns a time as a person says it: `42 s`, `3 min`, `1 h 12 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
