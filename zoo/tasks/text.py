"""Text classification: of a user's own texts, and what the recipes of the zoo share."""

import shlex
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

import keras_attention as ka
from keras_attention.explain import plots
from zoo.data import Splits, objects
from zoo.harness import charts
from zoo.harness.experiment import Recipe, predict
from zoo.harness.stopping import StopEarly
from zoo.models import text_classifier as default
from zoo.progress import track
from zoo.readers import findings as of_data
from zoo.readers.findings import Findings
from zoo.readers.labels import number_classes
from zoo.readers.splitting import split_rows
from zoo.readers.tables import Table, choose_column, name_source, read_table, read_texts
from zoo.tasks.fine_tuning import FineTuning, Init, start_from
from zoo.tasks.optimizers import adamw_cosine
from zoo.tasks.run import Run, make_request
from zoo.tasks.vocabularies import learn_vocabulary

# The function that builds a model, its sizes, and the highest learning rate.
Variant = tuple[Callable[..., keras.Model], dict[str, Any], float]

TEXTS, LABELS = ("text", "sentence", "review", "question"), ("label", "class", "category", "target")
SEEN = 36_000  # rows that a training from scratch sees, epochs times rows, for few classes
FINE_TUNED = 30_000  # the same of a published encoder
LONGEST = 512  # tokens of a text
MOST_UNKNOWN = 0.3  # of the words that a vocabulary of words may lack
MANY = 30  # classes, of which there are few rows each
PEAK, PEAK_OF_MANY = 1e-3, 2e-3  # the highest learning rates
MOST_CLASSES = 30  # that a confusion matrix can be read of
DRAWN = 80  # tokens of a text in a picture
IN_MEMORY = 50_000_000  # token ids; of more texts they are made a batch at a time


def text_classification(
    data: Table,
    *,
    text: str | None = None,
    label: str | None = None,
    test: Table | None = None,
    init: str | None = None,
    lora: int | None = None,
    epochs: int | None = None,
    batch_size: int = 32,
    seed: int = 0,
) -> Run:
    """Classes of texts, such as the stars of a review, from a table with a column of each.

        keras-attention train text-classification --data reviews.csv --text review --label stars

    Args:
        data: the table to train on: a file (CSV, TSV, JSON lines, Parquet), or what
            `zoo.readers.tables.read_table` takes.
        text: the column of the texts; `text` if there is one of this name.
        label: the column of the classes; `label` if there is one of this name.
        test: another table to test on; a tenth of the rows if `None`.
        init: a published encoder to start from, a folder or `hf://user/name`.
        lora: the rank of adapters that learn in place of its weights.
        epochs: how often each row is seen at most; by the number of rows if `None`.
        batch_size: rows per step.
        seed: of the split, the initial weights, the order and the dropout.

    Raises:
        ValueError: a column is missing, or there is one class alone, or a class in the test data
            alone.
    """
    request = make_request("text_classification", locals())
    keras.utils.set_random_seed(seed)
    findings = Findings()
    splits = read(data, test, text=text, label=label, seed=seed, findings=findings)
    words = [len(ka.layers.Tokenizer.split(each)) for each in splits.train[0]]
    of_data.add_lengths(findings, words, "words")
    tokenizer = train_tokenizer(splits, words, findings if init is None else Findings())
    lengths = measure(tokenizer, splits.train[0])
    rows, classes = len(lengths), len(splits.class_names)
    streams = rows * int(lengths.max()) > IN_MEMORY
    recipe = make_recipe(
        splits,
        name="text-classification",
        seed=seed,
        model=default.text_classifier(
            **default.VARIANTS["default"],
            tokenizer=tokenizer,
            num_classes=classes,
            class_names=splits.class_names,
        ),
        epochs=epochs or choose_epochs(rows, classes),
        batch_size=batch_size,
        peak=PEAK if classes < MANY else PEAK_OF_MANY,
        buckets=() if streams else choose_buckets(lengths),
        stream=streams,
        stop=StopEarly("val_accuracy", mode="max"),
        init=None if init is None else Init(init, lora),
        fine_tuning=FineTuning(
            task="classes",
            epochs=epochs or int(np.clip(FINE_TUNED / rows, 3, 20)),
            batch_size=batch_size,
            peak=2e-4,
            decay=0.9,
            # Pieces of words are more than words.
            max_length=min(LONGEST, int(1.5 * lengths.max()) + 8),
            buckets=tuple(int(1.3 * length) + 2 for length in choose_buckets(lengths)),
        ),
        request=request,
        next_step="keras-attention predict {folder}/model.keras "
        f"{shlex.quote(splits.test[0][0][:80])}",
    )
    return Run(recipe, findings)


def train_tokenizer(
    splits: Splits, lengths: Sequence[int], findings: Findings
) -> ka.layers.Tokenizer:
    """Returns a vocabulary of words; of byte pairs where new texts have many that are unknown.

    Words that occur once are unknown, so that something is learned about unknown ones. Of German
    compounds, Turkish endings or Chinese, which is written without spaces, words are too many.

    Args:
        splits: texts to learn the vocabulary from, and to choose by.
        lengths: words of each text that is trained on.
        findings: to say it in.
    """
    texts = splits.train[0]
    longest = int(np.clip(np.percentile(lengths, 99), 16, LONGEST))
    words = learn_vocabulary(texts, model="word", vocabulary_size=20_000, max_length=longest)
    ids = words.encode(splits.validation[0])
    known = np.sum((ids != words.padding_id) & (ids != words.unknown_id))
    unknown = 1 - known / max(1, np.sum(ids != words.padding_id))
    if unknown <= MOST_UNKNOWN:
        return words
    pieces = learn_vocabulary(texts, model="bpe", vocabulary_size=8_000)
    longest = np.percentile(measure(pieces, texts), 99)
    pieces.max_length = int(np.clip(longest, 16, LONGEST))
    findings.add(f"Tokens: pieces of words, for {unknown:.0%} of the words to choose by are new")
    return pieces


def measure(tokenizer: ka.layers.Tokenizer, texts: Sequence[str]) -> np.ndarray:
    """Returns the number of tokens of each text, `(B,)`."""
    starts = track(range(0, len(texts), 1000), "Counted tokens of", unit="times 1,000 texts")
    chunks = (tokenizer.encode(texts[start : start + 1000]) for start in starts)
    return np.concatenate([(ids != tokenizer.padding_id).sum(axis=1) for ids in chunks])


def choose_buckets(lengths: np.ndarray) -> tuple[int, ...]:
    """Returns the lengths of half of the texts, four fifths and 19 of 20, for `Batches`."""
    return tuple(sorted({int(length) + 1 for length in np.percentile(lengths, [50, 80, 95])}))


def choose_epochs(rows: int, classes: int) -> int:
    """Returns how often each row is seen from scratch: the fewer rows, or the more classes, the
    more often."""
    return int(np.clip(SEEN / rows * (1 + classes / 50), 4, 30))


def read(
    data: Table,
    test: Table | None,
    *,
    text: str | None,
    label: str | None,
    seed: int,
    findings: Findings,
) -> Splits:
    """Returns the parts of tables with a column of texts and one of classes.

    Rows without a text or a class are left out, which `findings` says.
    """

    def columns(table: Table, argument: str) -> tuple[list[str], list[str]]:
        frame = read_table(table, argument=argument)
        texts = read_texts(frame, choose_column(frame, text, argument="text", usual=TEXTS))
        labels = read_texts(frame, choose_column(frame, label, argument="label", usual=LABELS))
        labels = [each.strip() for each in labels]
        pairs = [(a, b) for a, b in zip(texts, labels, strict=True) if a.strip() and b]
        findings.add(f"{argument.capitalize()}: {len(texts):,} rows")
        if len(pairs) < len(texts):
            findings.warn(
                f"{len(texts) - len(pairs):,} rows of `{argument}` are left out: their "
                "text or class is empty."
            )
        if not pairs:
            raise ValueError(f"No row of `{argument}` has a text and a class.")
        return tuple(map(list, zip(*pairs, strict=True)))

    texts, labels = columns(data, "data")
    keys = [_as_key(each) for each in texts]
    of_data.add_classes(findings, labels)
    of_data.add_duplicates(findings, keys, labels)
    parts = split_rows(keys, labels, seed=seed, parts=3 if test is None else 2)
    x = [[texts[row] for row in part] for part in parts]
    y = [[labels[row] for row in part] for part in parts]
    if test is not None:
        tested = columns(test, "test")
        of_data.add_leakage(findings, keys, [_as_key(each) for each in tested[0]])
        x, y = [*x, tested[0]], [*y, tested[1]]
    names, numbers = number_classes(*y)
    findings.add(
        f"Parts: {len(x[0]):,} rows to train on, {len(x[1]):,} to choose by, {len(x[2]):,} to "
        f"test on, " + ("given" if test is not None else f"split by seed {seed}")
    )
    train, validation, tested = zip(map(objects, x), numbers, strict=True)
    return Splits(
        train=train,
        validation=validation,
        test=tested,
        class_names=names,
        source=name_source(data),
    )


def _as_key(text: str) -> str:
    """Returns what texts have in common that differ in spaces and upper case alone."""
    return " ".join(text.casefold().split())


def make_recipe(
    splits: Splits,
    *,
    model: keras.Model,
    epochs: int,
    batch_size: int,
    peak: float,
    init: Init | None,
    fine_tuning: FineTuning,
    smoke: bool = False,
    **others: Any,
) -> Recipe:
    """Returns a recipe of text classification.

    Args:
        splits: texts and the numbers of their classes.
        model: to train, if no published encoder is.
        epochs, batch_size: of the training.
        peak: the highest learning rate.
        init: a published encoder to start from instead.
        fine_tuning: how that is trained.
        smoke: keep the epochs even then, to see that everything runs.
        others: further attributes of the recipe.
    """
    others = {"variant": "default", "baselines": BASELINES, "pictures": draw_pictures, **others}
    recipe = Recipe(
        model=model,
        data=splits,
        optimizer=make_optimizer(splits, epochs, batch_size, peak=peak),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=("accuracy",),
        score="accuracy",
        epochs=epochs,
        batch_size=batch_size,
        mistakes=find_mistakes,
        task="text-classification",
        **others,
    )
    return start_from(init, recipe, fine_tuning, smoke=smoke)


def find_mistakes(model: keras.Model, splits: Splits, *, most: int = 50) -> list[dict[str, Any]]:
    """Returns the test texts whose wrong class the model is surest of."""
    x, y = splits.test
    probabilities = keras.ops.convert_to_numpy(
        keras.ops.softmax(predict(model, splits.test).astype("float32"))
    )
    predicted = probabilities.argmax(axis=-1)
    sure = probabilities.max(axis=-1)
    wrong = np.flatnonzero(predicted != y)
    return [
        {
            "text": x[row],
            "label": splits.class_names[y[row]],
            "predicted": splits.class_names[predicted[row]],
            "probability": round(float(sure[row]), 4),
        }
        for row in wrong[np.argsort(-sure[wrong], kind="stable")][:most]
    ]


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
    names = splits.class_names
    draw: Callable[..., Any] = (
        charts.confusion_matrix if len(names) <= MOST_CLASSES else charts.confused_pairs
    )
    title = f"{splits.source.name}, {len(y):,} test texts"
    return {
        draw.__name__: draw(y, predicted, names, title=title),
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
        [tokenizer.tokens(text)[:DRAWN] for text in texts],
        weights[:, :DRAWN],
        captions,
        segments=None if segments is None else segments[:, :DRAWN],
        title=f"{splits.source.name}: weights of the pooling, test texts"
        + ("" if segments is None else "; red: of the segment"),
    )
