"""Multi30k: what pictures show, in English and translated to German by people."""

import gzip

import numpy as np

from keras_attention.ops import checks
from zoo.data import Arrays, Source, Splits, objects
from zoo.data.download import File, fetch

SOURCE = Source(
    name="Multi30k, task 1 (raw)",
    url="https://github.com/multi30k/dataset",
    license="none stated by the authors; the pictures are for non-commercial research",
    citation=(
        "D. Elliott, S. Frank, K. Sima'an and L. Specia, Multi30K: Multilingual English-German "
        "Image Descriptions, VL 2016, https://aclanthology.org/W16-3210"
    ),
)
_URL = (
    "https://raw.githubusercontent.com/multi30k/dataset/"
    "a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw/"
)
_FILES = {
    "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2017_flickr.de.gz": "a2c89666db00c495cd8513b9d708d5a3acc205d7de312ef2bf5fb7ebc1540aee",
    "test_2017_flickr.en.gz": "76a444ee25172e72695cddb13ae4a3bda59430617be88e0bb46b60504f054074",
    "test_2017_mscoco.de.gz": "799e4854c25d601cb6cb6be29eabe5667734c61ace2f495e03e429031a0bc338",
    "test_2017_mscoco.en.gz": "aab300bfb4427697987e02cd0aacd44bfe8aa50456231b6474c08038bbed2b58",
}
DIRECTIONS = ("de-en", "en-de")


def load(*, direction: str = "de-en") -> Splits:
    """The official split: 29,000 pairs of sentences, 1,014 (validation) and 1,000 (test 2016).

    Args:
        direction: `"de-en"` or `"en-de"`, from which language to which.

    Returns:
        x `{"source_ids", "target_ids"}` and y, object arrays of sentences as people write them:
        y is what the target is, of which a recipe makes the ids that come next. `extra` has
        the other tests, `test2017` (1,000 pairs) and `mscoco` (461 pairs about other pictures).
    """
    parts = {
        name: pairs(*(_read(f"{name}.{language}.gz") for language in _languages(direction)))
        for name in ("train", "val", "test_2016_flickr", "test_2017_flickr", "test_2017_mscoco")
    }
    return Splits(
        train=parts["train"],
        validation=parts["val"],
        test=parts["test_2016_flickr"],
        extra={"test2017": parts["test_2017_flickr"], "mscoco": parts["test_2017_mscoco"]},
        source=SOURCE,
    )


def pairs(source: str, target: str) -> Arrays:
    """Returns x and y of two texts, whose lines belong together.

    Raises:
        ValueError: one text has more lines than the other.
    """
    lines = [
        [line.strip() for line in text.removesuffix("\n").split("\n")] for text in (source, target)
    ]
    if len(lines[0]) != len(lines[1]):
        raise ValueError(
            "Source and target must have as many lines. Received: "
            f"{len(lines[0])} and {len(lines[1])} lines"
        )
    x, y = map(objects, lines)
    return {"source_ids": x, "target_ids": y}, y


def sample(*, direction: str = "de-en") -> Splits:
    """Made-up pairs: each word has its translation, and the verb goes to the end; in memory."""
    rng = np.random.default_rng(0)
    nouns = {"Hund": "dog", "Mann": "man", "Ball": "ball", "Baum": "tree", "Kind": "child"}
    verbs = {"sieht": "sees", "holt": "fetches", "malt": "paints"}

    def part(size: int) -> Arrays:
        texts: dict[str, list[str]] = {"de": [], "en": []}
        for _ in range(size):
            (first, second), verb = rng.choice(list(nouns), 2), rng.choice(list(verbs))
            texts["de"].append(f"Ein {first} einen {second} {verb}.")
            texts["en"].append(f"A {nouns[first]} {verbs[verb]} a {nouns[second]}.")
        return pairs(*("\n".join(texts[language]) for language in _languages(direction)))

    return Splits(
        train=part(64),
        validation=part(16),
        test=part(8),
        extra={"test2017": part(8), "mscoco": part(8)},
        source=SOURCE,
    )


def _languages(direction: str) -> list[str]:
    checks.one_of("direction", direction, DIRECTIONS)
    return direction.split("-")


def _read(name: str) -> str:
    path = fetch("multi30k", File(url=_URL + name, sha256=_FILES[name]))
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        return file.read()
