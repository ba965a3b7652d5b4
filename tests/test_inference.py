"""Outputs without Keras's trainer: the same numbers, after errors and in threads too."""

import threading

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention import inference
from tests.backend import to_numpy

LENGTH = 6


def model():
    keras.utils.set_random_seed(0)
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(9, 4, mask_zero=True)(ids)
    x = ka.layers.PositionalEncoding("learned", max_length=LENGTH)(x)
    return keras.Model(ids, keras.layers.Dense(2)(ka.layers.AttentionPooling()(x)))


@pytest.fixture(scope="module")
def given():
    """A model, ids, and its outputs for them."""
    network, ids = model(), np.random.default_rng(0).integers(1, 9, (5, LENGTH)).astype("int32")
    return network, ids, to_numpy(network(ids))


TOO_LONG = np.ones((2, LENGTH + 1), "int32")


@pytest.mark.parametrize("batch_size", [2, 5, 32])
def test_batches_give_what_the_model_gives(given, batch_size):
    network, ids, expected = given
    outputs = inference.outputs(network, ids, batch_size=batch_size)
    assert isinstance(outputs, np.ndarray)
    np.testing.assert_allclose(outputs, expected, atol=1e-6)
    assert inference.outputs(network, ids[:0]).shape == (0, 2)


def test_an_error_leaves_the_model_as_it_was(given):
    network, (_, ids, expected) = model(), given  # one that has compiled nothing
    for wrong, error in ((TOO_LONG, ValueError), (np.array(["a"]), TypeError), (3, TypeError)):
        with pytest.raises(error):
            inference.outputs(network, wrong)
        np.testing.assert_allclose(to_numpy(network(ids)), expected, atol=1e-6)


def test_what_is_too_long_is_said_in_the_same_words():
    """On TensorFlow, too, whose graph of any length finds out as it runs."""
    network = model()
    for length in (2, LENGTH - 1, LENGTH):
        inference.outputs(network, np.ones((2, length), "int32"))
    with pytest.raises(ValueError, match=f"`inputs` must be at most max_length={LENGTH}"):
        inference.outputs(network, TOO_LONG)


def test_threads_get_their_own_answers(given):
    network, ids, expected = given
    wrong = []

    def ask(row):
        for _ in range(5):
            output = inference.outputs(network, ids[row : row + 1])
            if not np.allclose(output, expected[row : row + 1], atol=1e-6):
                wrong.append(output)

    threads = [threading.Thread(target=ask, args=(row,)) for row in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    np.testing.assert_allclose(to_numpy(network(ids)), expected, atol=1e-6)


def test_outputs_keep_their_structure_and_inputs_their_rows():
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    network = keras.Model([a, b], {"sum": a + b, "both": [a, b]})
    arrays = {"a": np.ones((3, 2)), "b": np.zeros((3, 2))}
    outputs = inference.outputs(network, arrays, batch_size=2)
    np.testing.assert_array_equal(outputs["sum"], np.ones((3, 2)))
    np.testing.assert_array_equal(outputs["both"][1], np.zeros((3, 2)))
    assert inference.outputs(network, {"a": np.ones((0, 2)), "b": np.ones((0, 2))})["sum"].size == 0
    with pytest.raises(ValueError, match=r"as many rows\. Received: a 3, b 2"):
        inference.outputs(network, {**arrays, "b": np.zeros((2, 2))})


def test_other_variables_are_seen():
    network, ids = model(), np.ones((1, 3), "int32")
    inference.outputs(network, ids)
    network.layers[-1].enable_lora(1)
    network.layers[-1].lora_kernel_b.assign(np.ones((1, 2)))
    np.testing.assert_allclose(inference.outputs(network, ids), to_numpy(network(ids)), atol=1e-6)


@pytest.mark.parametrize("what", ["evaluate", "train_on_batch", "predict", "fit"])
def test_the_guard_gives_variables_back(what):
    network, ids = model(), np.ones((2, 3), "int32")
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    y, expected = np.zeros(2, "int32"), to_numpy(network(ids))
    arguments = (TOO_LONG,) if what == "predict" else (TOO_LONG, y)
    quiet = {} if what == "train_on_batch" else {"verbose": 0}
    with pytest.raises(ValueError, match="max_length"), inference.guarded(network):
        getattr(network, what)(*arguments, **quiet)
    np.testing.assert_array_equal(to_numpy(network(ids)), expected)
    with inference.guarded(network):
        loss = float(network.train_on_batch(ids, y))
    assert np.isfinite(loss)
    assert not np.array_equal(to_numpy(network(ids)), expected), "what succeeded stays"


@pytest.mark.only_on("jax")
@pytest.mark.parametrize("what", ["evaluate", "train_on_batch"])
def test_the_guard_gives_back_what_a_compiled_step_overwrote(what):
    """The error comes while the compiled step runs, which was given the variables' memory."""
    import jax

    def fail(x):
        if (x == 7).any():
            raise RuntimeError("a seven")
        return x

    class Fragile(keras.layers.Layer):
        def call(self, x):
            return jax.pure_callback(fail, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    x = keras.Input((2,))
    network = keras.Model(x, keras.layers.Dense(1)(Fragile()(x)))
    network.compile("sgd", "mse")
    rows, sevens, y = np.ones((2, 2)), np.full((2, 2), 7.0), np.zeros((2, 1))
    arguments = {} if what == "train_on_batch" else {"verbose": 0}
    with inference.guarded(network):
        getattr(network, what)(rows, y, **arguments)
    expected = to_numpy(network.layers[-1].kernel)
    with pytest.raises(Exception, match="a seven"), inference.guarded(network):
        getattr(network, what)(sevens, y, **arguments)
    np.testing.assert_array_equal(to_numpy(network.layers[-1].kernel), expected)
    with inference.guarded(network):
        assert np.isfinite(network.evaluate(rows, y, verbose=0))
