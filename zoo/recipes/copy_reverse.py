"""Reversal: a decoder with attention writes letters backwards and shows where it looks.

The quick start for sequence to sequence.

Data: made up. Sequences of 3 to 12 letters, 6,750 to train on and 1,500 to test on, none twice.

    KERAS_BACKEND=jax python scripts/train.py copy_reverse --repeats 3
    KERAS_BACKEND=jax python scripts/train.py copy_reverse
    echo "c a b" | KERAS_BACKEND=jax python scripts/translate.py runs/copy_reverse/model.keras

Measured (mean ± standard deviation of seeds 0 to 2, JAX; 65 ± 2 s each beside another training on
two cores): every test sequence is written without a mistake, by the model alone. 99.1 ± 0.1 % of
their letters look most at where they stand in the source, the anti-diagonal of `alignment.png`, and
the relevance of the source for a letter (Chefer et al., 2021) is highest there for 99.96 ± 0.01 %.
Keras 3.15.1, JAX 0.10.2.

With Luong's attention, dot score and no input feeding (`--variant luong --epochs 9`) 99.9 ± 0.1 %
are written without a mistake and 99.98 % of the letters look where they stand (PyTorch), but the
relevance is highest there for 99.6, 98.3 and 98.5 %: what it misses are second to fourth letters,
of which the model is so sure that more weight on the right one would not add to the answer,
presumably as the tanh of Luong's attentional vector is at its end; what is not positive, relevance
leaves out.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

import keras_attention as ka
from keras_attention.explain import plots
from zoo.data import Arrays, Splits
from zoo.data import reversal as data
from zoo.harness import charts
from zoo.harness.experiment import Recipe, sizes
from zoo.models.seq2seq_rnn import VARIANTS as RNN
from zoo.models.seq2seq_rnn import seq2seq_rnn
from zoo.tasks import translators

_SIZES = dict(hidden_dim=64, units=64, encoder_units=32)
# With a bridge the default writes as well, and looks at where a letter stands for 14 to 25 % of
# them: its first state has them all.
_ATTENTION = dict(**_SIZES, bridge=False, dropout=0.1)
VARIANTS: dict[str, dict[str, Any]] = {
    "default": dict(**_ATTENTION, attention="bahdanau"),
    # Without input feeding: no step waits for what the one before it found.
    "luong": dict(**_ATTENTION, attention="luong_dot", input_feeding=False),
    "none": dict(**_SIZES, attention=None),
    "tiny": {**RNN["tiny_dot"], "bridge": False},
}
BATCH_SIZE = 64
EPOCHS = 6


def recipe(*, variant: str = "default", seed: int = 0, smoke: bool = False) -> Recipe:
    """Returns the experiment of this file.

    Args:
        variant: `"default"`, Bahdanau's attention; `"luong"`, with the dot score; or `"none"`.
        seed: of the sequences, the initial weights and the order.
        smoke: few sequences and epochs, to see that everything runs.
    """
    settings = sizes(VARIANTS, variant)
    keras.utils.set_random_seed(seed)
    raw = data.load(sequences=85 if smoke else 9000, seed=seed)
    letters: dict[str, Any] = dict(model="word", min_frequency=1)
    source = ka.layers.Tokenizer.train(raw.train[1], **letters, name="source_tokenizer")
    target = ka.layers.Tokenizer.train(
        raw.train[1], **letters, start_end=True, name="target_tokenizer"
    )
    splits = translators.encode(raw, source, target)
    epochs = 2 if smoke else EPOCHS
    steps = epochs * splits.num_batches(BATCH_SIZE)
    return Recipe(
        name="copy_reverse",
        variant=variant,
        seed=seed,
        model=seq2seq_rnn(**settings, source_tokenizer=source, target_tokenizer=target),
        data=splits,
        optimizer=ka.optimizers.Adam(
            ka.schedules.warmup_cosine(steps, peak=1e-2, warmup_steps=steps // 20),
            global_clipnorm=1.0,
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        ),
        metrics=(ka.training.TokenAccuracy(),),
        score="exact_match",
        epochs=epochs,
        batch_size=BATCH_SIZE,
        measure=lambda model, splits: measure(model, raw, splits),
        baselines={"the source as it is": lambda _: exact_match(raw.test[0]["source_ids"], raw)},
        pictures=lambda model, _: draw_pictures(model, raw),
        next_step=(
            "look at {folder}/alignment.png, and have something reversed:\n"
            'echo "c a b" | KERAS_BACKEND={backend} python scripts/translate.py '
            "{folder}/model.keras"
        ),
        task="translation",
    )


def measure(model: keras.Model, raw: Splits, splits: Splits) -> dict[str, float]:
    """Returns shares of the test sequences that are right and of their letters that are aligned.

    A sequence is right if it is written without a mistake. A letter is aligned if, of the source,
    the decoder attends most to where the letter stands; `relevance_aligned` is by the relevance
    of the source for the letter.
    """
    scores = {"exact_match": exact_match(write_reversals(model, raw), raw)}
    hits = [
        np.argmax(w, axis=-1) == np.arange(len(w))[::-1] for w in capture_alignments(model, raw)
    ]
    if hits:
        scores["aligned"] = float(np.concatenate(hits).mean())
        scores["relevance_aligned"] = share_explained(model, splits.test)
    return scores


def share_explained(
    model: keras.Model,
    test: Arrays,
    method: Callable[..., ka.explain.Explanation] = ka.explain.relevance,
    *,
    batch_size: int = 500,
) -> float:
    """Returns the share of letters whose explanation has its highest score where they stand.

    Args:
        model: with attention.
        test: ids, as `zoo.tasks.translators.encode` makes them.
        method: of `ka.explain`.
        batch_size: letters explained at a time.
    """
    x, y, _ = test
    lengths = (x["source_ids"] != 0).sum(axis=1)
    rows, steps = np.nonzero(np.arange(lengths.max()) < lengths[:, None])
    planted = lengths[rows] - 1 - steps
    hits = 0
    for start in range(0, len(rows), batch_size):
        chunk = slice(start, start + batch_size)
        explanation = method(
            model,
            {name: ids[rows[chunk]] for name, ids in x.items()},
            target=y[rows[chunk], steps[chunk]],
            position=steps[chunk],
            name="source_ids",
        )
        hits += int((explanation.scores.argmax(axis=1) == planted[chunk]).sum())
    return hits / len(rows)


def write_reversals(model: keras.Model, raw: Splits) -> list[str]:
    """Returns what the model writes for the test sequences."""
    return translators.translate(
        model,
        raw.test[0]["source_ids"],
        sampler=ka.decoding.Greedy(),
        max_new_tokens=16,
        batch_size=250,
    )


def exact_match(written: Sequence[str], raw: Splits) -> float:
    """Returns the share of the test sequences whose reversal was written."""
    return float(np.mean([a == b for a, b in zip(written, raw.test[1], strict=True)]))


def capture_alignments(
    model: keras.Model, raw: Splits, *, batch_size: int = 250
) -> list[np.ndarray]:
    """Returns the weights `(T, T)` of the source for the true letters of each test sequence."""
    x, y = raw.test
    lengths = [len(text.split()) for text in y]
    alignments: list[np.ndarray] = []
    for start in range(0, len(y), batch_size):
        rows = slice(start, start + batch_size)
        arrays = ka.encode(model, {name: texts[rows] for name, texts in x.items()})
        with ka.capture() as maps:
            model({name: ops.convert_to_tensor(ids) for name, ids in arrays.items()})
        for weights in maps.values():  # one, or none without attention
            weights = ops.convert_to_numpy(weights)[:, 0]
            alignments += [w[:n, :n] for w, n in zip(weights, lengths[rows], strict=True)]
    return alignments


def draw_pictures(model: keras.Model, raw: Splits) -> dict:
    """Draws an alignment, and how many sequences of each length are right."""
    x, y = raw.test
    lengths = np.array([len(text.split()) for text in y])
    right = np.array([a == b for a, b in zip(write_reversals(model, raw), y, strict=True)])
    figures = {
        "by_length": charts.by_length(
            {
                "exact match": {
                    "written": {int(n): float(right[lengths == n].mean()) for n in set(lengths)}
                }
            },
            title=f"{len(y):,} test sequences",
            length="letters",
        )
    }
    alignments = capture_alignments(model, raw)
    if alignments:
        row = int(np.argmax(lengths))
        figures["alignment"] = plots.attention_heads(
            {"decoder": alignments[row][None]},
            y[row].split(),
            key_labels=x["source_ids"][row].split(),
            title="What each letter that is written looks at in the source",
        )
    return figures
