"""Parts of recipes of translation: ids, BLEU, simpler methods, and pictures of alignments."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from sacrebleu.metrics import BLEU
from sklearn.feature_extraction.text import TfidfVectorizer

import keras_attention as ka
from keras_attention.explain import plots
from keras_attention.explain.maps.generation_maps import generation_maps
from zoo.data import Arrays, Splits
from zoo.progress import track

BATCH_SIZE = 50  # of texts that are translated
_MANY = 2**31  # more than there are words
BUCKETS = (11, 14, 17, 20, 24, 30)  # of byte pairs, see `keras_attention.training.batches.Batches`


def train_tokenizers(
    raw: Splits, *, vocabulary_size: int
) -> tuple[ka.layers.Tokenizer, ka.layers.Tokenizer]:
    """Returns tokenizers of source and target: byte pairs of both languages, in lower case."""
    x, y = raw.train
    source = ka.layers.Tokenizer.train(
        [*x["source_ids"], *y],
        vocabulary_size=vocabulary_size,
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


def nearest_sentence(raw: Splits) -> float:
    """Returns BLEU of the translation of the most similar training sentence, by TF-IDF of words."""
    (train, y), (test, references) = raw.train, raw.test
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+")
    known = words.fit_transform(train["source_ids"])
    nearest = np.asarray((words.transform(test["source_ids"]) @ known.T).argmax(axis=1)).ravel()
    return bleu(y[nearest], references)[0]


def word_by_word(raw: Splits, *, rounds: int = 5) -> float:
    """Returns BLEU of the most probable translation of each word, in the order of the source.

    By model 1 of Brown et al., 1993 (https://aclanthology.org/J93-2003), with `rounds` of
    expectation maximisation. Words that it does not know stay as they are.
    """
    (train, y), (test, references) = raw.train, raw.test
    sources, targets = ([_words(text) for text in side] for side in (train["source_ids"], y))
    dictionary = learn_lexicon(sources, targets, rounds=rounds)
    translations = [
        " ".join(dictionary.get(word, word) for word in _words(text)) for text in test["source_ids"]
    ]
    return bleu(translations, references)[0]


def learn_lexicon(
    sources: Sequence[list[str]], targets: Sequence[list[str]], *, rounds: int
) -> dict[str, str]:
    """Returns the most probable target word of each source word, by IBM model 1."""
    numbers: list[dict[str, int]] = [{}, {}]
    # A number for each pair of a source word and a target word in the same pair of sentences.
    pairs, places, place = [], [], 0
    for sentence in zip(sources, targets, strict=True):
        source, target = (
            np.array([known.setdefault(word, len(known)) for word in words], np.int64)
            for known, words in zip(numbers, sentence, strict=True)
        )
        pairs.append((source[None] * _MANY + target[:, None]).ravel())
        places.append(np.repeat(place + np.arange(len(target)), len(source)))
        place += len(target)
    distinct, pair = np.unique(np.concatenate(pairs), return_inverse=True)
    of_target, source = np.concatenate(places), distinct // _MANY
    probability = np.ones(len(distinct))  # of the target word, given the source word
    for _ in range(rounds):
        expected = probability[pair]
        expected /= np.bincount(of_target, expected)[of_target]
        counts = np.bincount(pair, expected)
        probability = counts / np.bincount(source, counts)[source]
    names = [list(known) for known in numbers]
    # The last of a source word stays: the most probable one.
    best = distinct[np.lexsort((probability, source))]
    return {names[0][number // _MANY]: names[1][number % _MANY] for number in best}


def _words(text: str) -> list[str]:
    return ka.layers.Tokenizer.split(text.lower())


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
