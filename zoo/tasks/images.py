"""Parts of recipes of image classification: a simpler method and pictures."""

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression

from keras_attention.explain import attention_maps, plots
from keras_attention.explain.attribution.elements import elements
from zoo.data import Splits
from zoo.harness import charts
from zoo.harness.experiment import predict


def logistic_regression(splits: Splits) -> float:
    """Returns the test accuracy of multinomial logistic regression on the pixels."""
    (x, y), (x_test, y_test) = splits.train, splits.test
    model = LogisticRegression(max_iter=100, tol=1e-3)
    model.fit(x.reshape(len(x), -1) / 255, y)
    return model.score(x_test.reshape(len(x_test), -1) / 255, y_test)


def draw_pictures(model: keras.Model, splits: Splits) -> dict:
    """Draws the confusion matrix, and attention to one test image of each class."""
    x, y = splits.test
    predicted = np.argmax(predict(model, splits.test, batch_size=256), axis=-1)
    names = splits.class_names
    rows = [int(np.flatnonzero(y == label)[0]) for label in range(len(names))]
    patches = elements(model, x[rows])
    maps = plots.patch_weights(attention_maps(model, patches.inputs), *patches.grid)
    titles = [
        names[y[row]] + ("" if predicted[row] == y[row] else f"\n(as {names[predicted[row]]})")
        for row in rows
    ]
    return {
        "confusion_matrix": charts.confusion_matrix(
            y, predicted, names, title=f"{splits.source.name}, {len(y):,} test images"
        ),
        "attention": plots.image_attention(
            patches.array,
            {path: patches.cells(weights) for path, weights in maps.items()},
            titles,
            title="What each layer attends to, mean over heads; test images",
        ),
    }
