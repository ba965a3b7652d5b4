"""Pages of attention weights in headless Chromium: what is pointed at changes what is shown."""

import json
import re
import shutil
import statistics

import numpy as np
import pytest

import keras_attention as ka
import zoo.pretrained
from keras_attention.explain.maps.generation_maps import generation_maps
from keras_attention.explain.pages.html import to_html
from keras_attention.explain.pages.image import Patches
from tests.zoo.pretrained import texts
from zoo.models.vit import VARIANTS, vit

pytestmark = [
    pytest.mark.runs_on("torch"),
    pytest.mark.skipif(
        not (shutil.which("chromium") and shutil.which("chromedriver")),
        reason="no browser: apt-get install chromium chromium-driver",
    ),
    pytest.mark.xdist_group("browser"),
]

WORDS = ["the", "cat", "sat"]
FLAGS = [  # Chromium itself is not to look for updates and the like
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
]


def weights(*shape, seed=0):
    raw = np.random.default_rng(seed).exponential(size=shape).astype("float32")
    return raw / raw.sum(axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def chromium():
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for flag in FLAGS:
        options.add_argument(flag)
    # With its path, Selenium looks for no driver on the network.
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


class Page:
    """A page as its reader has it."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, path):
        self.driver.get_log("performance")
        self.driver.get(path.as_uri())
        self.wait()

    def wait(self):
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 20, 0.02).until(
            lambda _: self.one("#view").get_attribute("aria-busy") == "false"
        )

    def one(self, selector):
        return self.driver.find_element("css selector", selector)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def items(self, side):
        return self.all(f"section.{side} .item")

    def hover(self, side, index):
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).move_to_element(self.items(side)[index]).perform()

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def layer(self, path):
        from selenium.webdriver.support.ui import Select

        Select(self.one("#layer")).select_by_visible_text(path)
        self.wait()

    def head(self, value):
        self.one(f"#heads input[value='{value}']").click()

    def numbers(self, side):
        """The weights beside the tokens of a list."""
        return [float(item.text or "nan") for item in self.all(f"section.{side} .item small")]

    def shares(self, side):
        """How dark the items are, from 0 to 1."""
        shares = []
        for item in self.items(side):
            colour = item.value_of_css_property("background-color")
            alpha = re.search(r"[,/] ?([\d.]+)\)$", colour) if colour.startswith("rgba") else None
            shares.append(float(alpha[1]) / 0.85 if alpha else 1.0)
        return shares

    @property
    def told(self):
        return self.one("#readout").text

    @property
    def errors(self):
        return [entry for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    @property
    def requests(self):
        messages = (json.loads(e["message"])["message"] for e in self.driver.get_log("performance"))
        return [
            m["params"]["request"]["url"]
            for m in messages
            if m["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture
def page(chromium, tmp_path):
    page = Page(chromium)
    page.show = lambda view: page.open(view.save(tmp_path / "attention.html"))
    return page


def test_pointing_shows_what_a_token_attends_to_and_what_attends_to_it(page):
    values = weights(1, 2, 3, 3)
    page.show(to_html({"a": values}, WORDS))
    mean = values[0].mean(axis=0)
    np.testing.assert_allclose(page.numbers("keys"), mean.mean(axis=0), atol=6e-3)
    for side in ("queries", "keys"):
        for index in range(3):
            page.hover(side, index)
            np.testing.assert_allclose(page.numbers("keys"), mean[index], atol=6e-3)
            np.testing.assert_allclose(page.numbers("queries"), mean[:, index], atol=6e-3)
            np.testing.assert_allclose(
                page.shares("keys"), mean[index] / mean[index].max(), atol=0.01
            )
            assert page.told.startswith(f"{WORDS[index]} attends to")
            assert f"{WORDS[index]} is attended to by" in page.told
    largest = float(page.one("section.keys output").text)
    assert largest == pytest.approx(mean[2].max(), abs=6e-3)
    assert not page.errors


def test_selecting_a_head_and_a_layer_changes_what_is_shown(page):
    maps = {"block_0": weights(1, 2, 3, 3), "block_1": weights(1, 3, 3, 3, seed=1)}
    page.show(to_html(maps, WORDS))
    page.hover("queries", 1)
    page.one("section.queries .item.current").click()  # held while something else is selected
    for path, values in maps.items():
        page.layer(path)
        assert len(page.all("#heads input")) == 1 + values.shape[1]
        for head in range(values.shape[1]):
            page.head(head)
            np.testing.assert_allclose(page.numbers("keys"), values[0, head, 1], atol=6e-3)
    page.layer("block_0")  # has no head 2
    np.testing.assert_allclose(page.numbers("keys"), maps["block_0"][0].mean(axis=0)[1], atol=6e-3)


def test_a_pair_of_sentences(page):
    maps = {"encoder": weights(1, 4, 4), "cross": weights(1, 3, 4), "decoder": weights(1, 3, 3)}
    page.show(to_html(maps, {"source": list("abcd"), "target": list("xyz")}))
    page.layer("cross")
    assert page.one("section.queries h2").text == "Queries target"
    assert page.one("section.keys h2").text == "Keys source"
    page.hover("queries", 2)
    np.testing.assert_allclose(page.numbers("keys"), maps["cross"][0, 2], atol=6e-3)
    assert all(np.isnan(page.numbers("queries")))
    page.hover("keys", 3)
    np.testing.assert_allclose(page.numbers("queries"), maps["cross"][0, :, 3], atol=6e-3)
    page.layer("decoder")
    assert [item.text for item in page.all("section.keys .item span")] == list("xyz")


def test_a_held_token_and_another_tell_their_weight(page):
    values = weights(1, 3, 3)
    page.show(to_html({"a": values}, WORDS))
    page.items("queries")[0].click()
    page.hover("keys", 2)
    assert page.told.startswith("the attends to sat with weight")
    assert float(page.one(".weight").text) == pytest.approx(values[0, 0, 2], abs=6e-3)
    page.hover("queries", 1)
    assert "cat attends to the with weight" in page.told
    from selenium.webdriver import Keys

    page.press(Keys.ESCAPE)
    assert page.told.startswith("On average")


def test_words_and_patches_of_an_image(page):
    image = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    values = weights(1, 2, 3, 6)
    maps = {"vit": weights(1, 2, 7, 7), "cross": values}
    axes = {"vit": ("seen", "seen"), "cross": ("words", "image")}
    patches = Patches(image, (2, 3))
    tokens = {"words": WORDS, "image": patches, "seen": ["class", patches]}
    page.show(to_html(maps, tokens, axes=axes))
    assert len(page.all("section.keys .patch")) == len(page.all("section.queries .patch")) == 6
    width = page.driver.execute_script("return document.querySelector('img').naturalWidth")
    assert width == 12
    page.hover("queries", 5)  # the second patch of the second row, after the class token
    assert page.told.startswith("row 2, column 2 attends to")
    page.layer("cross")
    page.hover("queries", 1)
    expected = values[0].mean(axis=0)[1]
    np.testing.assert_allclose(page.shares("keys"), expected / expected.max(), atol=0.01)
    row, column = divmod(int(expected.argmax()), 3)
    assert f"row {row + 1}, column {column + 1}" in page.told


def test_the_keyboard_is_enough(page):
    from selenium.webdriver import Keys

    values = weights(1, 2, 3, 3)
    page.show(to_html({"a": values}, WORDS))
    page.press(Keys.TAB, Keys.TAB, Keys.ARROW_RIGHT)  # the layer, the heads: from the mean to 0
    page.press(Keys.TAB, Keys.TAB, Keys.TAB, Keys.TAB, Keys.ARROW_DOWN)  # past three sliders
    np.testing.assert_allclose(page.numbers("keys"), values[0, 0, 1], atol=6e-3)
    page.press(Keys.ENTER, Keys.TAB, Keys.END)
    assert page.told.startswith("cat attends to sat with weight")
    page.press(Keys.ESCAPE)
    assert page.told.startswith("On average")


def test_hostile_text_does_nothing(page):
    hostile = [
        "<script>alert(1)</script>",
        "</script>",
        '"><img src=x onerror=alert(1)>',
        "&lt;\u2028",
    ]
    view = to_html({hostile[2]: weights(2, 4, 4)}, {hostile[0]: hostile}, title=hostile[0])
    page.show(view)
    for index in range(4):
        page.hover("keys", index)
    page.items("keys")[0].click()
    page.hover("queries", 2)  # an alert would make Selenium raise by now
    assert [item.text for item in page.all("section.keys .item span")][:3] == hostile[:3]
    assert page.one("h1").text == page.driver.title == hostile[0]
    assert page.one("#layer").text == hostile[2]
    assert len(page.all("script")) == 2
    assert not page.all("img")
    assert not page.errors


def test_no_request_leaves_the_page(page):
    page.show(to_html({"a": weights(1, 4, 4)}, [Patches(np.zeros((4, 4)), (2, 2))]))
    page.hover("keys", 1)
    requests = page.requests
    assert [url for url in requests if url.startswith("file:")]
    assert not [url for url in requests if not url.startswith(("file:", "data:"))]


def test_long_inputs_stay_fluid(page):
    length, heads = 512, 12
    maps = {f"block_{i}": weights(heads, length, length, seed=i) for i in range(2)}
    page.show(to_html(maps, [f"token{i}" for i in range(length)]))
    assert len(page.all("*")) < 8 * length
    milliseconds = page.driver.execute_script(
        """
        const items = document.querySelectorAll("section.queries .item");
        return Array.from({ length: 40 }, (_, i) => {
          const start = performance.now();
          items[(37 * i) % items.length].dispatchEvent(new Event("pointerover", { bubbles: true }));
          document.body.getBoundingClientRect(); // styles and layout too
          return performance.now() - start;
        });
        """
    )
    assert statistics.median(milliseconds) < 200  # 10 on an idle core; CI has busy ones
    row = maps["block_0"][:, (37 * 39) % length].mean(axis=0)
    assert f"token{row.argmax()}" in page.told


def slide(page, slider, value):
    """Moves a slider as its reader does, and returns how long the page took, in milliseconds."""
    return page.driver.execute_script(
        """
        const [slider, value] = arguments;
        slider.value = value;
        const start = performance.now();
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        document.body.getBoundingClientRect();
        return performance.now() - start;
        """,
        page.one(slider),
        value,
    )


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def test_temperature_and_window_are_those_of_softmax(page):
    """Scores of a softmax are its weights' logarithms; what a window hides is masked before it."""
    length = 6
    logits = np.random.default_rng(0).normal(size=(1, 2, length, length)).astype("float32") * 4
    page.show(to_html({"a": softmax(logits)}, list("abcdef")))
    for power, window in ((1, 6), (-2, 6), (2, 1), (0, 0)):
        slide(page, "#temperature", power)
        slide(page, "#window", window)
        away = np.abs(np.subtract.outer(range(length), range(length)))
        expected = softmax(np.where(away > window, -np.inf, logits / 2**power))[0].mean(axis=0)
        for query in (0, 4):
            page.hover("queries", query)
            np.testing.assert_allclose(page.numbers("keys"), expected[query], atol=6e-3)
            np.testing.assert_allclose(page.numbers("queries"), expected[:, query], atol=6e-3)
    slide(page, "#head", 1)
    page.hover("queries", 4)
    np.testing.assert_allclose(page.numbers("keys"), np.eye(length)[4], atol=6e-3)
    assert page.one("#window").get_attribute("aria-valuetext") == "0 on each side"
    assert "what later layers would then read is not computed" in page.one("#hypothetical").text
    assert not page.errors


def test_examples_answers_and_deletions(page):
    from selenium.webdriver.support.ui import Select

    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1)).astype("float32")
    names = ["no", "<b>yes</b>"]
    model = vit(**VARIANTS["tiny"], image_size=8, channels=1, class_names=names, num_classes=2)
    page.show(ka.explain.page(model, pixels))
    Select(page.one("#example")).select_by_index(2)
    page.wait()
    answer = ka.predict(model, pixels)[2]
    shown = [line.text.split() for line in page.all("#choices li")]
    assert [name for name, *_ in shown] == [name for name, _ in answer.ranking]
    assert float(shown[0][1]) == pytest.approx(100 * answer.probability, abs=0.06)
    slide(page, ".deletion", 2)
    away = [len(panel.find_elements("css selector", ".away")) for panel in page.all(".panel")]
    assert away == [2, 2]
    assert page.one("#why .told").text.startswith(f"Without 2 of 4 patches, {answer.label} has: by")
    images = page.all("section.keys img, .panel img")
    assert {float(image.value_of_css_property("opacity")) for image in images} == {0.35}
    assert not page.errors


def test_sliders_stay_fluid_at_512_tokens(page):
    page.show(to_html({"a": weights(1, 512, 512)}, [f"token{i}" for i in range(512)]))
    times = [slide(page, "#temperature", power / 4) for power in range(-12, 13)]
    times += [slide(page, "#window", width) for width in range(1, 500, 20)]
    assert statistics.median(times) < 200  # as above


def test_cells_of_a_notebook_do_not_meet(page, tmp_path):
    views = [to_html({"a": weights(1, 3, 3, seed=i)}, WORDS, title=f"Cell {i}") for i in range(2)]
    notebook = tmp_path / "notebook.html"
    cells = "".join(view._repr_html_() for view in views)
    notebook.write_text(f"<!doctype html><style>.item {{display: none}}</style>{cells}")
    page.driver.get(notebook.as_uri())
    for number, frame in enumerate(page.all("iframe")):
        page.driver.execute_script("arguments[0].scrollIntoView()", frame)
        page.driver.switch_to.frame(frame)
        page.wait()
        assert page.one("h1").text == f"Cell {number}"
        page.hover("queries", 1)
        expected = weights(1, 3, 3, seed=number)[0, 1]
        np.testing.assert_allclose(page.numbers("keys"), expected, atol=6e-3)
        page.driver.switch_to.default_content()
    assert not page.errors


def test_light_and_dark(page):
    page.show(to_html({"a": weights(1, 3, 3)}, WORDS))
    brightness = []
    for scheme in ("light", "dark"):
        page.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
        )
        colours = (page.one("body").value_of_css_property(n) for n in ("background-color", "color"))
        brightness.append([sum(map(int, re.findall(r"\d+", c)[:3])) for c in colours])
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    (paper, ink), (night, chalk) = brightness
    assert paper > ink + 500
    assert chalk > night + 500


def test_what_a_language_model_reads_for_each_new_token(page, tmp_path):
    """Tokens are written as a reader does, though those of the vocabulary are bytes."""
    model = zoo.pretrained.load(texts.make_checkpoint(tmp_path / "gpt2"))
    prompt = "it's! \U0001f600 a hat"
    written = generation_maps(model, prompt, max_new_tokens=6)
    page.show(ka.explain.page(model, prompt, max_new_tokens=6))
    assert page.one("section.queries h2").text == "Queries written"
    assert page.one("section.keys h2").text == "Keys read"
    named = {
        side: [item.text for item in page.all(f"section.{side} .item span")]
        for side in ("queries", "keys")
    }
    path = "block_1/attention"
    assert named == {"queries": written.queries[path], "keys": written.keys[path]}
    assert named["keys"][: 1 + len(named["keys"]) - len(named["queries"])] == [
        *("it", "'s", "!", "\U0001f600", "\U0001f600", "a", "hat")
    ]
    page.layer(path)
    for row in range(len(named["queries"])):
        page.hover("queries", row)
        expected = written.maps[path].mean(axis=0)[row]
        np.testing.assert_allclose(page.numbers("keys"), expected, atol=6e-3)
        assert page.told.startswith(f"{named['queries'][row]} attends to")
    assert not page.errors
