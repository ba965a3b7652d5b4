"""A user's own table: from a raw file with holes to a model that answers about such a file."""

import csv
import json

import numpy as np
import pandas
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import keras_attention as ka
from tests.backend import to_numpy
from zoo import tasks
from zoo.data import Splits
from zoo.tasks import tabular, tabular_baselines

pytestmark = pytest.mark.runs_on("torch")

TOWNS = ["Ulm", "Bonn", "Kiel"]


def houses(rows=120, seed=0):
    """A table of texts as a CSV file has them: the price follows size and town."""
    rng = np.random.default_rng(seed)
    size = rng.uniform(40, 200, rows).round(1)
    town = rng.integers(0, 3, rows)
    price = 1000 * size + 50_000 * town + rng.normal(0, 2000, rows)
    frame = pandas.DataFrame(
        {
            "id": np.arange(rows),
            "size": size.astype(str),
            "town": np.array(TOWNS)[town],
            "sold": [f"20{10 + i % 9}-0{1 + i % 9}-1{i % 10}" for i in range(rows)],
            "country": "DE",
            "price": price.round(2).astype(str),
        }
    )
    frame.loc[::10, "size"] = "NA"
    frame.loc[::15, "town"] = ""
    frame.loc[3, "price"] = ""
    frame.loc[:20, "sold"] = ""
    return frame.astype(str)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("houses")
    houses().to_csv(folder / "houses.csv", index=False)
    run = tasks.table(folder / "houses.csv", target="price", epochs=2)
    return run.fit(folder / "run", watch=False), folder


def test_it_says_what_it_found(trained):
    run, _ = trained
    said = str(run.findings)
    assert "Data: 120 rows" in said
    assert "Target: 'price', a number from " in said
    assert "pass kind='class'" in said
    assert "1 numbers (size), 1 categories (town), 1 dates (sold)" in said
    assert "'id' (another number in each row, as ids have), 'country' ('DE' in each row)" in said
    assert "'size' (12, 10.1%), 'town' (8, 6.7%), 'sold' (20, 16.8%)" in said
    assert "1 rows of `data` are left out: 'price' is empty" in said


def test_it_leaves_what_recipes_leave(trained):
    run, folder = trained
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert metrics == run.metrics
    assert metrics["request"]["arguments"]["target"] == "price"
    assert metrics["request"]["arguments"]["data"] == str(folder / "houses.csv")
    assert metrics["request"]["arguments"]["ignore"] == []
    assert set(metrics["baselines"]) == {"ridge regression", "gradient-boosted trees"}
    assert {path.stem for path in (folder / "run").glob("*.png")} == {
        *("attention", "importance", "predictions", "residuals", "training_curves")
    }
    mistakes = list(csv.DictReader((folder / "run" / "mistakes.csv").open()))
    for row in mistakes:
        error = float(row["price (predicted)"]) - float(row["price"])
        assert float(row["(error)"]) == pytest.approx(error, rel=1e-3, abs=1)
    errors = [abs(float(row["(error)"])) for row in mistakes]
    assert errors == sorted(errors, reverse=True)
    rmse = np.sqrt(np.mean(np.square(errors)))  # of all test rows, as these are few
    assert metrics["test"]["rmse"] == pytest.approx(rmse, rel=1e-3)


def test_the_file_answers_about_a_raw_table_with_holes(trained):
    _, folder = trained
    model = ka.load_model(folder / "run" / "model.keras")
    answers = ka.predict(model, folder / "houses.csv")
    assert len(answers) == 120
    assert np.isfinite([answer["price"] for answer in answers]).all()
    frame = pandas.read_csv(folder / "houses.csv")  # with numbers and NaN where there were texts
    again = ka.predict(model, frame)
    np.testing.assert_allclose(
        [a["price"] for a in again], [a["price"] for a in answers], rtol=1e-5
    )
    example = ka.predict(model, folder / "run" / "example.csv")
    assert len(example) == 3
    (unknown,) = ka.predict(model, [{"size": None, "town": "Rom", "sold": ""}])
    assert np.isfinite(unknown["price"])
    (line,) = ka.predict(model, ["NA,Ulm,2012-01-01"])
    assert np.isfinite(line["price"])


def test_what_was_never_missing_counts_for_nothing():
    frame = houses(60)
    run = tasks.table(frame, target="price")
    tokens = run.model.get_layer("categories_tokens")
    np.testing.assert_array_equal(to_numpy(tokens.embeddings)[0], 0)
    assert "" in tokens.vocabularies[0]
    numbers = run.model.get_layer("numbers_tokens")
    np.testing.assert_array_equal(to_numpy(numbers.missing), to_numpy(numbers.bias))
    train, *_ = run.recipe.data.train
    np.testing.assert_allclose(to_numpy(numbers.mean), [np.nanmean(train["size"])], rtol=1e-5)


def test_classes_are_told_from_the_column(tmp_path):
    frame = houses(90)
    frame["price"] = frame["size"].replace("NA", "0").astype(float).gt(100).map({True: 1, False: 0})
    run = tasks.table(frame, target="price", epochs=1, batch_size=64)
    assert "Target: 'price', a class; pass kind='number'" in str(run.findings)
    assert run.recipe.data.class_names == ("0", "1")
    metrics = run.fit(tmp_path, watch=False).metrics
    assert set(metrics["baselines"]) == {"logistic regression", "gradient-boosted trees"}
    (answer,) = ka.predict(
        ka.load_model(tmp_path / "model.keras"), [{"size": 1, "town": "", "sold": None}]
    )
    assert answer.label in ("0", "1")
    number = tasks.table(frame, target="price", kind="number")
    assert number.recipe.score == "rmse"


def test_a_test_table_is_tested_on():
    frame = houses(60)
    run = tasks.table(frame, target="price", test=frame.iloc[:10])
    assert len(run.recipe.data.test[1]) == 9  # one has no price
    assert "9 of 9 rows of the test data are in the training data too" in str(run.findings)
    y = run.recipe.data.train[1]
    np.testing.assert_allclose([y.mean(), y.std()], [0, 1], atol=1e-5)


def test_a_giveaway_is_named():
    frame = houses(60).assign(cents=lambda f: f["price"].replace("", "0").astype(float) * 100)
    assert "'cents' alone tell 'price'" in str(tasks.table(frame, target="price").findings)
    run = tasks.table(frame, target="price", ignore=["cents"])
    assert "alone tell" not in str(run.findings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "prise"}, r"no column 'prise' for `target`. Did you mean 'price'\?"),
        ({}, r"Say which column `target` is. Columns: id, size"),
        ({"target": "country"}, r"`target` has one class alone"),
        ({"target": "town", "kind": "number"}, r"'town' must have numbers. Received: '\w+' in row"),
        ({"target": "price", "kind": "class"}, r"classes in 59 rows, too many .* kind='number'"),
        ({"target": "price", "ignore": ["seize"]}, r"no column 'seize' for `ignore`.*'size'"),
        (
            {"target": "price", "ignore": ["size", "town", "sold"]},
            r"no column to predict 'price' from. Left out: 'id'",
        ),
    ],
)
def test_bad_data_gets_a_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        tasks.table(houses(60), **arguments)


def test_a_test_table_without_a_column_is_refused():
    frame = houses(60)
    with pytest.raises(ValueError, match="no column 'size' for `test`"):
        tasks.table(frame, target="price", test=frame.drop(columns="size"))
    bad = frame.assign(size="large")
    with pytest.raises(ValueError, match=r"'size' must have numbers\. Received: 'large' in row 0"):
        tasks.table(frame, target="price", test=bad)


def test_baselines_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)

    def part(rows):
        number = rng.normal(size=rows)
        number[::7] = np.nan
        x = {"a": number, "b": rng.choice(["u", "v", "w"], rows).astype(object)}
        return x, (np.nan_to_num(number) + (x["b"] == "u") > 0.3).astype("int32")

    splits = Splits(train=part(80), validation=part(20), test=part(40))
    frames = {name: pandas.DataFrame(getattr(splits, name)[0]) for name in ("train", "test")}
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    linear = make_column_transformer((numbers, ["a"]), (OneHotEncoder(), ["b"]))
    codes = make_column_transformer(("passthrough", ["a"]), (OrdinalEncoder(), ["b"]))
    for columns, model, score in (
        (linear, LogisticRegression(max_iter=1000), tabular_baselines.logistic_regression),
        (codes, HistGradientBoostingClassifier(random_state=0), tabular_baselines.boosted_trees),
    ):
        fitted = make_pipeline(columns, model).fit(frames["train"], splits.train[1])
        assert score(splits) == fitted.score(frames["test"], splits.test[1])
    numbers = splits.map(lambda part: (part[0], part[1][:, None].astype("float32")))
    ridge = make_pipeline(linear, RidgeCV(np.logspace(-3, 3, 7)))
    predicted = ridge.fit(frames["train"], splits.train[1]).predict(frames["test"])
    expected = np.sqrt(np.mean((predicted - splits.test[1]) ** 2))
    assert tabular_baselines.ridge_regression(numbers) == pytest.approx(expected)


def test_a_scale_goes_both_ways():
    scale = tabular.Scale(10.0, 2.0, "USD")
    np.testing.assert_allclose(scale.restore(scale.standardize(np.array([3.0, 9.0]))), [3, 9])


@pytest.mark.runs_on("torch")
def test_numbers_with_a_comma_get_a_sentence():
    rows = [{"rooms": i % 4, "price": f"{i},25"} for i in range(40)]
    with pytest.raises(ValueError, match="numbers with a comma, such as '0,25'"):
        tasks.table(rows, target="price")
