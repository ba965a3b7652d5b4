"""Parts of recipes of text classification: the optimizer, simpler methods and pictures."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

import keras_attention as ka
from keras_attention.explain import plots
from zoo.data import Splits
from zoo.harness import charts
from zoo.harness.experiment import predict
from zoo.tasks.optimizers import adamw_cosine

# The function that builds a model, its sizes, and the highest learning rate.
Variant = tuple[Callable[..., keras.Model], dict[str, Any], float]


def make_optimizer(
    splits: Splits, epochs: int, batch_size: int, *, peak: float
) -> keras.optimizers.Optimizer:
    """Returns AdamW that warms up for a tenth of the training."""
    steps = epochs * splits.num_batches(batch_size)
    return adamw_cosine(steps, peak=peak, warmup_steps=steps // 10, weight_decay=0.01)


def linear_svm(splits: Splits) -> float:
    """Returns the test accuracy of a linear support vector machine on words and pairs of words."""
    return make_pipeline(_words(), LinearSVC()).fit(*splits.train).score(*splits.test)


def linear_svm_characters(splits: Splits) -> float:
    """Returns that of one on sequences of two to five letters of words as well."""
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    model = make_pipeline(make_union(_words(), letters), LinearSVC())
    return model.fit(*splits.train).score(*splits.test)


def logistic_regression(splits: Splits) -> float:
    """Returns the test accuracy of logistic regression on words and pairs of words."""
    model = make_pipeline(_words(), LogisticRegression(C=10.0, max_iter=1000))
    return model.fit(*splits.train).score(*splits.test)


def _words() -> TfidfVectorizer:
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+")


BASELINES = {
    "linear SVM": linear_svm,
    "linear SVM, characters too": linear_svm_characters,
    "logistic regression": logistic_regression,
}


def draw_pictures(model: keras.Model, splits: Splits) -> dict:
    """Draws the confusion matrix, and what the model reads in test texts."""
    _, y = splits.test
    predicted = np.argmax(predict(model, splits.test), axis=-1)
    title = f"{splits.source.name}, {len(y):,} test texts"
    return {
        "confusion_matrix": charts.confusion_matrix(y, predicted, splits.class_names, title=title),
        "attention": draw_attention(model, splits, predicted),
    }


def draw_attention(model: keras.Model, splits: Splits, predicted: np.ndarray) -> Any:
    """Draws how the pooling weighs the words of test texts, of right answers and of wrong ones."""
    x, y = splits.test
    order = np.random.default_rng(0).permutation(len(y))
    right, wrong = (order[(predicted == y)[order] == is_right][:6] for is_right in (True, False))
    rows = [*right, *wrong[:4]]
    texts = [x[row] for row in rows]
    with ka.capture() as maps:
        model(ka.encode(model, texts), training=False)
    last = keras.ops.convert_to_numpy(list(maps.values())[-1])  # (B, N, 1, T) or (B, 1, 1, S)
    weights, segments = last[:, :, 0].mean(axis=1), None  # of the pooling, or of the first token
    if "word_attention" in maps:
        words = keras.ops.convert_to_numpy(maps["word_attention"])[:, 0]  # (B, S, T)
        segments = np.einsum("bs,bst->bt", weights, words > 0)
        weights = words.sum(axis=1)
    names = splits.class_names
    tokenizer = model.get_layer("tokenizer")
    captions = [
        names[y[row]] + ("" if predicted[row] == y[row] else f", taken for {names[predicted[row]]}")
        for row in rows
    ]
    return plots.shaded_tokens(
        [tokenizer.tokens(text) for text in texts],
        weights,
        captions,
        segments=segments,
        title=f"{splits.source.name}: weights of the pooling, test texts"
        + ("" if segments is None else "; red: of the segment"),
    )
