"""The recurrent decoder: cases for the contract, the papers' equations, one step after another."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention import kernels
from tests.backend import gradients, to_numpy
from tests.contracts import Case

L = ka.layers
UNITS, WIDTH = 8, 6


def case(cell, attention, feeding=True, dropout=True, state=True, **more):
    config = {"units": UNITS, "cell": cell, "attention": attention, "input_feeding": feeding}
    inputs = {"query": ("T", WIDTH)}
    masks = {"query_mask": "query"}
    if attention is not None:
        inputs["value"] = ("S", UNITS)
        masks["value_mask"] = "value"
    if state:
        inputs["initial_state"] = (UNITS * (2 if cell == "lstm" else 1),)
    if dropout and attention is not None:
        dropping = type(attention).from_config({**attention.get_config(), "dropout": 0.5})
        more["dropout"] = {"attention": dropping}
    return Case(
        layer=L.RecurrentDecoder, config=config, inputs=inputs, masks=masks, causal=True, **more
    )


CASES = [
    case("gru", L.BahdanauAttention(5), hears=("vector",)),
    case("lstm", L.LuongAttention("general"), hears=("kernel",)),
    case("gru", L.LuongAttention("concat", "local_p", window=8), feeding=False, state=False),
    case("lstm", None),
]
EVERY = [
    pytest.param(case(cell, attention, feeding), id=f"{cell}-{name}-{feeding}")
    for cell, name, attention, feeding in (
        ("gru", "none", None, False),
        ("lstm", "none", None, False),
        ("gru", "bahdanau", L.BahdanauAttention(5), True),
        ("lstm", "bahdanau", L.BahdanauAttention(5), True),
        ("lstm", "dot", L.LuongAttention("dot"), True),
        ("lstm", "concat", L.LuongAttention("concat"), False),
        ("gru", "local_m", L.LuongAttention("general", "local_m", window=2), True),
        ("gru", "local_m", L.LuongAttention("general", "local_m", window=2), False),
        ("gru", "local_p", L.LuongAttention("general", "local_p", window=2), True),
    )
]


def weights_of(layer):
    return {v.path.rpartition("/")[2]: to_numpy(v).astype("float64") for v in layer.variables}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def golden_cell(cell, w, x, state):
    """The cell's equations, gate by gate."""
    u, h, r = UNITS, state[0], w["recurrent_kernel"]
    kernels = [w["input_kernel"], *([w["context_kernel"]] if x.shape[-1] > WIDTH else [])]
    wx = x @ np.concatenate(kernels) + w["bias"]
    if cell == "gru":  # Bahdanau et al., appendix A.1.1
        z = sigmoid(wx[:, :u] + h @ r[:, :u])
        reset = sigmoid(wx[:, u : 2 * u] + h @ r[:, u : 2 * u])
        proposed = np.tanh(wx[:, 2 * u :] + (reset * h) @ r[:, 2 * u :])
        return [z * h + (1 - z) * proposed]
    i, f, o, g = np.split(wx + h @ r, 4, axis=-1)
    c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
    return [sigmoid(o) * np.tanh(c), c]


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def golden(layer, query, value, initial_state, cell, score, feeding):
    """Features and weights of one step after the other, as the papers write them."""
    w = weights_of(layer)  # with those of the attention, whose names are others
    state = np.split(initial_state, 2 if cell == "lstm" else 1, axis=-1)
    fed = np.zeros((len(query), UNITS))
    features, weights = [], []

    def attend(h):
        if score == "bahdanau":
            hidden = np.tanh((h @ w["query_kernel"])[:, None] + value @ w["key_kernel"])
            alpha = softmax((hidden @ w["vector"])[..., 0])
        elif score == "general":
            alpha = softmax(np.einsum("bd,de,bse->bs", h, w["kernel"], value))
        else:
            alpha = softmax(np.einsum("bd,bsd->bs", h, value))
        weights.append(alpha)
        return np.einsum("bs,bsd->bd", alpha, value)

    for t in range(query.shape[1]):
        x = query[:, t]
        if score == "bahdanau":
            c = attend(state[0])
            state = golden_cell(cell, w, np.concatenate([x, c], -1), state)
            pairs = np.concatenate([state[0], x, c], -1) @ w["readout_kernel"] + w["readout_bias"]
            features.append(np.maximum(pairs[:, :UNITS], pairs[:, UNITS:]))
        elif score:
            x = np.concatenate([x, fed], -1) if feeding else x
            state = golden_cell(cell, w, x, state)
            c = attend(state[0])
            fed = np.tanh(np.concatenate([c, state[0]], -1) @ w["readout_kernel"])
            features.append(fed)
        else:
            state = golden_cell(cell, w, x, state)
            features.append(state[0])
    weights = np.stack(weights, axis=1)[:, None] if weights else None
    return np.stack(features, axis=1), weights


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize(
    ("score", "feeding"),
    [("bahdanau", True), ("dot", True), ("general", True), ("general", False), (None, False)],
)
def test_the_papers_equations(cell, score, feeding):
    attention = {
        "bahdanau": lambda: L.BahdanauAttention(5),
        "dot": lambda: L.LuongAttention("dot"),
        "general": lambda: L.LuongAttention("general"),
        None: lambda: None,
    }[score]()
    one = case(cell, attention, feeding)
    layer, data = one.make(), one.data()
    with ka.capture() as maps:
        output = to_numpy(layer(**data))
    features, weights = golden(
        layer, data["query"], data.get("value"), data["initial_state"], cell, score, feeding
    )
    np.testing.assert_allclose(output, features, atol=1e-5)
    np.testing.assert_allclose(to_numpy(layer(**data)), features, atol=1e-5)
    if score is None:
        assert not maps
    else:
        ((path, captured),) = maps.items()
        assert path == layer.attention.path
        np.testing.assert_allclose(to_numpy(captured), weights, atol=1e-6)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_cells_are_those_of_keras(cell):
    one = case(cell, None)
    layer, data = one.make(), one.data()
    if cell == "gru":
        twin = keras.layers.GRU(UNITS, reset_after=False, return_sequences=True)
    else:
        twin = keras.layers.LSTM(UNITS, return_sequences=True)
    twin.build(data["query"].shape)
    w = weights_of(layer)
    order = np.arange(3 * UNITS) if cell == "gru" else np.r_[0:16, 24:32, 16:24]  # i f c o
    names = ("input_kernel", "recurrent_kernel", "bias")
    twin.set_weights([w[name][..., order].astype("float32") for name in names])
    state = list(np.split(data["initial_state"], 2 if cell == "lstm" else 1, axis=-1))
    mask = one.padding(data)["query_mask"]
    for kept in (None, mask, mask[:, ::-1].copy()):
        expected = to_numpy(twin(data["query"], initial_state=state, mask=kept))
        output = to_numpy(layer(**data, query_mask=kept))
        shown = np.ones(output.shape[:2], bool) if kept is None else kept
        np.testing.assert_allclose(output[shown], expected[shown], atol=1e-5)


def test_attention_says_when_it_attends():
    """An attention of one's own may attend before the cell's step, with the state before it."""

    class AttendsFirst(L.LuongAttention):
        attends_first = True

    one = case("gru", AttendsFirst("dot"))
    layer, data = one.make(), one.data()
    with ka.capture() as maps:
        layer(**data)
    (weights,) = maps.values()
    first = softmax(np.einsum("bd,bsd->bs", data["initial_state"], data["value"]))
    np.testing.assert_allclose(to_numpy(weights)[:, 0, 0], first, atol=1e-6)


def test_an_lstm_remembers_at_first():
    layer = L.RecurrentDecoder(3, "lstm")
    layer.build((None, None, 2))
    expected = np.repeat([0.0, 1.0, 0.0, 0.0], 3)
    np.testing.assert_array_equal(weights_of(layer)["bias"], expected)


@pytest.mark.parametrize("one", EVERY)
@pytest.mark.parametrize("side", ["left", "right"])
def test_cached_steps_are_the_whole(one, side):
    """A prompt, then tokens one by one, then several; the memory is read once."""
    layer, data = one.make(), one.data(length=9)
    prompt, steps = 4, 3
    missing = np.array([[0], [1], [2]])
    at = np.arange(9)[None]
    mask = at >= missing if side == "left" else (at < prompt - missing) | (at >= prompt)
    value_mask = {}
    if "value" in data:
        value_mask = {"value_mask": np.arange(11)[None] < 11 - missing}
    with ka.capture() as maps:
        expected = to_numpy(layer(**data, **value_mask, query_mask=mask))
    query = data.pop("query")

    def prefill(x, present):
        with ka.cache(max_length=9, padding_mask=present) as cache:
            return layer(x, **data, **value_mask), cache.state

    spoilt = {name: np.full_like(x, np.nan) for name, x in data.items()}

    def go_on(x, state, index):
        with ka.capture() as maps, ka.cache(state, index=index) as cache:
            output = layer(x, **spoilt)
        return output, dict(cache.state), list(maps.values()), list(cache.written)

    begun = map(ops.convert_to_tensor, (query[:, :prompt], mask[:, :prompt]))
    output, state = kernels.compile(prefill)(*begun)
    shown = mask[:, :prompt]
    np.testing.assert_allclose(to_numpy(output)[shown], expected[:, :prompt][shown], atol=1e-5)
    assert all(len(x) == 3 for entry in state.values() for x in entry.values())
    written = []

    def compiled(x, state, index):
        output, state, weights, keys = go_on(x, state, index)
        written[:] = keys
        return output, state, weights

    compiled = kernels.compile(compiled)
    for start, stop in [*((t, t + 1) for t in range(prompt, prompt + steps)), (prompt + steps, 9)]:
        index = ops.convert_to_tensor(np.int32(start))
        output, state, weights = compiled(ops.convert_to_tensor(query[:, start:stop]), state, index)
        np.testing.assert_allclose(to_numpy(output), expected[:, start:stop], atol=1e-5)
        for captured, whole in zip(weights, maps.values(), strict=True):
            whole = to_numpy(whole)[:, :, start:stop]
            np.testing.assert_allclose(to_numpy(captured), whole, atol=1e-5)
    assert written == [layer.path], "the memory is not a beam's own"


@pytest.mark.parametrize("one", EVERY)
def test_masks_and_weights(one):
    """Padded memory gets no weight, padded steps give none; gradients are finite differences."""
    layer, data = one.make(), one.data()
    masks = one.padding(data)
    with ka.capture() as maps:
        layer(**data, **masks)
    assert len(maps) == ("value" in data)
    for weights in maps.values():
        weights = to_numpy(weights)
        assert weights.shape == (3, 1, 6, 8)
        hidden = masks["query_mask"][:, None, :, None] & masks["value_mask"][:, None, None, :]
        np.testing.assert_array_equal(weights * ~hidden, 0.0)
        totals = weights.sum(-1)[:, 0][masks["query_mask"]]
        assert (totals > 0).all()
        assert (totals < 1 + 1e-5).all()
    names = one.floats(data)

    def loss(*xs):
        out = layer(**dict(zip(names, xs, strict=True)), **masks)
        return ops.sum(ops.sin(out) * ops.cast(masks["query_mask"], "float32")[:, :, None])

    compiled = kernels.compile(loss)
    arrays = [data[name] for name in names]
    _, by_input, _ = gradients(loss, arrays)
    rng = np.random.default_rng(0)
    along = [rng.normal(size=x.shape).astype("float32") for x in arrays]
    slope = sum((g * d).sum() for g, d in zip(by_input, along, strict=True))
    ahead, behind = (
        to_numpy(compiled(*[ops.add(x, s * d) for x, d in zip(arrays, along, strict=True)]))
        for s in (1e-2, -1e-2)
    )
    np.testing.assert_allclose(slope, (ahead - behind) / 2e-2, rtol=1e-2, atol=1e-2)


def test_training_drops_weights_by_a_seed():
    """Through `fit`, where a seed must not change inside the loop, on batches of two lengths."""
    rng = np.random.default_rng(0)
    batches = [
        (
            {
                "query": rng.normal(size=(4, length, WIDTH)).astype("float32"),
                "value": rng.normal(size=(4, key_length, UNITS)).astype("float32"),
            },
            np.zeros((4, length, UNITS), "float32"),
        )
        for length, key_length in ((5, 7), (6, 4))
    ]

    class Data(keras.utils.PyDataset):
        num_batches = 2

        def __getitem__(self, index):
            return batches[index]

    runs = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        query = keras.Input((None, WIDTH), name="query")
        value = keras.Input((None, UNITS), name="value")
        decoder = L.RecurrentDecoder(UNITS, attention=L.BahdanauAttention(5, dropout=0.5))
        model = keras.Model([query, value], decoder(query, value))
        model.compile("sgd", "mse")
        runs.append(model.fit(Data(), epochs=2, shuffle=False, verbose=0).history["loss"])
    assert runs[0] == pytest.approx(runs[1])
    assert to_numpy(decoder.attention.seed_generator.state).any(), "the seed has moved on"
    x, y = batches[0]
    assert model.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))


REGULARISED = [
    ("lstm", "bahdanau", lambda: L.BahdanauAttention(5), True),
    ("gru", "dot", lambda: L.LuongAttention("dot"), True),
    ("gru", "general", lambda: L.LuongAttention("general"), False),  # all steps at once
]


def papers_regulariser(layer, data, lengths, cell, score, feeding):
    """Section 4.2.1 of Xu et al., 2015, of rows without their padding."""
    penalties = []
    for row, (steps, places) in enumerate(lengths):
        query, value = data["query"][row, :steps], data["value"][row, :places]
        state = data["initial_state"][row]
        _, weights = golden(layer, query[None], value[None], state[None], cell, score, feeding)
        penalties.append(((1 - weights[0, 0].sum(axis=0)) ** 2).sum())
    return np.mean(penalties)


@pytest.mark.parametrize(("cell", "score", "attention", "feeding"), REGULARISED)
def test_all_of_the_memory_is_to_be_read(cell, score, attention, feeding):
    """In training alone, where rows are padded on both sides."""
    one = case(cell, attention(), feeding)
    layer, data = one.make(doubly_stochastic=0.3), one.data()
    lengths = [(6, 8), (4, 5), (2, 7)]
    steps, places = (np.array(column)[:, None] for column in zip(*lengths, strict=True))
    padding = {"query_mask": np.arange(6) < steps, "value_mask": np.arange(8) < places}
    expected = papers_regulariser(layer, data, lengths, cell, score, feeding)
    run = kernels.compile(lambda *x: (layer(**dict(zip([*data, *padding], x, strict=True)),
                                            training=True), layer.losses))  # fmt: skip
    output, losses = run(*map(ops.convert_to_tensor, (*data.values(), *padding.values())))
    assert to_numpy(losses[0]) == pytest.approx(0.3 * expected, rel=1e-5)
    np.testing.assert_allclose(to_numpy(layer(**data, **padding)), to_numpy(output), atol=1e-5)
    assert layer.losses == []
    assert type(layer).from_config(layer.get_config()).doubly_stochastic == 0.3
    plain = one.make()
    plain(**data, training=True)
    assert plain.losses == []


def test_the_regulariser_is_learned_from():
    """By `fit`, whose loss it joins, and not by `evaluate`."""
    one = case("lstm", L.BahdanauAttention(5), state=False)
    layer = one.make(doubly_stochastic=0.5)
    data, lengths = one.data(), [(6, 8), (4, 8), (2, 8)]
    query = keras.Input((6, WIDTH), name="query")
    mask = keras.Input((6,), dtype="bool", name="query_mask")
    value = keras.Input((8, UNITS), name="value")
    model = keras.Model([query, mask, value], layer(query, value, query_mask=mask))
    data["query_mask"] = np.arange(6) < np.array(lengths)[:, :1]
    first = papers_regulariser(
        layer,
        {**data, "initial_state": np.zeros((3, 2 * UNITS))},
        lengths,
        "lstm",
        "bahdanau",
        True,
    )
    model.compile(keras.optimizers.SGD(0.05), "mse")
    target, ignored = np.zeros((3, 6, UNITS), "float32"), np.zeros((3, 6), "float32")
    losses = model.fit(data, target, sample_weight=ignored, epochs=8, verbose=0).history["loss"]
    assert losses[0] == pytest.approx(0.5 * first, rel=1e-4)
    assert all(later < before for before, later in itertools.pairwise(losses))
    assert model.evaluate(data, target, sample_weight=ignored, verbose=0) == 0


def test_a_regulariser_needs_weights_to_be_about():
    for options in (
        {"doubly_stochastic": 1.0},
        {"doubly_stochastic": -1.0, "attention": L.BahdanauAttention(5)},
    ):
        with pytest.raises(ValueError, match="`doubly_stochastic` must not be negative"):
            L.RecurrentDecoder(UNITS, **options)
