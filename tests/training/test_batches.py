import pickle

import keras
import numpy as np
import pytest

from keras_attention.training.batches import Batches

pytestmark = pytest.mark.runs_on("torch")


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


def padded(rng, rows=23, width=10):
    """Token ids padded with 0, tags and weights beside them, one number per row."""
    lengths = rng.integers(1, width + 1, rows)
    mask = np.arange(width)[None] < lengths[:, None]
    ids = np.where(mask, np.arange(rows)[:, None] + 1, 0)
    return {"ids": ids, "row": np.arange(rows)}, ids * 2, mask.astype("float32"), mask


def test_buckets_cut_off_padding_alone():
    x, y, weight, mask = padded(np.random.default_rng(0))
    np.random.seed(0)
    data = Batches(x, y, weight, batch_size=4, mask=mask, buckets=(3, 6))
    for _ in range(2):
        data.on_epoch_begin()
        seen, lengths, sizes = [], set(), []
        for index in range(data.num_batches):
            inputs, tags, weights = data[index]
            length = inputs["ids"].shape[1]
            assert tags.shape == weights.shape == inputs["ids"].shape
            rows = data.rows(index)
            np.testing.assert_array_equal(inputs["row"], rows)
            np.testing.assert_array_equal(inputs["ids"], x["ids"][rows, :length])
            assert not mask[rows, length:].any()
            seen += rows.tolist()
            lengths.add(length)
            sizes.append(len(rows))
        assert sorted(seen) == list(range(23))
        assert lengths == {3, 6, 10}
        assert sorted(sizes) == [3, 4, 4, 4, 4, 4]


def test_buckets_have_an_order_of_their_own_each_epoch():
    x, y, weight, mask = padded(np.random.default_rng(0))
    data = Batches(x, y, weight, batch_size=4, mask=mask, buckets=(3, 6))
    orders = []
    for _ in range(2):
        data.on_epoch_begin()
        orders.append([tuple(data.rows(index)) for index in range(data.num_batches)])
    assert orders[0] != orders[1]
    still = Batches(x, y, weight, batch_size=4, mask=mask, buckets=(3, 6), shuffle=False)
    before = [tuple(still.rows(index)) for index in range(still.num_batches)]
    still.on_epoch_begin()
    assert [tuple(still.rows(index)) for index in range(still.num_batches)] == before


def test_buckets_need_a_mask():
    with pytest.raises(ValueError, match="`mask` and `buckets` go together"):
        Batches(np.zeros((2, 3)), np.zeros(2), batch_size=1, buckets=(2,))


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize("setting", [{"workers": 2}, {"use_multiprocessing": True}])
def test_workers_that_would_mix_the_orders_of_two_epochs_are_refused(setting):
    x = np.arange(8, dtype="float32")[:, None]
    batches = Batches(x, x, batch_size=4)
    for name, value in setting.items():
        setattr(batches, name, value)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"Leave `workers` at 1.*Received: workers="):
        model.fit(batches, shuffle=False, verbose=0)


@pytest.mark.runs_on("torch")
def test_a_loader_of_pytorch_takes_them_in_other_processes():
    import torch

    x = np.arange(10, dtype="float32")[:, None]
    batches = Batches(x, x, batch_size=4)
    loader = torch.utils.data.DataLoader(
        batches,
        batch_size=None,
        sampler=range(batches.num_batches),
        num_workers=2,
        multiprocessing_context="fork",
    )
    np.testing.assert_array_equal(np.concatenate([array for array, _ in loader]), x)
    copy = pickle.loads(pickle.dumps(batches))  # as spawned processes get them
    for i in range(batches.num_batches):
        np.testing.assert_array_equal(copy[i], batches[i])


def test_metrics_weigh_rows_as_they_are_given():
    """Keras on PyTorch multiplies weights by the mask, scaled by padding, where they stand."""
    tokens = np.array([[1, 2, 3, 0], [1, 0, 0, 0], [2, 3, 0, 0]], "int32")
    x = keras.Input((None,), dtype="int32")
    hidden = keras.layers.Embedding(4, 3, mask_zero=True, embeddings_initializer="normal")(x)
    model = keras.Model(x, keras.layers.Dense(2, kernel_initializer="normal")(hidden))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss, weighted_metrics=["accuracy"])
    predicted = np.argmax(keras.ops.convert_to_numpy(model(tokens)), axis=-1)
    y = predicted.copy()
    y[1:] = 1 - y[1:]  # so that the first row alone is right
    weights = (tokens > 0).astype("float32")
    batches = Batches(tokens, y, weights, batch_size=1, shuffle=False)
    accuracy = model.evaluate(batches, verbose=0, return_dict=True)["accuracy"]
    assert accuracy == pytest.approx(3 / 6)
