"""CLINC150: which of 150 intents a request has, or none, by a transformer from raw text.

Data: 15,000 requests to train on, 3,000 to choose by, 4,500 to test on, the official split, and
1,000 out of scope to test on; none of these is trained on. No pretrained vectors.

    KERAS_BACKEND=jax python scripts/train.py text_clinc --repeats 3
    KERAS_BACKEND=jax python scripts/train.py text_clinc \\
        --init hf://sentence-transformers/all-MiniLM-L6-v2

`oos_recall` is the share of the out-of-scope requests that are refused where the largest
probability is below a threshold, at an in-scope precision of 95 %: see `out_of_scope_recall`.
From the mean of the tokens of that published encoder of 22.6 million weights: 96.2, 96.7 and 96.6 %
(seeds 0 to 2), `oos_recall` 77.4, 77.4 and 77.2 %, in 15 minutes each (JAX, one core with other
work); with its own head, of the first token, seed 0 had 95.96 %. Validation chose: 96.7 % for 96.6.
From scratch, seeds 0 to 2: 91.6 % +- 0.1, `oos_recall` 79.5 % +- 0.1, in two minutes on one shared
core (JAX); a linear support vector machine on words and pairs 91.0 %, with characters too 92.7 %,
which is better. On TensorFlow seed 0 has 91.8 %, `oos_recall` 79.9 %, in seven minutes.
The published figures are those of https://github.com/google/uncertainty-baselines.
"""

import keras
import numpy as np

import keras_attention as ka
from zoo.data import Splits
from zoo.data import clinc150 as data
from zoo.harness import charts
from zoo.harness.experiment import Recipe, predict, sizes
from zoo.models.text_classifier import VARIANTS as TRANSFORMER
from zoo.models.text_classifier import text_classifier
from zoo.tasks import text
from zoo.tasks.fine_tuning import FineTuning, Init

VARIANTS = {"default": TRANSFORMER["default"], "tiny": TRANSFORMER["tiny"]}
BATCH_SIZE = 64
BUCKETS = (11, 17)
PRECISION = 0.95


FINE_TUNING = FineTuning(
    task="classes",
    pooling="mean",
    epochs=10,
    batch_size=64,
    peak=3e-4,
    decay=0.9,
    max_length=64,
    buckets=(10, 14, 20),
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
        variant: `"default"`.
        seed: of the initial weights, the order and the dropout.
        smoke: made-up requests and two epochs, to see that everything runs.
        init: a published encoder to start from, see `zoo.tasks.fine_tuning`.
    """
    settings = sizes(VARIANTS, variant)
    keras.utils.set_random_seed(seed)
    splits = data.sample() if smoke else data.load()
    tokenizer = ka.layers.Tokenizer.train(
        splits.train[0], model="bpe", vocabulary_size=3000, max_length=64
    )
    model = text_classifier(
        **settings,
        tokenizer=tokenizer,
        num_classes=len(splits.class_names),
        class_names=splits.class_names,
    )
    epochs = 2 if smoke else 10
    return text.make_recipe(
        splits,
        name="text_clinc",
        variant=variant,
        seed=seed,
        model=model,
        peak=2e-3,
        epochs=epochs,
        batch_size=BATCH_SIZE,
        buckets=BUCKETS,
        measure=measure,
        baselines={
            "linear SVM": text.linear_svm,
            "linear SVM, characters too": text.linear_svm_characters,
        },
        published={"TextCNN": 0.944, "BERT-small": 0.968},
        pictures=draw_pictures,
        next_step="python scripts/predict.py {folder}/model.keras 'how much money do i have'",
        init=init,
        fine_tuning=FINE_TUNING,
        smoke=smoke,
    )


def measure(model: keras.Model, splits: Splits) -> dict[str, float]:
    """Returns how well the largest probability tells requests that are out of scope."""
    inside, outside = (
        _largest_probability(model, part) for part in (splits.test, splits.extra[data.OUT_OF_SCOPE])
    )
    return {"oos_recall": out_of_scope_recall(inside, outside)}


def out_of_scope_recall(
    inside: np.ndarray, outside: np.ndarray, precision: float = PRECISION
) -> float:
    """Returns out-of-scope recall at an in-scope precision.

    A request is taken to be in scope where its largest probability reaches a threshold. In-scope
    precision is the share of those that are in scope among the requests taken to be so; out-of-
    scope recall that of the requests out of scope that are not taken to be in scope. The
    threshold is the lowest with at least `precision`, on these very requests: a point of the
    curve, not a choice that was made before. If none has it, all are refused: recall 1.

    Args:
        inside: largest probabilities of the requests in scope.
        outside: of those out of scope.
        precision: that is asked for.
    """
    thresholds = np.unique(np.concatenate([inside, outside]))
    kept = len(inside) - np.searchsorted(np.sort(inside), thresholds)  # reach each threshold
    wrong = len(outside) - np.searchsorted(np.sort(outside), thresholds)
    enough = kept >= precision * (kept + wrong)
    return float(1 - wrong[np.argmax(enough)] / len(outside)) if enough.any() else 1.0


def _largest_probability(model: keras.Model, part: tuple) -> np.ndarray:
    logits = predict(model, part, batch_size=256, buckets=BUCKETS).astype(np.float64)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return 1 / weights.sum(axis=-1)


def draw_pictures(model: keras.Model, splits: Splits) -> dict:
    """Draws the pairs of intents that are confused most, and attention to test requests."""
    _, y = splits.test
    predicted = np.argmax(predict(model, splits.test, buckets=BUCKETS), axis=-1)
    return {
        "confused_pairs": charts.confused_pairs(
            y,
            predicted,
            splits.class_names,
            title=f"{splits.source.name}: the most confused intents, {len(y):,} test requests, "
            f"{np.mean(predicted != y):.1%} wrong",
        ),
        "attention": text.draw_attention(model, splits, predicted),
    }
