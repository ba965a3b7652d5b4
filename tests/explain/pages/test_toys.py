"""Small pages to learn by, in headless Chromium."""

import numpy as np
import pytest

import keras_attention as ka
from tests.explain.pages.test_page import chromium, page, pytestmark, slide, softmax

__all__ = ["chromium", "page", "pytestmark"]


@pytest.fixture
def toy(page, tmp_path):
    def show(view):
        page.driver.get(view.save(tmp_path / "toy.html").as_uri())
        return page

    return show


def test_bars_are_the_softmax_of_scores(toy):
    page = toy(ka.explain.score_toy((0.0, 1.0, 2.0)))
    for last in (2.0, -3.0):
        slide(page, ".score:last-child input", last)
        shown = [float(line.text) for line in page.all(".score output:last-child")]
        np.testing.assert_allclose(shown, softmax(np.array([0, 1, last])), atol=5e-4)
    assert not page.errors


def test_a_painted_mask_shares_weights_among_what_is_seen(toy):
    from selenium.webdriver import Keys

    page = toy(ka.explain.mask_painter(4))
    next(button for button in page.all(".presets button") if button.text == "causal").click()
    page.all("td button")[4].send_keys(Keys.ENTER)  # by keyboard: query 2, key 1
    shown = np.array([float(cell.text or 0) for cell in page.all("td button")]).reshape(4, 4)
    mask = np.tri(4)
    mask[1, 0] = 0
    np.testing.assert_allclose(shown, mask / mask.sum(axis=1, keepdims=True), atol=5e-3)
    assert page.all("td button")[4].get_attribute("aria-pressed") == "false"
    assert page.one("#told").text.startswith("9 of 16 pairs")
    assert not page.errors


def test_errors_teach():
    with pytest.raises(ValueError, match="`scores` must be 2 to 8 numbers"):
        ka.explain.score_toy((1.0,))
    with pytest.raises(ValueError, match="`size` must be from 2 to 12"):
        ka.explain.mask_painter(40)
