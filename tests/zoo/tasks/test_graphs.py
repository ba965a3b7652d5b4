"""A user's own graph: from a file to a model that answers about its nodes."""

import csv

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

import keras_attention as ka
from tests.backend import to_numpy
from zoo import tasks

pytestmark = pytest.mark.runs_on("torch")


def arrays(nodes=40, words=True):
    """Two groups of nodes in rings; a group has words, or a number, of its own."""
    rng = np.random.default_rng(0)
    labels = np.arange(nodes) % 2
    features = (rng.random((nodes, 12)) < 0.05).astype("float32")
    features[np.arange(nodes), labels] = 1
    if not words:
        features = rng.normal(3.0, 2.0, (nodes, 4)).astype("float32")
    edges = np.stack([np.arange(nodes), (np.arange(nodes) + 2) % nodes], axis=1)
    return {"features": features, "edges": edges, "labels": np.where(labels == 0, "odd", "even")}


def test_it_trains_and_answers(tmp_path):
    data = arrays()
    data["labels"][3] = ""
    np.savez(tmp_path / "graph.npz", **data)
    run = tasks.graph(tmp_path / "graph.npz", epochs=2)
    said = str(run.findings)
    assert "Nodes: 40 of 12 features, 39 have a class" in said
    assert "Classes: odd (20), even (19)" in said
    assert "as of words; the model divides them by their sum" in said
    assert "to test on, split by seed 0" in said
    weights = [part[2] for part in (run.recipe.data.train, run.recipe.data.test)]
    assert [weight[0, 3] for weight in weights] == [0, 0]
    metrics = run.fit(tmp_path / "run", watch=False).metrics
    assert set(metrics["baselines"]) == {"features alone", "features of two steps"}
    assert metrics["request"]["arguments"]["data"] == str(tmp_path / "graph.npz")
    assert {path.stem for path in (tmp_path / "run").glob("*.png")} == {
        *("attention", "confusion_matrix", "training_curves")
    }
    model = ka.load_model(tmp_path / "run" / "model.keras")
    (answers,) = ka.predict(model, tmp_path / "run" / "example.npz")
    assert len(answers) == 40
    assert {answer.label for answer in answers} <= {"odd", "even"}
    mistakes = tmp_path / "run" / "mistakes.csv"
    wrong = list(csv.DictReader(mistakes.open())) if mistakes.exists() else []
    tested = int(run.recipe.data.test[2].sum())
    assert len(wrong) == round(tested * (1 - metrics["test"]["accuracy"]))
    assert all(row["label"] == str(data["labels"][int(row["node"])]) for row in wrong)


def test_numbers_are_standardised_in_the_model():
    data = arrays(words=False)
    run = tasks.graph(data, block="pre_norm")
    layer = run.model.get_layer("standardization")
    np.testing.assert_allclose(
        to_numpy(layer(data["features"][None]))[0],
        StandardScaler().fit_transform(data["features"]),
        atol=1e-4,
    )
    assert run.recipe.variant == "pre_norm"
    assert run.model.get_layer("feed_forward_2")


def test_parts_are_taken_as_given():
    masks = {name: np.arange(40) // 8 == i for i, name in enumerate(("train_mask", "test_mask"))}
    run = tasks.graph({**arrays(), **masks})
    train, validation, test = (
        set(np.flatnonzero(part[2][0]))
        for part in (run.recipe.data.train, run.recipe.data.validation, run.recipe.data.test)
    )
    assert test == set(range(8, 16))
    assert train | validation == set(range(8))
    assert not train & validation
    assert "given, but for those to choose by, split by seed 0" in str(run.findings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.zeros(40, int)}, r"one class alone"),
        ({"labels": np.full(40, -1)}, "No node of `data` has a class"),
        ({"train_mask": np.arange(40) < 9}, r"some to test on, or be left out\. Received: 9 train"),
        (
            {"train_mask": np.arange(40) < 9, "test_mask": np.arange(40) > 6},
            r"'train' and 'test' share 2 nodes, such as '7'",
        ),
    ],
)
def test_bad_data_gets_a_sentence(change, message):
    with pytest.raises(ValueError, match=message):
        tasks.graph({**arrays(), **change})
