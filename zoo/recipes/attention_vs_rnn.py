"""Recall by an LSTM, an LSTM with attention and a transformer: what length costs each.

Data: made up. A letter and a digit in each of 1 to 32 pairs, then a letter, whose digit is asked
for; 60,000 sequences to train on, 1,000 of each length to test on. All three have the same number
of parameters within 5 % and the same training.

    KERAS_BACKEND=jax python scripts/train.py attention_vs_rnn

trains the LSTM with attention, and the other two to stand beside it; `comparison.png` has accuracy
and time of all three by length. `--variant lstm` and `--variant transformer` leave the others'
models.

Measured (seed 0, JAX, three epochs in two minutes each on one of two busy cores); chance has 0.1:

| accuracy, by pairs  |     2 |     4 |     8 |    16 |    32 |
|---------------------|------:|------:|------:|------:|------:|
| LSTM                | 0.569 | 0.384 | 0.270 | 0.217 | 0.186 |
| LSTM with attention | 1.000 | 0.999 | 1.000 | 0.998 | 0.998 |
| transformer         | 0.999 | 1.000 | 1.000 | 1.000 | 1.000 |

| seconds per step, by pairs |    16 |    32 |    64 |   128 |   256 |
|----------------------------|------:|------:|------:|------:|------:|
| LSTM                       | 0.019 | 0.033 | 0.076 | 0.145 | 0.291 |
| LSTM with attention        | 0.018 | 0.034 | 0.056 | 0.109 | 0.254 |
| transformer                | 0.029 | 0.069 | 0.156 | 0.253 | 1.831 |

A state of fixed size forgets; attention over the states remembers, at no cost that can be seen
beside the LSTM's own, while the transformer's time grows with the square of the length.
"""

import time
from functools import cache

import keras
import numpy as np

import keras_attention as ka
from keras_attention import inference
from zoo.data import Splits
from zoo.data import recall as data
from zoo.harness import charts, experiment
from zoo.harness.experiment import Recipe, predict, sizes
from zoo.models.reader import VARIANTS as READER
from zoo.models.reader import reader

NAMES = {"lstm": "LSTM", "attention": "LSTM with attention", "transformer": "transformer"}
_SIZES = {"lstm": "lstm", "attention": "default", "transformer": "transformer"}
VARIANTS = {  # of each the model, and the sizes of all three by model
    "default": ("attention", _SIZES),
    "lstm": ("lstm", _SIZES),
    "transformer": ("transformer", _SIZES),
    "tiny": (
        "attention",
        {"lstm": "tiny_lstm", "attention": "tiny", "transformer": "tiny_transformer"},
    ),
}
BATCH_SIZE = 64
LENGTHS = (2, 4, 8, 16, 32)  # pairs, where accuracy is measured
TIMED = (16, 32, 64, 128, 256)  # pairs, where time is


def recipe(*, variant: str = "default", seed: int = 0, smoke: bool = False) -> Recipe:
    """Returns the experiment of this file.

    Args:
        variant: `"default"`, the LSTM with attention; `"lstm"`; or `"transformer"`.
        seed: of the sequences, the initial weights and the order.
        smoke: few and short sequences and two epochs, to see that everything runs.
    """
    kind, models = sizes(VARIANTS, variant)
    lengths = (1, 2, 3) if smoke else LENGTHS
    splits = data.load(
        lengths=lengths, sequences=64 if smoke else 60_000, test=8 if smoke else 1000, seed=seed
    )
    texts = [f"{letter}{digit}" for letter in data.KEYS for digit in range(10)]
    tokenizer = ka.layers.Tokenizer.train(
        [*texts, *data.KEYS], model="word", lowercase=False, min_frequency=1
    )

    def make(kind: str) -> Recipe:
        """Returns the recipe of one of the three, which are trained alike."""
        keras.utils.set_random_seed(seed)
        epochs = 2 if smoke else 3
        steps = epochs * splits.num_batches(BATCH_SIZE)
        return Recipe(
            name="attention_vs_rnn",
            variant=variant,
            seed=seed,
            model=reader(
                **READER[models[kind]],
                tokenizer=tokenizer.copy(name="tokenizer"),
                class_names=splits.class_names,
            ),
            data=splits,
            optimizer=ka.optimizers.Adam(
                ka.schedules.warmup_cosine(steps, peak=3e-3, warmup_steps=steps // 20),
                global_clipnorm=1.0,
            ),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=("accuracy",),
            score="accuracy",
            epochs=epochs,
            batch_size=BATCH_SIZE,
            measure=measure_accuracy,
            baselines={
                "always the same": lambda _: 0.1,
                **{
                    NAMES[other]: lambda _, other=other: test(other)["accuracy"]
                    for other in NAMES
                    if other != kind
                },
            },
            pictures=draw_pictures,
            next_step="look at {folder}/comparison.png.",
        )

    @cache
    def test(kind: str) -> dict[str, float]:
        """Trains one of the others and returns its test metrics."""
        return experiment.train(make(kind), watch=False).test

    def draw_pictures(model: keras.Model, splits: Splits) -> dict:
        """Draws accuracy and time of all three, and confusions and attention of the model."""
        own = measure_accuracy(model, splits)
        accuracy = {k: own if k == kind else test(k) for k in NAMES}
        seconds = {
            k: measure_step_seconds(make(k).model, (4, 8) if smoke else TIMED) for k in NAMES
        }
        panels = {
            "accuracy": {
                NAMES[k]: {n: a[f"accuracy_{n}"] for n in lengths} for k, a in accuracy.items()
            },
            "seconds per step of training": {NAMES[k]: values for k, values in seconds.items()},
        }
        print(format_table(panels), flush=True)
        logits = predict(model, splits.test, batch_size=BATCH_SIZE)
        return {
            "comparison": charts.by_length(
                panels, title="Recall: what length costs", length="pairs"
            ),
            "confusion_matrix": charts.confusion_matrix(
                splits.test[1], logits.argmax(axis=-1), splits.class_names, title="Test sequences"
            ),
        }

    return make(kind)


def measure_accuracy(model: keras.Model, splits: Splits) -> dict[str, float]:
    """Returns the accuracy `accuracy_N` of the test sequences of N pairs."""
    x, y = splits.test
    lengths = np.array([len(text.split()) for text in x["token_ids"]])
    right = predict(model, splits.test, batch_size=BATCH_SIZE).argmax(axis=-1) == y
    return {f"accuracy_{n}": float(right[lengths == n].mean()) for n in np.unique(lengths)}


def measure_step_seconds(model: keras.Model, lengths: tuple[int, ...], *, steps: int = 5) -> dict:
    """Returns the median time of a step of training on a batch of each length."""
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    medians = {}
    for length in lengths:
        ids = rng.integers(2, 500, (BATCH_SIZE, length + 1)).astype("int32")
        x = {"token_ids": ids[:, 1:], "question_ids": ids[:, :1]}
        y = rng.integers(0, 10, BATCH_SIZE)
        seconds = []
        for _ in range(steps + 1):
            start = time.perf_counter()
            with inference.guarded(model):
                float(model.train_on_batch(x, y))
            seconds.append(time.perf_counter() - start)
        medians[length] = float(np.median(seconds[1:]))  # the first one compiles
    return medians


def format_table(panels: dict[str, dict[str, dict[int, float]]]) -> str:
    """Returns the numbers of a figure in lines."""
    lines = []
    for quantity, models in panels.items():
        lengths = sorted(next(iter(models.values())))
        lines.append(f"{quantity + ', by pairs':<38}" + "".join(f"{n:>9}" for n in lengths))
        lines += [
            f"  {name:<36}" + "".join(f"{values[n]:9.4f}" for n in lengths)
            for name, values in models.items()
        ]
    return "\n".join(lines)
