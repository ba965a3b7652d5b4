"""Short trainings, whose attention the gallery draws where no trained model comes along.

Each takes a minute or two of one core. That is less than the recipe's own training, except where
the data is made up and small: the pictures show what is read, and no score is taken from them.
"""

from dataclasses import dataclass, replace

import keras
import numpy as np
import translation

import keras_attention as ka
from keras_attention.explain import plots
from keras_attention.explain.plots import any_model
from zoo import recipes
from zoo.harness import experiment
from zoo.tasks import translators


@dataclass(frozen=True)
class Short:
    """How a recipe is trained for its picture.

    Attributes:
        epochs: as many as the recipe's if `None`.
        rows: of the data; all if `None`.
        peak: the highest learning rate, where epochs or rows are not the recipe's.
    """

    epochs: int | None = None
    rows: int | None = None
    peak: float = 1e-3


TRAININGS = {
    "attention_vs_rnn": Short(),
    "copy_reverse": Short(),
    "gat_lookup": Short(),
    "tabular_adult": Short(epochs=3),
    "tabular_housing": Short(epochs=3),
    "text_sst2": Short(epochs=3, rows=4_000),
    "text_trec": Short(epochs=3),
    "vit_fashion": Short(epochs=4, rows=2_000),
}


TRANSLATORS = {"translate_rnn": "rnn", "translate_transformer": "transformer"}


def draw_trained(name, best):
    """Trains a recipe for a short time, and returns its picture and a sentence on both.

    Args:
        name: of the recipe, one of `TRAININGS` or `TRANSLATORS`.
        best: names of pictures, of which the first that the recipe draws is taken.
    """
    if name in TRANSLATORS:
        return draw_translation(TRANSLATORS[name])
    recipe = recipes.load(name)(variant="default", seed=0, smoke=False)
    short, total = TRAININGS[name], len(recipe.data.train[1])
    if short != Short():
        recipe = _shorten(recipe, short)
    experiment.train(replace(recipe, measure=lambda model, data: {}), watch=False)
    if name in DRAWINGS:
        figure = DRAWINGS[name](recipe.model, recipe.data)
    else:
        figures = recipe.pictures(recipe.model, recipe.data)
        figure = next(figures[kind] for kind in best if kind in figures)
    how = "Drawn after the recipe's own training"
    if short != Short():
        rows = "" if short.rows is None else f" on {short.rows:,} of {total:,} rows"
        epochs = "an epoch" if short.epochs == 1 else f"{short.epochs} epochs"
        how = f"Drawn after {epochs}{rows}, less than the recipe's training"
    source = recipe.data.source.name
    data = "on made-up data" if "made" in source else f"which fetches its data, {source}"
    return figure, f"{how}, by the second command, {data}."


def _shorten(recipe, short):
    """Returns a recipe with fewer epochs or rows, and a schedule that ends with them."""
    data = recipe.data
    if short.rows is not None:
        data = replace(data, train=tuple(part[: short.rows] for part in data.train))
    epochs = short.epochs or recipe.epochs
    steps = epochs * data.num_batches(recipe.batch_size)
    schedule = ka.schedules.warmup_cosine(steps, peak=short.peak, warmup_steps=steps // 10)
    optimizer = ka.optimizers.Adam(schedule, global_clipnorm=1.0)
    return replace(recipe, data=data, epochs=epochs, optimizer=optimizer, stop=None)


def draw_translation(kind):
    """Trains a small translator of made-up sentences, and returns its picture and a sentence."""
    model, _ = translation.train(kind)
    figure = translators.draw_alignment(model, translation.SHOWN[0])
    return figure, (
        "Drawn of a smaller model of this kind that learns made-up sentences in seconds, by the "
        "second command; the recipe's own training takes an hour or two."
    )


def draw_recall(model, splits, *, pairs=16, count=6):
    """Draws what an LSTM with attention reads of pairs when it is asked for one of them."""
    x, y = splits.test
    rows = [row for row, text in enumerate(x["token_ids"]) if len(text.split()) == pairs][:count]
    asked = {name: values[rows] for name, values in x.items()}
    (weights,) = ka.explain.attention_maps(model, asked).values()
    answers = ka.predict(model, asked)
    return plots.shaded_tokens(
        [text.split() for text in asked["token_ids"]],
        keras.ops.convert_to_numpy(weights)[:, 0, 0],
        [
            f"{question}? answered {answer.label}, right is {truth}"
            for question, answer, truth in zip(asked["question_ids"], answers, y[rows], strict=True)
        ],
        title="What an LSTM with attention reads when it is asked for the digit of a letter",
    )


def draw_relevance(model, splits, *, count=8):
    """Draws what of test texts spoke for the answers, as the weights of the pooling alone are even
    after so short a training."""
    texts, _ = splits.test
    rows = np.random.default_rng(0).permutation(len(texts))[:count]
    _, figure = any_model.explain(
        model,
        list(texts[rows]),
        ka.explain.relevance,
        title=f"What spoke for the answer, {splits.source.name}",
    )
    return figure


DRAWINGS = {
    "attention_vs_rnn": draw_recall,
    "text_sst2": draw_relevance,
    "text_trec": draw_relevance,
}
