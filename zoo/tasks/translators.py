"""Translation: of a user's own pairs of texts, and what the recipes of the zoo share."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from sacrebleu.metrics import BLEU, CHRF

import keras_attention as ka
from keras_attention.explain import plots
from keras_attention.explain.maps.generation_maps import generation_maps
from zoo.data import Arrays, Splits, objects
from zoo.harness.experiment import Recipe
from zoo.harness.stopping import StopEarly
from zoo.models.transformer import VARIANTS, transformer
from zoo.progress import track
from zoo.readers import findings as of_data
from zoo.readers.findings import Findings
from zoo.readers.lines import read_pairs
from zoo.readers.splitting import SHARE, split_rows
from zoo.readers.tables import Table, name_source
from zoo.tasks.run import Run, make_request
from zoo.tasks.vocabularies import learn_vocabulary
from zoo.tasks.word_translation import nearest_sentences, word_by_word

BATCH_SIZE = 50  # of texts that are translated
BUCKETS = (11, 14, 17, 20, 24, 30)  # of byte pairs, see `keras_attention.training.batches.Batches`
SEEN = 200_000  # pairs that a training sees, epochs times pairs, or a few epochs of more
TESTED = 1_000  # pairs that are split off to test on, at most: to translate them takes a while
# Up to how many pairs there are of each the vocabulary and the sizes of a transformer.
_SIZES: tuple[tuple[float, int, dict[str, Any]], ...] = (
    (5_000, 2_000, {**VARIANTS["small"], "num_layers": 2, "dropout": 0.3}),
    (200_000, 10_000, {**VARIANTS["small"], "dropout": 0.2}),
    (np.inf, 16_000, {**VARIANTS["default"], "dropout": 0.1}),
)


def translation(
    data: Table,
    *,
    target: str | None = None,
    source: str | None = None,
    test: Table | None = None,
    test_target: str | None = None,
    epochs: int | None = None,
    batch_size: int = 64,
    seed: int = 0,
) -> Run:
    """Translations of texts, from pairs of them in a table or in two files of lines.

        keras-attention train translation --data pairs.tsv

    Args:
        data: a file with a text, a tab and its translation in each line (`.tsv`), a table of pairs
            (CSV, JSON lines, Parquet, or what `zoo.readers.tables.read_table` takes), or a file of
            lines.
        target: the file with the translation of each line of `data`; of a table the column of the
            translations, the second one if `None`.
        source: of a table the column of the texts; the first one if `None`.
        test: pairs to test on, in the form of `data`; a tenth of the pairs and 1,000 at most if
            `None`.
        test_target: where `test` is a file of lines, that of their translations.
        epochs: how often each pair is seen at most; by the number of pairs if `None`.
        batch_size: pairs per step.
        seed: of the split, the initial weights, the order and the dropout.

    Raises:
        ValueError: two files have different numbers of lines, a column is missing, a file is not
            UTF-8, or no pair is whole.
    """
    request = make_request("translation", locals())
    keras.utils.set_random_seed(seed)
    findings = Findings()
    pairs = read_pairs(data, target, source=source, findings=findings)
    tested = None
    if test is not None:
        column = test_target if test_target is not None else target
        tested = read_pairs(test, column, source=source, argument="test", findings=findings)
    raw = split(pairs, tested, seed=seed, findings=findings)
    raw = replace(raw, source=name_source(data))
    count = len(raw.train[1])
    size, settings = next(each for most, *each in _SIZES if count <= most)
    # Upper case stays: a user wants translations as people write them.
    tokenizers = train_tokenizers(raw, vocabulary_size=size, lowercase=False)
    model = transformer(**settings, source_tokenizer=tokenizers[0], target_tokenizer=tokenizers[1])
    splits = encode(raw, *tokenizers)
    lengths = (splits.train[1] != 0).sum(axis=1)
    of_data.add_lengths(findings, lengths, "byte pairs of a translation")
    findings.add(
        f"Model: a transformer of {model.count_params():,} parameters, for {count:,} pairs; "
        f"{tokenizers[0].vocabulary_size:,} byte pairs of both languages"
    )
    recipe = make_recipe(
        raw,
        splits,
        name="translation",
        seed=seed,
        model=model,
        epochs=epochs or int(np.clip(SEEN / count, 5, 60)),
        batch_size=batch_size,
        buckets=tuple(sorted({int(x) for x in np.percentile(lengths, [25, 50, 75, 90, 98])} - {0})),
        max_new_tokens=int(np.clip(1.5 * lengths.max(), 16, 256)),
        stop=StopEarly(patience=3),
        request=request,
        next_step="keras-attention generate {folder}/model.keras "
        f"{_quote(raw.test[0]['source_ids'][0])}",
    )
    return Run(recipe, findings)


def split(
    pairs: tuple[list[str], list[str]],
    test: tuple[list[str], list[str]] | None,
    *,
    seed: int,
    findings: Findings,
) -> Splits:
    """Returns the parts of pairs of texts, those with the same source in the same part.

    Args:
        pairs: texts and their translations.
        test: those to test on; split off if `None`.
        seed: of the split.
        findings: repeated pairs, and what is tested and trained on, are added to them.
    """
    sources, targets = pairs
    rows = list(zip(*pairs, strict=True))
    of_data.add_duplicates(findings, rows, [""] * len(rows))
    share = min(SHARE, TESTED / len(rows))
    parts = split_rows(sources, seed=seed, parts=3 if test is None else 2, share=share)

    def make(sources: Sequence[str], targets: Sequence[str]) -> Arrays:
        y = objects(targets)
        return {"source_ids": objects(sources), "target_ids": y}, y

    train, *others = (make([sources[i] for i in p], [targets[i] for i in p]) for p in parts)
    if test is not None:
        of_data.add_leakage(findings, sources, test[0])
        others.append(make(*test))
    validation, tested = others
    findings.add(
        f"Parts: {len(train[1]):,} pairs to train on, {len(validation[1]):,} to choose by, "
        f"{len(tested[1]):,} to test on, "
        + ("given" if test is not None else f"split by seed {seed}")
    )
    return Splits(train=train, validation=validation, test=tested)


def make_recipe(
    raw: Splits,
    splits: Splits,
    *,
    model: keras.Model,
    epochs: int,
    batch_size: int,
    warmup: float = 0.1,
    beta_2: float = 0.98,
    num_beams: int = 5,
    max_new_tokens: int = 64,
    **others: Any,
) -> Recipe:
    """Returns a recipe of translation.

    Args:
        raw: pairs of texts.
        splits: their ids, as `encode` makes them.
        model: to train.
        epochs, batch_size: of the training.
        warmup: share of the steps in which the learning rate rises.
        beta_2: of Adam.
        num_beams: of the search by which the test part is translated.
        max_new_tokens: of a translation.
        others: further attributes of the recipe.
    """
    steps = epochs * splits.num_batches(batch_size)
    length = {"max_new_tokens": max_new_tokens}
    defaults = {
        "variant": "default",
        "buckets": BUCKETS,
        "pictures": lambda model, _: draw_alignments(model, raw, **length),
    }
    return Recipe(
        model=model,
        data=splits,
        optimizer=ka.optimizers.Adam(
            ka.schedules.warmup_cosine(steps, peak=2e-3, warmup_steps=int(steps * warmup)),
            beta_2=beta_2,
            global_clipnorm=1.0,
        ),
        loss=ka.training.SmoothedCrossentropy(0.1),
        metrics=(ka.training.TokenAccuracy(),),
        score="bleu",
        epochs=epochs,
        batch_size=batch_size,
        measure=lambda model, _: measure(model, raw, num_beams=num_beams, **length),
        baselines={
            "nearest training sentence": lambda _: bleu(nearest_sentences(raw), raw.test[1])[0],
            "word by word (IBM model 1)": lambda _: bleu(word_by_word(raw), raw.test[1])[0],
        },
        mistakes=lambda model, _: find_mistakes(model, raw, **length),
        task="translation",
        **{**defaults, **others},
    )


def train_tokenizers(
    raw: Splits, *, vocabulary_size: int, lowercase: bool = True
) -> tuple[ka.layers.Tokenizer, ka.layers.Tokenizer]:
    """Returns tokenizers of source and target: byte pairs of both languages.

    Args:
        raw: pairs of texts.
        vocabulary_size: ids at most.
        lowercase: whether upper and lower case are the same, and all that is written is lower.
    """
    x, y = raw.train
    source = learn_vocabulary(
        [*x["source_ids"], *y],
        vocabulary_size=vocabulary_size,
        lowercase=lowercase,
        start_end=True,
        name="source_tokenizer",
    )
    return source, source.copy(name="target_tokenizer")


def encode(raw: Splits, source: ka.layers.Tokenizer, target: ka.layers.Tokenizer) -> Splits:
    """Returns ids of pairs of texts, for a decoder that reads the true target up to each token.

    Returns:
        x `{"source_ids", "target_ids"}` and y, `(B, T)` int32 and as long as each other, so that
        `Batches` cuts them together: `target_ids` from the start on, y what comes next, to the
        end; weights `(B, T)`, 0 for padding. `extra` remains text.
    """

    def part(texts: Arrays) -> Arrays:
        x, y = texts
        arrays = [source.encode(x["source_ids"]), *shift(y, target)]
        length = max(array.shape[1] for array in arrays)
        sources, previous, following = (
            np.pad(array, ((0, 0), (0, length - array.shape[1]))) for array in arrays
        )
        weights = (following != 0).astype(np.float32)
        return {"source_ids": sources, "target_ids": previous}, following, weights

    return raw.map(part)


def shift(texts: Sequence[str], tokenizer: ka.layers.Tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """Returns ids that a decoder reads, from the start of each text, and those that come next."""
    ids = tokenizer.encode(texts)
    return np.where(ids == tokenizer.end_id, 0, ids)[:, :-1], ids[:, 1:]


def translate(
    model: keras.Model,
    texts: Sequence[str],
    *,
    sampler: Any,
    max_new_tokens: int = 64,
    batch_size: int = BATCH_SIZE,
) -> list[str]:
    """Translates texts, those of similar length together, and returns them in their order."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    translations = [""] * len(texts)
    batches = range(0, len(order), batch_size)
    for start in track(batches, "Translated", unit=f"batches of {batch_size}"):
        rows = order[start : start + batch_size]
        answers = ka.generate(
            model, [texts[row] for row in rows], sampler=sampler, max_new_tokens=max_new_tokens
        )
        for row, answer in zip(rows, answers, strict=True):
            translations[row] = answer
    return translations


def bleu(written: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    """Returns sacreBLEU from 0 to 1 of texts as they are written, case ignored; its signature."""
    return _bleu(BLEU(lowercase=True, tokenize="13a", force=True), written, references)


def tokenised_bleu(written: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    """Returns BLEU of words as `Tokenizer.split` cuts them, case ignored; and its signature.

    It stands beside figures that others report of tokenised text, whose tokens are not quite the
    same.
    """
    texts = [
        [" ".join(ka.layers.Tokenizer.split(text)) for text in side]
        for side in (written, references)
    ]
    return _bleu(BLEU(lowercase=True, tokenize="none", force=True), *texts)


def _bleu(metric: BLEU, written: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    score = metric.corpus_score(list(written), [list(references)]).score / 100
    return score, str(metric.get_signature())


def measure(
    model: keras.Model, raw: Splits, *, num_beams: int = 5, max_new_tokens: int = 64
) -> dict[str, float]:
    """Returns BLEU of the test part and of the further ones, by beam search and greedily.

    `bleu` is that of the test part by beam search. The signatures are printed.
    """
    samplers = {"": ka.decoding.BeamSearch(num_beams), "_greedy": ka.decoding.Greedy()}
    metrics = {"bleu": bleu, "bleu_tokenised": tokenised_bleu}
    scores, signatures = {}, {}
    for part, (x, y) in {"": raw.test, **{f"_{n}": p for n, p in raw.extra.items()}}.items():
        for how, sampler in samplers.items():
            texts = translate(
                model, x["source_ids"], sampler=sampler, max_new_tokens=max_new_tokens
            )
            for name, metric in metrics.items():
                scores[name + part + how], signatures[name] = metric(texts, y)
    for name, signature in signatures.items():
        print(f"{name}: sacreBLEU {signature}, {num_beams} beams or greedy", flush=True)
    return scores


def find_mistakes(
    model: keras.Model, raw: Splits, *, most: int = 50, max_new_tokens: int = 64
) -> list[dict[str, Any]]:
    """Returns the worst translations among the first test texts, by chrF of each.

    chrF (Popović, 2015, https://aclanthology.org/W15-3049) counts sequences of characters, and so
    tells a sentence without one right word from one with some, which BLEU of a sentence does not.
    """
    x, y = raw.test
    sources, references = x["source_ids"][: 4 * most], y[: 4 * most]
    written = translate(model, sources, sampler=ka.decoding.Greedy(), max_new_tokens=max_new_tokens)
    metric = CHRF()
    scores = [
        metric.sentence_score(text, [reference]).score
        for text, reference in zip(written, references, strict=True)
    ]
    return [
        {
            "source": sources[row],
            "reference": references[row],
            "translation": written[row],
            "chrF": round(scores[row], 1),
        }
        for row in np.argsort(scores, kind="stable")[:most]
        if written[row] != references[row]
    ]


def draw_alignments(model: keras.Model, raw: Splits, *, max_new_tokens: int = 64) -> dict:
    """Draws what the decoder reads in the source for each word of some translations."""
    texts = raw.test[0]["source_ids"][:BATCH_SIZE]
    # Long enough to show something, short enough to read.
    rows = np.argsort([abs(len(text.split()) - 10) for text in texts], kind="stable")[:3]
    figures = {}
    for number, row in enumerate(rows):
        name = f"alignment_{number}" if number else "attention"
        figures[name] = draw_alignment(
            model, texts[row], max_new_tokens=max_new_tokens, last=number > 0
        )
    return figures


def draw_alignment(
    model: keras.Model,
    source: str,
    *,
    sampler: Any = None,
    max_new_tokens: int = 64,
    last: bool = True,
) -> Any:
    """Draws what the decoder reads in a source, in its last layer or in all."""
    captured = generation_maps(
        model,
        source,
        sampler=sampler,
        max_new_tokens=max_new_tokens,
        layers="*cross_attention*",
    )
    paths = [*captured.maps][-1 if last else 0 :]
    return plots.attention_heads(
        {path: captured.maps[path] for path in paths},
        captured.queries[paths[0]],
        key_labels=captured.keys[paths[0]],
        title=f"Cross-attention: {source}",
    )


def _quote(text: str) -> str:
    """Returns a text for a command line whose braces `str.format` leaves as they are."""
    return shlex.quote(text[:80]).replace("{", "{{").replace("}", "}}")
