"""The queue before the thread that computes: what goes together, and what is refused."""

import threading
import time

import pytest

from zoo.serve.batching import Batcher, Job
from zoo.serve.limits import Limits, Refusal

pytestmark = pytest.mark.runs_on("torch")


class Doubler:
    """A computation that notes its batches, and begins when it is let."""

    def __init__(self):
        self.batches = []
        self.began = threading.Event()
        self.go = threading.Event()

    def __call__(self, rows, is_over):
        self.began.set()
        assert self.go.wait(10)
        self.batches.append(list(rows))
        if any(row < 0 for row in rows):
            raise ValueError("A row is negative.")
        return [2 * row for row in rows]


@pytest.fixture
def doubler():
    return Doubler()


@pytest.fixture
def batcher():
    batcher = Batcher(Limits(batch=4, requests=6))
    yield batcher
    batcher.close()


def submit(batcher, doubler, *rows, group="same"):
    job = Job(group, list(rows), doubler)
    batcher.submit(job)
    return job


def test_what_waits_together_is_computed_together(batcher, doubler):
    """By rows, not by requests, and past what is of another group."""
    first = submit(batcher, doubler, 0)
    assert doubler.began.wait(10)  # the others come while it computes
    jobs = [
        submit(batcher, doubler, 1, 2),
        submit(batcher, doubler, 3, group=None),
        submit(batcher, doubler, 4, 5),
        submit(batcher, doubler, 6, 7, 8, 9, 10),
        submit(batcher, doubler, 11, group=None),
    ]
    doubler.go.set()
    for job in (first, *jobs):
        assert job.answers.result(10) == [2 * row for row in job.rows]
    assert doubler.batches == [[0], [1, 2, 4, 5], [3], [6, 7, 8, 9, 10], [11]]


def test_a_bad_row_fails_its_own_request_alone(batcher, doubler):
    first = submit(batcher, doubler, 0)
    assert doubler.began.wait(10)
    jobs = [submit(batcher, doubler, row) for row in (1, -2, 3)]
    doubler.go.set()
    assert first.answers.result(10) == [0]
    assert jobs[0].answers.result(10) == [2]
    assert jobs[2].answers.result(10) == [6]
    with pytest.raises(Refusal, match="A row is negative") as refusal:
        jobs[1].answers.result(10)
    assert refusal.value.status == 400


def test_a_full_queue_refuses(batcher, doubler):
    submit(batcher, doubler, 0)
    assert doubler.began.wait(10)
    jobs = [submit(batcher, doubler, row) for row in range(6)]
    with pytest.raises(Refusal, match="Too many requests") as refusal:
        submit(batcher, doubler, 7)
    assert refusal.value.status == 503
    assert refusal.value.headers["Retry-After"] == "1"
    jobs[0].answers.cancel()  # as one does whose client has left
    doubler.go.set()
    assert jobs[-1].answers.result(10) == [10]
    assert [row for batch in doubler.batches for row in batch] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("secret"), 500), (MemoryError(), 503), (SystemExit(), 500)]
)
def test_faults_are_told_to_nobody_and_the_thread_goes_on(batcher, doubler, error, status):
    def fail(rows, is_over):
        raise error

    job = Job("bad", [1], fail)
    batcher.submit(job)
    with pytest.raises(Refusal) as refusal:
        job.answers.result(10)
    assert refusal.value.status == status
    assert "secret" not in str(refusal.value)
    doubler.go.set()
    assert submit(batcher, doubler, 4).answers.result(10) == [8]


def test_closing_refuses_those_that_wait(doubler):
    batcher = Batcher(Limits())
    running = submit(batcher, doubler, 1)
    assert doubler.began.wait(10)
    waiting = submit(batcher, doubler, 2)
    threading.Timer(0.05, doubler.go.set).start()
    batcher.close()
    assert running.answers.result(0) == [2]
    with pytest.raises(Refusal, match="shutting down"):
        waiting.answers.result(0)
    with pytest.raises(Refusal, match="shutting down"):
        submit(batcher, doubler, 3)


def test_a_job_is_over_when_it_is_due_or_given_up():
    job = Job("", [], lambda rows, is_over: [])
    assert not job.is_over()
    job.due = time.monotonic() - 1
    assert job.is_over()
    job.due, job.given_up = float("inf"), True
    assert job.is_over()
