"""What the taggers' recipes share: the model, how words are counted, and a simpler method."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import SGDClassifier

import keras_attention as ka
from zoo.data import Arrays, Splits, objects
from zoo.harness import experiment
from zoo.tasks.rates import warmup_cosine

BUCKETS = (8, 16, 24, 36, 64, 160)


@keras.saving.register_keras_serializable(package="zoo")
class WordAccuracy(keras.metrics.Metric):
    """The share of words whose most probable tag is the true one.

    Keras's own accuracy averages over the length of each batch first, and with batches of
    different lengths a word of a short one counts for more.
    """

    def __init__(self, name: str = "accuracy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.right = self.add_variable((), "zeros", name="right")
        self.words = self.add_variable((), "zeros", name="words")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any) -> None:
        weights = ops.cast(sample_weight, self.dtype)
        right = ops.equal(ops.cast(y_true, "int32"), ops.cast(ops.argmax(y_pred, -1), "int32"))
        self.right.assign_add(ops.sum(weights * ops.cast(right, self.dtype)))
        self.words.assign_add(ops.sum(weights))

    def result(self) -> Any:
        return ops.divide_no_nan(self.right, self.words)


def build(variants: Mapping[str, Any], variant: str, data: Splits, **config: Any) -> keras.Model:
    """The tagger of a recipe's variant, with the vocabulary of the training sentences.

    Words that occur once there are unknown, so that something is learned about unknown ones.
    """
    make, sizes = experiment.sizes(variants, variant)
    tokenizer = ka.layers.Tokenizer.train(
        data.train[0], vocabulary_size=20_000, model="word", words=True
    )
    return make(
        **sizes,
        tokenizer=tokenizer,
        num_classes=len(data.class_names),
        class_names=data.class_names,
        **config,
    )


def optimizer(data: Splits, *, batch_size: int, epochs: int) -> keras.optimizers.Optimizer:
    """AdamW; the rate rises for a twentieth of the steps, then falls to 0 with half a cosine."""
    steps = epochs * -(-len(data.train[1]) // batch_size)
    schedule = warmup_cosine(steps, peak=2e-3, warmup=steps // 20)
    made = keras.optimizers.AdamW(schedule, weight_decay=0.01, beta_2=0.98, global_clipnorm=1.0)
    made.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "embeddings"])
    return made


def tags(model: keras.Model, part: Arrays) -> np.ndarray:
    """`(B, T)` indices of the tags that the model's last layer names."""
    logits = experiment.outputs(model, part, buckets=BUCKETS)
    return model.get_layer("labels").tags(logits)


def of_words(part: Arrays, *arrays: np.ndarray) -> list[np.ndarray]:
    """Of arrays `(B, T, ...)` what is not padding: `(words, ...)`."""
    there = part[2] > 0
    return [array[there] for array in arrays]


def attention(model: keras.Model, words: Sequence[str]) -> dict[str, Any]:
    """Attention maps between the words of one sentence, by layer."""
    with ka.capture() as maps:
        model(ka.encode(model, objects([list(words)])), training=False)
    return {path.removesuffix("/attention"): weights for path, weights in maps.items()}


def hand_features(words: Sequence[str]) -> Iterator[list[str]]:
    """Of each word: itself, its shape, its beginnings and ends, and its neighbours."""
    lower = ["<s>", "<s>", *(word.lower() for word in words), "</s>", "</s>"]
    for i, word in enumerate(words, 2):
        own = lower[i]
        shape = "".join(
            "X" if c.isupper() else "x" if c.islower() else "d" if c.isdigit() else c for c in word
        )
        yield [
            f"word {own}",
            f"shape {shape[:12]}",
            f"capital {word[:1].isupper()}, first {i == 2}",
            *(f"ends {own[-n:]}" for n in (1, 2, 3, 4)),
            *(f"begins {own[:n]}" for n in (1, 2, 3)),
            *(f"{by} word {lower[i + by]}" for by in (-2, -1, 1, 2)),
            *(f"{by} ends {lower[i + by][-3:]}" for by in (-1, 1)),
            f"pair {lower[i - 1]} {own}",
        ]


def logistic_regression(data: Splits, *parts: Arrays) -> list[np.ndarray]:
    """Log probabilities `(B, T, C)` of each part, by logistic regression on `hand_features`."""
    hasher = FeatureHasher(2**20, input_type="string", alternate_sign=False)

    def matrix(sentences: Sequence[Sequence[str]]) -> Any:
        return hasher.transform(row for words in sentences for row in hand_features(words))

    x, y, weights = data.train
    model = SGDClassifier(loss="log_loss", alpha=1e-6, max_iter=10, tol=None, random_state=0)
    model.fit(matrix(x), y[weights > 0])
    results = []
    for x, y, weights in parts:
        found = np.full((*y.shape, len(data.class_names)), np.log(1e-12))
        rows = found[weights > 0]
        rows[:, model.classes_] = np.log(model.predict_proba(matrix(x)) + 1e-12)
        found[weights > 0] = rows
        results.append(found)
    return results
