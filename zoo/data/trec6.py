"""TREC-6: questions in English and what kind of answer they ask for, six kinds."""

from collections.abc import Iterable

import numpy as np

from zoo.data import Arrays, Source, Splits, objects
from zoo.data.download import File, fetch

SOURCE = Source(
    name="TREC question classification",
    url="https://cogcomp.seas.upenn.edu/Data/QA/QC/",
    license="none stated by the authors",
    citation=(
        "X. Li and D. Roth, Learning Question Classifiers, COLING 2002, "
        "https://aclanthology.org/C02-1150"
    ),
)
_URL = (
    "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/"
    "d61ded09c99c0199d8c5bca946cd65864de2b296/data/raw/"
)
_FILES = {
    "TREC.train": "9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3",
    "TREC.test": "033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e",
}
KINDS = {
    "ABBR": "abbreviation",
    "DESC": "description",
    "ENTY": "entity",
    "HUM": "human",
    "LOC": "location",
    "NUM": "number",
}


def load(*, held_out: int = 0) -> Splits:
    """The official split: 5,452 questions to train on, 500 to test on.

    Args:
        held_out: training questions, the same in every call, that are a validation part instead:
            what choices were made on.

    Returns:
        x object arrays of strings, y `(B,)` int32.
    """
    parts = []
    for name, sha256 in _FILES.items():
        path = fetch("trec6", File(url=_URL + name, sha256=sha256))
        with open(path, encoding="latin-1", newline="\n") as file:
            parts.append(parse(file))
    (x, y), test = parts
    order = np.random.default_rng(0).permutation(len(y))
    validation, train = np.sort(order[:held_out]), np.sort(order[held_out:])
    return Splits(
        train=(x[train], y[train]),
        validation=(x[validation], y[validation]) if held_out else None,
        test=test,
        class_names=tuple(KINDS.values()),
        source=SOURCE,
    )


def parse(lines: Iterable[str]) -> Arrays:
    """Questions and kinds of `COARSE:fine question` lines; the fine kinds are left out."""
    texts, labels = [], []
    for line in lines:
        if line.strip():
            kind, text = line.strip().split(" ", 1)
            texts.append(text)
            labels.append(list(KINDS).index(kind.partition(":")[0]))
    return objects(texts), np.array(labels, np.int32)


def sample() -> Splits:
    """Made-up questions whose first word tells the kind; in memory."""
    rng = np.random.default_rng(0)
    cues = ("short", "why", "what", "who", "where", "many")
    stems = ("bal", "dor", "fim", "gur", "kel", "lun", "mop", "nid", "pez", "rus")

    def part(size: int) -> Arrays:
        y = (np.arange(size) % len(cues)).astype(np.int32)
        texts = [
            " ".join([cues[label].title(), *rng.choice(stems, rng.integers(2, 9)), "?"])
            for label in y
        ]
        return objects(texts), y

    return Splits(train=part(60), test=part(18), class_names=tuple(KINDS.values()), source=SOURCE)
