"""Settings of a layer in a layer, or of a weight, are kept: frozen, the policy, any number."""

import copy
import pickle

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.layers.part_settings import parts
from tests.backend import to_numpy


def model():
    x = keras.Input((4, 6))
    y = ka.layers.TransformerBlock(2, 8, name="block")(x)
    y = keras.layers.MultiHeadAttention(2, 3, name="of_keras")(y, y)
    y = keras.layers.BatchNormalization(name="norm")(y)
    z = keras.Input((4, 6))
    inner = keras.Model(z, keras.layers.Dense(5, name="inner")(z), name="nested")
    return keras.Model(x, keras.layers.Dense(3, name="dense")(inner(y)))


def trainable(model):
    """The places of what is trained among the weights."""
    ids = {id(variable) for variable in model.trainable_variables}
    return [id(variable) in ids for variable in model.weights]


FREEZE = {
    "part of ours": lambda model: setattr(model.get_layer("block").attention, "trainable", False),
    "all of ours": lambda model: setattr(model.get_layer("block"), "trainable", False),
    "all but a part": lambda model: [
        setattr(model.get_layer("block"), "trainable", False),
        setattr(model.get_layer("block"), "_trainable", True),
        setattr(model.get_layer("block").feed_forward, "trainable", True),
    ],
    "part of Keras's": lambda model: setattr(
        model.get_layer("of_keras").query_dense, "trainable", False
    ),
    "all of Keras's": lambda model: setattr(model.get_layer("of_keras"), "trainable", False),
    "a weight": lambda model: setattr(model.get_layer("dense").kernel, "trainable", False),
    "a model inside": lambda model: setattr(model.get_layer("nested"), "trainable", False),
    "a norm": lambda model: setattr(model.get_layer("norm"), "trainable", False),
    "all": lambda model: setattr(model, "trainable", False),
    "nothing": lambda model: None,
}


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize("name", FREEZE)
def test_a_file_keeps_what_is_frozen(name, tmp_path):
    saved = model()
    FREEZE[name](saved)
    ka.save_model(saved, tmp_path / "model.keras")
    loaded = ka.load_model(tmp_path / "model.keras")
    assert trainable(loaded) == trainable(saved)
    for part in ("attention", "feed_forward"):
        mine, its = (getattr(each.get_layer("block"), part) for each in (loaded, saved))
        assert mine.trainable == its.trainable
        assert len(mine.trainable_variables) == len(its.trainable_variables)
    keras.saving.load_model(tmp_path / "model.keras")  # reads it too


def through_a_file(model, path):
    model.save(path)
    return keras.saving.load_model(path)


WAYS = {
    "a file of Keras": through_a_file,
    "a clone": lambda model, _: keras.models.clone_model(model),
    "JSON": lambda model, _: keras.models.model_from_json(model.to_json()),
    "a deep copy": lambda model, _: copy.deepcopy(model),
    "a pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
}


@pytest.mark.parametrize("way", WAYS)
def test_layers_of_ours_stay_frozen_without_our_files(way, tmp_path):
    """Their configuration says so."""
    x = keras.Input((4, 6))
    y = ka.layers.TransformerBlock(2, 8, name="half")(x)
    y = ka.layers.TransformerBlock(2, 8, position="relative_bias", name="part_of_a_part")(y)
    y = ka.layers.MultiHeadSelfAttention(2, name="whole")(y)
    y = ka.layers.TransformerBlock(2, 8, name="weights")(y)
    y = ka.layers.TransformerBlock(2, 8, name="thawed")(y)
    y = ka.layers.TransformerBlock(2, 8, name="adapted")(y)
    first = keras.Model(x, keras.layers.Dense(3)(y))
    first.get_layer("half").attention.trainable = False
    first.get_layer("part_of_a_part").attention.position.trainable = False
    first.get_layer("whole").trainable = False
    first.get_layer("thawed").trainable = False
    first.get_layer("thawed").feed_forward.trainable = True
    first.get_layer("adapted").attention.adapt("query_kernel").add_adapter(2, 2.0)
    first.get_layer("adapted").trainable = False
    first.get_layer("weights").attention.query_kernel.trainable = False
    first.get_layer("weights").feed_forward.output_bias.trainable = False
    second = WAYS[way](first, tmp_path / "model.keras")
    assert trainable(second) == trainable(first)
    assert trainable(first).count(False) > 10
    assert not second.get_layer("whole").trainable_variables
    for path, part in parts(second.get_layer("half")):
        assert part.trainable == dict(parts(first.get_layer("half")))[path].trainable, path


@pytest.mark.parametrize("way", WAYS)
def test_a_policy_that_is_set_afterwards_is_that_of_the_parts(way, tmp_path):
    x = keras.Input((4, 6))
    first = keras.Model(x, ka.layers.TransformerBlock(2, 8, name="block")(x))
    first.get_layer("block").dtype_policy = "mixed_bfloat16"
    second = WAYS[way](first, tmp_path / "model.keras")
    second.set_weights(first.get_weights())
    values = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
    np.testing.assert_array_equal(*(to_numpy(each(values)) for each in (first, second)))
    for each in (first, second):
        assert each.get_layer("block").attention.compute_dtype == "bfloat16"


@pytest.mark.parametrize("way", [*WAYS, "a file of ours"])
def test_what_is_set_on_parts_afterwards_is_kept(way, tmp_path):
    def through_our_file(model, path):
        return ka.load_model(ka.save_model(model, path))

    x = keras.Input((4, 6))
    first = keras.Model(x, ka.layers.TransformerBlock(2, 8, name="block")(x))
    values = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
    before = to_numpy(first(values))
    first.get_layer("block").attention_norm.epsilon = 0.5
    first.get_layer("block").attention.dropout = 0.25
    second = {**WAYS, "a file of ours": through_our_file}[way](first, tmp_path / "model.keras")
    second.set_weights(first.get_weights())
    outputs = [to_numpy(each(values)) for each in (first, second)]
    np.testing.assert_array_equal(*outputs)
    assert np.abs(outputs[0] - before).max() > 1e-3
    assert second.get_layer("block").attention.dropout == 0.25


@pytest.mark.parametrize("name", ["part of ours", "all of ours", "a weight", "a model inside"])
def test_a_training_of_a_part_goes_on(name, tmp_path):
    x, y = np.ones((2, 4, 6), "float32"), np.zeros((2, 4, 3), "float32")
    saved = model()
    FREEZE[name](saved)
    saved.compile("adam", "mse")
    saved.fit(x, y, verbose=0)
    ka.save_model(saved, tmp_path / "model.keras")
    resumed = ka.load_model(tmp_path / "model.keras", resume=True)
    for each in (saved, resumed):
        each.fit(x, y, epochs=2, verbose=0)
    for mine, its in zip(resumed.weights, saved.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(mine), to_numpy(its), err_msg=its.path)


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize("name", ["part of ours", "all of Keras's", "a weight of ours", "lora"])
def test_a_training_from_a_file_of_keras_or_a_checkpoint_goes_on(name, tmp_path):
    def frozen():
        made = model()
        if name == "lora":
            ka.enable_lora(made, 2, seed=0)
        elif name == "a weight of ours":
            made.get_layer("block").attention.key_kernel.trainable = False
        else:
            FREEZE[name](made)
        made.compile("adam", "mse")
        return made

    x, y = np.ones((4, 4, 6), "float32"), np.zeros((4, 4, 3), "float32")
    saved = frozen()
    checkpoint = ka.callbacks.Checkpoint(tmp_path / "checkpoints", every=1)
    saved.fit(x, y, batch_size=2, shuffle=False, verbose=0, callbacks=[checkpoint])
    saved.save(tmp_path / "model.keras")
    resumed = ka.load_model(tmp_path / "model.keras", resume=True)
    assert trainable(resumed) == trainable(saved)
    again = frozen()
    callback = ka.callbacks.Checkpoint(tmp_path / "checkpoints", every=1, resume=True)
    again.fit(x, y, batch_size=2, shuffle=False, verbose=0, epochs=2, callbacks=[callback])
    for each in (saved, resumed):
        each.fit(x, y, batch_size=2, shuffle=False, verbose=0)
    for one, other, third in zip(saved.weights, resumed.weights, again.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(other), to_numpy(one), err_msg=one.path)
        np.testing.assert_array_equal(to_numpy(third), to_numpy(one), err_msg=one.path)
