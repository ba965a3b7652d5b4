"""Universal Dependencies English EWT: 254,818 words of the web with their parts of speech."""

from collections.abc import Iterable

import numpy as np

from zoo.data import Arrays, Source, Splits, objects
from zoo.data.download import File, fetch

SOURCE = Source(
    name="Universal Dependencies English EWT",
    url="https://github.com/UniversalDependencies/UD_English-EWT",
    license="CC BY-SA 4.0 (annotations; of the texts some are public domain, others their owners')",
    citation=(
        "N. Silveira et al., A Gold Standard Dependency Corpus for English, LREC 2014, "
        "https://aclanthology.org/L14-1067"
    ),
)
_REPOSITORY = (
    "https://raw.githubusercontent.com/UniversalDependencies/UD_English-EWT/"
    "15d613d8447b3478787d4c278730a1e48a945efb/"
)
_SHA256 = {
    "train": "3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b",
    "dev": "531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6",
    "test": "e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd",
}
# https://universaldependencies.org/u/pos
TAGS = (
    *("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN"),
    *("PUNCT", "SCONJ", "SYM", "VERB", "X"),
)
Sentence = tuple[list[str], list[str]]  # words, tags


def load() -> Splits:
    """The official split: 12,544, 2,001 (validation) and 2,077 (test) sentences.

    Returns:
        x object arrays of lists of words, y `(B, T)` int32, sample weights `(B, T)` that are 1
        for words and 0 for padding. Words are the syntactic ones, "do" and "n't".
    """
    parts = {}
    for name, sha256 in _SHA256.items():
        url = f"{_REPOSITORY}en_ewt-ud-{name}.conllu"
        path = fetch("ud_english_ewt", File(url=url, sha256=sha256))
        with open(path, encoding="utf-8", newline="\n") as file:
            parts[name] = arrays(parse(file), TAGS)
    return Splits(
        train=parts["train"],
        validation=parts["dev"],
        test=parts["test"],
        class_names=TAGS,
        source=SOURCE,
    )


def parse(lines: Iterable[str]) -> list[Sentence]:
    """Sentences of a CoNLL-U file: forms and universal tags of its syntactic words.

    Lines with the id of a range (of a word that is written as one, "don't") or with a decimal
    one (of a word that is not written) repeat nothing that others lack.
    """
    sentences: list[Sentence] = []
    words: list[str] = []
    tags: list[str] = []
    for line in (*lines, ""):
        line = line.rstrip("\n")
        if not line:
            if words:
                sentences.append((words, tags))
            words, tags = [], []
        elif not line.startswith("#"):
            number, form, _, tag, *_ = line.split("\t")
            if number.isdigit():
                words.append(form)
                tags.append(tag)
    return sentences


def arrays(sentences: Iterable[Sentence], names: tuple[str, ...]) -> Arrays:
    """Lists of words, `(B, T)` indices of their tags in `names`, and `(B, T)` weights."""
    sentences = list(sentences)
    number = {name: index for index, name in enumerate(names)}
    longest = max(len(words) for words, _ in sentences)
    y = np.zeros((len(sentences), longest), np.int32)
    weights = np.zeros((len(sentences), longest), np.float32)
    for row, (_, tags) in enumerate(sentences):
        y[row, : len(tags)] = [number[tag] for tag in tags]
        weights[row, : len(tags)] = 1.0
    return objects(words for words, _ in sentences), y, weights


def sample() -> Splits:
    """Sentences of made-up words whose endings and places tell their tags; in memory."""
    rng = np.random.default_rng(0)
    stems = ["bal", "dor", "fim", "gur", "kel", "lun", "mop", "nid", "pez", "rus", "tav", "wib"]

    def sentence() -> Sentence:
        phrase = [
            ("the", "DET"),
            (f"{rng.choice(stems)}y", "ADJ"),
            (f"{rng.choice(stems)}", "NOUN"),
        ]
        words = [
            *(phrase if rng.random() < 0.5 else phrase[::2]),
            (f"{rng.choice(stems)}ed", "VERB"),
            *([(rng.choice(stems).title(), "PROPN")] if rng.random() < 0.5 else phrase[::2]),
            *([(str(rng.integers(100)), "NUM")] if rng.random() < 0.3 else []),
            (".", "PUNCT"),
        ]
        return [str(word) for word, _ in words], [tag for _, tag in words]

    parts = [arrays([sentence() for _ in range(count)], TAGS) for count in (64, 16, 16)]
    return Splits(
        train=parts[0],
        validation=parts[1],
        test=parts[2],
        class_names=TAGS,
        source=SOURCE,
    )
