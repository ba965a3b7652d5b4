"""Simpler methods for tables: linear models and gradient-boosted trees of scikit-learn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from keras_attention.ops import tables
from zoo.data import Splits
from zoo.readers.features import Rows


@dataclass(frozen=True)
class Matrices:
    """The parts of a table as matrices for scikit-learn, `(B, columns)` each."""

    train: Any
    validation: Any
    test: Any


def logistic_regression(splits: Splits, dates: Sequence[str] = ()) -> float:
    """Returns the test accuracy of logistic regression on numbers and one-hot categories."""
    return _accuracy(splits, encode_linear(splits, dates), LogisticRegression(max_iter=1000))


def boosted_trees(splits: Splits, dates: Sequence[str] = ()) -> float:
    """Returns the test accuracy of scikit-learn's histogram gradient boosting, not tuned."""
    trees = HistGradientBoostingClassifier(random_state=0)
    return _accuracy(splits, encode_codes(splits, dates), trees)


def ridge_regression(splits: Splits, dates: Sequence[str] = ()) -> float:
    """Returns the test error of ridge regression, in the unit of the target."""
    ridge = RidgeCV(np.logspace(-3, 3, 7))
    return _rmse(splits, encode_linear(splits, dates), ridge)


def boosted_regression_trees(splits: Splits, dates: Sequence[str] = ()) -> float:
    """Returns the test error of scikit-learn's histogram gradient boosting, not tuned."""
    trees = HistGradientBoostingRegressor(random_state=0)
    return _rmse(splits, encode_codes(splits, dates), trees)


def encode_linear(splits: Splits, dates: Sequence[str] = ()) -> Matrices:
    """Returns standardised numbers and one-hot categories.

    A missing number is the median, with a column that says that it is missing.
    """
    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    return _encode(splits, dates, numbers, OneHotEncoder(handle_unknown="ignore"))


def encode_codes(splits: Splits, dates: Sequence[str] = ()) -> Matrices:
    """Returns numbers as they are, which trees can do with missing ones, and categories by code."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return _encode(splits, dates, None, codes)


def _encode(splits: Splits, dates: Sequence[str], numbers: Any, categories: Any) -> Matrices:
    parts = [_columns(part[0], dates) for part in (splits.train, splits.validation, splits.test)]
    for encoder, columns in ((numbers, parts[0][0]), (categories, parts[0][1])):
        if encoder is not None and columns.shape[1]:
            encoder.fit(columns)
    matrices = []
    for part in parts:
        blocks = [
            columns if encoder is None else encoder.transform(columns)
            for encoder, columns in zip((numbers, categories), part, strict=True)
            if columns.shape[1]
        ]
        dense = not any(map(sparse.issparse, blocks))
        matrices.append(np.hstack(blocks) if dense else sparse.hstack(blocks).tocsr())
    return Matrices(*matrices)


def _columns(x: Rows, dates: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns numbers and categories; a date is its day, and the part of the year and the week."""
    numbers = [column for column in x.values() if column.dtype != object]
    for day in tables.numbers({name: x[name] for name in dates}, tables.day).T if dates else ():
        numbers += [day, day % 365.2425, day % 7]
    categories = [x[name] for name in x if x[name].dtype == object and name not in dates]
    rows = len(next(iter(x.values())))
    return (
        np.stack(numbers, axis=1).astype(float) if numbers else np.empty((rows, 0)),
        np.stack(categories, axis=1) if categories else np.empty((rows, 0), object),
    )


def _accuracy(splits: Splits, x: Matrices, model: Any) -> float:
    return model.fit(x.train, splits.train[1]).score(x.test, splits.test[1])


def _rmse(splits: Splits, x: Matrices, model: Any) -> float:
    predicted = model.fit(x.train, splits.train[1][:, 0]).predict(x.test)
    return float(np.sqrt(np.mean((predicted - splits.test[1][:, 0]) ** 2)))
