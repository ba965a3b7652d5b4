"""What long work says of itself."""

import io

import pytest

from zoo.progress import Progress, format_seconds, track

pytestmark = pytest.mark.runs_on("torch")


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


class Clock:
    """A clock that work moves on."""

    now = 100.0

    def __call__(self):
        return self.now


def work(seconds, steps, *, terminal, total=True):
    stream, clock = Stream(terminal), Clock()
    what = Progress("Read", steps if total else None, unit="rows", stream=stream, clock=clock)
    with what as progress:
        for _ in range(steps):
            clock.now += seconds / steps
            progress.advance()
    return stream.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_short_work_says_nothing(terminal):
    assert work(1.9, 1000, terminal=terminal) == ""


def test_a_log_has_a_line_every_ten_seconds():
    lines = work(100, 50, terminal=False).splitlines()
    assert len(lines) == 10
    assert lines[0] == "Read 5 of 50 rows (10 %), 2 min left"
    assert lines[4] == "Read 25 of 50 rows (50 %), 50 s left"
    assert work(25, 50, terminal=False, total=False).splitlines() == [
        "Read 20 rows",
        "Read 40 rows",
    ]


def test_a_terminal_has_one_line_that_goes_when_the_work_is_done():
    written = work(10, 1000, terminal=True)
    assert "\n" not in written
    shown = [line.rstrip() for line in written.split("\r") if line.strip()]
    assert 35 < len(shown) <= 41
    assert shown[0].startswith("Read 200 of 1,000 rows (20 %), 8 s left")
    assert written.endswith("\r")
    assert not written.split("\r")[-2].strip()


def test_items_are_done_when_the_next_is_asked_for():
    stream, clock, seen = Stream(False), Clock(), []
    for item in track([1, 2, 3], "Written", stream=stream, clock=clock):
        seen.append(item)
        clock.now += 60
    assert seen == [1, 2, 3]
    assert stream.getvalue().splitlines()[0] == "Written 1 of 3 (33 %), 2 min left"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59.4, "59 s"), (90, "2 min"), (4320, "1 h 12 min")]
)
def test_times_are_said_as_people_do(seconds, said):
    assert format_seconds(seconds) == said
