"""Parts of speech of English web text (UD English EWT), by a transformer or by an LSTM.

Data: the official split of UD English EWT, 204,577 words to train on, 25,147 for validation and
25,094 to test on, with 17 universal tags. Words are the syntactic ones. The score is the share of
the test words whose tag is right.

    KERAS_BACKEND=torch python scripts/train.py tag_pos --repeats 3
    KERAS_BACKEND=jax python scripts/train.py tag_pos --variant lstm --repeats 3
    KERAS_BACKEND=jax python scripts/train.py tag_pos \\
        --init hf://sentence-transformers/all-MiniLM-L6-v2

From that published encoder of 22.6 M weights: 96.8 %, seed 0, in 31 minutes (JAX, two cores with
other work and with pauses).

The default is a transformer of two blocks with relative positions, `lstm` a bidirectional LSTM
with self-attention over its states; both see each word's characters beside the word, and learn from
the training sentences alone.

From scratch, seeds 0 to 2 (PyTorch): LSTM 95.0 % +- 0.04 in 12.6 minutes on one shared core;
transformer 94.5 % +- 0.06 in 194 s on one core, 10 and 14 minutes on a shared one, as much as
logistic regression on hand-made features of a word and its neighbours has, 94.6 %.

Published: a BiLSTM with GloVe vectors reaches 88.3 % in a public tutorial, Stanza 1.0 95.40 % on
version 2.5 of the treebank, which it cuts into words by itself.
"""

import keras

from zoo.data import ud_english_ewt as data
from zoo.harness.experiment import Recipe
from zoo.models import lstm_tagger, transformer_tagger
from zoo.tasks import taggers
from zoo.tasks.fine_tuning import FineTuning, Init

VARIANTS = {
    "default": (transformer_tagger.transformer_tagger, transformer_tagger.VARIANTS["default"]),
    "lstm": (lstm_tagger.lstm_tagger, lstm_tagger.VARIANTS["default"]),
    "tiny": (transformer_tagger.transformer_tagger, transformer_tagger.VARIANTS["tiny"]),
    "tiny_lstm": (lstm_tagger.lstm_tagger, lstm_tagger.VARIANTS["tiny"]),
}


FINE_TUNING = FineTuning(
    task="tags",
    epochs=5,
    batch_size=32,
    peak=2e-4,
    decay=0.9,
    max_length=256,
    buckets=(12, 20, 32, 56),
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
    epochs, batch_size = 2 if smoke else 8, 32
    return taggers.make_recipe(
        splits,
        name="tag_pos",
        variant=variant,
        seed=seed,
        model=taggers.build(VARIANTS, variant, splits),
        epochs=epochs,
        batch_size=batch_size,
        published={
            "BiLSTM with GloVe (tutorial)": 0.883,
            "Stanza 1.0, from raw text (UD 2.5)": 0.9540,
        },
        next_step=(
            "look at {folder}/attention.png, and ask the model about a sentence:\n"
            'KERAS_BACKEND={backend} python scripts/predict.py {folder}/model.keras "I saw her."'
        ),
        init=init,
        fine_tuning=FINE_TUNING,
        smoke=smoke,
    )
