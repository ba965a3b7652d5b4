"""The suite itself: which test runs on which backend, by the rule of CONTRIBUTING.md."""

import collections
import re

import pytest

from tests import conftest
from tests.backend import BACKENDS
from tests.zoo.models.cases import MODELS, mark_of
from tests.zoo.recipes import test_recipes

pytestmark = pytest.mark.runs_on("torch")

# What computes: on every backend.
EVERYWHERE = (
    "tests/cross_backend/",
    "tests/layers/test_contract.py::test_contract[",
    *(
        f"tests/ops/test_{name}.py"
        for name in ("additive", "attention", "block_sparse", "graph", "linear", "windows")
    ),
    "tests/references/",
    "tests/test_scope.py",
    "tests/training/test_losses.py",
    "tests/zoo/pretrained/test_checkpoints.py",
)
WITHOUT_BACKEND = "tests/references/test_hugging_face_tokenizers.py"  # texts to ids alone
# What composes that: on one backend each.
ON_ONE = ("tests/scripts/", "tests/zoo/")
# But each backend has peers of its own, must compute what published checkpoints and the trained
# models do, trains on a user's data, and serves several at once.
BOTH = (
    "tests/scripts/test_benchmark.py",
    "tests/zoo/pretrained/",
    "tests/zoo/serve/test_clients.py",
    "tests/zoo/tasks/",
    "tests/zoo/test_box.py",
)


def test_every_test_runs_where_the_rule_says(request):
    backend_by_test = request.config.stash[conftest.COLLECTED]
    assert set(backend_by_test.values()) <= {None, *BACKENDS}
    for test, backend in backend_by_test.items():
        if test.startswith(WITHOUT_BACKEND):
            continue
        if test.startswith(EVERYWHERE):
            assert backend is None, f"{test} computes, so it runs on every backend"
        elif test.startswith(ON_ONE) and not test.startswith(BOTH):
            assert backend, f"{test} composes, so `pytest.mark.runs_on` names its backend"


def test_models_and_recipes_are_spread_evenly():
    models = collections.Counter(mark_of(name).args[0] for name in MODELS)
    recipes = collections.Counter(test_recipes.BACKENDS.values())
    for counts in (models, recipes):
        assert max(counts[b] for b in BACKENDS) - min(counts[b] for b in BACKENDS) <= 1


def test_a_test_that_takes_too_long_fails(pytester, monkeypatch):
    pytester.makepyfile(
        """
        import time

        def test_quick():
            pass

        def test_slow():
            end = time.process_time() + 0.4
            while time.process_time() < end:
                pass
        """
    )
    with monkeypatch.context() as patch:
        patch.setattr(conftest, "LIMIT", 0.3)
        result = pytester.inline_run("-p", "no:cacheprovider", plugins=[conftest])
    result.assertoutcome(passed=1, failed=1)
    (failure,) = result.getfailures()
    assert re.search(r"test_slow took 0 CPU seconds\. A test", str(failure.longrepr))
