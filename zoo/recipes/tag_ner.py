"""Emerging entities in tweets and comments (WNUT-17), learned from scratch, counted strictly.

Data: the official split of WNUT-17, 3,394 sentences to train on, 1,009 for validation and 1,287 to
test on, with six types of entities. The score is the F1 of entities by `seqeval` in strict mode:
right are those with the true words and the true type.

    KERAS_BACKEND=torch python scripts/train.py tag_ner --repeats 3
    KERAS_BACKEND=jax python scripts/train.py tag_ner --variant lstm --repeats 3
    KERAS_BACKEND=jax python scripts/train.py tag_ner \\
        --init hf://sentence-transformers/all-MiniLM-L6-v2

From that published encoder of 22.6 M weights: 44.7 F1 +- 1.1, seeds 0 to 2, in 11 to 20 minutes
each (JAX, one or two cores with other work), which is more than the best of 2017 had.

The models from scratch are those of `tag_pos`, with more dropout. Each run decodes valid BIO
sequences, with a bias against "no entity" that is chosen on the validation sentences when it is
trained.

From scratch, seeds 0 to 2: transformer 20.0 F1 +- 2.1 in 2.2 minutes, LSTM 20.2 +- 0.7 in 4.9, on
one shared core (PyTorch); logistic regression on hand-made features, with the same choice of a
bias, 16.2.

Published: the best system of the 2017 shared task has 41.86 F1, with external resources. Models
from scratch have none, and few entities of the test sentences occur in the training sentences.
"""

import keras

from zoo.data import wnut17 as data
from zoo.harness.experiment import Recipe
from zoo.models import lstm_tagger, transformer_tagger
from zoo.tasks import taggers
from zoo.tasks.fine_tuning import FineTuning, Init

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
    return taggers.make_recipe(
        splits,
        name="tag_ner",
        variant=variant,
        seed=seed,
        model=taggers.build(VARIANTS, variant, splits),
        epochs=epochs,
        batch_size=batch_size,
        published={"best of the 2017 shared task, with external resources": 0.4186},
        next_step=(
            "look at {folder}/attention.png, and ask the model about a sentence:\n"
            "KERAS_BACKEND={backend} python scripts/predict.py {folder}/model.keras "
            '"Is Anna Karlsson in Oslo?"'
        ),
        init=init,
        fine_tuning=FINE_TUNING,
        smoke=smoke,
    )
