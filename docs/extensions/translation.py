"""German and English sentences of a small grammar, and translators that learn them in seconds.

The two languages order their words differently: in a German subordinate clause the verb stands
last, a participle or an infinitive stands at the end, and behind an adverb the verb comes before
its subject. So what a translator reads crosses. The sentences are made up here, of 5 nouns, 3
adjectives and 4 verbs, and which words belong together is known.
"""

import itertools
from typing import NamedTuple

import keras
import numpy as np

import keras_attention as ka
from zoo.models.seq2seq_rnn import seq2seq_rnn
from zoo.models.transformer import transformer
from zoo.tasks import translators

BATCH_SIZE = 64
# Of each translator its function and sizes, the epochs and the highest learning rate.
SIZES = {
    "rnn": (
        seq2seq_rnn,
        dict(
            hidden_dim=32,
            units=32,
            encoder_units=8,
            input_feeding=False,
            bridge=False,  # all that the decoder knows of the source is what it reads
            dropout=0.2,
        ),
        9,
        1e-2,
    ),
    "transformer": (
        transformer,
        dict(hidden_dim=64, intermediate_dim=64, num_heads=4, num_layers=1, dropout=0.2),
        20,
        3e-3,
    ),
}
# What the pages show: the verb at the end, behind an adverb before its subject, and an infinitive.
SHOWN = [
    "ich weiß , dass der alte Hund die kleine Katze sieht",
    "heute sucht das Kind den schönen Vogel",
    "die Maus will den kleinen Hund hören",
]
# Nominative and accusative article, noun, its translation, and the endings of adjectives.
NOUNS = [
    ("der", "den", "Hund", "dog", "e", "en"),
    ("der", "den", "Vogel", "bird", "e", "en"),
    ("die", "die", "Katze", "cat", "e", "e"),
    ("die", "die", "Maus", "mouse", "e", "e"),
    ("das", "das", "Kind", "child", "e", "e"),
]
ADJECTIVES = [("", ""), ("klein", "small"), ("alt", "old"), ("schön", "beautiful")]
# Present, participle, infinitive; present, participle and infinitive in English.
VERBS = [
    ("sieht", "gesehen", "sehen", "sees", "seen", "see"),
    ("hört", "gehört", "hören", "hears", "heard", "hear"),
    ("sucht", "gesucht", "suchen", "seeks", "sought", "seek"),
    ("findet", "gefunden", "finden", "finds", "found", "find"),
]
ADVERBS = [("heute", "today"), ("dort", "there")]
OPENINGS = [
    ("ich weiß , dass", "I know that", (0, 1, 3)),
    ("er glaubt , dass", "he believes that", (0, 1, 3)),
]


class Pair(NamedTuple):
    """A sentence in two languages.

    Attributes:
        source: German words.
        target: English words.
        aligned: for each English word, the indices of the German words that it translates.
    """

    source: list[str]
    target: list[str]
    aligned: list[tuple[int, ...]]


def make_pairs():
    """Returns all sentences of the grammar: 2 openings, 2 adverbs or neither, in 3 tenses."""
    things = list(itertools.product(range(len(NOUNS)), range(len(ADJECTIVES))))
    frames = [None, *OPENINGS, *ADVERBS]
    return [
        _make(frame, tense, verb, subject, thing)
        for frame, tense, verb in itertools.product(frames, range(3), VERBS)
        for subject, thing in itertools.product(things, things)
        if subject[0] != thing[0]
    ]


def _make(frame, tense, verb, subject, thing):
    """Returns a sentence, whose parts are placed once in each language."""
    subject, subject_en = _describe(*subject, accusative=False)
    thing, thing_en = _describe(*thing, accusative=True)
    present, participle, infinitive, sees, seen, see = verb
    finite, rest, english = [
        (present, [], [(sees, "finite")]),
        ("hat", [participle], [("has", "finite"), (seen, "rest")]),
        ("will", [infinitive], [("wants", "finite"), ("to", "rest"), (see, "rest")]),
    ][tense]
    before, before_en, pairs = [], [], ()
    if frame in OPENINGS:
        before, before_en, pairs = frame[0].split(), frame[1].split(), frame[2]
        german = [("subject", subject), ("thing", thing), ("rest", rest), ("finite", [finite])]
    elif frame in ADVERBS:
        before, before_en, pairs = [frame[0]], [frame[1]], (0,)
        german = [("finite", [finite]), ("subject", subject), ("thing", thing), ("rest", rest)]
    else:
        german = [("subject", subject), ("finite", [finite]), ("thing", thing), ("rest", rest)]
    words, place = list(before), {}
    for part, own in german:
        place[part] = len(words)
        words += own
    aligned = [(i,) for i in pairs]
    aligned += [(place["subject"] + i,) for i in range(len(subject))]
    aligned += [(place[part],) for _, part in english]
    aligned += [(place["thing"] + i,) for i in range(len(thing))]
    target = [*before_en, *subject_en, *(word for word, _ in english), *thing_en]
    return Pair(words, target, aligned)


def _describe(noun, adjective, *, accusative):
    """Returns a thing in both languages, word by word."""
    nominative, article, german, english, ending, other = NOUNS[noun]
    stem, translated = ADJECTIVES[adjective]
    article = article if accusative else nominative
    ending = other if accusative else ending
    adjectives = [stem + ending] if stem else []
    return [article, *adjectives, german], ["the", *[translated] * bool(stem), english]


def train(kind="rnn", *, sentences=2000, seed=0):
    """Returns a translator that has learned some of the sentences, none of which is in `SHOWN`, and
    the pairs that it has not seen.

    Args:
        kind: `"rnn"`, of Bahdanau et al., 2015, whose decoder knows of the source what attention
            reads alone; or `"transformer"`.
        sentences: how many it learns from.
        seed: of the part, the initial weights and the order.
    """
    keras.utils.set_random_seed(seed)
    pairs = make_pairs()
    order = np.random.default_rng(seed).permutation(len(pairs))
    order = sorted(order, key=lambda i: " ".join(pairs[i].source) in SHOWN)  # these come last
    known = [pairs[i] for i in order[:sentences]]
    sources = [" ".join(pair.source) for pair in known]
    targets = [" ".join(pair.target) for pair in known]
    words = dict(model="word", min_frequency=1, lowercase=False)
    tokenizers = dict(
        source_tokenizer=ka.layers.Tokenizer.train(sources, **words, name="source_tokenizer"),
        target_tokenizer=ka.layers.Tokenizer.train(
            targets, **words, start_end=True, name="target_tokenizer"
        ),
    )
    make, settings, epochs, peak = SIZES[kind]
    model = make(**settings, **tokenizers)
    read, following = translators.shift(targets, tokenizers["target_tokenizer"])
    inputs = {"source_ids": tokenizers["source_tokenizer"].encode(sources), "target_ids": read}
    steps = epochs * -(-sentences // BATCH_SIZE)
    schedule = ka.schedules.warmup_cosine(steps, peak=peak, warmup_steps=steps // 10)
    model.compile(
        ka.optimizers.Adam(schedule, global_clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(
        inputs,
        following,
        sample_weight=(following != 0).astype("float32"),
        epochs=epochs,
        batch_size=BATCH_SIZE,
        verbose=0,
    )
    return model, [pairs[i] for i in order[sentences:]]
