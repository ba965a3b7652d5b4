"""Answers to questions about pictures: of a user's own, and what the recipes of the zoo share."""

import shlex
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

import keras_attention as ka
from keras_attention.explain import plots
from keras_attention.explain.attribution.names import name_targets
from keras_attention.explain.plots import any_model
from zoo.data import Arrays, Source, Splits, objects
from zoo.harness import charts
from zoo.harness.experiment import Recipe, predict
from zoo.harness.stopping import StopEarly
from zoo.models.generative_vqa import generative_vqa
from zoo.models.vqa import vqa
from zoo.readers import findings as of_data
from zoo.readers import pictures
from zoo.readers.findings import Findings
from zoo.readers.labels import number_classes
from zoo.readers.tables import Table, name_source
from zoo.tasks import captions
from zoo.tasks.captions import Part
from zoo.tasks.optimizers import adamw_cosine
from zoo.tasks.run import Run, make_request
from zoo.tasks.vocabularies import learn_vocabulary

QUESTIONS, ANSWERS = ("question", "text", "query"), ("answer", "label", "target")
SEEN = 200_000  # questions that a training sees, epochs times questions
MOST_CLASSES = 1000  # of the most frequent answers, as in https://arxiv.org/abs/1505.00468
ROWS_OF_A_CLASS = 5  # on average at least, or answers are no classes
COVERED = 0.9  # share of the training questions whose answers must be classes
UNKNOWN = "*"  # in no question, and so in no vocabulary
# How many test questions are explained in the picture, and the rows of a batch of all of them.
SHOWN, EXPLAINED = 8, 256
READABLE = 40  # classes in a confusion matrix
AT_ONCE = 64  # questions that are answered in words


def questions(
    data: Table,
    *,
    images: Table | None = None,
    image: str | None = None,
    question: str | None = None,
    answer: str | None = None,
    test: Table | None = None,
    answers: Literal["auto", "classes", "text"] = "auto",
    image_size: int = 64,
    on_error: Literal["stop", "skip"] = "stop",
    epochs: int | None = None,
    batch_size: int = 32,
    seed: int = 0,
) -> Run:
    """Answers to questions about pictures, from a table of file names, questions and answers.

        keras-attention train questions --data questions.jsonl --images pictures/

    Args:
        data: the table of file names, questions and answers.
        images: the folder of the pictures, or a mapping from names to images; that in which `data`
            lies if `None`.
        image: the column of the file names; `image` or `file` if there is one.
        question: the column of the questions; `question` or `text` if there is one.
        answer: the column of the answers; `answer` or `label` if there is one.
        test: another table, of pictures in the same folder to test on; a tenth of the pictures if
            `None`.
        answers: one of the most frequent answers, which are classes, or a text that the model
            writes; `auto` takes classes if they are few and answer nine in ten questions.
        image_size: side in pixels of what the model sees.
        on_error: stop at a picture that is missing or damaged, or skip it.
        epochs: how often each question is seen at most; by their number if `None`.
        batch_size: questions per step.
        seed: of the split, the initial weights, the order and the dropout.

    Raises:
        ValueError: a column or a picture is missing, a picture is damaged, or there is one answer
            alone.
    """
    request = make_request("questions", locals())
    keras.utils.set_random_seed(seed)
    if answers not in ("auto", "classes", "text"):
        raise ValueError(
            f"`answers` must be 'auto', 'classes' or 'text'. Received: answers={answers!r}"
        )
    findings = Findings()
    parts = captions.read_parts(
        find_folder(data) if images is None else images,
        {"data": data} | ({} if test is None else {"test": test}),
        {
            "image": (image, pictures.IMAGES),
            "question": (question, QUESTIONS),
            "answer": (answer, ANSWERS),
        },
        argument="images",
        size=image_size,
        on_error=on_error,
        seed=seed,
        findings=findings,
    )
    parts = spell_alike(parts, findings)
    lengths = [len(ka.layers.Tokenizer.split(text)) for _, text, _ in parts[0].rows]
    of_data.add_lengths(findings, lengths, "words in a question")
    known = choose_classes([row[2] for row in parts[0].rows], answers, findings)
    tokenizer = learn_vocabulary(
        [row[1] for row in parts[0].rows],
        model="word",
        vocabulary_size=10_000,
        min_frequency=1 if len(lengths) < 10_000 else 2,
        max_length=captions.LONGEST,
    )
    settings: dict[str, Any] = dict(
        seed=seed,
        epochs=epochs or int(np.clip(SEEN / len(lengths), 4, 60)),
        batch_size=batch_size,
        stream=not parts[0].album.pixels,
        request=request,
        next_step="keras-attention predict {folder}/model.keras --image {folder}/example.png "
        f"{shlex.quote(parts[2].rows[0][1][:80])}",
    )
    sizes = {"image_size": image_size, "tokenizer": tokenizer}
    source = name_source(data)
    if known:
        recipe = choose_answers(parts, known, source, sizes, findings, **settings)
    else:
        recipe = write_answers(parts, source, sizes, **settings)
    return Run(recipe, findings)


def find_folder(data: Table) -> Path:
    """Returns the folder in which a table lies.

    Raises:
        ValueError: it lies in none.
    """
    if isinstance(data, str | Path):
        return Path(data).parent
    raise ValueError(
        "Pass `images`, the folder of the pictures, or a mapping from their names to images: the "
        f"table is no file. Received: images=None, and a {type(data).__name__} for `data`"
    )


def spell_alike(parts: Sequence[Part], findings: Findings) -> list[Part]:
    """Returns the rows with answers that differ in case alone written as most of them are."""
    counts = Counter(row[2] for part in parts for row in part.rows)
    spelling: dict[str, str] = {}
    for each, _ in counts.most_common():
        spelling.setdefault(each.lower(), each)
    changed = len(counts) - len(spelling)
    if changed:
        findings.warn(f"{changed:,} answers differ from another one in case alone: they are one.")
    return [
        replace(part, rows=[(*row[:2], spelling[row[2].lower()]) for row in part.rows])
        for part in parts
    ]


def choose_classes(train: Sequence[str], answers: str, findings: Findings) -> tuple[str, ...]:
    """Returns the answers that a model is to choose from; none if it is to write them.

    Args:
        train: the answers to the questions that are trained on.
        answers: as the user asked for them.
        findings: to which is added what was chosen, and why.

    Raises:
        ValueError: there are no two of them.
    """
    counts = Counter(train).most_common()
    if len(counts) < 2:
        raise ValueError(
            "`answer` has one answer alone, and there is nothing to learn. Received: "
            f"{counts[0][0]!r} in all {len(train):,} rows to train on"
        )
    frequent = [(name, count) for name, count in counts[:MOST_CLASSES] if count > 1] or counts
    covered = sum(count for _, count in frequent) / len(train)
    few = len(frequent) > 1 and len(frequent) * ROWS_OF_A_CLASS <= len(train)
    findings.add(
        f"Answers: {len(counts):,} that differ; the {len(frequent):,} most frequent ones answer "
        f"{covered:.1%} of the questions"
    )
    if answers == "text" or (answers == "auto" and not (few and covered >= COVERED)):
        findings.add(
            "The model writes its answers, byte pair by byte pair (--answers classes to choose)"
        )
        return ()
    names = [name for name, _ in (frequent if len(frequent) > 1 else counts[:MOST_CLASSES])]
    of_data.add_classes(findings, [name for name in train if name in set(names)])
    findings.add("The model chooses one of these answers (--answers text to have it write)")
    return tuple(names)


def choose_answers(
    parts: Sequence[Part],
    known: tuple[str, ...],
    source: Source,
    sizes: Mapping[str, Any],
    findings: Findings,
    **settings: Any,
) -> Recipe:
    """Returns the recipe of a model that chooses one of the `known` answers.

    Questions with another one are left out; in the test part they count as wrong for
    `exact_match`.
    """
    answerable = [[row for row in part.rows if row[2] in set(known)] for part in parts]
    for what, part, rows in zip(("train", "choose by", "test"), parts, answerable, strict=True):
        if len(rows) < len(part.rows):
            findings.warn(
                f"{len(part.rows) - len(rows):,} of {len(part.rows):,} questions of the part to "
                f"{what} have another answer"
                + (": `exact_match` counts them as wrong." if what == "test" else ", left out.")
            )
        if not rows:
            raise ValueError(
                f"No question of the part to {what} has one of the {len(known):,} most frequent "
                "answers. Pass more rows, or answers='text'."
            )
    share = len(answerable[2]) / len(parts[2].rows)
    names, numbers = number_classes(*([row[2] for row in rows] for rows in answerable))
    whole = [Part(rows, part.album) for rows, part in zip(answerable, parts, strict=True)]
    train, validation, tested = (
        (_read_inputs(part), number) for part, number in zip(whole, numbers, strict=True)
    )
    splits = Splits(
        train=train, validation=validation, test=tested, class_names=names, source=source
    )
    model = vqa(**sizes, dropout=0.1, num_classes=len(names), class_names=names)
    return make_recipe(
        replace(splits, train=add_unknown_words(train, settings["seed"])),
        name="questions",
        variant="classes",
        model=model,
        score="exact_match",
        measure=lambda model, splits: {"exact_match": share * measure_accuracy(model, splits)},
        baselines={
            "most frequent answer to the question": lambda _: share * by_question(splits),
            "most frequent answer": lambda _: share * always_the_same(splits),
        },
        mistakes=lambda model, splits: find_mistakes(model, splits, whole[2].rows),
        stop=StopEarly(),
        **settings,
    )


def write_answers(
    parts: Sequence[Part], source: Source, sizes: Mapping[str, Any], **settings: Any
) -> Recipe:
    """Returns the recipe of a model that writes its answers."""
    train, validation, tested = (
        (_read_inputs(part), objects(row[2] for row in part.rows)) for part in parts
    )
    raw = Splits(train=train, validation=validation, test=tested, source=source)
    target = captions.train_tokenizer(raw.train[1])
    most = captions.choose_length(target, raw.train[1])
    return captions.make_writer(
        captions.encode(
            replace(raw, train=add_unknown_words(train, settings["seed"])),
            target,
            stream=settings["stream"],
        ),
        name="questions",
        variant="text",
        model=generative_vqa(**sizes, dropout=0.1, target_tokenizer=target),
        peak=1.5e-3,
        score="exact_match",
        measure=lambda model, _: measure_texts(model, raw.test, max_new_tokens=most),
        baselines={
            "most frequent answer to the question": lambda _: by_question(raw),
            "most frequent answer": lambda _: always_the_same(raw),
        },
        pictures=lambda model, _: draw_reading(model, raw.test, max_new_tokens=most),
        mistakes=lambda model, _: find_wrong_texts(
            model, raw.test, parts[2].rows, max_new_tokens=most
        ),
        stop=StopEarly(),
        task="visual-question-answering",
        **settings,
    )


def _read_inputs(part: Part) -> dict[str, np.ndarray]:
    return {"image": part.images, "question_ids": objects(row[1] for row in part.rows)}


def make_recipe(
    splits: Splits,
    *,
    model: keras.Model,
    epochs: int,
    batch_size: int,
    score: str = "accuracy",
    **others: Any,
) -> Recipe:
    """Returns a recipe of a model that chooses answers.

    Args:
        splits: x `{"image", "question_ids"}`, or one of them; y the numbers of the answers.
        model: to train.
        epochs, batch_size: of the training.
        score: the metric that counts.
        others: further attributes of the recipe.
    """
    steps = epochs * splits.num_batches(batch_size)
    return Recipe(
        model=model,
        data=splits,
        optimizer=adamw_cosine(
            steps,
            peak=1.5e-3,
            warmup_steps=steps // 10,
            weight_decay=0.05,
            spared=["table", "tokens"],
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=("accuracy",),
        score=score,
        epochs=epochs,
        batch_size=batch_size,
        pictures=draw_pictures,
        task="visual-question-answering",
        **others,
    )


def add_unknown_words(part: Arrays, seed: int, *, share: float = 0.1) -> Arrays:
    """Returns a part with an unknown word at a random place in a share of the questions.

    So an unknown word, as in "what colour is the shape?", changes no answer that can do without.
    """
    rng = np.random.default_rng(seed)
    x, y = part
    texts = x["question_ids"].copy()
    for row in np.flatnonzero(rng.random(len(texts)) < share):
        words = texts[row].split(" ")
        words[rng.integers(len(words))] = UNKNOWN
        texts[row] = " ".join(words)
    return {**x, "question_ids": texts}, y


def by_question(raw: Splits) -> float:
    """Returns the share of right answers if each test question has the most frequent training
    answer to its text; of unknown texts the most frequent of all."""
    answers: dict[str, Counter[Hashable]] = {}
    x, y = raw.train
    for text, answer in zip(x["question_ids"], y.tolist(), strict=True):
        answers.setdefault(text, Counter())[answer] += 1
    every = Counter(y.tolist())
    x, y = raw.test
    predicted = [answers.get(text, every).most_common(1)[0][0] for text in x["question_ids"]]
    return float(np.mean(np.array(predicted, y.dtype) == y))


def always_the_same(raw: Splits) -> float:
    """Returns the share of right answers of the most frequent training answer."""
    ((answer, _),) = Counter(raw.train[1].tolist()).most_common(1)
    return float(np.mean(raw.test[1] == answer))


def measure_accuracy(model: keras.Model, splits: Splits) -> float:
    """Returns the share of right answers of a model that chooses them."""
    predicted = np.argmax(predict(model, splits.test, batch_size=EXPLAINED), axis=-1)
    return float(np.mean(predicted == splits.test[1]))


def write_texts(model: keras.Model, x: Any, *, max_new_tokens: int) -> list[str]:
    """Returns the text that a model writes greedily for each question."""
    written = []
    for start in range(0, len(x["question_ids"]), AT_ONCE):
        chunk = {name: column[start : start + AT_ONCE] for name, column in x.items()}
        written += ka.generate(model, chunk, max_new_tokens=max_new_tokens)
    return written


def measure_texts(model: keras.Model, part: Arrays, *, max_new_tokens: int) -> dict[str, float]:
    """Returns exact matches and BLEU of the answers that a model writes, case ignored."""
    x, y = part
    written = write_texts(model, x, max_new_tokens=max_new_tokens)
    references = [[text] for text in y]
    return {
        "exact_match": captions.exact_match(written, references),
        "bleu": captions.bleu(written, references)[0],
    }


def find_mistakes(
    model: keras.Model, splits: Splits, rows: Sequence[tuple[str, ...]], *, most: int = 50
) -> list[dict[str, Any]]:
    """Returns the test questions whose wrong answer the model is surest of."""
    logits = predict(model, splits.test, batch_size=EXPLAINED).astype("float32")
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    predicted, sure = probabilities.argmax(axis=-1), probabilities.max(axis=-1)
    wrong = np.flatnonzero(predicted != splits.test[1])
    return [
        {
            **dict(zip(("image", "question", "answer"), rows[row], strict=True)),
            "predicted": splits.class_names[predicted[row]],
            "probability": round(float(sure[row]), 4),
        }
        for row in wrong[np.argsort(-sure[wrong], kind="stable")][:most]
    ]


def find_wrong_texts(
    model: keras.Model,
    part: Arrays,
    rows: Sequence[tuple[str, ...]],
    *,
    max_new_tokens: int,
    most: int = 50,
) -> list[dict[str, Any]]:
    """Returns test questions, of the first `captions.LOOKED_AT`, that got another answer."""
    x = {name: column[: captions.LOOKED_AT] for name, column in part[0].items()}
    written = write_texts(model, x, max_new_tokens=max_new_tokens)
    pairs = zip(rows, written, strict=False)
    wrong = [(row, text) for row, text in pairs if text.lower() != row[2].lower()]
    return [
        {**dict(zip(("image", "question", "answer"), row, strict=True)), "written": text}
        for row, text in wrong[:most]
    ]


def draw_pictures(model: keras.Model, splits: Splits) -> dict:
    """Draws the confusion matrix, and relevance and attention for some test questions."""
    x, y = splits.test
    predicted = np.argmax(predict(model, splits.test, batch_size=EXPLAINED), axis=-1)
    names = splits.class_names
    draw: Callable[..., Any] = (
        charts.confusion_matrix if len(names) <= READABLE else charts.confused_pairs
    )
    figures = {
        "confusion_matrix": draw(
            y, predicted, names, title=f"{splits.source.name}, {len(y):,} test questions"
        )
    }
    first = np.unique(y, return_index=True)[1]  # question with each answer, and then others
    rows = np.concatenate([first, np.setdiff1d(np.arange(len(y)), first)])[:SHOWN]
    shown = {name: column[rows] for name, column in x.items()}
    title = "Relevance of patches and words for the answer; test questions"
    explanation, figures["relevance"] = any_model.explain(
        model, shown, ka.explain.relevance, title=title
    )
    if "image" in x:
        patches = explanation.elements
        encoded = ka.encode(model, shown)
        maps = {
            path: weights
            for path, weights in ka.explain.attention_maps(model, encoded).items()
            if weights.shape[-1] >= patches.present.shape[1]  # what reads them
        }
        by_patch = plots.patch_weights(maps, *patches.grid)
        figures["attention"] = plots.image_attention(
            patches.array,
            {path: patches.cells(weights) for path, weights in by_patch.items()},
            name_targets(model, explanation),
            title="What each layer attends to, mean over heads; test questions",
        )
    return figures


def draw_reading(model: keras.Model, part: Arrays, *, max_new_tokens: int, count: int = 3) -> dict:
    """Draws what the model looks at for each word of its answers to some test questions."""
    x, y = part
    figures = {}
    for number, row in enumerate(np.linspace(0, len(y) - 1, count).astype(int)):
        figures[f"attention_{number}" if number else "attention"] = any_model.caption(
            model,
            {name: column[row : row + 1] for name, column in x.items()},
            max_new_tokens=max_new_tokens,
            title=f"{x['question_ids'][row]} {y[row]}",
        )
    return figures
