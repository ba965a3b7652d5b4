"""The directive `explorer`: a page of `ka.explain.page`, inside a page of the site.

The pages are made while the site is built, of inputs that are written or drawn here: by the models
that come along (`zoo.load`), and by a translator that is trained for it, see `translation.py`.
"""

import html
from pathlib import Path

import numpy as np
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

FOLDER = "explorers"


def intents():
    """Returns what a classifier of requests reads."""
    from keras_attention import explain
    from zoo import load

    texts = ["what is my balance", "play some jazz in the kitchen", "set a timer for ten minutes"]
    return explain.page(load("text_clinc"), texts)


def translation():
    """Returns English words that a translator writes, and what it reads in German for each."""
    import translation

    from keras_attention import explain

    model, _ = translation.train("rnn")
    return explain.page(model, translation.SHOWN)


def verse():
    """Returns the letters that a language model writes, and what it reads for each."""
    from keras_attention import explain
    from zoo import load

    return explain.page(load("gpt_shakespeare_char"), ["To be, or not"], max_new_tokens=24)


def digits():
    """Returns digits that a vision transformer has not learned from."""
    from keras_attention import explain
    from zoo import load
    from zoo.data import digits

    return explain.page(load("vit_digits"), digits.load().test[0][:6])


def questions():
    """Returns two questions about one picture."""
    from keras_attention import explain, prediction
    from zoo import load

    model = load("vqa_easy")
    rows, columns = np.indices((64, 64))
    disc = ((rows - 30) ** 2 + (columns - 36) ** 2 < 13**2)[..., None]
    image = np.where(disc, (255, 0, 0), (238, 246, 240)).astype("uint8")
    asked = ["what color is the shape?", "what shape is in the image?"]
    return explain.page(model, prediction.add_image(model, asked, image=image))


def sound():
    """Returns a made-up sound: noise, and a voice of 120 Hz whose overtones fall."""
    from keras_attention import explain
    from zoo import load

    time = np.arange(2400) / 8000  # seconds
    tones = 120 * np.arange(1, 32)[:, None]
    strength = np.exp(-(((tones - (900 - 2000 * time)) / 200) ** 2))
    voice = (strength * np.sin(2 * np.pi * tones * time)).sum(axis=0)
    noise = np.random.default_rng(0).normal(size=1200) * 0.02
    return explain.page(load("audio_fsdd"), [np.concatenate([noise, 0.1 * voice])])


def papers():
    """Returns two papers of a made-up graph, each with the papers that it cites."""
    from keras_attention import explain
    from zoo import load

    rng = np.random.default_rng(0)
    words = (rng.random((1, 8, 1433)) < 0.02).astype("float32")
    cites = [(0, i) for i in range(1, 5)] + [(5, i) for i in range(4, 8) if i != 5]
    edges = np.array([[*cites, *[(j, i) for i, j in cites]]], "int32")
    return explain.page(load("gat_cora"), {"features": words, "edges": edges}, position=[0, 5])


def scores():
    """Returns scores to move, and their softmax."""
    from keras_attention import explain

    return explain.score_toy()


def mask():
    """Returns a mask to paint."""
    from keras_attention import explain

    return explain.mask_painter()


EXPLORERS = {
    make.__name__: make
    for make in (scores, mask, intents, translation, verse, digits, questions, sound, papers)
}
HEIGHTS = {"scores": 300, "mask": 560}  # in pixels, of those that are not 760 high


class Explorer(SphinxDirective):
    """`:::{explorer} intents` shows that page, under the title that follows."""

    required_arguments = 1
    has_content = True

    def run(self):
        """Returns a frame, which loads once it is near."""
        name = self.arguments[0]
        if name not in EXPLORERS:
            raise self.error(f"No explorer has the name {name!r}. There are {', '.join(EXPLORERS)}")
        title = html.escape(" ".join(self.content))
        height = HEIGHTS.get(name, 760)
        frame = (
            f'<iframe src="{FOLDER}/{name}.html" title="{title}" loading="lazy" '
            f'style="width: 100%; height: {height}px; border: 1px solid #8888"></iframe>'
        )
        alone = f'<p><a href="{FOLDER}/{name}.html">Open this page alone</a></p>'
        return [nodes.raw("", frame + alone, format="html")]


def make_pages(app):
    """Writes the pages that are not there, or are older than this file or that of translations."""
    if app.builder.format != "html":
        return
    folder = Path(app.outdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    own = Path(__file__)
    changed = max(path.stat().st_mtime for path in (own, own.with_name("translation.py")))
    for name, make in EXPLORERS.items():
        path = folder / f"{name}.html"
        if not path.exists() or path.stat().st_mtime < changed:
            make().save(path)


def setup(app):
    """Tells Sphinx of the directive."""
    app.add_directive("explorer", Explorer)
    app.connect("builder-inited", make_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
