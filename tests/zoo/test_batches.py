import keras
import numpy as np
import pytest

from zoo.data.batches import Batches


def rows(count=10):
    x = np.arange(count, dtype="float32")[:, None]
    return x, np.arange(count)


def epoch(batches):
    batches.on_epoch_begin()
    return np.concatenate([batches[i][1] for i in range(batches.num_batches)])


def test_every_row_once_per_epoch_in_orders_of_their_own():
    np.random.seed(0)
    batches = Batches(*rows(), batch_size=4)
    assert [len(batches[i][1]) for i in range(batches.num_batches)] == [4, 4, 2]
    first, second = epoch(batches), epoch(batches)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first.tolist() != second.tolist()


def test_order_comes_from_numpy_alone():
    orders = []
    for _ in range(2):
        np.random.seed(3)
        orders.append(epoch(Batches(*rows(), batch_size=3)).tolist())
    np.random.seed(3)
    assert orders[0] == orders[1] == np.random.permutation(10).tolist()


def test_without_shuffle_rows_keep_their_order():
    batches = Batches(*rows(), batch_size=4, shuffle=False)
    assert epoch(batches).tolist() == epoch(batches).tolist() == list(range(10))


def test_inputs_by_name_stay_together():
    x, y = rows()
    batches = Batches({"a": x, "b": -x}, y, batch_size=4)
    batches.on_epoch_begin()
    inputs, labels = batches[1]
    np.testing.assert_array_equal(inputs["a"][:, 0], labels)
    np.testing.assert_array_equal(inputs["b"][:, 0], -labels)


def test_arguments_are_checked():
    x, y = rows()
    with pytest.raises(ValueError, match=r"as many rows. Received: x \{'x': 10\}, y 9"):
        Batches(x, y[:9], batch_size=2)
    with pytest.raises(ValueError, match="`batch_size` must be a positive integer"):
        Batches(x, y, batch_size=0)


def test_fit_trains_on_them_in_that_order():
    """Also where batches are fetched ahead, in another thread (TensorFlow)."""

    class See(keras.layers.Layer):
        def build(self, shape):
            self.weight = self.add_weight(shape=())

        def call(self, x):
            return x + 0 * self.weight

    class Trained(keras.callbacks.Callback):
        """The loss is the mean of the rows this far, from which the row follows."""

        rows = ()

        def on_train_begin(self, logs=None):
            np.random.seed(5)  # to build the model, `fit` may have begun an epoch already

        def on_train_batch_end(self, batch, logs=None):
            mean = float(logs["loss"])
            before = self.rows[-batch:] if batch else ()
            self.rows = (*self.rows, round(mean * (batch + 1) - sum(before)))

    model = keras.Sequential([keras.Input((1,)), See()])
    model.compile("sgd", loss=lambda y_true, y_pred: y_pred)
    trained = Trained()
    model.fit(
        Batches(*rows(), batch_size=1), shuffle=False, epochs=4, verbose=0, callbacks=[trained]
    )
    np.random.seed(5)
    assert list(trained.rows) == [i for _ in range(4) for i in np.random.permutation(10)]
