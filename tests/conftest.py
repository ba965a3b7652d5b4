"""How the suite runs: which tests on which backend, and what they cost.

A test runs on every backend unless `pytest.mark.runs_on(...)` names the one that it runs on, or
`pytest.mark.full` leaves it to `--full`, which runs all tests on all backends but those of
`pytest.mark.only_on(...)`, which are about a backend itself. CONTRIBUTING.md has the rule.
"""

import collections
import gc
import os
import warnings
from pathlib import PurePosixPath

import keras
import pytest
from keras.src.backend.common import global_state

LIMIT = 60  # CPU seconds of one test
COLLECTED = pytest.StashKey()  # the one backend, or `None`, of each test by its id
_spent = 0.0


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="run every test on every backend")


def pytest_configure(config):
    config.addinivalue_line("markers", "runs_on(backend): the one backend that the test runs on")
    config.addinivalue_line("markers", "only_on(backend): the one backend that the test is about")
    config.addinivalue_line("markers", "full: runs with --full alone")


def pytest_collection_modifyitems(config, items):
    config.stash[COLLECTED] = {item.nodeid: backend_of(item) for item in items}
    here = (None, keras.backend.backend())
    if config.getoption("full"):
        kept = [i for i in items if backend_of(i, "only_on") in here]
    else:
        kept = [i for i in items if backend_of(i) in here and not i.get_closest_marker("full")]
    config.hook.pytest_deselected(items=list(set(items) - set(kept)))
    items[:] = kept


def backend_of(item, *marks):
    """The one backend that a test runs on by its marks, or `None` where it runs on all of them."""
    for name in marks or ("only_on", "runs_on"):
        mark = item.get_closest_marker(name)
        if mark:
            return mark.args[0]
    return None


def pytest_collection_finish():
    """Collects garbage less often, which is a tenth of the suite's time: what is imported lives as
    long as the process, millions of objects that Python would look through again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    """Ends a call of Keras that the test left open, as `torch.compile` of a function that branches
    does: in later tests `training` would be that of the first of their calls."""
    outcome = yield
    if global_state.get_global_attribute("current_call_ctx") is not None:
        global_state.set_global_attribute("current_call_ctx", None)
        warnings.warn(f"{item.nodeid} left a call of Keras open.", stacklevel=1)
    return outcome


def cpu_seconds():
    """CPU seconds of this process and of those that it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def pytest_runtest_logstart():
    global _spent
    _spent = cpu_seconds()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Notes the CPU seconds of each phase, and fails a test whose call takes more than `LIMIT`.

    What tests share is computed in the setup of the first, and counts in the table alone.
    """
    global _spent
    report = yield
    now = cpu_seconds()
    report.cpu_seconds, _spent = now - _spent, now
    too_long = report.when == "call" and report.cpu_seconds > LIMIT
    if too_long and report.passed and not item.config.getoption("full"):
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid} took {report.cpu_seconds:.0f} CPU seconds. A test takes at most "
            f"{LIMIT}: make it smaller, or share what it computes."
        )
    return report


def pytest_terminal_summary(terminalreporter):
    """Prints the CPU seconds by folder and the ten slowest tests."""
    by_folder, by_test = collections.Counter(), collections.Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            seconds = getattr(report, "cpu_seconds", 0.0)
            path = PurePosixPath(report.nodeid.split("::")[0]) if seconds else None
            if path:
                by_folder[str(path.parent)] += seconds
                by_test[report.nodeid] += seconds
    if not by_test:
        return
    terminalreporter.section(f"CPU seconds on {keras.backend.backend()}")
    for folder, seconds in by_folder.most_common():
        terminalreporter.line(f"{seconds:8.1f}  {folder}")
    terminalreporter.line(f"{by_test.total():8.1f}  in all; the slowest tests:")
    for name, seconds in by_test.most_common(10):
        terminalreporter.line(f"{seconds:8.1f}  {name[:120]}")
