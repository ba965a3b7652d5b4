"""German to English by recurrent networks, with Bahdanau's attention, Luong's and none.

Data: Multi30k, what pictures show; the official split. One vocabulary of byte pairs for both
languages, in lower case. The three have the same data, training and number of parameters.

    KERAS_BACKEND=jax python scripts/train.py translate_rnn
    KERAS_BACKEND=jax python scripts/train.py translate_rnn --variant luong
    KERAS_BACKEND=jax python scripts/train.py translate_rnn --variant none

The score is sacreBLEU of test 2016 by beam search with 5 beams, on the texts as they are written
but for case; see `translate_transformer` for the other metrics. One training each (seed 0, JAX, 6
epochs; 66, 99 and 36 minutes of a core that others wanted as well):

| attention   | test 2016 | greedily | test 2017 | Ambiguous COCO |
|-------------|----------:|---------:|----------:|---------------:|
| Bahdanau's  |      39.6 |     37.8 |      34.7 |           26.0 |
| Luong's     |      32.2 |     30.6 |      24.2 |           17.5 |
| none        |      22.7 |     22.1 |      17.1 |           11.9 |

So attention adds 16.9, and Luong's, general score with input feeding, 9.5.

What the encoder hands over first is normalised: without, tanh was at its ends after 50 steps and
the decoder without attention, which knows nothing else of the source, wrote one sentence for all
(3.7).

Published: a public tutorial of these models, German to English, 20.6 without attention and 28.1
to 28.3 with Bahdanau's (20.5M parameters, tokenised by spaCy).
"""

from typing import Any

import keras
import numpy as np

import keras_attention as ka
from zoo.data import Splits
from zoo.data import multi30k as data
from zoo.harness import charts
from zoo.harness.experiment import Recipe, sizes
from zoo.models.seq2seq_rnn import VARIANTS as RNN
from zoo.models.seq2seq_rnn import seq2seq_rnn
from zoo.tasks import translators

_SIZES = {**RNN["default"], "dropout": 0.4}
VARIANTS: dict[str, dict[str, Any]] = {  # of as many parameters, within 1 %
    "default": _SIZES,
    "luong": {**_SIZES, "units": 288, "encoder_units": 288, "attention": "luong_general"},
    "none": {**_SIZES, "units": 328, "encoder_units": 328, "attention": None},
    "tiny": RNN["tiny"],
}
PUBLISHED = {
    "default": {"Bahdanau's, of a public tutorial, 20.5M parameters, tokenised": 0.283},
    "none": {"without attention, of a public tutorial, tokenised": 0.206},
}
BATCH_SIZE = 64
_LENGTHS = (6, 9, 12, 15, 40)  # words of a source at most, of the groups of a picture


def recipe(*, variant: str = "default", seed: int = 0, smoke: bool = False) -> Recipe:
    """Returns the experiment of this file.

    Args:
        variant: `"default"`, Bahdanau's attention; `"luong"`, Luong's with input feeding; or
            `"none"`.
        seed: of the initial weights, the order and the dropout.
        smoke: made-up sentences and two epochs, to see that everything runs.
    """
    settings = sizes(VARIANTS, variant)
    keras.utils.set_random_seed(seed)
    raw = data.sample() if smoke else data.load()
    source, target = translators.train_tokenizers(raw, vocabulary_size=6000)
    length = {"max_new_tokens": 8 if smoke else 64}
    return translators.make_recipe(
        raw,
        translators.encode(raw, source, target),
        name="translate_rnn",
        variant=variant,
        seed=seed,
        model=seq2seq_rnn(**settings, source_tokenizer=source, target_tokenizer=target),
        epochs=2 if smoke else 6,
        batch_size=BATCH_SIZE,
        warmup=0.05,
        beta_2=0.999,
        published=PUBLISHED.get(variant, {}),
        pictures=lambda model, _: draw_pictures(
            model, raw, attends=settings["attention"] is not None, **length
        ),
        next_step=(
            "look at {folder}/bleu_by_length.png, beside that of the other variants, and translate "
            'a sentence:\necho "Ein Hund rennt." | KERAS_BACKEND={backend} python '
            "scripts/translate.py {folder}/model.keras"
        ),
        **length,
    )


def draw_pictures(model: keras.Model, raw: Splits, *, attends: bool, max_new_tokens: int) -> dict:
    """Draws BLEU by length of the sentence, as figure 2 of Bahdanau et al., and alignments."""
    x, y = raw.test
    translations = translators.translate(
        model, x["source_ids"], sampler=ka.decoding.Greedy(), max_new_tokens=max_new_tokens
    )
    words = np.array([len(text.split()) for text in x["source_ids"]])
    scores, shortest = {}, 0
    for longest in _LENGTHS:
        rows = np.flatnonzero((words > shortest) & (words <= longest))
        if len(rows):
            written, references = ([texts[i] for i in rows] for texts in (translations, y))
            scores[longest], _ = translators.bleu(written, references)
        shortest = longest
    figures = {
        "bleu_by_length": charts.by_length(
            {"BLEU": {"written greedily": scores}},
            title=f"{raw.source.name}, {len(y):,} test sentences",
            length="words of the source, at most",
        )
    }
    if attends:
        figures |= translators.draw_alignments(model, raw, max_new_tokens=max_new_tokens)
    return figures
