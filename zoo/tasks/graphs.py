"""Classes of the nodes of graphs: of a user's own, and what the recipes of the zoo share."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler, normalize

import keras_attention as ka
from keras_attention.explain import plots
from zoo.data import Arrays, Splits
from zoo.harness import charts
from zoo.harness.experiment import Recipe, predict
from zoo.harness.stopping import StopEarly
from zoo.models.gat import gat
from zoo.readers import findings as of_data
from zoo.readers.findings import Findings
from zoo.readers.graphs import Graph, read_graph
from zoo.readers.labels import number_classes
from zoo.readers.splitting import split_rows
from zoo.readers.tables import Table, name_source
from zoo.tasks.optimizers import adamw_cosine
from zoo.tasks.run import Run, make_request

EPOCHS, L2 = (
    200,
    2.5e-4,
)  # of plain layers; L2 has the paper's gradient, of 5e-4 of half the squares
DEEP = dict(block="pre_norm", hidden_dim=16, num_layers=3, dropout=0.2)
DEEP_EPOCHS = 300
_MANY = 2000  # labelled nodes from which on deep blocks have something to learn from
_SPARSE = 0.8  # share of zeros of features that count words
_LOSS = "val_cross_entropy"


def graph(
    data: Table,
    *,
    edges: Table | None = None,
    label: str | None = None,
    directed: bool = False,
    block: Literal["auto", "plain", "pre_norm"] = "auto",
    attention: Literal["gat", "gatv2"] = "gat",
    epochs: int | None = None,
    seed: int = 0,
) -> Run:
    """Classes of the nodes of one graph, such as the fields of papers that cite each other.

        keras-attention train graph --data nodes.csv --edges edges.csv

    The whole graph is there in training, and the classes of some nodes. The others are kept.

    Args:
        data: an `.npz` file of `features` (N, F), `edges` (E, 2) and `labels` (N,), -1 where
            unknown, and perhaps `train_mask`, `val_mask` and `test_mask`; or a table of nodes with
            a column `id`, one of classes, others of features, and perhaps `split`.
        edges: the table of edges, with columns `source` and `target`, if `data` is one of nodes.
        label: the column of the classes; `label` if there is one of this name.
        directed: take edges one way, so that a target reads its sources alone.
        block: `"plain"`, two layers as of the GAT paper; or `"pre_norm"`, deeper residual blocks;
            by the number of nodes to train on if `"auto"`.
        attention: `"gat"` or `"gatv2"`.
        epochs: how often the graph is seen at most.
        seed: of the split if there is none, the initial weights and the dropout.

    Raises:
        ValueError: an edge leads to a node that is not there, two nodes have one id, something is
            missing, or there is one class alone.
    """
    request = make_request("graph", locals())
    keras.utils.set_random_seed(seed)
    findings = Findings()
    read = read_graph(data, edges, label=label, directed=directed, findings=findings)
    splits = _split(read, name_source(data), seed, findings)
    kind = tell_preparation(read.features)
    findings.add(f"Features: {_PREPARATIONS[kind]}")
    train = int(splits.train[2].sum())
    deep = block == "pre_norm" or (block == "auto" and train >= _MANY)
    epochs = epochs or (DEEP_EPOCHS if deep else EPOCHS)
    model = gat(
        num_features=read.features.shape[1],
        attention=attention,
        preparation=make_preparation(kind, read.features),
        **(DEEP if deep else {"l2": L2}),
        num_classes=len(splits.class_names),
        class_names=splits.class_names,
    )
    recipe = make_recipe(
        splits,
        name="graph",
        variant="pre_norm" if deep else "plain",
        seed=seed,
        model=model,
        optimizer=adamw_cosine(epochs, peak=3e-3, warmup_steps=epochs // 10, weight_decay=1e-3)
        if deep
        else warm_adam(epochs),
        epochs=epochs,
        stop=StopEarly(_LOSS, patience=100),
        baselines={
            "features alone": partial(features_alone, prepare=_PREPARE[kind]),
            "features of two steps": partial(features_of_two_steps, prepare=_PREPARE[kind]),
        },
        mistakes=partial(find_mistakes, ids=read.ids),
        request=request,
        next_step="keras-attention predict {folder}/model.keras {folder}/example.npz",
    )
    return Run(recipe, findings)


def _split(read: Graph, source: Any, seed: int, findings: Findings) -> Splits:
    """Returns the parts of a graph: those given, or made of the nodes that have a class."""
    labelled = np.flatnonzero(read.labels != "")
    if not len(labelled):
        raise ValueError("No node of `data` has a class.")
    of_data.add_classes(findings, read.labels[labelled].tolist())
    parts = _choose_nodes(read, labelled, seed, findings)
    names, numbers = number_classes(*(read.labels[nodes].tolist() for nodes in parts))
    y = np.zeros((1, len(read.labels)), np.int32)
    for nodes, classes in zip(parts, numbers, strict=True):
        y[0, nodes] = classes
    x = {"features": read.features[None], "edges": read.edges[None]}

    def part(nodes: np.ndarray) -> Arrays:
        weights = np.zeros(y.shape, np.float32)
        weights[0, nodes] = 1.0
        return x, y, weights

    train, validation, test = map(part, parts)
    return Splits(train=train, validation=validation, test=test, class_names=names, source=source)


def _choose_nodes(
    read: Graph, labelled: np.ndarray, seed: int, findings: Findings
) -> list[np.ndarray]:
    """Returns the nodes to train on, to choose by and to test on.

    Raises:
        ValueError: two parts share a node, or one of those to train on and to test on is missing.
    """
    given = {name: np.intersect1d(nodes, labelled) for name, nodes in read.parts.items()}
    missing = sum(len(nodes) - len(given[name]) for name, nodes in read.parts.items())
    if missing:
        findings.warn(f"{missing:,} nodes of the parts have no class. They count nothing.")
    for a, b in itertools.combinations(given, 2):
        shared = np.intersect1d(given[a], given[b])
        if len(shared):
            raise ValueError(
                f"The parts {a!r} and {b!r} share {len(shared):,} nodes, such as "
                f"{read.ids[shared[0]]!r}. Each node belongs to one part at most."
            )
    made = f"split by seed {seed}"
    if not given:
        labels = read.labels[labelled].tolist()
        rows = split_rows(labelled.tolist(), labels, seed=seed)
        parts = [labelled[part] for part in rows]
    elif len(given.get("train", ())) and len(given.get("test", ())):
        train, validation, made = given["train"], given.get("validation", ()), "given"
        if not len(validation):
            labels = read.labels[train].tolist()
            rows = split_rows(train.tolist(), labels, seed=seed, parts=2)
            train, validation = (train[part] for part in rows)
            made += f", but for those to choose by, split by seed {seed}"
        parts = [train, validation, given["test"]]
    else:
        raise ValueError(
            "Parts of nodes must have some to train on and some to test on, or be left out. "
            f"Received: {', '.join(f'{len(nodes)} {name}' for name, nodes in given.items())}"
        )
    findings.add(
        f"Parts: {len(parts[0]):,} nodes to train on, {len(parts[1]):,} to choose by, "
        f"{len(parts[2]):,} to test on, {made}"
    )
    return parts


def make_recipe(
    splits: Splits,
    *,
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    epochs: int,
    batch_size: int = 1,
    **others: Any,
) -> Recipe:
    """Returns a recipe of classes of nodes.

    Args:
        splits: graphs, the classes of their nodes, and which of these count.
        model, optimizer, epochs: of the training.
        batch_size: graphs per step.
        others: further attributes of the recipe, or others than are made here.
    """
    return Recipe(
        model=model,
        data=splits,
        optimizer=optimizer,
        # The mean over the nodes that count, not over all.
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        ),
        metrics=(
            keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
            keras.metrics.SparseCategoricalCrossentropy(name="cross_entropy", from_logits=True),
        ),
        score="accuracy",
        epochs=epochs,
        batch_size=batch_size,
        **{"pictures": draw_pictures, "task": "graph-ml", **others},
    )


def warm_adam(epochs: int) -> keras.optimizers.Optimizer:
    """Returns Adam with a rate of 0.01 after a warmup, constant as in the paper of GAT."""
    return ka.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(
            0.0, decay_steps=epochs, alpha=1.0, warmup_target=0.01, warmup_steps=10
        )
    )


def tell_preparation(features: np.ndarray) -> str:
    """Returns how features are prepared in the model: `"shares"` if they count words, or the like;
    else `"standard"`."""
    counts = features.min() >= 0 and np.mean(features == 0) >= _SPARSE
    return "shares" if counts else "standard"


def make_preparation(kind: str, features: np.ndarray) -> keras.Layer:
    """Returns the layer that prepares the features of nodes, adapted to `features` `(N, F)`."""
    if kind == "shares":
        return ka.layers.SumNormalization(name="shares")
    layer = keras.layers.Normalization(axis=-1, name="standardization")
    layer.adapt(features[None])
    return layer


_PREPARATIONS = {
    "shares": "few are not zero, as of words; the model divides them by their sum",
    "standard": "standardised in the model",
}
_PREPARE: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "shares": lambda features: normalize(features, "l1"),
    "standard": lambda features: StandardScaler().fit_transform(features),
}


def features_alone(
    splits: Splits, *, prepare: Callable[[np.ndarray], np.ndarray] = np.asarray
) -> float:
    """Returns the test accuracy of logistic regression on the features of a node."""
    return _logistic_regression(splits, prepare(splits.train[0]["features"][0]))


def features_of_two_steps(
    splits: Splits, *, prepare: Callable[[np.ndarray], np.ndarray] = np.asarray
) -> float:
    """Returns the test accuracy of logistic regression on features averaged over neighbours.

    It is done twice, as in Wu et al., 2019 (https://arxiv.org/abs/1902.07153).
    """
    x = prepare(splits.train[0]["features"][0])
    edges = splits.train[0]["edges"][0]
    degree = 1 + np.bincount(edges[:, 1], minlength=len(x))
    scale = (1 / np.sqrt(degree))[:, None]
    for _ in range(2):
        scaled = x * scale
        summed = scaled.copy()
        np.add.at(summed, edges[:, 1], scaled[edges[:, 0]])
        x = summed * scale
    return _logistic_regression(splits, x)


def _logistic_regression(splits: Splits, x: np.ndarray) -> float:
    """Returns the test accuracy of logistic regression, regularised by the validation split."""
    (train, y), (held, y_held), (test, y_test) = (
        nodes_of(part) for part in (splits.train, splits.validation, splits.test)
    )
    models = [LogisticRegression(C=10.0**i, max_iter=1000).fit(x[train], y) for i in range(6)]
    best = max(models, key=lambda model: model.score(x[held], y_held))
    return best.score(x[test], y_test)


def nodes_of(part: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Returns the indices of the nodes that count in a part of one graph, and their classes."""
    _, y, weights = part
    nodes = np.flatnonzero(weights[0])
    return nodes, y[0, nodes]


def find_mistakes(
    model: keras.Model, splits: Splits, *, ids: Sequence[str], most: int = 50
) -> list[dict[str, Any]]:
    """Returns the test nodes whose wrong class the model is surest of."""
    nodes, y = nodes_of(splits.test)
    logits = predict(model, splits.test, batch_size=1)[0][nodes].astype("float32")
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    predicted, sure = probabilities.argmax(axis=-1), probabilities.max(axis=-1)
    degree = np.bincount(splits.test[0]["edges"][0, :, 1], minlength=splits.test[1].shape[1])
    wrong = np.flatnonzero(predicted != y)
    return [
        {
            "node": ids[nodes[i]],
            "label": splits.class_names[y[i]],
            "predicted": splits.class_names[predicted[i]],
            "probability": round(float(sure[i]), 4),
            "neighbours": int(degree[nodes[i]]),
        }
        for i in wrong[np.argsort(-sure[wrong], kind="stable")][:most]
    ]


def draw_pictures(model: keras.Model, splits: Splits) -> dict:
    """Draws the confusion matrix, and the most unequal attention of a test node."""
    nodes, y = nodes_of(splits.test)
    predicted = predict(model, splits.test, batch_size=1)[0].argmax(axis=-1)
    x, labels, _ = splits.test
    name = splits.source.name
    figures = {
        "confusion_matrix": charts.confusion_matrix(
            y, predicted[nodes], splits.class_names, title=f"{name}, {len(nodes):,} test nodes"
        )
    }
    edges = x["edges"][0]
    degree = np.bincount(edges[:, 1], minlength=labels.shape[1])
    few = nodes[(degree[nodes] > 0) & (degree[nodes] <= 10)]
    if not len(few):  # none that could be drawn
        return figures
    fits = few[degree[few] >= min(4, degree[few].max())]
    with ka.capture() as maps:
        model({name: keras.ops.convert_to_tensor(array) for name, array in x.items()})
    path, weights = list(maps.items())[-1]
    weights = keras.ops.convert_to_numpy(weights)[0].mean(axis=0)  # (E,)
    node = max(fits, key=lambda node: np.ptp(weights[edges[:, 1] == node]))
    figures["attention"] = plots.node_attention(
        edges,
        weights,
        int(node),
        predicted,
        splits.class_names,
        title=f"Node {node} and its neighbours, coloured by predicted class: attention of {path}",
    )
    return figures
