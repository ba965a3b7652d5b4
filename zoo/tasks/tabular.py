"""Models of tables: of a user's own, and what the recipes of the zoo share."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import keras
import numpy as np

import keras_attention as ka
from keras_attention.ops import tables
from keras_attention.prediction import encoders
from zoo.data import Arrays, Splits
from zoo.harness.experiment import Recipe
from zoo.harness.stopping import StopEarly
from zoo.models.ft_transformer import ft_transformer
from zoo.readers import findings as of_data
from zoo.readers.features import (
    Features,
    find_giveaways,
    list_categories,
    read_numbers,
    rows_as_keys,
    select,
    sort_columns,
)
from zoo.readers.findings import Findings, name_some
from zoo.readers.labels import number_classes
from zoo.readers.splitting import split_rows
from zoo.readers.tables import Table, choose_column, name_source, read_table, read_texts
from zoo.tasks import tabular_baselines as beside
from zoo.tasks import tabular_reports as reports
from zoo.tasks.optimizers import adamw_cosine
from zoo.tasks.run import Run, make_request
from zoo.tasks.tabular_reports import Scale as Scale

TARGETS = ("target", "label", "class", "y")
SEEN = 400_000  # rows that a training sees, epochs times rows
SMALL = dict(hidden_dim=32, intermediate_dim=43, num_heads=4, num_layers=2)  # for few rows
_FEW_ROWS = 3000
_MOST_CLASSES = 20  # whole numbers with more different values are numbers to predict


def table(
    data: Table,
    *,
    target: str | None = None,
    kind: Literal["auto", "class", "number"] = "auto",
    ignore: Sequence[str] = (),
    categories: Sequence[str] = (),
    test: Table | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> Run:
    """A class or a number, such as the price of a house, from the other columns of a table.

        keras-attention train table --data houses.csv --target price

    Args:
        data: the table to train on: a file (CSV, TSV, JSON lines, Parquet), or what
            `zoo.readers.tables.read_table` takes.
        target: the column to predict; `target` if there is one of this name.
        kind: whether that is a class or a number; told from the column if `"auto"`.
        ignore: columns to leave out, such as one that is not known when the model is asked.
        categories: columns of categories that look like numbers, such as codes.
        test: another table to test on; a tenth of the rows if `None`.
        epochs: how often each row is seen at most; by the number of rows if `None`.
        batch_size: rows per step; by the number of rows if `None`.
        seed: of the split, the initial weights, the order and the dropout.

    Raises:
        ValueError: a column is missing, no column is left to predict from, or the target has one
            class alone, a class in the test data alone, or a text where numbers are predicted.
    """
    request = make_request("table", locals())
    keras.utils.set_random_seed(seed)
    findings = Findings()
    frame, labels = _read(data, target, "data", findings)
    name = choose_column(frame, target, argument="target", usual=TARGETS)
    kind = _tell_kind(name, labels, kind, findings)
    features = sort_columns(
        frame, target=name, ignore=ignore, categories=categories, findings=findings
    )
    x, y = features.take(frame), _as_targets(labels, kind, name)
    keys = rows_as_keys(x)
    of_data.add_duplicates(findings, keys, y.tolist())
    given = list(find_giveaways(x, y, number=kind == "number"))
    if given:
        findings.warn(
            f"{name_some(map(repr, given))} alone tell {name!r}. If that is not known when the "
            f"model is asked, leave it out by `ignore`."
        )
    parts = split_rows(keys, _strata(y), seed=seed, parts=3 if test is None else 2)
    splits = [(select(x, part), y[part]) for part in parts]
    if test is not None:
        tested, tested_labels = _read(test, name, "test", findings)
        x_test = features.take(tested, argument="test")
        of_data.add_leakage(findings, keys, rows_as_keys(x_test))
        splits.append((x_test, _as_targets(tested_labels, kind, name)))
    findings.add(
        f"Parts: {len(splits[0][1]):,} rows to train on, {len(splits[1][1]):,} to choose by, "
        f"{len(splits[2][1]):,} to test on, "
        + ("given" if test is not None else f"split by seed {seed}")
    )
    rows = len(splits[0][1])
    settings = {
        "name": "table",
        "variant": "default",
        "seed": seed,
        "epochs": epochs or int(np.clip(SEEN / rows, 4, 100)),
        "batch_size": batch_size or int(np.clip(rows // 40, 16, 256)),
        "peak": 1e-3,
        "dates": features.dates,
        "request": request,
        "next_step": "keras-attention predict {folder}/model.keras {folder}/example.csv",
    }
    settings["stop"] = StopEarly(patience=max(5, settings["epochs"] // 5))
    make = _make_classifier if kind == "class" else _make_regressor
    return Run(make(splits, features, name, name_source(data), settings), findings)


def _make_classifier(
    parts: list[Arrays], features: Features, target: str, source: Any, settings: dict[str, Any]
) -> Recipe:
    names, numbers = number_classes(*(y.tolist() for _, y in parts), argument="target")
    splits = _join(parts, numbers, features, source, class_names=names)
    model = build(
        splits,
        features,
        dropout=0.1,
        attention_dropout=0.2,
        num_classes=len(names),
        class_names=names,
    )
    return make_class_recipe(splits, model=model, target=target, **settings)


def _make_regressor(
    parts: list[Arrays], features: Features, target: str, source: Any, settings: dict[str, Any]
) -> Recipe:
    y = parts[0][1]
    scale = Scale(float(y.mean()), float(y.std()) or 1.0, target)
    numbers = [scale.standardize(y)[:, None] for _, y in parts]
    splits = _join(parts, numbers, features, source)
    model = build(
        splits,
        features,
        dropout=0.05,
        attention_dropout=0.1,
        quantities=ka.layers.Quantities([target], [scale.offset], [scale.scale], name="quantities"),
    )
    return make_number_recipe(splits, model=model, scale=scale, target=target, **settings)


def _join(
    parts: list[Arrays], targets: list[np.ndarray], features: Features, source: Any, **names: Any
) -> Splits:
    train, validation, test = [(x, y) for (x, _), y in zip(parts, targets, strict=True)]
    return Splits(
        train=train,
        validation=validation,
        test=test,
        feature_names=features.names,
        source=source,
        **names,
    )


def _read(
    data: Table, target: str | None, argument: str, findings: Findings
) -> tuple[Any, list[str]]:
    """Returns the rows of a table that have a target, and these targets as texts."""
    frame = read_table(data, argument=argument)
    name = choose_column(frame, target, argument="target", usual=TARGETS)
    texts = read_texts(frame, name)
    held = [row for row, text in enumerate(texts) if not tables.is_missing(text)]
    findings.add(f"{argument.capitalize()}: {len(texts):,} rows")
    if len(held) < len(texts):
        missing = len(texts) - len(held)
        findings.warn(f"{missing:,} rows of `{argument}` are left out: {name!r} is empty.")
    if not held:
        raise ValueError(f"No row of `{argument}` has a value in the column {name!r}.")
    return frame.iloc[held].reset_index(drop=True), [texts[row].strip() for row in held]


def _tell_kind(name: str, labels: list[str], kind: str, findings: Findings) -> str:
    """Returns `"class"` or `"number"`, and says which and why."""
    values, distinct = read_numbers(labels), len(set(labels))
    whole = values is not None and not np.any(values % 1)
    told = kind
    if kind == "auto":
        few = distinct <= min(_MOST_CLASSES, len(labels) / 2)
        told = "class" if values is None or (whole and few) else "number"
    if told == "number":
        numbers = _as_targets(labels, told, name)
        findings.add(
            f"Target: {name!r}, a number from {numbers.min():,g} to {numbers.max():,g}, "
            f"{np.median(numbers):,g} in the middle"
            + ("; pass kind='class' if it names classes" if kind == "auto" else "")
        )
        return told
    if distinct > max(_MOST_CLASSES, len(labels) / 2):
        commas = read_numbers([label.replace(",", ".") for label in labels])
        if values is None and commas is not None:
            raise ValueError(
                f"`target` has numbers with a comma, such as {labels[0]!r}. Received: "
                f"target={name!r}. Write them with a point."
            )
        raise ValueError(
            f"`target` has {distinct:,} classes in {len(labels):,} rows, too many to learn. "
            f"Received: target={name!r}. Name another column"
            + (", or pass kind='number'." if values is not None else ".")
        )
    findings.add(
        f"Target: {name!r}, a class"
        + ("; pass kind='number' if it is a quantity" if kind == "auto" and whole else "")
    )
    of_data.add_classes(findings, labels)
    return told


def _as_targets(labels: list[str], kind: str, name: str) -> np.ndarray:
    """Returns classes as texts, or numbers as float64.

    Raises:
        ValueError: one is no number.
    """
    if kind == "class":
        return np.array(labels, object)
    for row, label in enumerate(labels):
        if not np.isfinite(tables.number(label, name, row)):
            raise ValueError(f"The column {name!r} must have finite numbers. Received: {label!r}")
    return np.array(labels, np.float64)


def _strata(y: np.ndarray) -> list[Any]:
    """Returns of each row its class, or the tenth of the numbers that it is in."""
    if y.dtype == object:
        return y.tolist()
    return np.digitize(y, np.quantile(y, np.linspace(0.1, 0.9, 9))).tolist()


def build(splits: Splits, features: Features, **settings: Any) -> keras.Model:
    """Returns a model of a table, adapted to the part to train on and sized by its rows.

    A category or a missing value of a column that has none in training counts for nothing: its
    token is the one of no category, or of the mean.
    """
    x, y = splits.train
    model = ft_transformer(
        **(SMALL if len(y) < _FEW_ROWS else {}),
        numbers=features.numbers,
        categories=list_categories(x, features.categories),
        dates=features.dates,
        missing_tokens=any(np.isnan(x[name]).any() for name in features.numbers),
        row_names=features.names,
        **settings,
    )
    adapt(model, x)
    for layer in encoders(model).values():
        if getattr(layer, "missing", None) is not None:
            layer.missing.assign(layer.bias)
        if hasattr(layer, "vocabularies"):
            table = keras.ops.convert_to_numpy(layer.embeddings).copy()
            sizes = [1 + len(words) for words in layer.vocabularies]
            table[np.cumsum([0, *sizes[:-1]])] = 0
            layer.embeddings.assign(table)
    return model


def adapt(model: keras.Model, x: Mapping[str, np.ndarray]) -> None:
    """Has the layers behind the inputs take their statistics from rows to train on."""
    for layer in encoders(model).values():
        if hasattr(layer, "adapt"):
            layer.adapt(layer.encode(x))


def make_class_recipe(
    splits: Splits,
    /,
    *,
    model: keras.Model,
    epochs: int,
    batch_size: int,
    peak: float,
    dates: Sequence[str] = (),
    target: str = "class",
    **others: Any,
) -> Recipe:
    """Returns a recipe of classes of rows.

    Args:
        splits: rows and the numbers of their classes.
        model: to train, adapted to the data.
        epochs, batch_size: of the training.
        peak: the highest learning rate.
        dates: the columns of dates.
        target: the name of the classes.
        others: further attributes of the recipe, or others than are made here.
    """
    made = {
        "optimizer": make_optimizer(model, epochs * splits.num_batches(batch_size), peak=peak),
        "baselines": {
            "logistic regression": partial(beside.logistic_regression, dates=dates),
            "gradient-boosted trees": partial(beside.boosted_trees, dates=dates),
        },
        "pictures": reports.draw_pictures,
        "mistakes": partial(reports.find_mistakes, target=target),
        "task": "tabular-classification",
    }
    return Recipe(
        model=model,
        data=splits,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=("accuracy",),
        score="accuracy",
        epochs=epochs,
        batch_size=batch_size,
        **{**made, **others},
    )


def make_number_recipe(
    splits: Splits,
    /,
    *,
    model: keras.Model,
    scale: Scale,
    epochs: int,
    batch_size: int,
    peak: float,
    dates: Sequence[str] = (),
    target: str = "number",
    **others: Any,
) -> Recipe:
    """Returns a recipe of numbers of rows, scored by the root of the mean squared error.

    Args:
        splits: rows and their numbers `(B, 1)`, standardised.
        scale: what these stand for.
        model, epochs, batch_size, peak, dates, target, others: as of `make_class_recipe`.
    """
    made = {
        "baselines": {
            "ridge regression": lambda data: (
                beside.ridge_regression(data, dates=dates) * scale.scale
            ),
            "gradient-boosted trees": lambda data: (
                beside.boosted_regression_trees(data, dates=dates) * scale.scale
            ),
        },
        "pictures": partial(reports.draw_number_pictures, scale=scale),
        "mistakes": partial(reports.find_errors, target=target, scale=scale),
        "task": "tabular-regression",
    }
    return Recipe(
        model=model,
        data=splits,
        optimizer=make_optimizer(model, epochs * splits.num_batches(batch_size), peak=peak),
        loss=keras.losses.MeanSquaredError(),
        metrics=(),
        score="rmse",
        measure=partial(reports.measure_errors, scale=scale),
        epochs=epochs,
        batch_size=batch_size,
        **{**made, **others},
    )


def make_optimizer(model: keras.Model, steps: int, *, peak: float) -> keras.optimizers.Optimizer:
    """Returns AdamW without decay of the tokens, as in the paper of the FT-Transformer."""
    layers = [layer for layer in encoders(model).values() if layer is not None]
    return adamw_cosine(
        steps,
        peak=peak,
        warmup_steps=steps // 10,
        weight_decay=1e-2,
        spared=["tokens"],
        # Their variables have names such as "kernel", as that of a Dense has.
        spared_variables=[weight for layer in layers for weight in layer.trainable_variables],
    )
