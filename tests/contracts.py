"""The checks that every public layer passes.

A `Case` says how to make a layer and its inputs, and what of the contract concerns it; the
checks look at nothing else. `tests/layers/test_<layer>.py` holds a layer's cases.
"""

import dataclasses
import functools
import math
import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np
from keras import ops

import keras_attention as ka
from keras_attention import kernels
from tests.backend import (
    BACKEND,
    compiled,
    differentiated,
    gradients,
    pure,
    shapes_and_dtypes,
    to_numpy,
    traced,
    traced_with_unknown_sizes,
)

PAD = 2  # masked elements that are added to a sequence


@dataclasses.dataclass(frozen=True)
class Case:
    """One configuration of a layer under the contract.

    Args:
        layer: the class.
        config: its arguments, without dropout.
        inputs: call argument -> shape without batch; "T" and "S" stand for lengths.
        masks: mask argument -> the input whose padding it tells.
        values: call argument -> `f(rng, shape, length)`, where normal numbers do not do.
        shifted: call argument -> `f(array, by)`, where padding on the left changes an input.
        rows: rows of output axis 1 that belong to the elements `start` to `stop` of the first
            input; `None` if the output has no such axis.
        lengths: T to run at.
        dropout: arguments that turn dropout on; empty if the layer has none.
        outer_mask: whether the layer takes an `attention_mask`.
        causal: whether an element sees none after it.
        scores: whether the layer returns attention scores over its last input's elements.
        scores_sum: what the weights of a row sum to, at least and at most.
        hears: names of weights that the logits grow with.
        silent: names of weights whose gradient is zero by symmetry.
        stateless: whether the layer has no weights to train.
        integer: whether the output is integers, which have no precision.
        by_row: whether the output has a row for each of the batch, and not one for all.
        branch: the branch of attention that is forced, in blocks of 4; see `kernels`.
    """

    layer: type
    config: Mapping[str, Any]
    inputs: Mapping[str, tuple]
    masks: Mapping[str, str] = dataclasses.field(default_factory=dict)
    values: Mapping[str, Callable] = dataclasses.field(default_factory=dict)
    shifted: Mapping[str, Callable] = dataclasses.field(default_factory=dict)
    rows: Callable[[int, int], Any] | None = lambda start, stop: slice(start, stop)
    lengths: tuple[int, ...] = (6, 1)
    dropout: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    outer_mask: bool = False
    causal: bool = False
    scores: bool = False
    scores_sum: tuple[float, float] = (1.0, 1.0)
    hears: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    stateless: bool = False
    integer: bool = False
    by_row: bool = True
    branch: str | None = None

    @property
    def name(self):
        settings = ",".join(f"{k}={_short(v)}" for k, v in self.config.items())
        branch = f"-{self.branch}" if self.branch else ""
        return f"{self.layer.__name__}({settings}){branch}"

    def running(self):
        """The scope in which the layer runs as the case says."""
        return kernels.forced(self.branch, block=4) if self.branch else nullcontext()

    def make(self, **kwargs):
        """The layer, built, with random weights everywhere: zeros and ones hide mistakes."""
        layer = self.layer(**{**self.config, **kwargs})
        layer.build(**{f"{name}_shape": shape for name, shape in self.shapes(None, None).items()})
        rng = np.random.default_rng(len(layer.weights))
        for variable in layer.trainable_variables:
            spread = 1.0 / max(1, variable.shape[0]) ** 0.5 if len(variable.shape) > 1 else 0.3
            offset = 1.0 if variable.path.endswith(("gamma", "scale")) else 0.0
            variable.assign(offset + spread * rng.normal(size=variable.shape))
        return layer

    def shapes(self, batch, length):
        sizes = {"T": length, "S": None if length is None else length + 2}
        return {
            name: (batch, *[sizes.get(size, size) for size in shape])
            for name, shape in self.inputs.items()
        }

    def data(self, batch=3, length=None, seed=0):
        """Inputs as NumPy arrays, without masks."""
        length = self.lengths[0] if length is None else length
        rng = np.random.default_rng(seed)
        return {
            name: self.values.get(name, _normal)(rng, shape, length)
            for name, shape in self.shapes(batch, length).items()
        }

    def padding(self, data):
        """A right-padding mask of different lengths for every mask argument."""
        masks = {}
        for name, of in self.masks.items():
            batch, length = data[of].shape[:2]
            lengths = np.maximum(1, length - np.arange(batch) % 3)
            masks[name] = np.arange(length)[None] < lengths[:, None]
        return masks

    def padded(self, data, side, fill):
        """Data with `PAD` masked elements of `fill` more, and its masks."""
        result, masks = dict(data), {}
        for mask, name in self.masks.items():
            x = data[name]
            junk = np.full((len(x), PAD, *x.shape[2:]), fill, x.dtype)
            parts = [(x, True), (junk, False)]
            parts = parts[::-1] if side == "left" else parts
            result[name] = np.concatenate([part for part, _ in parts], axis=1)
            masks[mask] = np.concatenate(
                [np.full(part.shape[:2], valid) for part, valid in parts], axis=1
            )
        if side == "left":
            for name, shift in self.shifted.items():
                result[name] = shift(data[name], PAD)
        return {**result, **masks}

    def floats(self, data):
        return [name for name in self.inputs if data[name].dtype == np.float32]

    @property
    def shared(self):
        """The layer in float32, its results and its gradients, for all checks of the case."""
        return _shared(id(self), _Kept(self))

    @property
    def residual(self):
        """Whether the output has the shape of the first input."""
        shapes = self.shapes(None, None)
        named = {f"{name}_shape": shape for name, shape in shapes.items()}
        layer = self.layer(**self.config)
        return layer.compute_output_shape(**named) == shapes[self.first]

    @property
    def first(self):
        return next(iter(self.inputs))


def _normal(rng, shape, length):
    return rng.normal(size=shape).astype("float32")


def _short(value):
    return type(value).__name__ if isinstance(value, keras.layers.Layer) else value


def first(outputs):
    """The output itself, of a layer that may return its weights too."""
    return outputs[0] if isinstance(outputs, (tuple, list)) else outputs


class _Kept:
    """A case as a key: equal to itself alone, whatever it holds."""

    def __init__(self, case):
        self.case = case

    def __eq__(self, other):
        return self.case is other.case

    def __hash__(self):
        return id(self.case)


@functools.lru_cache(maxsize=1)
def _shared(_, kept):
    return Shared(kept.case)


class Shared:
    """The layer and the results that the checks of one case share. They leave the layer as it is.

    JAX takes longer to compile a function, or each operation by itself, than to run it, so all
    checks run the same few functions on inputs of the same shapes.
    """

    def __init__(self, case):
        self.case = case
        self.layer = case.make()
        self.run = pure(self.layer)  # the output
        self.run_with_weights = pure(self.layer, return_attention_scores=True)

    @functools.cached_property
    def output(self):
        """Of `case.data()`."""
        return _array(self.run(self.case.data()))

    @functools.cached_property
    def gradients(self):
        """By inputs and by weights, of a loss of the data with padding of NaN on its right."""
        case, layer = self.case, self.layer
        data = case.data()
        call = case.padded(data, "right", np.nan) if case.masks else data
        names = case.floats(data)
        length = data[case.first].shape[1] if len(data[case.first].shape) > 1 else None

        def loss(*xs):
            out = layer(**{**call, **dict(zip(names, xs, strict=True))})
            if case.masks and case.rows is not None:
                out = out[:, case.rows(0, length)]
            return ops.sum(ops.sin(out))

        arrays = [call[name] for name in names]
        return gradients(loss, arrays, layer.trainable_variables)[1:]


def _array(output):
    return to_numpy(first(output))


def make_model(case, layer, batch=None, length=None, masks=()):
    """Returns a functional model of one layer, with its masks as inputs."""
    data = case.data()
    inputs = {
        name: keras.Input(batch_shape=shape, dtype=data[name].dtype.name, name=name)
        for name, shape in case.shapes(batch, length).items()
    }
    for name in masks:
        shape = inputs[case.masks[name]].shape[:2]
        inputs[name] = keras.Input(batch_shape=shape, dtype="bool", name=name)
    return keras.Model(inputs, layer(**inputs))


@keras.saving.register_keras_serializable(package="tests")
class WithMask(keras.layers.Layer):
    """Attaches a mask to a tensor, as Embedding does: `WithMask()([x, mask])`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs):
        return inputs[0] * 1.0

    def compute_mask(self, inputs, previous_mask):
        return inputs[1]

    def compute_output_shape(self, input_shape):
        return input_shape[0]


class MaskOf(keras.layers.Layer):
    """The mask of its input."""

    supports_masking = True

    def call(self, inputs, mask=None):
        return mask


def _propagating(case, layer):
    """Returns a model of a model of the layer, whose masks come only from Keras's propagation."""
    inputs, attached = [], {}
    data = case.data()
    mask_of = {of: name for name, of in case.masks.items()}
    for name, shape in case.shapes(None, None).items():
        x = keras.Input(batch_shape=shape, dtype=data[name].dtype.name, name=name)
        inputs.append(x)
        attached[name] = x
        if name in mask_of:
            mask = keras.Input(batch_shape=shape[:2], dtype="bool", name=mask_of[name])
            inputs.append(mask)
            attached[name] = WithMask()([x, mask])
    outputs = make_model(case, layer)(attached)
    pooled = outputs
    if case.residual and len(outputs.shape) == 3:  # what is behind sees the mask as well
        pooled = keras.layers.GlobalAveragePooling1D()(outputs)
    return keras.Model({x.name: x for x in inputs}, [outputs, pooled])


# 1


def round_trip(case, tmp_path):
    """Config and file, twice, also inside a nested model."""
    layer = case.make()
    config = layer.get_config()
    copy = case.layer.from_config(config)
    assert copy.get_config() == config
    data = case.data()
    inner = make_model(case, layer)
    inputs = {x.name: keras.Input(x.shape[1:], dtype=x.dtype, name=x.name) for x in inner.inputs}
    model = keras.Model(inputs, inner(inputs))
    first, last = model, model
    for number in range(2):
        path = tmp_path / f"{number}.keras"
        last.save(path)
        last = keras.saving.load_model(path)
    outputs = [_array(compiled(each, each.variables)(data)) for each in (first, last)]
    np.testing.assert_array_equal(*outputs)
    names = [re.sub("^.*?/", "", w.path) for w in layer.weights]
    assert len(set(names)) == len(names)


# 2


def symbolic_shapes(case):
    """Symbolic shape and dtype are the actual ones, for known and unknown sizes."""
    flags = {"return_attention_scores": True} if case.scores else {}
    layer = case.shared.layer
    for batch in (3, 1):
        for length in case.lengths:
            data = case.data(batch, length)
            actual = _flat(shapes_and_dtypes(functools.partial(layer, **flags), data))
            for sizes in ((batch, length), (None, None)):
                symbols = {
                    name: keras.KerasTensor(shape, dtype=data[name].dtype.name)
                    for name, shape in case.shapes(*sizes).items()
                }
                specs = _flat(layer.compute_output_spec(**symbols, **flags))
                assert len(specs) == len(actual)
                for spec, x in zip(specs, actual, strict=True):
                    assert spec.dtype == keras.backend.standardize_dtype(x.dtype)
                    assert len(spec.shape) == len(x.shape)
                    for size, real in zip(spec.shape, x.shape, strict=True):
                        assert size in (real, None)
                        assert size == real or sizes[0] is None
                shape = layer.compute_output_shape(
                    **{f"{name}_shape": shape for name, shape in case.shapes(*sizes).items()}
                )
                assert tuple(shape) == tuple(specs[0].shape)


def _flat(outputs):
    return list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]


def unknown_sizes(case):
    """A function traced without knowing batch and lengths computes the same."""
    layer = case.shared.layer
    data = case.data()
    shapes = case.shapes(None, None)
    names = list(shapes)
    function = traced_with_unknown_sizes(
        lambda *xs: layer(**dict(zip(names, xs, strict=True))),
        [shapes[name] for name in names],
        [data[name].dtype.name for name in names],
    )
    for length in case.lengths:
        data = case.data(2, length)
        output = _array(function(*[ops.convert_to_tensor(data[name]) for name in names]))
        np.testing.assert_allclose(output, _array(layer(**data)), atol=1e-5)


# 3


def padding_invariance(case):
    """Padding on either side changes nothing, whatever it contains; gradients included."""
    data = case.data()
    expected = case.shared.output
    length = data[case.first].shape[1]
    for side, start in (("right", 0), ("left", PAD)):
        for fill in (0.0, 1e4, np.nan, np.inf):
            output = _array(case.shared.run(case.padded(data, side, fill)))
            if case.rows is not None:
                output = output[:, case.rows(start, start + length)]
            np.testing.assert_allclose(output, expected, atol=1e-5, err_msg=f"{side} {fill}")
    by_input, by_weight = case.shared.gradients
    for gradient in (*by_input, *by_weight):
        assert np.isfinite(gradient).all()


def batch_invariance(case):
    """A batch of N is N batches of 1."""
    data = case.data()
    data = {**data, **case.padding(data)}
    together = _array(case.shared.run(data))
    for i in range(3):
        single = _array(case.shared.run({name: x[i : i + 1] for name, x in data.items()}))
        np.testing.assert_allclose(single[0], together[i], atol=1e-5)


# 4


def masks_agree(case):
    """Propagated, explicit and combined masks agree, in nested models; masks are left alone."""
    shared = case.shared
    data = case.data()
    masks = case.padding(data)
    call = {**data, **masks}
    expected = _array(shared.run(call))
    kept = np.ones(expected.shape[:2], bool)
    if case.residual:
        kept = next((masks[m] for m, of in case.masks.items() if of == case.first), kept)
    model = _propagating(case, shared.layer)
    output, pooled = map(to_numpy, compiled(model, model.variables)(call))
    np.testing.assert_allclose(output, expected, atol=1e-6)
    if pooled.ndim < output.ndim:
        mean = (output * kept[..., None]).sum(1) / kept.sum(1, keepdims=True)
        np.testing.assert_allclose(pooled, mean, atol=1e-5)
    if case.outer_mask:
        of_query = masks.get("query_mask", masks.get("mask"))
        of_key = masks.get("value_mask", of_query)
        outer = of_query[:, :, None] & of_key[:, None, :]
        output = _array(shared.run({**data, "attention_mask": outer}))
        np.testing.assert_allclose(output, expected, atol=1e-5)
        outer = (outer | ~of_query[:, :, None])[:, None]
        output = _array(shared.run({**call, "attention_mask": outer}))
        np.testing.assert_allclose(output, expected, atol=1e-5)

    attached = dict(data)
    for name, of in case.masks.items():
        attached[of] = WithMask()([data[of], ops.convert_to_tensor(masks[name])])
    before = {of: attached[of]._keras_mask for of in case.masks.values()}
    first = _array(shared.layer(**attached))
    for of, mask in before.items():
        assert attached[of]._keras_mask is mask
        np.testing.assert_array_equal(to_numpy(mask), masks[_name_of(case, of)])
    np.testing.assert_array_equal(_array(shared.layer(**attached)), first)  # a second sees them
    np.testing.assert_allclose(first, expected, atol=1e-6)


def _name_of(case, of):
    return next(name for name, masked in case.masks.items() if masked == of)


def residual_keeps_mask(case):
    """`Add()([x, layer(x)])` has the mask of x."""
    layer = case.shared.layer
    data = case.data()
    masks = case.padding(data)
    mask = next(m for name, m in masks.items() if case.masks[name] == case.first)

    inputs = {
        name: keras.Input(batch_shape=x.shape, dtype=x.dtype.name) for name, x in data.items()
    }
    inputs["mask"] = keras.Input(batch_shape=mask.shape, dtype="bool")
    x = WithMask()([inputs[case.first], inputs["mask"]])
    y = layer(**{name: x if name == case.first else inputs[name] for name in data})
    model = keras.Model(inputs, MaskOf()(keras.layers.Add()([x, y])))
    kept = compiled(model, model.variables)({**data, "mask": mask})
    np.testing.assert_array_equal(to_numpy(kept), mask)


# 5


def causality(case):
    """A change at t changes nothing before t, forward and in gradients."""
    layer = case.shared.layer
    data = case.data()
    at = data[case.first].shape[1] // 2
    changed = data[case.first].copy()
    changed[:, at:] += np.random.default_rng(1).normal(size=changed[:, at:].shape)
    before = case.shared.output
    after = _array(case.shared.run({**data, case.first: changed}))
    np.testing.assert_allclose(after[:, :at], before[:, :at], atol=1e-6)
    assert np.abs(after[:, at:] - before[:, at:]).max() > 1e-3

    def early(x):
        return ops.sum(ops.square(layer(**{**data, case.first: x})[:, :at]))

    _, (gradient,), _ = gradients(early, [data[case.first]])
    np.testing.assert_array_equal(gradient[:, at:], 0.0)
    assert np.abs(gradient[:, :at]).max() > 1e-3


# 6


def nothing_to_attend_to(case):
    """Rows without anything to see are exactly zero; gradients are finite and right."""
    layer = case.shared.layer
    data = case.data()
    masks = case.padding(data)
    for mask in masks.values():
        mask[-1] = False
    call = {**data, **masks}
    for output in _with_and_without_weights(layer)(call):
        np.testing.assert_array_equal(to_numpy(output)[-1], 0.0)

    by_input = _right_gradients(case, layer, call)
    for mask, of in case.masks.items():
        np.testing.assert_array_equal(by_input[of][~masks[mask]], 0.0)

    if case.outer_mask:  # an attention mask that hides everything from some queries
        keys = data.get("value", data[case.first]).shape[1]
        sees = np.ones((*data[case.first].shape[:2], keys), bool)
        sees[0, 1::2] = False
        sees[1] = False
        call = {**data, "attention_mask": sees}
        output, weights, without_weights = _with_and_without_weights(layer)(call)
        for result in (output, without_weights):
            np.testing.assert_array_equal(to_numpy(result)[~sees.any(-1)], 0.0)
        hidden = np.broadcast_to(~sees if weights.ndim == 3 else ~sees[:, None], weights.shape)
        np.testing.assert_array_equal(to_numpy(weights)[hidden], 0.0)
        _right_gradients(case, layer, call)


def nothing_to_attend_to_in_16_bits(case):
    """Rows without anything to see are exactly zero in every dtype."""
    data = case.data()
    masks = case.padding(data)
    for mask in masks.values():
        mask[-1] = False
    for dtype in ("float16", "bfloat16"):
        for output in _with_and_without_weights(case.make(dtype=dtype))({**data, **masks}):
            np.testing.assert_array_equal(to_numpy(output)[-1], 0.0)


def _with_and_without_weights(layer):
    """Returns the layer as a function: output and weights, and the output without them."""
    return compiled(
        lambda call: (*layer(**call, return_attention_scores=True), layer(**call)), layer.variables
    )


def _right_gradients(case, layer, call):
    """Gradients by input, after comparing them with finite differences."""
    names = case.floats(call)
    rng = np.random.default_rng(2)

    def loss(*xs):  # of each number of the output another share
        out = layer(**{**call, **dict(zip(names, xs, strict=True))})
        shares = ops.cos(2.0 * ops.arange(math.prod(out.shape), dtype="float32") + 1.0)
        return ops.sum(ops.multiply(out, ops.reshape(shares, out.shape)))

    arrays = [call[name] for name in names]
    run = differentiated(loss, layer.trainable_variables)
    _, by_input, by_weight = run(*arrays)
    for gradient in (*by_input, *by_weight):
        assert np.isfinite(gradient).all()
    directions = [rng.normal(size=x.shape).astype("float32") for x in arrays]
    slope = sum((g * d).sum() for g, d in zip(by_input, directions, strict=True))
    step = 1e-2
    ahead, behind = (
        run(*[x + s * d for x, d in zip(arrays, directions, strict=True)])[0] for s in (step, -step)
    )
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), rtol=5e-3, atol=5e-3)
    return dict(zip(names, by_input, strict=True))


# 7


def weights_are_weights(case):
    """Non-negative, summing to 1 over what is visible; asking for them changes nothing."""
    shared = case.shared
    data = case.data()
    masks = case.padding(data)

    def recorded(call):
        with ka.capture() as maps:
            output = shared.layer(**call)
        (weights,) = maps.values()
        return output, weights

    record = compiled(recorded, shared.layer.variables)
    for call in (data, {**data, **masks}):
        plain = _array(shared.run(call))
        output, weights = map(to_numpy, shared.run_with_weights(call))
        np.testing.assert_allclose(output, plain, atol=1e-6)
        assert (weights >= 0).all()
        totals = weights.sum(-1)
        if call is data:
            assert (totals >= case.scores_sum[0] - 1e-5).all()
        assert (totals <= case.scores_sum[1] + 1e-5).all()
        output, captured = map(to_numpy, record(call))
        np.testing.assert_allclose(output, plain, atol=1e-6)
        np.testing.assert_array_equal(captured.reshape(weights.shape), weights)
    of_keys = list(case.masks)[-1]
    hidden = ~masks[of_keys]
    if weights.shape[-1] == hidden.shape[-1]:
        np.testing.assert_array_equal(np.moveaxis(weights, -1, 1)[hidden], 0.0)


# 8


# On JAX each costs a compilation, so two of them have to show both dtypes, alone and mixed.
POLICIES, OTHER_POLICIES = ("float16", "mixed_bfloat16"), ("bfloat16", "mixed_float16")
if BACKEND != "jax":
    POLICIES, OTHER_POLICIES = (*POLICIES, *OTHER_POLICIES), ()
DIGITS = {"float16": 2e-2, "bfloat16": 1.5e-1}


def low_precision(case, policies=POLICIES):
    """16 bits compute what 32 bits do, up to their rounding; and are finite, forward and
    backward, with logits 300 times as large as well."""
    data = case.data()
    call = {**data, **case.padding(data)}
    names = case.floats(data)
    arrays = [call[name] for name in names]
    expected = _array(case.shared.run(call))
    for policy in policies:
        layer = case.make(dtype=policy)
        dtype = keras.DTypePolicy(policy).compute_dtype

        def loss(*xs, layer=layer):
            out = layer(**{**call, **dict(zip(names, xs, strict=True))})
            assert keras.backend.standardize_dtype(out.dtype) == dtype  # noqa: B023
            out = ops.cast(out, "float32")
            return ops.mean(ops.sin(out)), out

        run = differentiated(loss, layer.trainable_variables)
        (_, output), *gradients = run(*arrays)
        close = DIGITS[dtype] * max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(output, expected, atol=close, err_msg=policy)
        if case.hears:
            for variable in layer.trainable_variables:
                if variable.path.split("/")[-1] in case.hears:
                    variable.assign(ops.clip(300 * variable, -6e4, 6e4))
            (_, output), *more = run(*arrays)
            assert np.isfinite(output).all(), policy
            gradients += more
        for gradient in [gradient for several in gradients for gradient in several]:
            assert np.isfinite(gradient).all(), policy


def low_precision_of_other_policies(case):
    low_precision(case, OTHER_POLICIES)


def low_precision_in_a_graph(case):
    """16 bits compute what 32 bits do where TensorFlow traces them too."""
    model = make_model(case, case.make(dtype="mixed_float16"))
    output = np.asarray(_array(model.predict(case.data(), verbose=0)), "float32")
    close = DIGITS["float16"] * max(1.0, np.abs(case.shared.output).max())
    np.testing.assert_allclose(output, case.shared.output, atol=close)


def every_dtype(case):
    """Numbers of whatever dtype, lists and arrays of either byte order are computed in the
    layer's own dtype."""
    shared, data = case.shared, case.data()
    names = case.floats(data)
    whole = {name: np.round(2 * data[name]).clip(0, 99) for name in names}
    given = [
        {name: x.astype(dtype) for name, x in whole.items()}
        for dtype in ("int32", "uint8", "int64", "float16", "float64", ">f4", ">i2")
    ]
    given += [{name: x.tolist() for name, x in whole.items()}]
    if not names:
        given = [{name: x.astype(dtype) for name, x in data.items()} for dtype in ("int64", ">i4")]
        given += [{name: x.tolist() for name, x in data.items()}]
    expected = _array(shared.run({**data, **whole}))
    for inputs in given:
        call = {**data, **inputs}
        if BACKEND == "jax":  # where numbers of each dtype cost a compilation
            output = first(shapes_and_dtypes(lambda call=call: shared.layer(**call), {}))
        else:
            output = first(shared.layer(**call))
            np.testing.assert_allclose(to_numpy(output), expected, atol=1e-5)
        assert keras.backend.standardize_dtype(output.dtype) == expected.dtype.name
        assert tuple(output.shape) == expected.shape
    true = {name: x > 0 for name, x in whole.items()}
    ones = {name: x.astype("float32") for name, x in true.items()}
    output, expected = (_array(shared.run({**data, **inputs})) for inputs in (true, ones))
    np.testing.assert_allclose(output, expected, atol=1e-5)
    if BACKEND != "jax" and not case.integer:  # JAX has no float64 unless it is told to
        output = first(case.make(dtype="float64")(**data))
        assert keras.backend.standardize_dtype(output.dtype) == "float64"
        np.testing.assert_allclose(to_numpy(output), shared.output, atol=1e-5)


# 9


def traced_equals_eager(case):
    """A compiled function gives what the call gives."""
    layer = case.shared.layer
    data = case.data()
    call = {**data, **case.padding(data)}
    names = list(call)
    expected = _array(layer(**call))
    function = traced(lambda *xs: layer(**dict(zip(names, xs, strict=True))))
    output = function(*[ops.convert_to_tensor(call[name]) for name in names])
    np.testing.assert_allclose(_array(output), expected, atol=1e-5)


def predict_equals_call(case):
    """`predict` of a model gives what the call gives."""
    data = case.data()
    call = {**data, **case.padding(data)}
    model = make_model(case, case.shared.layer, masks=case.masks)
    output = model.predict(call, verbose=0)
    np.testing.assert_allclose(output, _array(case.shared.run(call)), atol=1e-5)


def every_weight_learns(case):
    """The gradient of every weight is finite and not zero."""
    _, by_weight = case.shared.gradients
    for variable, gradient in zip(case.shared.layer.trainable_variables, by_weight, strict=True):
        assert np.isfinite(gradient).all()
        if variable.path.split("/")[-1] in case.silent:
            assert np.abs(gradient).max() < 1e-4, variable.path
        else:
            assert np.abs(gradient).max() > 1e-5, variable.path


def fits_one_batch(case):
    """`fit` learns one batch: the outputs of the same layer with other weights."""
    keras.utils.set_random_seed(0)
    data = case.data()
    student = case.make()
    rng = np.random.default_rng(5)
    for variable in student.trainable_variables:
        variable.assign_add(0.3 * rng.normal(size=variable.shape))
    model = make_model(case, student)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    model.optimizer.build(model.trainable_variables)  # or TensorFlow traces the step twice
    target = case.shared.output

    def error():
        return np.square(_array(case.shared.run(data, like=student)) - target).mean()

    before = error()
    steps = {name: np.concatenate([x] * 60) for name, x in data.items()}  # one epoch, 60 steps
    model.fit(steps, np.concatenate([target] * 60), batch_size=3, shuffle=False, verbose=0)
    assert error() < 0.3 * before


def weights_begin_apart(case):
    """No two weights begin with the same random numbers, and a seed brings all back."""
    runs = []
    for _ in range(2):
        keras.utils.set_random_seed(4)
        layer = case.layer(**case.config)
        layer.build(**{f"{n}_shape": shape for n, shape in case.shapes(None, None).items()})
        runs.append({variable.path: to_numpy(variable) for variable in layer.trainable_variables})
    names = [name.rpartition("/")[2] for name in runs[0]]
    for (name, value), again in zip(runs[0].items(), runs[1].values(), strict=True):
        np.testing.assert_array_equal(value, again)
        if np.ptp(value) > 0:
            twins = [
                other
                for other, numbers in runs[0].items()
                if numbers.shape == value.shape and np.array_equal(numbers, value)
            ]
            assert twins == [name], names


# 10


def determinism(case):
    """A seed fixes everything; training differs from inference by dropout alone."""
    shared = case.shared
    data = case.data()
    inference = shared.output
    np.testing.assert_array_equal(_array(shared.run(data)), inference)
    if not case.dropout:
        return
    training = pure(shared.layer, training=True)
    np.testing.assert_allclose(_array(training(data)), inference, atol=1e-6)
    train, infer, runs = None, None, []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        dropping = case.make(**case.dropout)
        if train is None:
            train, infer = pure(dropping, training=True), pure(dropping)
        runs.append(_array(train(data, like=dropping)))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.abs(runs[0] - runs[2]).max() > 1e-4
    assert np.abs(runs[0] - inference).max() > 1e-4
    np.testing.assert_array_equal(_array(infer(data)), _array(infer(data)))


def _always(case):
    return True


CHECKS = {
    round_trip: _always,
    symbolic_shapes: _always,
    # PyTorch and JAX know the sizes of every call; tiles need known lengths.
    unknown_sizes: lambda case: BACKEND == "tensorflow" and case.branch not in ("rows", "tiled"),
    padding_invariance: lambda case: case.masks,
    batch_invariance: lambda case: case.by_row,
    masks_agree: lambda case: case.masks,
    residual_keeps_mask: lambda case: case.residual and case.first in case.masks.values(),
    causality: lambda case: case.causal,
    nothing_to_attend_to: lambda case: case.scores,
    nothing_to_attend_to_in_16_bits: lambda case: case.scores,
    weights_are_weights: lambda case: case.scores,
    low_precision: lambda case: not case.integer,
    every_dtype: _always,
    low_precision_of_other_policies: lambda case: bool(OTHER_POLICIES) and not case.integer,
    low_precision_in_a_graph: lambda case: BACKEND == "tensorflow" and not case.integer,
    # PyTorch takes tiles for comparison alone, and does not trace them.
    traced_equals_eager: lambda case: (BACKEND, case.branch) != ("torch", "tiled"),
    predict_equals_call: lambda case: (BACKEND, case.branch) != ("torch", "tiled"),
    weights_begin_apart: lambda case: not case.stateless,
    every_weight_learns: lambda case: not case.stateless,
    fits_one_batch: lambda case: case.by_row and not case.stateless,
    determinism: _always,
}
