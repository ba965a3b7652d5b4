import dataclasses
import sys

import keras
import numpy as np
import pytest
from sklearn.datasets import load_iris

import keras_attention as ka
from keras_attention.saving import files
from tests.zoo.models.contracts import ModelCase
from zoo import recipes
from zoo.data import Splits
from zoo.data import iris as data
from zoo.harness import experiment, reports
from zoo.models.iris import FEATURES, VARIANTS, iris
from zoo.recipes.iris import logistic_regression, recipe

pytestmark = pytest.mark.runs_on("jax")


def logits(model, x):
    return keras.ops.convert_to_numpy(model(x))


CASES = [
    ModelCase(
        model=iris,
        sizes=VARIANTS["tiny"],
        inputs=lambda rng, batch: {"features": rng.random((batch, 4), "float32")},
        maps=1,
    )
]
# The default has at most 14,851, those of the tutorial's model.
PARAMETERS = {"default": 14_635, "reference": 100_435, "tiny": 675}


def test_without_classes_it_gives_pooled_features():
    assert iris(**VARIANTS["tiny"], num_classes=None).output_shape == (None, 8)


def test_order_of_the_features_matters():
    model = iris(**VARIANTS["tiny"])
    x = np.array([[5.1, 3.5, 1.4, 0.2]], "float32")
    assert not np.allclose(logits(model, x), logits(model, x[:, ::-1].copy()))


def test_splits_are_stratified_disjoint_and_reproducible():
    splits = data.load(3)
    (x, y), (x_test, y_test) = splits.train, splits.test
    assert np.bincount(y).tolist() == [40] * 3
    assert np.bincount(y_test).tolist() == [10] * 3
    together = np.concatenate([x, x_test])
    np.testing.assert_allclose(
        together[np.lexsort(together.T)], load_iris().data[np.lexsort(load_iris().data.T)]
    )
    assert splits.class_names == ("setosa", "versicolor", "virginica")
    assert splits.feature_names == ("sepal length", "sepal width", "petal length", "petal width")
    assert splits.sha256() == data.load(3).sha256() != data.load(4).sha256()


def test_digest_sees_values_dtypes_and_parts():
    x, y = np.zeros((2, 3), "float32"), np.zeros(2, "int32")
    digests = {
        splits.sha256()
        for splits in (
            Splits(train=(x, y), test=(x, y)),
            Splits(train=(x + 1, y), test=(x, y)),
            Splits(train=(x.astype("float64"), y), test=(x, y)),
            Splits(train=({"features": x}, y), test=(x, y)),
            Splits(train=(x, y), test=(x, y), validation=(x, y)),
        )
    }
    assert len(digests) == 5


def test_recipe_standardises_by_the_training_split():
    made = recipe(variant="tiny", seed=5, smoke=True)
    x, _ = made.data.train
    columns = made.model.get_layer("columns")
    np.testing.assert_allclose(columns.mean, x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(columns.scale, 1 / x.std(axis=0), rtol=1e-5)


def test_a_flower_is_asked_about_by_the_names_of_its_measurements():
    model = iris(**VARIANTS["tiny"], class_names=data.load().class_names)
    flower = dict(zip(FEATURES, (5.5, 3.5, 1.3, 0.2), strict=True))
    (named,) = ka.predict(model, [dict(reversed(flower.items()))])
    (line,) = ka.predict(model, ["5.5,3.5,1.3,0.2"])
    assert named.ranking == line.ranking
    assert named.label in data.load().class_names


def test_same_seed_same_model():
    first, second = (recipe(variant="tiny", seed=7).model.get_weights() for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_unknown_names_are_explained():
    with pytest.raises(ValueError, match=r"no recipe 'rose'\. Recipes: .*iris"):
        recipes.load("rose")
    with pytest.raises(ValueError, match=r"no variant 'huge'\. Variants: default, reference"):
        recipe(variant="huge")


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.delitem(sys.modules, "zoo.recipes.iris")
    monkeypatch.setitem(sys.modules, "sklearn.pipeline", None)
    with pytest.raises(ModuleNotFoundError, match=r"'iris' needs sklearn.*keras-attention\[zoo\]"):
        recipes.load("iris")


def test_every_recipe_promises_something():
    assert "iris" in recipes.names()
    assert all(recipes.promise(name).endswith(".") for name in recipes.names())


def test_baseline_is_the_one_of_the_literature():
    scores = [logistic_regression(data.load(seed)) for seed in range(5)]
    assert 0.9 < np.mean(scores) < 1.0


def test_training_learns_and_saves_everything(tmp_path):
    made = experiment.configure(recipe, 0, variant="tiny", epochs=6, batch_size=8)
    assert (made.epochs, made.batch_size) == (6, 8)
    result = experiment.train(made)
    assert result.history["loss"][-1] < result.history["loss"][0]
    metrics = reports.save(result, tmp_path)
    assert metrics["test"] == result.test

    x, _ = made.data.test
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(logits(loaded, x), logits(made.model, x), atol=1e-5)
    with ka.capture() as maps:
        loaded(x)
    assert [w.shape for w in maps.values()] == [(30, 2, 4, 4)]


def test_a_failing_picture_leaves_no_metrics_behind(tmp_path):
    def fail(model, splits):
        raise RuntimeError("no ink")

    made = experiment.configure(recipe, 0, variant="tiny", epochs=1)
    made = dataclasses.replace(made, pictures=fail)
    with pytest.raises(RuntimeError, match="no ink"):
        reports.save(experiment.train(made, watch=False), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_interrupted_writing_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "new" / "metrics.json"
    files.write_json(path, {"accuracy": 1})
    before = path.read_text()

    def interrupted():
        with files.complete(path) as temporary:
            temporary.write_text('{"accur')
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_text() == before
    assert list(path.parent.iterdir()) == [path]
