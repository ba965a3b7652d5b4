"""SST-2: sentences of film reviews in English, negative or positive."""

from collections.abc import Iterable

import numpy as np

from zoo.data import Arrays, Source, Splits, objects
from zoo.data.download import File, fetch

SOURCE = Source(
    name="Stanford Sentiment Treebank, binary (SST-2)",
    url="https://nlp.stanford.edu/sentiment/",
    license="none stated by the authors",
    citation=(
        "R. Socher, A. Perelygin, J. Wu, J. Chuang, C. D. Manning, A. Ng and C. Potts, Recursive "
        "Deep Models for Semantic Compositionality Over a Sentiment Treebank, EMNLP 2013, "
        "https://aclanthology.org/D13-1170"
    ),
)
_URL = (
    "https://raw.githubusercontent.com/clairett/pytorch-sentiment-classification/"
    "457ffd83de90a9d6d472d8ffc31bbffe40a8b236/data/SST2/"
)
_FILES = {
    "train.tsv": "ec192f833a64da08f475488a77b0d0b47db47acd0f458bd18433fc793b569920",
    "dev.tsv": "eddea6b39e601dd4e7a672b53cc40fdf6019fa80522f351206c24340ca5d9359",
    "test.tsv": "831169c7e2e429d6026e1bdbb542f33b636e3e596caad9602ebc953c205928b7",
}
CLASS_NAMES = ("negative", "positive")


def load() -> Splits:
    """The official split of whole sentences: 6,920, 872 (validation) and 1,821 (test).

    Without the neutral sentences, and without the phrases that many train on as well.

    Returns:
        x object arrays of strings, in lower case and with spaces between words and marks, as
        published; y `(B,)` int32.
    """
    parts = []
    for name, sha256 in _FILES.items():
        path = fetch("sst2", File(url=_URL + name, sha256=sha256))
        with open(path, encoding="utf-8", newline="\n") as file:
            parts.append(parse(file))
    return _splits(*parts)


def parse(lines: Iterable[str]) -> Arrays:
    """Sentences and labels of `sentence<TAB>label` lines, without a header."""
    texts, labels = [], []
    for line in lines:
        if line.strip():
            text, _, label = line.rstrip("\r\n").rpartition("\t")
            texts.append(text)
            labels.append(int(label))
    return objects(texts), np.array(labels, np.int32)


def sample() -> Splits:
    """Made-up sentences with a telling word; in memory."""
    rng = np.random.default_rng(0)
    stems = ("bal", "dor", "fim", "gur", "kel", "lun", "mop", "nid", "pez", "rus")
    telling = (("dull", "bad"), ("fine", "good"))

    def part(size: int) -> Arrays:
        y = (np.arange(size) % 2).astype(np.int32)
        texts = []
        for label in y:
            words = [*rng.choice(stems, rng.integers(3, 12))]
            words.insert(rng.integers(len(words)), rng.choice(telling[label]))
            texts.append(" ".join([*words, "."]))
        return objects(texts), y

    return _splits(part(60), part(20), part(20))


def _splits(train: Arrays, validation: Arrays, test: Arrays) -> Splits:
    return Splits(
        train=train,
        validation=validation,
        test=test,
        class_names=CLASS_NAMES,
        source=SOURCE,
    )
