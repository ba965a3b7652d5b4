"""Parts of the taggers' recipes: model, optimizer and a simpler method."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import SGDClassifier

import keras_attention as ka
from keras_attention.explain import plots
from zoo.data import Arrays, Splits, objects
from zoo.harness import experiment
from zoo.tasks.optimizers import adamw_cosine

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BUCKETS = (8, 16, 24, 36, 64, 160)


def build(variants: Mapping[str, Any], variant: str, data: Splits, **config: Any) -> keras.Model:
    """Returns the tagger of a recipe's variant, with the vocabulary of the training sentences.

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


def make_optimizer(data: Splits, *, batch_size: int, epochs: int) -> keras.optimizers.Optimizer:
    """Returns AdamW whose rate rises for a twentieth of the steps."""
    steps = epochs * data.num_batches(batch_size)
    return adamw_cosine(
        steps,
        peak=2e-3,
        warmup_steps=steps // 20,
        weight_decay=0.01,
        spared=["embeddings"],
        beta_2=0.98,
    )


def predict_tags(model: keras.Model, part: Arrays) -> np.ndarray:
    """Returns the indices of the tags that the model's last layer names, `(B, T)`."""
    logits = experiment.predict(model, part, buckets=BUCKETS)
    return model.get_layer("labels").tags(logits)


def drop_padding(part: Arrays, *arrays: np.ndarray) -> list[np.ndarray]:
    """Returns the elements of arrays `(B, T, ...)` that are no padding, `(words, ...)`."""
    is_word = part[2] > 0
    return [array[is_word] for array in arrays]


def draw_attention(model: keras.Model, words: Sequence[str]) -> "Figure":
    """Draws the attention of the last two blocks between the words of a sentence, or pieces."""
    with ka.capture() as maps:
        model(ka.encode(model, objects([list(words)])), training=False)
    return plots.attention_heads(
        {path.removesuffix("/attention"): maps[path] for path in list(maps)[-2:]},
        model.get_layer("tokenizer").tokens(list(words)),
        title="Attention in a test sentence",
    )


def list_features(words: Sequence[str]) -> Iterator[list[str]]:
    """Yields the features of each word: itself, its shape, beginnings, ends and neighbours."""
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
    """Returns log probabilities `(B, T, C)` of each part, by logistic regression on features."""
    hasher = FeatureHasher(2**20, input_type="string", alternate_sign=False)

    def matrix(sentences: Sequence[Sequence[str]]) -> Any:
        return hasher.transform(row for words in sentences for row in list_features(words))

    x, y, weights = data.train
    model = SGDClassifier(loss="log_loss", alpha=1e-6, max_iter=10, tol=None, random_state=0)
    model.fit(matrix(x), y[weights > 0])
    results = []
    for x, y, weights in parts:
        log_probabilities = np.full((*y.shape, len(data.class_names)), np.log(1e-12))
        rows = log_probabilities[weights > 0]
        rows[:, model.classes_] = np.log(model.predict_proba(matrix(x)) + 1e-12)
        log_probabilities[weights > 0] = rows
        results.append(log_probabilities)
    return results
