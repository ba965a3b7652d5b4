"""CLINC150: requests to an assistant in English, 150 intents, and requests outside of them."""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from zoo.data import Arrays, Source, Splits, objects
from zoo.data.download import File, fetch

SOURCE = Source(
    name="CLINC150",
    url="https://github.com/clinc/oos-eval",
    license="CC BY 3.0",
    citation=(
        "S. Larson et al., An Evaluation Dataset for Intent Classification and Out-of-Scope "
        "Prediction, EMNLP 2019, https://aclanthology.org/D19-1131"
    ),
)
_FILE = File(
    url=(
        "https://raw.githubusercontent.com/clinc/oos-eval/"
        "828f8093932c8fe6ca7936c3d2e52903b1c523de/data/data_full.json"
    ),
    sha256="36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0",
)
OUT_OF_SCOPE = "out_of_scope"  # the part of `Splits.extra`
NO_CLASS = -1  # its y

Parts = Mapping[str, Sequence[Sequence[str]]]


def load() -> Splits:
    """The official split: 15,000, 3,000 (validation) and 4,500 (test) requests, 100, 20 and 30 of
    each intent; and 1,000 out of scope, none of which is trained on.

    Returns:
        x object arrays of strings, y `(B,)` int32, classes in the order of their names. `extra`
        has the part `OUT_OF_SCOPE`, of which every y is `NO_CLASS`.
    """
    with open(fetch("clinc150", _FILE), encoding="utf-8") as file:
        return parse(json.load(file))


def parse(parts: Parts) -> Splits:
    """Splits of upstream's JSON: by part, pairs of request and intent."""
    names = sorted({intent for _, intent in parts["train"]})
    number = {name: index for index, name in enumerate(names)} | {"oos": NO_CLASS}

    def part(name: str) -> Arrays:
        texts, intents = zip(*parts[name], strict=True)
        return objects(texts), np.array([number[intent] for intent in intents], np.int32)

    return Splits(
        train=part("train"),
        validation=part("val"),
        test=part("test"),
        extra={OUT_OF_SCOPE: part("oos_test")},
        class_names=tuple(names),
        source=SOURCE,
    )


def sample() -> Splits:
    """Made-up requests whose second word tells one of four intents; in memory."""
    rng = np.random.default_rng(0)
    intents = ("alarm", "balance", "taxes", "weather")
    stems = ("bal", "dor", "fim", "gur", "kel", "lun", "mop", "nid", "pez", "rus")

    def request(word: str) -> str:
        return " ".join(["my", word, *rng.choice(stems, rng.integers(2, 7))])

    def part(size: int) -> list[tuple[str, str]]:
        names = [intents[i % len(intents)] for i in range(size)]
        return [(request(name), name) for name in names]

    unknown = [(request(str(rng.choice(stems))), "oos") for _ in range(8)]
    return parse({"train": part(60), "val": part(12), "test": part(20), "oos_test": unknown})
