"""The checks that every model of the zoo passes.

A `ModelCase` says how to build a model and what its inputs are; the checks look at nothing else.
`test_<model>.py` holds a model's `CASES`; the first of them also stands for it in the tests of
saving and across backends.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

import keras_attention as ka
from tests.backend import assert_same_weights, compiled, to_numpy, whole

PAD = 3  # elements that padding adds to a sequence


@dataclasses.dataclass(frozen=True)
class ModelCase:
    """One configuration of a model under the contract.

    Args:
        model: the function that builds it.
        sizes: an entry of its `VARIANTS`, a small one.
        inputs: `f(rng, batch)`, arrays by the names of the inputs.
        maps: how many attention layers it has.
        config: arguments that tie it to data, such as the size of a vocabulary.
        padded: `f(inputs, by)`, the same rows padded by so many elements; `None` if nothing is.
        rows: whether outputs stand beside the elements of a row, so that padding has some too.
        classes: whether it classifies; else it gives numbers.
        features: whether these numbers are features, which have the precision of the model.
        next_token: whether the classes are the tokens that may come next, as many as the
            vocabulary has; else it takes `num_classes`.
    """

    model: Callable[..., keras.Model]
    sizes: Mapping[str, Any]
    inputs: Callable[[np.random.Generator, int], dict[str, np.ndarray]]
    maps: int
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    padded: Callable[[dict[str, np.ndarray], int], dict[str, np.ndarray]] | None = None
    rows: bool = False
    classes: bool = True
    features: bool = False
    next_token: bool = False

    @property
    def name(self):
        return self.model.__name__

    def make(self, **changes):
        """The model, with random weights everywhere: zeros and ones hide mistakes."""
        keras.utils.set_random_seed(0)
        model = self.model(**{**self.sizes, **self.config, **changes})
        rng = np.random.default_rng(1)
        for variable in model.trainable_variables:
            value = to_numpy(variable)
            variable.assign(value + 0.1 * rng.normal(size=value.shape))
        return model

    def data(self, batch=3, seed=0):
        return self.inputs(np.random.default_rng(seed), batch)


_kept: dict = {}  # the model of the case that was checked last


def built(case):
    """The model of a case for checks that leave it as it is, built and compiled once for all."""
    if _kept.get("case") is not case:
        _kept.update(case=case, model=case.make())
    return _kept["model"]


def call(model, inputs):
    """The outputs of a model for arrays by input name."""
    return to_numpy(whole(model)(_tensors(inputs)))


def recorded(model, inputs):
    """The outputs, and the weights of the attention layers by path."""

    def run(inputs):
        with ka.capture() as maps:
            outputs = model(inputs)
        return outputs, maps

    outputs, maps = compiled(run, model.variables)(_tensors(inputs))
    return to_numpy(outputs), {path: to_numpy(weights) for path, weights in maps.items()}


def _tensors(inputs):
    return feed({name: keras.ops.convert_to_tensor(x) for name, x in inputs.items()})


def feed(inputs):
    """Inputs as `fit` and `predict` take them."""
    return inputs if len(inputs) > 1 else next(iter(inputs.values()))


def sizes_are_data(case, variants, parameters):
    """Every variant builds, with as many parameters as documented."""
    counts = {}
    for name, sizes in variants.items():
        with keras.StatelessScope(initialize_variables=False):  # which takes no memory
            counts[name] = case.model(**{**case.config, **sizes}).count_params()
    keras.backend.clear_session()  # or the next scope would initialize them all
    assert counts == parameters


def named_inputs(case):
    """The inputs have the names of the vocabulary, and take any number of rows."""
    model = built(case)
    assert [tensor.name for tensor in model.inputs] == list(case.data())
    assert all(tensor.shape[0] is None for tensor in model.inputs)


def round_trip(case, tmp_path):
    """A file gives the same outputs, and Keras alone reads the same from it."""
    model, data = built(case), case.data()
    expected = call(model, data)
    ka.save_model(model, tmp_path / "model.keras")
    loaded = ka.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(call(loaded, data), expected)
    of_keras = keras.saving.load_model(tmp_path / "model.keras")
    assert of_keras.get_config() == loaded.get_config()
    assert_same_weights(of_keras, model)


def fits_a_step(case):
    """One step of `fit` changes the weights and keeps them finite."""
    model, data = case.make(), case.data()
    before = model.get_weights()
    shape = call(built(case), data).shape
    rng = np.random.default_rng(2)
    if case.classes:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        target = rng.integers(0, shape[-1], shape[:-1])
    else:
        loss, target = "mse", rng.normal(size=shape)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    model.optimizer.build(model.trainable_variables)  # or TensorFlow traces the step twice
    history = model.fit(feed(data), target, batch_size=shape[0], verbose=0).history
    assert np.isfinite(history["loss"]).all()
    after = model.get_weights()
    assert all(np.isfinite(w).all() for w in after)
    unchanged = [
        w.path
        for w, old, new in zip(model.weights, before, after, strict=True)
        if any(w is v for v in model.trainable_variables) and np.array_equal(old, new)
    ]
    assert not unchanged


def padding_invariance(case):
    """Padding changes nothing."""
    model, data = built(case), case.data()
    expected = call(model, data)
    computed = call(model, case.padded(data, PAD))
    if case.rows:
        computed = computed[:, : expected.shape[1]]
    np.testing.assert_allclose(computed, expected, atol=1e-5)


def batch_invariance(case):
    """A batch of N is N batches of 1."""
    model, data = built(case), case.data()
    together = call(model, data)
    for i in range(len(together)):
        alone = call(model, {name: x[i : i + 1] for name, x in data.items()})
        np.testing.assert_allclose(alone[0], together[i], atol=2e-5)


def mixed_precision(case):
    """16 bits compute what 32 bits do, up to their rounding, compiled, and train."""
    model, data = built(case), case.data()
    expected = call(model, data)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = case.make()
    finally:
        keras.config.set_dtype_policy(before)
    mixed.set_weights(model.get_weights())
    computed = np.asarray(mixed.predict(feed(data), verbose=0))
    precision = "bfloat16" if case.features else "float32"
    assert computed.dtype.name == precision, "logits are float32 in every precision"
    computed = computed.astype("float32")
    np.testing.assert_allclose(computed, expected, atol=0.1 * max(1.0, np.abs(expected).max()))


def attention_is_captured(case):
    """Every attention layer is recorded, with weights that sum to at most 1."""
    model, data = built(case), case.data()
    expected = call(model, data)
    computed, maps = recorded(model, data)
    assert len(maps) == case.maps, list(maps)
    np.testing.assert_allclose(computed, expected, atol=1e-5)
    for path, weights in maps.items():
        assert weights.min() >= 0, path
        if weights.ndim == 4:  # graph attention has weights per edge
            assert weights.sum(axis=-1).max() <= 1 + 1e-5, path


def without_a_head(case):
    """`num_classes=None` gives features, so that models compose."""
    model = case.make(num_classes=None)
    features = call(model, case.data())
    assert features.shape[-1] != call(built(case), case.data()).shape[-1]
    assert not any(isinstance(layer, ka.layers.Labels) for layer in model.layers)


CHECKS = {
    named_inputs: lambda case: True,
    round_trip: lambda case: True,
    fits_a_step: lambda case: True,
    padding_invariance: lambda case: case.padded is not None,
    batch_invariance: lambda case: True,
    mixed_precision: lambda case: True,
    attention_is_captured: lambda case: True,
    without_a_head: lambda case: case.classes and not case.next_token,
}
