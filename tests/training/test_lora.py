"""Adapters of low rank: the paper's equation, whom they reach, what is trained, files, merging."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention import kernels
from keras_attention.saving import tensors
from tests.backend import BACKEND, differentiated, to_numpy
from tests.contracts import first
from tests.layers.test_contract import CASES

RNG = np.random.default_rng(0)
IDS = RNG.integers(1, 30, (3, 7)).astype("int32")
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def writer(num_blocks=1, **block):
    """A small language model, whose head is a layer of Keras."""
    x = keras.Input((None,), dtype="int32", name="token_ids")
    h = ka.layers.TokenEmbedding(30, 8, name="embedding")(x)
    for i in range(num_blocks):
        settings = {"causal": True, "position": "rotary", "activation": "swiglu", **block}
        h = ka.layers.TransformerBlock(2, 16, name=f"block_{i}", **settings)(h)
    return keras.Model(x, keras.layers.Dense(30, name="head")(h))


def fill(model, scale=0.3):
    """Gives the adapters' B numbers, which are zeros at first."""
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        if variable.name == "lora_b":
            variable.assign(scale * rng.normal(size=variable.shape))


def generate(model):
    return ka.generate(model, IDS[:, :3], max_new_tokens=5)


def trainable(model):
    return [variable.path for variable in model.trainable_variables]


# Those of each layer that has kernels.
LAYERS = {
    f"{case.layer.__name__}-{number}": case
    for number, case in enumerate(CASES)
    if case.branch is None
    and getattr(case.layer, "kernel_names", ())
    and case.config.get("score") != "dot"
}
FIRST = set({case.layer: name for name, case in reversed(LAYERS.items())}.values())
CHECKED = [  # the others compute with the same products
    name if name in FIRST else pytest.param(name, marks=pytest.mark.runs_on("torch"))
    for name in LAYERS
]


def adapted(layer):
    """Has the kernels of a layer adapted; returns them by name, one of two names once."""
    by_id = {}
    for name in layer.kernel_names:
        if getattr(layer, name, None) is not None:
            kernel = layer.adapt(name)
            by_id.setdefault(id(kernel), (name, kernel))
    return dict(by_id.values())


@pytest.mark.parametrize("name", CHECKED)
def test_outputs_and_gradients_are_those_of_the_sum(name):
    """Equation 3, and the chain rule: dA = s dW B^T, dB = s A^T dW with s = alpha / r."""
    case, rank, alpha = LAYERS[name], 2, 3.0
    layer, plain = case.make(), case.make()
    data = case.data()
    weigh = ops.convert_to_tensor(RNG.normal(size=first(plain(**data)).shape).astype("float32"))
    layer(**data)
    plain.set_weights(layer.get_weights())
    kernels = adapted(layer)
    for number, kernel in enumerate(kernels.values()):
        kernel.add_adapter(rank, alpha, seed=number)
    before = to_numpy(first(layer(**data)))
    if BACKEND != "jax":  # where it is compiled in other pieces
        np.testing.assert_array_equal(before, to_numpy(first(plain(**data))))
    for name, kernel in kernels.items():
        kernel.lora_b.assign(RNG.normal(size=kernel.lora_b.shape))
        low, high = to_numpy(kernel.lora_a), to_numpy(kernel.lora_b)
        getattr(plain, name).assign(to_numpy(kernel.variable) + alpha / rank * low @ high)

    def score(of):
        return lambda: ops.sum(
            ops.cast(first(of(**data)), "float32") * ops.convert_to_tensor(weigh)
        )

    factors = [w for kernel in kernels.values() for w in (kernel.lora_a, kernel.lora_b)]
    value, _, gradients = differentiated(score(layer), factors)()
    wholes = [getattr(plain, name) for name in kernels]
    expected, _, of_wholes = differentiated(score(plain), wholes)()
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)
    for i, (kernel, gradient) in enumerate(zip(kernels.values(), of_wholes, strict=True)):
        low, high = to_numpy(kernel.lora_a), to_numpy(kernel.lora_b)
        products = alpha / rank * gradient @ high.T, alpha / rank * low.T @ gradient
        for mine, its in zip(gradients[2 * i : 2 * i + 2], products, strict=True):
            np.testing.assert_allclose(mine, its, rtol=1e-3, atol=1e-4 * max(1, np.abs(its).max()))


@pytest.mark.parametrize("name", sorted(FIRST))
@pytest.mark.runs_on("torch")
def test_8_bits_are_within_half_a_step_of_the_kernel(name):
    case = LAYERS[name]
    layer, plain = case.make(), case.make()
    data = case.data()
    plain(**data)
    layer(**data)
    plain.set_weights(layer.get_weights())
    layer.quantize("int8")
    for name, kernel in adapted(layer).items():
        whole = to_numpy(getattr(plain, name))
        step = np.abs(whole).max(axis=0) / 127
        values, near = to_numpy(kernel.values), to_numpy(kernel.value())
        assert values.dtype == np.int8
        np.testing.assert_allclose(near, values * step, rtol=1e-6)
        assert (np.abs(near - whole) <= step / 2 * 1.001).all()
        getattr(plain, name).assign(near)
    mine, its = (to_numpy(first(each(**data))) for each in (layer, plain))
    np.testing.assert_allclose(mine, its, atol=1e-5 * max(1, np.abs(its).max()))
    again = type(layer).from_config(layer.get_config())
    again(**data)
    assert [v.path.split("/")[1:] for v in again.weights] == [
        v.path.split("/")[1:] for v in layer.weights
    ]


def test_the_gradient_of_8_bits_is_that_of_the_numbers():
    """dx = dy W^T, of `y = x W`."""
    x, weigh = (RNG.normal(size=(5, size)).astype("float32") for size in (4, 3))
    kernel = keras.Variable(RNG.normal(size=(4, 3)))
    quantized = kernels.AdaptedKernel(kernel)
    quantized.quantize_to(to_numpy(kernel))
    _, (gradient,), _ = differentiated(
        lambda x: ops.sum(kernels.multiply(x, quantized) * ops.convert_to_tensor(weigh)), ()
    )(x)
    np.testing.assert_allclose(gradient, weigh @ to_numpy(quantized.value()).T, rtol=1e-5)


def test_a_model_trains_its_adapters_and_its_head():
    model = writer(2)
    before = to_numpy(model(IDS))
    plain = {v.path: to_numpy(v) for v in model.weights}
    ka.enable_lora(model, 3, alpha=6.0, seed=0)
    np.testing.assert_array_equal(to_numpy(model(IDS)), before)
    # r * (D + U) of four kernels of attention and three of each feed-forward network, and the head
    count = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert count == 2 * 3 * (4 * (8 + 8) + 3 * (8 + 16)) + (8 + 1) * 30
    model.compile(keras.optimizers.Adam(0.02), LOSS)
    losses = model.fit(IDS, np.roll(IDS, -1, axis=1), epochs=6, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    changed = {v.path for v in model.weights if not np.array_equal(plain.get(v.path), to_numpy(v))}
    assert changed == set(trainable(model))
    assert {path for path in changed if "lora" not in path} == {"head/kernel", "head/bias"}


def test_generation_notices(tmp_path):
    """Whatever is made of a model that has generated."""
    model = writer()
    first_ids = generate(model)
    ka.enable_lora(model, 2, train=[])
    np.testing.assert_array_equal(generate(model), first_ids)
    fill(model, 3.0)
    logits = to_numpy(model(IDS))
    adapted_ids = generate(model)
    assert not np.array_equal(adapted_ids, first_ids)
    fresh = writer()
    ka.saving.to_safetensors(model, tmp_path / "x.safetensors")
    ka.enable_lora(fresh, 2, train=[])
    ka.saving.from_safetensors(fresh, tmp_path / "x.safetensors")
    np.testing.assert_array_equal(generate(fresh), adapted_ids)

    ka.merge_lora(model)
    np.testing.assert_allclose(to_numpy(model(IDS)), logits, atol=1e-4)
    np.testing.assert_array_equal(generate(model), adapted_ids)
    assert [v.path for v in model.weights] == [v.path for v in writer().weights]
    model.trainable = False
    model.trainable = True
    assert len(trainable(model)) == len(model.weights)
    model.set_weights(writer().get_weights())
    again = generate(model)
    other = writer()
    other.set_weights(model.get_weights())
    np.testing.assert_array_equal(generate(other), again)

    ka.quantize(model)
    step_by_step = generate(model)
    row = list(IDS[0, :3])
    for token in step_by_step[0]:
        assert token == np.argmax(to_numpy(model(np.array([row])))[0, -1])
        row.append(token)


@pytest.mark.parametrize("order", ["lora", "int8", "lora, int8", "int8, lora"])
def test_files_keep_adapters_and_8_bits(order, tmp_path):
    model = writer()
    for step in order.split(", "):
        if step == "lora":
            ka.enable_lora(model, 2, targets=["attention", "gate"], train=["head"])
        else:
            ka.quantize(model, skip=["head"])
    fill(model)
    model.compile("adam", LOSS)
    model.fit(IDS, IDS, verbose=0)
    output = to_numpy(model(IDS))
    ka.save_model(model, tmp_path / "ours.keras")
    model.save(tmp_path / "keras.keras")
    for name in ("ours", "keras"):
        for load in (ka.load_model, keras.saving.load_model):
            loaded = load(tmp_path / f"{name}.keras")
            np.testing.assert_array_equal(to_numpy(loaded(IDS)), output)
            assert trainable(loaded) == trainable(model)
            assert {v.path for v in loaded.weights} == {v.path for v in model.weights}
        resumed = ka.load_model(tmp_path / f"{name}.keras", resume=True)
        assert len(resumed.optimizer.variables) == len(model.optimizer.variables)
    for each in (model, resumed):
        each.fit(IDS, IDS, verbose=0)
    np.testing.assert_allclose(to_numpy(resumed(IDS)), to_numpy(model(IDS)), atol=1e-6)


@pytest.mark.runs_on("torch")
def test_a_kernel_in_8_bits_is_merged_in_8_bits():
    model = writer()
    ka.quantize(model, skip=["head"])
    ka.enable_lora(model, 2)
    fill(model, 0.1)
    expected = to_numpy(model(IDS))
    ka.merge_lora(model)
    assert sum(v.dtype == "int8" for v in model.weights) == 7 + 1  # the embedding's as well
    assert not any("lora" in v.path for v in model.weights)
    np.testing.assert_allclose(to_numpy(model(IDS)), expected, atol=0.05 * np.abs(expected).max())


@pytest.mark.runs_on("torch")
def test_targets():
    def kernels_with(**settings):
        model = writer(2)
        ka.enable_lora(model, 1, train=[], **settings)
        return {path.rpartition("/")[0] for path in trainable(model)}

    assert kernels_with(targets=["query", "value_kernel"]) == {
        f"block_{i}/attention/{role}_kernel" for i in range(2) for role in ("query", "value")
    }
    assert kernels_with(targets=["block_[1]/feed_forward"]) == {
        f"block_1/feed_forward/{role}_kernel" for role in ("input", "gate", "output")
    }
    assert len(kernels_with()) == 2 * 7
    assert kernels_with(targets=["block_0"]) | kernels_with(targets=["block_1"]) == kernels_with()


@pytest.mark.runs_on("torch")
def test_a_model_inside_and_layers_of_keras_around(tmp_path):
    inner = writer()
    x = keras.Input((None,), dtype="int32")
    h = keras.layers.TimeDistributed(keras.layers.Dense(4, name="outer"), name="each")(inner(x))
    model = keras.Model(x, h)
    ka.enable_lora(model, 2)
    assert sum("lora" in path for path in trainable(model)) == 14
    # The layer of Keras is behind the last kernel, and so is the head of the model inside.
    assert [path for path in trainable(model) if "lora" not in path] == [
        "head/kernel", "head/bias", *[v.path for v in model.layers[-1].weights],
    ]  # fmt: skip
    model.save(tmp_path / "x.keras")
    loaded = keras.saving.load_model(tmp_path / "x.keras")
    assert [v.shape for v in loaded.trainable_variables] == [
        v.shape for v in model.trainable_variables
    ]


@pytest.mark.runs_on("torch")
def test_what_cannot_be_is_refused():
    model = writer()
    for settings, message in (
        ({"targets": ["qery"]}, "'qery', of block_0/attention/key_kernel"),
        ({"targets": []}, "no kernels for adapters"),
        ({"train": ["had"]}, "`train` must be names of layers with weights. Received: 'had'"),
    ):
        with pytest.raises(ValueError, match=message):
            ka.enable_lora(model, 2, **settings)
    with pytest.raises(ValueError, match="`rank` must be"):
        ka.enable_lora(model, 0)
    assert len(trainable(model)) == len(model.weights)  # as it was
    ka.enable_lora(model, 2)
    with pytest.raises(ValueError, match=r"has adapters.*merge_lora"):
        ka.enable_lora(model, 2)
    plain = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="no kernels for adapters"):
        ka.enable_lora(plain, 2)
    with pytest.raises(ValueError, match='`mode` must be "int8"'):
        ka.quantize(plain, "int4")
    with pytest.raises(ValueError, match="`skip` must be names of layers"):
        ka.quantize(plain, skip=["head"])
    with pytest.raises(NotImplementedError, match='`quantize\\("int8"\\)` alone'):
        model.get_layer("block_0").feed_forward.quantize("int4")
    quantized = writer()
    ka.quantize(quantized)
    with pytest.raises(ValueError, match="'head' is in 8 bits"):
        ka.enable_lora(quantized, 2, train=["head"])


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize(
    "states",
    [
        {"kernels": {"input_kernel": {"rank": 2}, "nowhere": {}}},
        {"kernels": {"input_kernel": {"rank": -1}}},
        {"kernels": {"input_kernel": {"rank": 1, "alpha": "1"}}},
        {"kernels": {"input_kernel": {"rank": 1, "alpha": 1.0, "code": "x"}}},
        {"kernels": {"__class__": {"rank": 1, "alpha": 1.0}}},
        {"kernels": ["input_kernel"]},
        {"kernels": {"input_kernel": 3}},
        {"frozen_weights": "input_kernel"},
        {"frozen_weights": ["nothing"]},
    ],
)
def test_a_configuration_says_nothing_else(states):
    config = ka.layers.FeedForward(4).get_config()
    with pytest.raises(ValueError, match=r"kernel|weight"):
        ka.layers.FeedForward.from_config({**config, **states}).build((None, 3, 4))


@pytest.mark.runs_on("torch")
def test_names_in_safetensors():
    model = writer()
    ka.enable_lora(model, 2, targets=["query"])
    ka.quantize(model, skip=["head", "attention"])
    names = set(tensors.weights(model))
    attention, feed_forward = "block_0/attention/", "block_0/feed_forward/"
    assert {f"{attention}query_kernel{end}" for end in ("", "/lora_a", "/lora_b")} <= names
    assert {f"{feed_forward}gate_kernel/{end}" for end in ("values", "scale")} <= names
    assert f"{feed_forward}gate_kernel" not in names
