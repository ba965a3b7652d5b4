"""Inputs that no layer can compute with: a table of faults, and what every layer says.

Each is refused before anything is computed, in the same words on every backend.
"""

import inspect
import re

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention.layers.entrance import Entrance
from tests.backend import shapes_and_dtypes
from tests.layers.test_contract import FIRST

L = ka.layers
REMEDY = 'Convert it to numbers first, as by `.astype("float32")`.'


def ragged(x):
    rows = x.tolist()
    return [rows[0][:-1], *rows[1:]]


# fault -> (what is passed instead of an array, the words of the error)
OF_ARRAYS = {
    "nothing": (lambda x: None, "{name}=None."),
    "a word": (lambda x: "hello", "{name}='hello'."),
    "a path": (lambda x: np.ndarray, "{name}=<class 'numpy.ndarray'>."),
    "a dict": (lambda x: {"a": 1}, "{name}={{'a': 1}}."),
    "a number": (lambda x: 3, "{name} of shape ()"),
    "words": (lambda x: x.astype(str), "an array of dtype <U"),
    "lists of words": (lambda x: x.astype(str).tolist(), REMEDY),
    "objects": (lambda x: x.astype(object), f"an array of dtype object. {REMEDY}"),
    "complex": (lambda x: x.astype("complex64"), f"an array of dtype complex64. {REMEDY}"),
    "dates": (lambda x: x.astype("datetime64[s]"), f"an array of dtype datetime64[s]. {REMEDY}"),
    "rows of different lengths": (
        ragged,
        "a list whose rows differ in length or are no numbers. Pad the rows to one length, and "
        "pass a mask.",
    ),
    "several tensors": (
        lambda x: [ops.convert_to_tensor(x)] * 2,
        "a list of 2 tensors. Pass arguments one by one, as in `layer(",
    ),
    "symbolic words": (lambda x: keras.KerasTensor(x.shape, "string"), "dtype string."),
    "an axis too many": (lambda x: x[..., None], "{name} of shape {shape}"),
    "an axis too few": (lambda x: x[0], "{name} of shape {shape}"),
    "a batch of its own": (lambda x: np.concatenate([x, x]), "{name} of shape {shape}"),
}
ANY_RANK = (
    L.ActionValues,
    L.Labels,
    L.Quantities,
    L.RMSNormalization,
    L.SumNormalization,
    L.TokenEmbedding,
)
OF_MASKS = {
    "a word": (lambda m: "hello", "{name}='hello'."),
    "words": (lambda m: m.astype(str), "an array of dtype <U"),
    "rows of different lengths": (ragged, "Pad the rows to one length"),
    "true": (lambda m: True, "{name} of shape ()"),
    "one": (lambda m: 1, "{name} of dtype int"),
    "integers": (lambda m: m.astype("int32"), "{name} of dtype int32"),
    "floats": (lambda m: m.astype("float32").tolist(), "{name} of dtype float"),
    "another length": (lambda m: m[:, :-1], "{name} of shape"),
    "another batch": (lambda m: m[:1].repeat(5, 0), "{name} of shape"),
    "an axis too many": (lambda m: m[..., None], "{name} of shape"),
}


def concerns(fault, case, name):
    """Whether a fault is one for an argument of this layer."""
    if "axis" in fault and (
        case.layer in ANY_RANK
        or case.layer is L.SpectrogramAugmentation
        or (case.layer, fault) == (L.PositionalEncoding, "an axis too many")
    ):
        return False
    if fault == "nothing" and inspect.signature(case.layer.call).parameters[name].default is None:
        return False
    if fault == "a number" and case.layer is L.TokenEmbedding:
        return False
    if (fault, name) == ("an axis too few", "relative_embeddings"):  # one for all rows
        return False
    return fault != "a batch of its own" or name != case.first


def refused(call, name, words, bad):
    shape = bad.shape if isinstance(bad, np.ndarray) else ()
    received = re.escape(words.format(name=name, shape=tuple(shape)))
    with pytest.raises((TypeError, ValueError), match=rf"(?s)`{name}`.*Received: .*{received}"):
        call()


@pytest.mark.parametrize("name", L.__all__)
def test_every_layer_says_what_it_takes(name):
    layer = getattr(L, name)
    assert issubclass(layer, Entrance)
    assert set(layer.takes) <= set(inspect.signature(layer.call).parameters)
    assert layer.takes, "nothing is checked"


@pytest.mark.parametrize("case", FIRST.values(), ids=lambda case: case.layer.__name__)
def test_faults_are_named(case):
    data = case.data(2)
    layer = case.layer(**case.config)  # refused before it is built
    for name in case.inputs:
        for fault, (spoil, words) in OF_ARRAYS.items():
            if hasattr(layer, "encodes"):  # which raw values are meant for
                words = words.replace('`.astype("float32")`', "`ka.encode(model, ...)`")
            if concerns(fault, case, name):
                bad = spoil(data[name])
                refused(lambda bad=bad, name=name: layer(**{**data, name: bad}), name, words, bad)
    if not case.masks:
        return
    layer.build(**{f"{name}_shape": shape for name, shape in case.shapes(None, None).items()})
    for name, mask in case.padding(data).items():
        for spoil, words in OF_MASKS.values():
            bad = spoil(mask)
            refused(lambda bad=bad, name=name: layer(**data, **{name: bad}), name, words, bad)


@pytest.mark.parametrize("case", FIRST.values(), ids=lambda case: case.layer.__name__)
def test_other_sizes_than_the_weights_are_refused(case):
    layer, data = case.make(), case.data(2)
    for name in case.inputs:
        letter = layer.takes[name].rstrip(")").rpartition(", ")[2]
        if letter in layer.built_for:
            wider = np.concatenate([data[name], data[name][..., :1]], axis=-1)
            words = (
                f"with {letter}={data[name].shape[-1]}, which the layer was built for. Received: "
                f"{name} of shape {wider.shape}. Make another layer for another size."
            )
            with pytest.raises(ValueError, match=re.escape(words)):
                layer(**{**data, name: wider})
            inputs = {key: keras.Input(x.shape[1:], dtype=x.dtype.name) for key, x in data.items()}
            inputs[name] = keras.Input(wider.shape[1:])
            with pytest.raises(ValueError, match="which the layer was built for"):
                layer(**inputs)


def test_channels_and_widths_without_a_letter():
    image = np.zeros((1, 4, 4, 3), "float32")
    patches, embedding = L.PatchEmbedding(4, 2), L.TokenEmbedding(5, 4)
    patches(image)
    with pytest.raises(ValueError, match="the channels that the weights were built for, 3"):
        patches(image[..., :2])
    embedding(np.zeros((1, 2), "int32"))
    with pytest.raises(ValueError, match="the width that the weights were built for, 4"):
        embedding(np.zeros((1, 2, 5), "float32"), reverse=True)


def test_edge_features_in_every_call_or_in_none():
    x, edges = np.zeros((1, 3, 5), "float32"), np.zeros((1, 2, 2), "int32")
    features = np.zeros((1, 2, 4), "float32")
    for first, second in ({}, {"edge_features": features}), ({"edge_features": features}, {}):
        layer = L.GraphAttention(4)
        layer.build(x.shape, edges.shape, **{f"{k}_shape": v.shape for k, v in first.items()})
        with pytest.raises(ValueError, match="`edge_features` must be passed in every call or in"):
            layer(x, edges=edges, **second)


@pytest.mark.only_on("tensorflow")  # which alone has them
def test_ragged_tensors_are_refused():
    import tensorflow as tf

    with pytest.raises(TypeError, match=r"Received: a RaggedTensor\. Make it dense, with a mask"):
        L.FeedForward(4)(tf.ragged.constant([[[1.0]], [[1.0], [2.0]]]))


def test_integers_keep_their_mask():
    ids = keras.Input((3,), dtype="int32")
    x = keras.layers.Masking()(keras.layers.Reshape((3, 1))(ids))
    whole = ops.cast(x, "int32")
    whole._keras_mask = x._keras_mask
    pooled = keras.Model(ids, L.AttentionPooling()(whole))(np.array([[4, 4, 0]]))
    np.testing.assert_allclose(ops.convert_to_numpy(pooled), [[4.0]], atol=1e-6)


def test_an_empty_batch_is_a_batch():
    for case in FIRST.values():
        data = case.data(2)
        empty = {name: x[:0] for name, x in data.items()}
        shape = shapes_and_dtypes(case.make(), empty).shape
        assert shape[0] == 0 or not case.by_row, case.name
