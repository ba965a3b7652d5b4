"""Weights in safetensors files, as the safetensors library reads and writes them."""

import sys

import keras
import ml_dtypes
import numpy as np
import pytest
import safetensors
from keras import layers
from safetensors.numpy import load_file, save_file

import keras_attention as ka
from keras_attention.saving import tensors
from keras_attention.saving.errors import DamagedFileError, FileError, NewerFileError
from tests.backend import to_numpy


def small():
    x = keras.Input((4,))
    return keras.Model(x, layers.Dense(2, name="head")(layers.Dense(3)(x)))


def nested():
    """Layers of layers, of a nested model, wrapped, in lists, and named by nobody."""
    x = keras.Input((5, 8))
    y = ka.layers.TransformerBlock(num_heads=2, intermediate_dim=16, name="block_0")(x)
    y = ka.layers.TransformerBlock(num_heads=2, intermediate_dim=16)(y)
    y = layers.MultiHeadAttention(2, 4)(y, y)
    y = layers.Normalization()(layers.BatchNormalization()(y))
    y = layers.Bidirectional(layers.SimpleRNN(3, return_sequences=True))(y)
    y = layers.RNN([layers.SimpleRNNCell(2), layers.GRUCell(3)], return_sequences=True)(y)
    y = keras.Sequential([layers.Dense(3), layers.Dense(4)])(y)
    y = layers.Dropout(0.1)(layers.TimeDistributed(layers.Dense(2))(y))
    return keras.Model(x, layers.Dense(2)(layers.Dense(3)(y)))


PROJECTIONS = [
    *(f"attention/{part}" for part in ("query", "key", "value", "output")),
    *("feed_forward/input", "feed_forward/output"),
]
DENSE = [
    *(f"multi_head_attention/{part}_dense" for part in ("query", "key", "value", "output")),
    *("sequential/dense", "sequential/dense_1", "time_distributed/layer", "dense", "dense_1"),
]
CELLS = [
    *("bidirectional/forward_layer/cell", "bidirectional/backward_layer/cell"),
    *("rnn/cell/cells_0", "rnn/cell/cells_1"),
]
NAMES = {
    *(
        f"{block}/{part}_{weight}"
        for block in ("block_0", "transformer_block")
        for part in PROJECTIONS
        for weight in ("kernel", "bias")
    ),
    *(
        f"{block}/{norm}/{weight}"
        for block in ("block_0", "transformer_block")
        for norm in ("attention_norm", "feed_forward_norm")
        for weight in ("gamma", "beta")
    ),
    *(f"{dense}/{weight}" for dense in DENSE for weight in ("kernel", "bias")),
    *(f"{cell}/{weight}" for cell in CELLS for weight in ("kernel", "recurrent_kernel", "bias")),
    *(f"normalization/{weight}" for weight in ("mean", "variance", "count")),
    *(
        f"batch_normalization/{weight}"
        for weight in ("gamma", "beta", "moving_mean", "moving_variance")
    ),
}


def randomize(model):
    random = np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(random.uniform(-0.5, 0.5, variable.shape).astype("float32"))


def test_names_say_where_a_weight_is_in_every_session(tmp_path):
    for _ in range(2):  # Keras counts on: the second model's layers have other names
        model = nested()
        tensors.to_safetensors(model, tmp_path / "x.safetensors")
        assert set(load_file(tmp_path / "x.safetensors")) == NAMES
    model.save(tmp_path / "x.keras")
    assert set(tensors.weights(keras.saving.load_model(tmp_path / "x.keras"))) == NAMES


def test_the_library_reads_the_weights_and_where_they_come_from(tmp_path):
    model = small()
    tensors.to_safetensors(model, tmp_path / "new" / "x.safetensors")
    dense, head = model.layers[1:]
    expected = {
        "dense/kernel": dense.kernel,
        "dense/bias": dense.bias,
        "head/kernel": head.kernel,
        "head/bias": head.bias,
    }
    with safetensors.safe_open(tmp_path / "new" / "x.safetensors", framework="numpy") as file:
        assert set(file.keys()) == set(expected)
        for name, variable in expected.items():
            np.testing.assert_array_equal(file.get_tensor(name), to_numpy(variable))
        metadata = file.metadata()
    assert metadata["format"] == "keras"
    assert metadata["keras_attention_format"] == "1"
    assert metadata["keras"] == keras.__version__
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["x.safetensors"]


def test_another_model_gets_every_weight(tmp_path):
    model, other = nested(), nested()
    randomize(model)
    tensors.to_safetensors(model, tmp_path / "x.safetensors")
    tensors.from_safetensors(other, tmp_path / "x.safetensors")
    for a, b in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(a), to_numpy(b), err_msg=a.path)


def test_a_normalization_uses_what_it_was_given(tmp_path):
    x = np.random.default_rng(0).normal(3, 2, size=(50, 4)).astype("float32")
    model, other = (keras.Sequential([keras.Input((4,)), layers.Normalization()]) for _ in "ab")
    model.layers[0].adapt(x)
    tensors.to_safetensors(model, tmp_path / "x.safetensors")
    tensors.from_safetensors(other, tmp_path / "x.safetensors")
    expected = (x - x.mean(axis=0)) / x.std(axis=0)
    np.testing.assert_allclose(to_numpy(other(x)), expected, atol=1e-4)


def test_weights_that_another_program_wrote(tmp_path):
    random = np.random.default_rng(0)
    arrays = {
        "dense/kernel": random.normal(size=(4, 3)).astype("float32"),
        "dense/bias": random.normal(size=3).astype("float32"),
        "head/kernel": random.normal(size=(3, 2)).astype("float32"),
        "head/bias": random.normal(size=2).astype("float32"),
    }
    save_file(arrays, tmp_path / "x.safetensors")
    model = small()
    tensors.from_safetensors(model, tmp_path / "x.safetensors")
    x = random.normal(size=(5, 4)).astype("float32")
    a, b, c, d = arrays.values()
    np.testing.assert_allclose(to_numpy(model(x)), (x @ a + b) @ c + d, atol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_types_are_kept(dtype, tmp_path):
    x = keras.Input((4,), dtype=dtype)
    model = keras.Model(x, layers.Dense(3, dtype=dtype)(x))
    value = np.arange(12, dtype="float32").reshape(4, 3) / 7
    model.layers[1].kernel.assign(value.astype(getattr(ml_dtypes, dtype, dtype)))
    tensors.to_safetensors(model, tmp_path / "x.safetensors")
    stored = load_file(tmp_path / "x.safetensors")["dense/kernel"]
    assert stored.dtype.name == dtype
    np.testing.assert_array_equal(stored, value.astype(stored.dtype))
    model.layers[1].kernel.assign(value * 0)
    tensors.from_safetensors(model, tmp_path / "x.safetensors")
    np.testing.assert_array_equal(
        to_numpy(model.layers[1].kernel), value.astype(stored.dtype).astype(float)
    )


def test_a_quantized_model(tmp_path):
    model, other = small(), small()
    randomize(model)
    for each in (model, other):
        each.quantize("int8")
    tensors.to_safetensors(model, tmp_path / "x.safetensors")
    stored = load_file(tmp_path / "x.safetensors")
    assert stored["head/kernel"].dtype == np.int8
    assert set(stored) == {
        f"{layer}/{name}"
        for layer in ("dense", "head")
        for name in ("kernel", "kernel_scale", "bias")
    }
    tensors.from_safetensors(other, tmp_path / "x.safetensors")
    x = np.ones((2, 4), "float32")
    np.testing.assert_allclose(to_numpy(other(x)), to_numpy(model(x)), atol=1e-6)
    with pytest.raises(FileError, match="head/kernel has the type I8, in the model float32"):
        tensors.from_safetensors(small(), tmp_path / "x.safetensors")


def test_everything_wrong_is_listed_and_nothing_is_changed(tmp_path):
    model = small()
    arrays = {
        "dense/kernel": np.ones((4, 3), "float32"),  # as it should be
        "dense/bias": np.array([1, np.nan, 3], "float32"),
        "head/kernel": np.ones((2, 3), "float16"),
        "heads/bias": np.ones(2, "float32"),
        "optimizer/step": np.ones((), "int64"),
    }
    save_file(arrays, tmp_path / "x.safetensors")
    before = [to_numpy(variable) for variable in model.weights]
    with pytest.raises(FileError) as error:
        tensors.from_safetensors(model, tmp_path / "x.safetensors")
    assert str(error.value).splitlines()[1:] == [
        "- dense/bias is NaN or infinite",
        "- head/bias is missing",
        "- head/kernel has shape (2, 3), in the model (3, 2)",
        "- head/kernel has the type F16, in the model float32",
        "- heads/bias is not in the model",
        "- optimizer/step is not in the model",
    ]
    for variable, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(to_numpy(variable), old)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_not_written(value, tmp_path):
    model = small()
    path = tmp_path / "x.safetensors"
    tensors.to_safetensors(model, path)
    before = path.read_bytes()
    model.layers[1].bias.assign([0, value, 0])
    model.layers[2].bias.assign([value, 0])
    with pytest.raises(ValueError, match=r"(?s)- dense/bias is NaN.*- head/bias is NaN"):
        tensors.to_safetensors(model, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:100],
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: b"\xff" * 8 + content[8:],
        lambda content: content.replace(b"F32", b"F99"),
    ],
)
def test_damaged_files_are_named_as_such(damage, tmp_path):
    path = tmp_path / "x.safetensors"
    tensors.to_safetensors(small(), path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DamagedFileError, match=r"x\.safetensors: It is no whole safetensors file"):
        tensors.from_safetensors(small(), path)


def test_no_file_and_a_newer_one(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(FileNotFoundError, match=r"no file .*x\.safetensors"):
        tensors.from_safetensors(small(), path)
    save_file({}, path, metadata={"keras_attention_format": "2"})
    with pytest.raises(NewerFileError, match=r"has format 2.*Install a newer"):
        tensors.from_safetensors(small(), path)


def test_two_weights_of_one_name_are_refused():
    x = keras.Input((4,))
    y = layers.Dense(4)(layers.EinsumDense("bi,ij->bj", 4, name="dense")(x))
    with pytest.raises(ValueError, match=r"the name 'dense/kernel': .* other names"):
        tensors.weights(keras.Model(x, y))


def test_a_shared_layer_is_written_once(tmp_path):
    x = keras.Input((4,))
    dense = layers.Dense(4)
    tensors.to_safetensors(keras.Model(x, dense(dense(x))), tmp_path / "x.safetensors")
    assert set(load_file(tmp_path / "x.safetensors")) == {"dense/kernel", "dense/bias"}


def test_a_model_that_was_not_built_has_no_names():
    with pytest.raises(ValueError, match="`model` must be built"):
        tensors.weights(keras.Sequential([layers.Dense(2)]))


def test_a_subclassed_model(tmp_path):
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.parts = [layers.Dense(4), layers.Dense(4)]
            self.head = layers.Dense(2, name="head")
            self.scale = self.add_weight(shape=(), name="scale")

        def call(self, x):
            for part in self.parts:
                x = part(x)
            return self.head(x) * self.scale

    model = Model()
    model(np.ones((1, 4), "float32"))
    tensors.to_safetensors(model, tmp_path / "x.safetensors")
    stored = load_file(tmp_path / "x.safetensors")
    assert set(stored) == {
        "scale",
        *(f"{layer}/{w}" for layer in ("dense", "dense_1", "head") for w in ("kernel", "bias")),
    }
    np.testing.assert_array_equal(stored["dense_1/kernel"], to_numpy(model.parts[1].kernel))
    assert stored["scale"].shape == ()


def test_the_optimizer_stays_out(tmp_path):
    model = small()
    model.compile("adam", "mse")
    model.fit(np.ones((2, 4)), np.ones((2, 2)), verbose=0)
    tensors.to_safetensors(model, tmp_path / "x.safetensors")
    assert len(load_file(tmp_path / "x.safetensors")) == 4


def test_missing_library_is_named_with_its_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r'pip install "keras-attention\[hub\]"'):
        tensors.to_safetensors(small(), tmp_path / "x.safetensors")


def with_header(path, change):
    """Changes the text of the header."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = change(content[8:end].decode().strip()).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[end:])


@pytest.mark.runs_on("torch")
def test_a_name_that_is_there_twice_is_refused(tmp_path):
    """The library takes the last."""
    path = tmp_path / "x.safetensors"
    tensors.to_safetensors(small(), path)
    tensor = '"head/bias":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}'
    with_header(path, lambda header: f"{{{tensor}," + header[1:])
    with pytest.raises(DamagedFileError, match="'head/bias' twice"):
        tensors.from_safetensors(small(), path)


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize("number", ["9" * 5000, "-1", "1.5", "one", "\u0661", ""])
def test_a_format_that_is_no_number_is_refused(tmp_path, number):
    path = tmp_path / "x.safetensors"
    save_file({}, path, metadata={"keras_attention_format": number})
    with pytest.raises(DamagedFileError, match="Its format is "):
        tensors.from_safetensors(small(), path)
