"""Emerging entities in tweets and comments (WNUT-17), learned from scratch, counted strictly.

Data: the official split of WNUT-17, 3,394 sentences to train on, 1,009 for validation and 1,287 to
test on, with six types of entities. The score is the F1 of entities by `seqeval` in strict mode:
right are those with the true words and the true type.

    KERAS_BACKEND=torch python scripts/train.py tag_ner --repeats 3
    KERAS_BACKEND=jax python scripts/train.py tag_ner --variant lstm --repeats 3
    KERAS_BACKEND=jax python scripts/train.py tag_ner \\
        --init hf://sentence-transformers/all-MiniLM-L6-v2

From that published encoder of 22.6 M weights: 43.4 F1, seed 0, in 11 minutes (JAX, two cores with
other work), which is more than the best of 2017 had.

The models from scratch are those of `tag_pos`, with more dropout. Each run decodes valid BIO
sequences, with a bias against "no entity" that is chosen on the validation sentences when it is
trained.

From scratch, seeds 0 to 2: transformer 20.0 F1 +- 2.1 in 2.2 minutes, LSTM 20.2 +- 0.7 in 4.9, on
one shared core (PyTorch); logistic regression on hand-made features, with the same choice of a
bias, 16.2.

Published: the best system of the 2017 shared task has 41.86 F1, with external resources. Models
from scratch have none, and few entities of the test sentences occur in the training sentences.
"""

from collections.abc import Mapping

import keras
import numpy as np
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

import keras_attention as ka
from zoo.data import Arrays, Splits
from zoo.data import wnut17 as data
from zoo.harness import charts, experiment
from zoo.harness.experiment import Recipe
from zoo.models import lstm_tagger, transformer_tagger
from zoo.tasks import tagging
from zoo.tasks.fine_tuning import FineTuning, Init, start_from

_DROP = dict(dropout=0.3, word_dropout=0.3)
VARIANTS = {
    "default": (
        transformer_tagger.transformer_tagger,
        {**transformer_tagger.VARIANTS["default"], **_DROP},
    ),
    "lstm": (
        lstm_tagger.lstm_tagger,
        {**lstm_tagger.VARIANTS["default"], **_DROP},
    ),
    "tiny": (transformer_tagger.transformer_tagger, transformer_tagger.VARIANTS["tiny"]),
    "tiny_lstm": (lstm_tagger.lstm_tagger, lstm_tagger.VARIANTS["tiny"]),
}


FINE_TUNING = FineTuning(
    task="tags",
    epochs=8,
    batch_size=16,
    peak=1e-4,
    decay=0.9,
    max_length=256,
    buckets=(16, 24, 40, 64),
)


def recipe(
    *,
    variant: str = "default",
    seed: int = 0,
    smoke: bool = False,
    init: Init | None = None,
) -> Recipe:
    """Returns the experiment of this file.

    Args:
        variant: `"default"` (transformer) or `"lstm"`; `"tiny"` and `"tiny_lstm"` are for tests.
        seed: of the initial weights, the order and the dropout.
        smoke: two epochs on made-up sentences, to see that everything runs.
        init: a published encoder to start from, see `zoo.tasks.fine_tuning`.
    """
    keras.utils.set_random_seed(seed)
    splits = data.sample() if smoke else data.load()
    epochs, batch_size = 2 if smoke else 10, 32
    from_scratch = Recipe(
        name="tag_ner",
        variant=variant,
        seed=seed,
        model=tagging.build(VARIANTS, variant, splits, entities=True),
        data=splits,
        optimizer=tagging.make_optimizer(splits, batch_size=batch_size, epochs=epochs),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=(ka.training.TokenAccuracy(),),
        score="entity_f1",
        epochs=epochs,
        batch_size=batch_size,
        callbacks=(ChooseBias(splits),),
        buckets=tagging.BUCKETS,
        measure=measure,
        baselines={"logistic regression on hand features": logistic_regression},
        published={"best of the 2017 shared task, with external resources": 0.4186},
        pictures=draw_pictures,
        next_step=(
            "look at {folder}/attention.png, and ask the model about a sentence:\n"
            "KERAS_BACKEND={backend} python scripts/predict.py {folder}/model.keras "
            '"Is Anna Karlsson in Oslo?"'
        ),
        task="token-classification",
    )
    return start_from(init, from_scratch, FINE_TUNING, smoke=smoke)


class ChooseBias(keras.callbacks.Callback):
    """Sets the bias of the model's decoding, when it is trained, by the validation sentences."""

    def __init__(self, splits: Splits) -> None:
        super().__init__()
        self.splits = splits

    def on_train_end(self, logs: dict | None = None) -> None:
        logits = experiment.predict(self.model, self.splits.validation, buckets=tagging.BUCKETS)
        choose_bias(self.model.get_layer("labels"), self.splits, logits)


def choose_bias(labels: ka.layers.EntityLabels, splits: Splits, logits: np.ndarray) -> None:
    """Sets `outside_bias` to the value of the best F1 of the validation sentences."""

    def f1(bias: float) -> float:
        labels.outside_bias = bias
        return score(splits, splits.validation, labels.tags(logits))["entity_f1"]

    labels.outside_bias = max(np.arange(0.0, -5.5, -0.5).tolist(), key=f1)


def measure(model: keras.Model, splits: Splits) -> Mapping[str, float]:
    """Returns strict scores of the test entities, as the saved model names them."""
    return score(splits, splits.test, tagging.predict_tags(model, splits.test))


def score(splits: Splits, part: Arrays, tags: np.ndarray) -> dict[str, float]:
    """Returns F1, precision and recall of entities; one is right if its words and type are."""
    names = np.array(splits.class_names)
    x, y, _ = part
    true, predicted = (
        [names[row[: len(words)]].tolist() for row, words in zip(rows, x, strict=True)]
        for rows in (y, tags)
    )
    strict = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    return {
        "entity_f1": float(f1_score(true, predicted, **strict)),
        "entity_precision": float(precision_score(true, predicted, **strict)),
        "entity_recall": float(recall_score(true, predicted, **strict)),
    }


def logistic_regression(splits: Splits) -> float:
    """Returns the entity F1 of logistic regression, decoded as the models are.

    Its bias is chosen on the validation sentences as theirs are.
    """
    held_out, test = tagging.logistic_regression(splits, splits.validation, splits.test)
    labels = ka.layers.EntityLabels(len(splits.class_names), splits.class_names)
    choose_bias(labels, splits, held_out)
    return score(splits, splits.test, labels.tags(test))["entity_f1"]


def draw_pictures(model: keras.Model, splits: Splits) -> dict:
    """Draws confusions of types, scores by tag, and the attention in a test sentence."""
    x, y, _ = splits.test
    true, predicted = tagging.drop_padding(splits.test, y, tagging.predict_tags(model, splits.test))
    types = ["none", *data.TYPES]
    kind = np.array([types.index(name[2:] or "none") for name in splits.class_names])
    in_entity = (true > 0) | (predicted > 0)  # the other words would drown them
    # One with an entity, long enough to show something, short enough to read.
    words = min(x[(y > 0).any(axis=1)], key=lambda words: abs(len(words) - 12))
    return {
        "confusion_matrix": charts.confusion_matrix(
            kind[true[in_entity]],
            kind[predicted[in_entity]],
            types,
            title=f"Types of the {in_entity.sum():,} test words in true or found entities",
        ),
        "tag_scores": charts.tag_scores(
            true, predicted, splits.class_names, title=f"F1 by tag, {len(true):,} test words"
        ),
        "attention": tagging.draw_attention(model, words),
    }
