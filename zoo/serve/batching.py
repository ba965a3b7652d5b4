"""One thread that computes, and the queue before it, in which requests become batches."""

import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from zoo.serve.limits import Limits, Refusal, bad

# Returns an answer for each row. It is told how to see that nobody waits for them any more.
Compute = Callable[[list[Any], Callable[[], bool]], Sequence[Any]]

_log = logging.getLogger("zoo.serve")


@dataclass(eq=False)
class Job:
    """What a request wants to have computed.

    Attributes:
        group: jobs of equal groups may be computed together; `None` for one by itself.
        rows: of the batch, at least one.
        compute: from rows to answers, the same function for all jobs of a group.
        answers: where they will be.
        given_up: whether nobody waits for them.
        received: when it was submitted, in seconds.
        due: when it must be computed, in seconds.
    """

    group: Hashable
    rows: list[Any]
    compute: Compute
    answers: Future = field(default_factory=Future)
    given_up: bool = False
    received: float = field(default_factory=time.monotonic)
    due: float = float("inf")

    def is_over(self) -> bool:
        """Whether it need not be computed any further."""
        return self.given_up or time.monotonic() > self.due


class Batcher:
    """Computes jobs in their order, those of a group that wait at the same time together.

    No job waits for others to come: while one batch is computed, the next one gathers. If a batch
    fails, its jobs are computed one by one, so that only that fails which is bad itself.

    Args:
        limits: of the server.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="compute", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._waiting)

    def submit(self, job: Job) -> Future:
        """Returns where the answers of a job will be.

        Raises:
            Refusal: too many wait, or the server ends.
        """
        with self._changed:
            if self._closed:
                raise Refusal.busy("The server is shutting down.")
            if len(self._waiting) >= self._limits.requests:
                raise Refusal.busy("Too many requests are waiting. Try again later.")
            self._waiting.append(job)
            self._changed.notify()
        return job.answers

    def close(self, seconds: float = 10.0) -> None:
        """Ends the thread after the batch that it computes; jobs that wait are refused."""
        with self._changed:
            self._closed = True
            waiting, self._waiting = list(self._waiting), deque()
            self._changed.notify()
        for job in waiting:
            if job.answers.set_running_or_notify_cancel():
                job.answers.set_exception(Refusal.busy("The server is shutting down."))
        self._thread.join(seconds)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not (self._waiting or self._closed):
                    self._changed.wait()
                if self._closed:
                    return
                jobs = self._take()
            if jobs:
                self._compute(jobs)
                del jobs  # what they hold is not to wait for the next ones

    def _take(self) -> list[Job]:
        """Returns the next job, and those behind it that can be computed with it."""
        taken: list[Job] = []
        left: deque[Job] = deque()
        rows = 0
        for job in self._waiting:
            first = not taken
            fits = first or (
                job.group is not None
                and job.group == taken[0].group
                and rows + len(job.rows) <= self._limits.batch
            )
            if not fits:
                left.append(job)
            elif job.answers.set_running_or_notify_cancel():
                job.due = time.monotonic() + self._limits.compute_seconds
                taken.append(job)
                rows += len(job.rows)
        self._waiting = left
        return taken

    def _compute(self, jobs: list[Job]) -> None:
        """Gives jobs their answers, or the error that each of them alone raises."""
        rows = [row for job in jobs for row in job.rows]
        try:
            answers = list(jobs[0].compute(rows, lambda: all(job.is_over() for job in jobs)))
            if len(answers) != len(rows):
                raise RuntimeError(f"{len(answers)} answers for {len(rows)} inputs")
        except BaseException as error:  # a library in Rust panics with one that is no Exception
            if len(jobs) == 1:
                jobs[0].answers.set_exception(_tell(error))
                return
            for job in jobs:
                self._compute([job])
            return
        start = 0
        for job in jobs:
            job.answers.set_result(answers[start : start + len(job.rows)])
            start += len(job.rows)


def _tell(error: BaseException) -> Refusal:
    """Returns what a client is told of an error: all of what it can mend, nothing of the rest."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, (ValueError, TypeError)):
        # Keras puts what a layer says among the arguments of the call.
        inner = re.search("\x1b\\[1m(.*?)\x1b\\[0m", str(error), re.DOTALL)
        return bad((inner[1] if inner else str(error))[:1000])
    _log.error("A request failed.", exc_info=error)
    if isinstance(error, MemoryError):
        return Refusal.busy("There is not enough memory for this request.")
    return Refusal(500, "The model failed at this input. The server's log says why.")
