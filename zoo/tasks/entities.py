"""Entities that tags mark: how they are counted, and how a trained tagger decodes them."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2, IOBES

import keras_attention as ka
from keras_attention.layers.outputs import tag_schemes
from zoo.data import Arrays, Splits
from zoo.harness import experiment
from zoo.tasks.hand_features import logistic_regression as tag_by_features

BUCKETS = (8, 16, 24, 36, 64, 160)
_SCHEMES = {"BIO": IOB2, "BIOES": IOBES}  # by names of `EntityLabels`


def find_scheme(names: Sequence[str]) -> str | None:
    """Returns the scheme in which tags of these names mark entities, `None` if they do not."""
    return next((scheme for scheme in _SCHEMES if tag_schemes.fits(names, scheme)), None)


class ChooseBias(keras.callbacks.Callback):
    """Sets the bias of the model's decoding, when it is trained, by the validation sentences."""

    def __init__(self, splits: Splits) -> None:
        super().__init__()
        self.splits = splits

    def on_train_end(self, logs: dict | None = None) -> None:
        logits = experiment.predict(self.model, self.splits.validation, buckets=BUCKETS)
        choose_bias(self.model.get_layer("labels"), self.splits, logits)


def choose_bias(labels: ka.layers.EntityLabels, splits: Splits, logits: np.ndarray) -> None:
    """Sets `outside_bias` to the value of the best F1 of the validation sentences."""

    def f1(bias: float) -> float:
        labels.outside_bias = bias
        return score(splits, splits.validation, labels.tags(logits))["entity_f1"]

    labels.outside_bias = max(np.arange(0.0, -5.5, -0.5).tolist(), key=f1)


def score(splits: Splits, part: Arrays, tags: np.ndarray) -> dict[str, float]:
    """Returns F1, precision and recall of entities; one is right if its words and type are.

    Args:
        splits: which has the names of the tags.
        part: whose sentences they are.
        tags: `(B, T)`, the indices of their predicted tags. What begins as it may not is no entity.
    """
    names = np.array(list(map(_as_seqeval, splits.class_names)))
    x, y, _ = part
    true, predicted = (
        [names[row[: len(words)]].tolist() for row, words in zip(rows, x, strict=True)]
        for rows in (y, tags)
    )
    scheme = _SCHEMES[find_scheme(splits.class_names)]
    strict = {"mode": "strict", "scheme": scheme, "zero_division": 0}
    return {
        "entity_f1": float(f1_score(true, predicted, **strict)),
        "entity_precision": float(precision_score(true, predicted, **strict)),
        "entity_recall": float(recall_score(true, predicted, **strict)),
    }


def measure(model: keras.Model, splits: Splits) -> Mapping[str, float]:
    """Returns strict scores of the test entities, as the saved model names them."""
    labels = model.get_layer("labels")
    tags = labels.tags(experiment.predict(model, splits.test, buckets=BUCKETS))
    return score(splits, splits.test, tags)


def logistic_regression(splits: Splits) -> float:
    """Returns the entity F1 of logistic regression, decoded as the models are.

    Its bias is chosen on the validation sentences as theirs are.
    """
    held_out, test = tag_by_features(splits, splits.validation, splits.test)
    names = splits.class_names
    labels = ka.layers.EntityLabels(len(names), names, scheme=find_scheme(names))
    choose_bias(labels, splits, held_out)
    return score(splits, splits.test, labels.tags(test))["entity_f1"]


def _as_seqeval(tag: str) -> str:
    """Returns a tag with the letter that seqeval knows."""
    letter, kind = tag_schemes.split(tag)
    return f"{letter}-{kind}" if kind else tag
