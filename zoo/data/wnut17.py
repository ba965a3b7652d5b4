"""WNUT-17: emerging entities in tweets, comments and questions, six types, tagged in BIO."""

from collections.abc import Iterable

import numpy as np

from zoo.data import Source, Splits
from zoo.data.download import File, fetch
from zoo.data.ud_english_ewt import Sentence, arrays

SOURCE = Source(
    name="WNUT-17 Emerging and Rare Entities",
    url="https://github.com/leondz/emerging_entities_17",
    license="CC BY 4.0",
    citation=(
        "L. Derczynski, E. Nichols, M. van Erp and N. Limsopatham, Results of the WNUT2017 Shared "
        "Task on Novel and Emerging Entity Recognition, 2017, https://aclanthology.org/W17-4418"
    ),
)
_REPOSITORY = (
    "https://raw.githubusercontent.com/leondz/emerging_entities_17/"
    "e52a2d2a71ac1a051ca2d532eef28653c5c02603/"
)
_FILES = {
    "wnut17train.conll": "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5",
    "emerging.dev.conll": "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8",
    "emerging.test.annotated": "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0",
}
TYPES = ("corporation", "creative-work", "group", "location", "person", "product")
TAGS = ("O", *(f"{part}-{kind}" for kind in TYPES for part in "BI"))


def load() -> Splits:
    """The official split: 3,394, 1,009 (validation) and 1,287 (test) sentences.

    Returns:
        x object arrays of lists of words, y `(B, T)` int32, sample weights `(B, T)` that are 1
        for words and 0 for padding. The three parts are of different sources and years, which
        is the task: few entities of the test part occur in the others.
    """
    parts = []
    for name, sha256 in _FILES.items():
        path = fetch("wnut17", File(url=_REPOSITORY + name, sha256=sha256))
        with open(path, encoding="utf-8", newline="\n") as file:  # words hold other line ends
            parts.append(arrays(parse(file), TAGS))
    return _splits(*parts)


def parse(lines: Iterable[str]) -> list[Sentence]:
    """Sentences of `word<TAB>tag` lines, each ended by a line of white space alone."""
    sentences: list[Sentence] = []
    words: list[str] = []
    tags: list[str] = []
    for line in (*lines, ""):
        if not line.strip():
            if words:
                sentences.append((words, tags))
            words, tags = [], []
        else:
            word, tag = line.rstrip("\n").split("\t")
            words.append(word)
            tags.append(tag)
    return sentences


def sample() -> Splits:
    """Sentences of made-up words with upper-case names after telling words; in memory."""
    rng = np.random.default_rng(0)
    stems = ["bal", "dor", "fim", "gur", "kel", "lun", "mop", "nid", "pez", "rus", "tav", "wib"]

    def sentence() -> Sentence:
        name = [str(rng.choice(stems)).title() for _ in range(rng.integers(1, 3))]
        cue, kind = [("mr", "person"), ("in", "location")][rng.integers(2)]
        tagged = [(word, f"{'I' if i else 'B'}-{kind}") for i, word in enumerate(name)]
        words = [(str(rng.choice(stems)), "O") for _ in range(rng.integers(2, 5))]
        words += [(cue, "O"), *tagged, (str(rng.choice(stems)), "O"), ("!", "O")]
        return [word for word, _ in words], [tag for _, tag in words]

    return _splits(*(arrays([sentence() for _ in range(count)], TAGS) for count in (64, 16, 16)))


def _splits(train: tuple, validation: tuple, test: tuple) -> Splits:
    return Splits(train=train, validation=validation, test=test, class_names=TAGS, source=SOURCE)
