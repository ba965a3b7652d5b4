"""The site is built without a warning, needs no network, and fits a phone.

Building it runs each learning page that has changed, on PyTorch.
"""

import json
import re
import shutil
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

pytestmark = pytest.mark.runs_on("torch")
ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "site"
LESSONS = sorted((ROOT / "docs/learn").glob("[0-9]*.py"))
LOOKED_AT = [
    "index",
    "learn/01_query_key_value",
    "gallery",
    "explore",
    "layers",
    "results",
    "api/layers",
]


@pytest.fixture(scope="session")
def site():
    """The folder of the site, built as the first page of `docs/` says."""
    # Two pages at a time; each is read anew, since a link depends on what other pages there are.
    build(["-E", "-b", "dummy", "-j", "2"])
    build(["-a", "-b", "html"])  # one process, because each would leave a Node behind
    return SITE


def build(options):
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "--keep-going", "-q", *options]
    built = subprocess.run(
        [*command, "-d", "build/doctrees", "docs", "build/site"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert built.returncode == 0, built.stderr[-6000:]


class Page(HTMLParser):
    """What a page refers to."""

    def __init__(self, path):
        super().__init__()
        self.path, self.links, self.loaded, self.anchors = path, [], [], set()
        self.images, self.frames = [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        if tag == "link" and "canonical" not in attributes.get("rel", ""):
            self.loaded.append(attributes.get("href", ""))
        if attributes.get("src"):
            self.loaded.append(attributes["src"])
        if tag == "img":
            self.images.append(attributes)
        if tag == "iframe":
            self.frames.append(attributes)


@pytest.fixture(scope="session")
def pages(site):
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def test_each_lesson_has_a_page_with_its_figures(site):
    for lesson in LESSONS:
        page = Page(site / "learn" / lesson.with_suffix(".html").name)
        figures = [image for image in page.images if "_images" in image["src"]]
        assert figures, lesson


def test_nothing_is_loaded_from_elsewhere(site, pages):
    for path, page in pages.items():
        remote = [source for source in page.loaded if re.match(r"(?:https?:)?//", source)]
        assert remote == [], path
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", text), style


def test_links_lead_somewhere(site, pages):
    """To pages that are there, and to places that they have."""
    broken = []
    for path, page in pages.items():
        for link in page.links:
            target, _, place = unquote(link).partition("#")
            if re.match(r"\w+:|//", link) or path.name in ("search.html", "genindex.html"):
                continue
            other = (path.parent / target).resolve() if target else path
            known = pages[other].anchors if other in pages else {place}
            if not other.exists() or (place and place not in known):
                broken.append((str(path.relative_to(site)), link))
    assert broken == []


def test_images_have_a_description(pages):
    for path, page in pages.items():
        for image in page.images:
            assert image.get("alt", "").strip(), (path, image)
            assert not image["alt"].endswith((".png", ".svg")), (path, image)


def test_each_explorer_has_a_title_and_is_small(site, pages):
    frames = pages[site / "explore.html"].frames
    made = {path.name for path in (site / "explorers").iterdir()}
    assert {Path(frame["src"]).name for frame in frames} == made
    for frame in frames:
        assert frame["title"]
        assert (site / frame["src"]).stat().st_size <= 1_000_000


def test_learning_pages_are_small(site):
    """A page and its pictures have a megabyte at most."""
    for lesson in LESSONS:
        path = site / "learn" / lesson.with_suffix(".html").name
        files = {path, *((path.parent / i["src"]).resolve() for i in Page(path).images)}
        assert sum(file.stat().st_size for file in files) <= 1_000_000, lesson


def documented(site):
    """The names in the inventory of the site."""
    content = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    lines = zlib.decompress(content).decode().splitlines()
    return {line.split()[0] for line in lines if " py:" in line}


def test_every_public_name_is_in_the_reference(site):
    import keras_attention as ka
    import zoo.pretrained
    import zoo.tasks

    names = {name.rpartition(".")[2] for name in documented(site)}
    modules = [ka, ka.layers, ka.explain, ka.explain.plots, ka.decoding, ka.saving, ka.training]
    for module in [*modules, ka.callbacks, zoo, zoo.tasks, zoo.pretrained]:
        for name in module.__all__:
            is_module = isinstance(getattr(module, name), type(sys))
            assert is_module or name == "__version__" or name in names, (module, name)


@pytest.fixture(scope="module")
def chromium():
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(flag)
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")  # no network
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


def open_explorer(chromium, path):
    """Opens a page to explore, and waits until it shows its weights."""
    from selenium.webdriver.support.ui import WebDriverWait

    chromium.get_log("browser")
    chromium.get(path.as_uri())
    shown = "return document.querySelector('#view')?.getAttribute('aria-busy') != 'true'"
    WebDriverWait(chromium, 20, 0.02).until(lambda _: chromium.execute_script(shown))


def test_keys_reach_all_of_an_explorer(site, chromium):
    """Each control that can be seen comes with Tab; a group of radio buttons has one."""
    from selenium.webdriver import ActionChains, Keys

    controls = "button, input:not([type=radio]), select, [tabindex='0']"
    for path in sorted((site / "explorers").iterdir()):
        open_explorer(chromium, path)
        count = chromium.execute_script(
            """
            window.missed = new Set([...document.querySelectorAll(arguments[0])].filter(
              (control) => control.checkVisibility()));
            document.addEventListener("focusin", ({ target }) => missed.delete(target));
            return missed.size;
            """,
            controls,
        )
        assert count >= 3, path
        ActionChains(chromium).send_keys(Keys.TAB * (count + 2)).perform()
        missed = chromium.execute_script("return [...missed].map((control) => control.outerHTML)")
        assert missed == [], path
        errors = [e for e in chromium.get_log("browser") if e["level"] == "SEVERE"]
        assert errors == [], path


def test_the_translator_writes_what_is_right_and_reads_what_it_translates(site, chromium):
    """The true order of words is known, as a grammar made the sentences."""
    sys.path.insert(0, str(ROOT / "docs/extensions"))
    import translation

    pairs = {" ".join(pair.source): pair for pair in translation.make_pairs()}
    open_explorer(chromium, site / "explorers/translation.html")
    shown = chromium.execute_script("return [...document.querySelector('#example').options]")
    texts = [option.text.partition(": ")[2] for option in shown]
    right = [f"{source} \u2192 {' '.join(pairs[source].target)}" for source in translation.SHOWN]
    assert texts == right
    pair = pairs[translation.SHOWN[0]]
    words = chromium.find_elements("css selector", ".queries .item")
    for word in ("old", "dog", "sees", "small", "cat"):  # "sees" reads the last word
        place = pair.target.index(word)
        chromium.execute_script(
            "arguments[0].dispatchEvent(new Event('pointerover', { bubbles: true }))", words[place]
        )
        most = chromium.find_element("css selector", "#readout .to .top .token").text
        assert most in [pair.source[i] for i in pair.aligned[place]], word


@pytest.mark.parametrize("width", [1280, 390])
def test_pages_fit_the_screen(site, chromium, width):
    """No page scrolls to the side, on a desktop or a phone, and none asks for the network."""
    chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    for name in LOOKED_AT:
        chromium.get_log("performance")
        chromium.get((site / f"{name}.html").as_uri())
        size = chromium.execute_script(
            "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert size[0] <= size[1], (name, size)
        assert chromium.execute_script(
            "return [...document.images].filter(i => i.complete && !i.naturalWidth).length == 0"
        ), name
        messages = (json.loads(e["message"])["message"] for e in chromium.get_log("performance"))
        asked = [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]
        assert asked, "the browser tells what it loads"
        assert [url for url in asked if url.startswith("http")] == [], name
