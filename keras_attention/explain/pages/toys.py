"""Two small pages to learn by: scores and their softmax, and a mask to paint.

They need no model and no network, and have a few sizes alone.
"""

from keras_attention.explain.pages.document import fill, read
from keras_attention.explain.pages.view import View


def score_toy(scores: tuple[float, ...] = (0.0, 0.7, 1.6)) -> View:
    """Returns a page with a slider for each score, and bars of the weights that softmax makes.

    Args:
        scores: at first, 2 to 8 of them from -5 to 5.

    Raises:
        ValueError: other scores.
    """
    if not 2 <= len(scores) <= 8 or not all(-5 <= score <= 5 for score in scores):
        raise ValueError(f"`scores` must be 2 to 8 numbers from -5 to 5. Received: {scores}")
    return _page("Scores and their softmax", {"scores": list(scores)})


def mask_painter(size: int = 6) -> View:
    """Returns a page with a mask `(size, size)` to paint: a row's weights, where all scores are
    equal, are shared among the keys that it may see.

    Args:
        size: positions, 2 to 12.

    Raises:
        ValueError: another size.
    """
    if not 2 <= size <= 12:
        raise ValueError(f"`size` must be from 2 to 12. Received: size={size}")
    return _page("A mask to paint", {"size": size})


def _page(title: str, content: dict[str, object]) -> View:
    page, style, script = (read(f"page.toy.{kind}") for kind in ("html", "css", "js"))
    return View(fill(page, style, script, {"title": title, **content}))
