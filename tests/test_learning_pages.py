"""Learning pages are programs: each runs, and fails if the library computes something else.

The environment `docs` of tox runs each page once, on PyTorch, as a cell of the site; here `--full`
runs them on every backend, one after the other in this process.
"""

from pathlib import Path

import keras
import pytest

from keras_attention.ops import attention

FOLDER = Path(__file__).parents[1] / "docs" / "learn"
PAGES = sorted(FOLDER.glob("[0-9]*.py"))


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """No display, and nothing of an earlier page."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    from matplotlib import pyplot

    pyplot.switch_backend("Agg")
    keras.utils.clear_session()
    yield
    pyplot.close("all")


def run(page):
    program = compile(page.read_text(encoding="utf-8"), str(page), "exec")
    exec(program, {"__name__": "__main__", "__file__": str(page)})


@pytest.mark.full
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_run(page):
    run(page)


@pytest.mark.runs_on("torch")
def test_the_first_page_runs():
    run(PAGES[0])


def without_root(query, key, *, mask=None, bias=None, scale=None):
    weights = attention.attention_weights
    return weights(query, key, mask=mask, bias=bias, scale=1.0 if scale is None else scale)


def inverted(logits, mask=None):
    return attention.masked_softmax(logits, None if mask is None else ~mask)


@pytest.mark.full
@pytest.mark.runs_on("torch")
@pytest.mark.parametrize(
    ("page", "name", "wrong"),
    [
        ("01_*.py", "masked_softmax", lambda logits, mask=None: keras.ops.sigmoid(logits)),
        ("04_*.py", "attention_weights", without_root),
        ("07_*.py", "masked_softmax", inverted),
    ],
)
def test_a_page_fails_if_the_library_is_wrong(page, name, wrong, monkeypatch):
    (page,) = FOLDER.glob(page)
    monkeypatch.setattr(attention, name, Wrong(getattr(attention, name), wrong))
    with pytest.raises(AssertionError):
        run(page)


class Wrong:
    """A function in place of another, which it may call."""

    def __init__(self, right, wrong):
        self.right, self.wrong, self.inside = right, wrong, False

    def __call__(self, *args, **kwargs):
        if self.inside:
            return self.right(*args, **kwargs)
        self.inside = True
        try:
            return self.wrong(*args, **kwargs)
        finally:
            self.inside = False
