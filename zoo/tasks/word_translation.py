"""Simpler methods of translation: the nearest sentence that is known, and word by word."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

import keras_attention as ka
from zoo.data import Splits

_MANY = 2**31  # more than there are words


def nearest_sentences(raw: Splits) -> list[str]:
    """Returns for each test text the translation of the most similar training text.

    By TF-IDF of words and of pairs of words.
    """
    (train, y), (test, _) = raw.train, raw.test
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+")
    known = words.fit_transform(train["source_ids"])
    nearest = np.asarray((words.transform(test["source_ids"]) @ known.T).argmax(axis=1)).ravel()
    return y[nearest].tolist()


def word_by_word(raw: Splits, *, rounds: int = 5) -> list[str]:
    """Returns the most probable translation of each word of the test texts, in their order.

    By model 1 of Brown et al., 1993 (https://aclanthology.org/J93-2003), with `rounds` of
    expectation maximisation. Words that it does not know stay as they are.
    """
    (train, y), (test, _) = raw.train, raw.test
    sources, targets = ([_words(text) for text in side] for side in (train["source_ids"], y))
    dictionary = learn_lexicon(sources, targets, rounds=rounds)
    return [
        " ".join(dictionary.get(word, word) for word in _words(text)) for text in test["source_ids"]
    ]


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
