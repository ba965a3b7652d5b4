"""Taggers, which say a tag for each word: of a user's own sentences, and what the recipes share."""

import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

import keras_attention as ka
from keras_attention.explain import plots
from keras_attention.layers.outputs import tag_schemes
from zoo.data import Arrays, Splits, objects
from zoo.data.ud_english_ewt import arrays
from zoo.harness import charts, experiment
from zoo.harness.experiment import Recipe
from zoo.harness.stopping import StopEarly
from zoo.models import transformer_tagger as default
from zoo.readers import findings as of_data
from zoo.readers.columns import Sentence, read_sentences
from zoo.readers.findings import Findings
from zoo.readers.labels import number_classes
from zoo.readers.splitting import split_rows
from zoo.readers.tables import Table, name_source
from zoo.tasks import entities
from zoo.tasks.entities import BUCKETS, find_scheme
from zoo.tasks.fine_tuning import FineTuning, Init, start_from
from zoo.tasks.hand_features import logistic_regression
from zoo.tasks.optimizers import adamw_cosine
from zoo.tasks.run import Run, make_request
from zoo.tasks.vocabularies import learn_vocabulary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST = 512  # words of a sentence; what is longer is cut into several
SEEN = 80_000  # sentences that a training from scratch sees, epochs times sentences
FINE_TUNED = 30_000  # the same of a published encoder
_MOST_TAGS = 40  # that a confusion matrix can be read of
_EXAMPLE = 12  # words of a sentence that shows something and can be read


def tagging(
    data: Table,
    *,
    tokens: str | None = None,
    tags: str | None = None,
    test: Table | None = None,
    init: str | None = None,
    lora: int | None = None,
    epochs: int | None = None,
    batch_size: int = 32,
    seed: int = 0,
) -> Run:
    """Tags of words, such as parts of speech, or the names in a text, from sentences with them.

        keras-attention train tagging --data train.conll --test dev.conll

    Tags that mark entities, B-x, I-x and O or with E-x and S-x too, are counted by entities (F1);
    others by words.

    Args:
        data: the sentences to train on: a CoNLL-U file, a file with a word and its tag a line and
            an empty line behind each sentence, JSON lines or Parquet with a list of tokens and a
            list of tags, or what `zoo.readers.columns.read_sentences` takes.
        tokens: the column of the words in JSON lines; `tokens` if there is one of this name.
        tags: the column of their tags; `tags` if there is one of this name.
        test: sentences to test on; a tenth of them if `None`.
        init: a published encoder to start from, a folder or `hf://user/name`.
        lora: the rank of adapters that learn in place of its weights.
        epochs: how often each sentence is seen at most; by the number of sentences if `None`.
        batch_size: sentences per step.
        seed: of the split, the initial weights, the order and the dropout.

    Raises:
        ValueError: a line is broken, there is one tag alone, or a tag in the test data alone.
    """
    request = make_request("tagging", locals())
    keras.utils.set_random_seed(seed)
    findings = Findings()
    splits = read(data, test, tokens=tokens, tags=tags, seed=seed, findings=findings)
    count = len(splits.train[0])
    dropout = 0.3 if find_scheme(splits.class_names) else 0.2
    sizes = {**default.VARIANTS["default"], "dropout": dropout, "word_dropout": dropout}
    longest = max(map(len, splits.train[0]))
    recipe = make_recipe(
        splits,
        name="tagging",
        variant="default",
        seed=seed,
        model=build({"default": (default.transformer_tagger, sizes)}, "default", splits),
        epochs=epochs or int(np.clip(SEEN / count, 5, 30)),
        batch_size=batch_size,
        stop=StopEarly("val_accuracy", mode="max"),
        init=None if init is None else Init(init, lora),
        fine_tuning=FineTuning(
            task="tags",
            epochs=epochs or int(np.clip(FINE_TUNED / count, 3, 20)),
            batch_size=batch_size,
            peak=2e-4,
            max_length=min(LONGEST, 3 * longest + 8),  # pieces, of which a word may have several
            buckets=BUCKETS,
        ),
        request=request,
        next_step="keras-attention predict {folder}/model.keras "
        f"{shlex.quote(' '.join(splits.test[0][0])[:80])}",
    )
    return Run(recipe, findings)


def read(
    data: Table,
    test: Table | None,
    *,
    tokens: str | None,
    tags: str | None,
    seed: int,
    findings: Findings,
) -> Splits:
    """Returns the parts of sentences whose words have tags.

    Sentences without words are left out, and long ones cut, which `findings` says. Tags in IOB1,
    where `I-x` may begin an entity, become BIO.
    """

    def sentences(table: Table, argument: str) -> list[Sentence]:
        there = read_sentences(table, tokens=tokens, tags=tags, argument=argument)
        pieces = [
            (words[start : start + LONGEST], names[start : start + LONGEST])
            for words, names in there
            for start in range(0, len(words), LONGEST)
        ]
        empty = sum(not words for words, _ in there)
        if empty:
            findings.warn(f"{empty:,} sentences of `{argument}` are left out: they have no words.")
        if not pieces:
            raise ValueError(f"No sentence of `{argument}` has words.")
        if len(pieces) > len(there) - empty:
            findings.warn(
                f"Sentences of `{argument}` longer than {LONGEST} words are cut into several. Put "
                "an empty line behind each sentence."
            )
        count = sum(len(words) for words, _ in pieces)
        findings.add(f"{argument.capitalize()}: {len(pieces):,} sentences, {count:,} words")
        return pieces

    trained = sentences(data, "data")
    tested = [] if test is None else sentences(test, "test")
    if tag_schemes.fits(list({tag for _, names in trained for tag in names}), "IOB1"):
        trained, tested = _begin_entities(trained), _begin_entities(tested)
    of_words = ([tag for _, names in part for tag in names] for part in (trained, tested))
    names, _ = number_classes(*of_words, argument="tags")
    _add_tags(findings, trained, names)
    of_data.add_lengths(findings, [len(words) for words, _ in trained], "words")
    keys = [tuple(words) for words, _ in trained]
    of_data.add_duplicates(findings, keys, [tuple(ts) for _, ts in trained])
    counts = Counter(tag for _, ts in trained for tag in ts)
    rarest = [min(ts, key=lambda tag: (counts[tag], tag)) for _, ts in trained]
    rows = split_rows(keys, rarest, seed=seed, parts=3 if test is None else 2)
    parts = [[trained[row] for row in part] for part in rows]
    if test is not None:
        of_data.add_leakage(findings, keys, [tuple(words) for words, _ in tested])
        parts.append(tested)
    findings.add(
        f"Parts: {len(parts[0]):,} sentences to train on, {len(parts[1]):,} to choose by, "
        f"{len(parts[2]):,} to test on, "
        + ("given" if test is not None else f"split by seed {seed}")
    )
    train, validation, held_out = (arrays(part, names) for part in parts)
    return Splits(
        train=train,
        validation=validation,
        test=held_out,
        class_names=names,
        source=name_source(data),
    )


def make_recipe(
    splits: Splits,
    *,
    model: keras.Model,
    epochs: int,
    batch_size: int,
    init: Init | None,
    fine_tuning: FineTuning,
    smoke: bool = False,
    **others: Any,
) -> Recipe:
    """Returns a recipe of a tagger; where its tags mark entities, these are what counts.

    Args:
        splits: words and the numbers of their tags.
        model: to train, if no published encoder is.
        epochs, batch_size: of the training.
        init: a published encoder to start from instead.
        fine_tuning: how that is trained.
        smoke: keep the epochs even then, to see that everything runs.
        others: further attributes of the recipe.
    """
    simpler = "logistic regression on hand features"
    counted: dict[str, Any] = {"score": "accuracy", "baselines": {simpler: score_words}}
    if find_scheme(splits.class_names):
        counted = {
            "score": "entity_f1",
            "callbacks": (entities.ChooseBias(splits),),
            "measure": entities.measure,
            "baselines": {simpler: entities.logistic_regression},
        }
    recipe = Recipe(
        model=model,
        data=splits,
        optimizer=make_optimizer(splits, batch_size=batch_size, epochs=epochs),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=(ka.training.TokenAccuracy(),),
        epochs=epochs,
        batch_size=batch_size,
        buckets=BUCKETS,
        pictures=draw_pictures,
        mistakes=find_mistakes,
        task="token-classification",
        **{**counted, **others},
    )
    return start_from(init, recipe, fine_tuning, smoke=smoke)


def build(variants: Mapping[str, Any], variant: str, splits: Splits) -> keras.Model:
    """Returns the tagger of a recipe's variant, with the vocabulary of the training sentences.

    Words that occur once there are unknown, so that something is learned about unknown ones.
    """
    make, sizes = experiment.sizes(variants, variant)
    tokenizer = learn_vocabulary(
        splits.train[0], unit="words", vocabulary_size=20_000, model="word", words=True
    )
    scheme = find_scheme(splits.class_names)
    return make(
        **sizes,
        tokenizer=tokenizer,
        num_classes=len(splits.class_names),
        class_names=splits.class_names,
        **({"entities": True, "scheme": scheme} if scheme else {}),
    )


def make_optimizer(splits: Splits, *, batch_size: int, epochs: int) -> keras.optimizers.Optimizer:
    """Returns AdamW whose rate rises for a twentieth of the steps."""
    steps = epochs * splits.num_batches(batch_size)
    return adamw_cosine(
        steps,
        peak=2e-3,
        warmup_steps=steps // 20,
        weight_decay=0.01,
        spared=["embeddings"],
        beta_2=0.98,
    )


def score_words(splits: Splits) -> float:
    """Returns the share of the test words that logistic regression tags rightly."""
    (logits,) = logistic_regression(splits, splits.test)
    true, predicted = drop_padding(splits.test, splits.test[1], logits.argmax(axis=-1))
    return float(np.mean(true == predicted))


def predict_tags(model: keras.Model, part: Arrays) -> np.ndarray:
    """Returns the indices of the tags that the model's last layer names, `(B, T)`."""
    logits = experiment.predict(model, part, buckets=BUCKETS)
    return model.get_layer("labels").tags(logits)


def drop_padding(part: Arrays, *arrays: np.ndarray) -> list[np.ndarray]:
    """Returns the elements of arrays `(B, T, ...)` that are no padding, `(words, ...)`."""
    is_word = part[2] > 0
    return [array[is_word] for array in arrays]


def find_mistakes(model: keras.Model, splits: Splits, *, most: int = 50) -> list[dict[str, Any]]:
    """Returns the test words whose wrong tag the model is surest of, in their sentences."""
    x, y, weights = splits.test
    labels = model.get_layer("labels")
    logits = experiment.predict(model, splits.test, buckets=BUCKETS)
    tags, probabilities = labels.tags(logits), labels.probabilities(logits)
    sure = np.take_along_axis(probabilities, tags[..., None], axis=-1)[..., 0]
    wrong = np.argwhere((tags != y) & (weights > 0))
    order = np.argsort(-sure[tuple(wrong.T)], kind="stable")[:most]
    return [
        {
            "word": x[row][place],
            "tag": splits.class_names[y[row, place]],
            "predicted": splits.class_names[tags[row, place]],
            "probability": round(float(sure[row, place]), 4),
            "sentence": " ".join(x[row]),
        }
        for row, place in wrong[order]
    ]


def draw_pictures(model: keras.Model, splits: Splits) -> dict:
    """Draws confusions, scores by tag, and the attention in a test sentence."""
    x, y, _ = splits.test
    names = splits.class_names
    true, predicted = drop_padding(splits.test, y, predict_tags(model, splits.test))
    title = f"F1 by tag, {len(true):,} test words"
    pictures: dict[str, Any] = {
        "tag_scores": charts.tag_scores(true, predicted, names, title=title)
    }
    candidates = x
    if find_scheme(names):
        outside = names.index("O")
        types = ["none", *sorted({name[2:] for name in names} - {""})]
        kind = np.array([types.index(name[2:] or "none") for name in names])
        in_entity = (true != outside) | (predicted != outside)  # the others would drown them
        pictures["confusion_matrix"] = charts.confusion_matrix(
            kind[true[in_entity]],
            kind[predicted[in_entity]],
            types,
            title=f"Types of the {in_entity.sum():,} test words in true or found entities",
        )
        has_entity = ((y != outside) & (splits.test[2] > 0)).any(axis=1)
        candidates = x[has_entity] if has_entity.any() else x
    else:
        draw: Callable[..., Any] = (
            charts.confusion_matrix if len(names) <= _MOST_TAGS else charts.confused_pairs
        )
        pictures[draw.__name__] = draw(
            true, predicted, names, title=f"Tags of {len(true):,} test words"
        )
    words = min(candidates, key=lambda words: abs(len(words) - _EXAMPLE))
    return {**pictures, "attention": draw_attention(model, words)}


def draw_attention(model: keras.Model, words: Sequence[str]) -> "Figure":
    """Draws the attention of the last two blocks between the words of a sentence, or pieces."""
    with ka.capture() as maps:
        model(ka.encode(model, objects([list(words)])), training=False)
    return plots.attention_heads(
        {path.removesuffix("/attention"): maps[path] for path in list(maps)[-2:]},
        model.get_layer("tokenizer").tokens(list(words)),
        title="Attention in a test sentence",
    )


def _begin_entities(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Returns sentences in BIO: an `I-x` that goes on with nothing begins an entity."""

    def begin(before: str, tag: str) -> str:
        inside = tag[:1] == "I" and not tag_schemes.goes_on(before, tag)
        return f"B{tag[1:]}" if inside else tag

    return [
        (words, [begin(*pair) for pair in zip(("O", *tags), tags, strict=False)])
        for words, tags in sentences
    ]


def _add_tags(findings: Findings, sentences: Sequence[Sentence], names: Sequence[str]) -> None:
    if not find_scheme(names):
        of_data.add_classes(findings, [tag for _, tags in sentences for tag in tags])
        return
    marked = [each for _, tags in sentences for each in tag_schemes.find_entities(tags)]
    counts = Counter(kind for kind, _, _ in marked).most_common()
    listed = of_data.name_some(f"{kind} ({count:,})" for kind, count in counts)
    findings.add(f"Entities, marked in {find_scheme(names)}: {listed}")
