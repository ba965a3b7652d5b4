"""Capture and cache: what flows beside the tensors."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention import kernels
from tests.backend import compiled, to_numpy

T, STEPS, VOCABULARY, WIDTH, BLOCKS = 5, 4, 11, 16, 2


def decoder(position, **block):
    """Two blocks with absolute or relative positions, masks from the embedding."""
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(VOCABULARY, WIDTH, mask_zero=True)(tokens)
    if position in ("sinusoidal", "learned"):
        limit = {"max_length": 16} if position == "learned" else {}
        x = ka.layers.PositionalEncoding(position, **limit)(x)
        position = None
    for i in range(BLOCKS):
        x = ka.layers.TransformerBlock(
            4, 32, causal=True, position=position, name=f"block_{i}", **block
        )(x)
    return keras.Model(tokens, keras.layers.Dense(VOCABULARY)(x))


def step_of(call):
    """The pure step `(tokens, state, index) -> (logits, state)`, compiled."""

    def step(tokens, state, index):
        with ka.cache(state, index=index) as cache:
            logits = call(tokens)
        return logits, cache.state

    return kernels.compile(step)


def prompts(side):
    """Three prompts of 3 to 5 tokens, padded with 0."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, VOCABULARY, size=(3, T + STEPS)).astype("int32")
    for row, missing in enumerate((0, 1, 2)):
        hidden = slice(0, missing) if side == "left" else slice(T - missing, T)
        tokens[row, hidden] = 0
    return tokens


@pytest.mark.parametrize(
    ("position", "block"),
    [
        ("sinusoidal", {}),
        ("learned", {"norm_first": False}),
        ("rotary", {"num_kv_heads": 2, "norm": "rms", "activation": "swiglu"}),
        ("relative_bias", {"window": 4}),
        ("alibi", {"num_kv_heads": 1}),
        ("shaw", {"qk_norm": True}),
        ("rotary", {"mechanism": ka.layers.BlockSparseAttention(2, 0, 1, 1, seed=1)}),
        ("sinusoidal", {"mechanism": "linear", "num_kv_heads": 2}),
    ],
)
def test_cached_logits_are_the_uncached_ones(position, block):
    """At every step, under `jax.jit`, XLA and PyTorch, whatever side prompts are padded on."""
    keras.utils.set_random_seed(0)
    model = decoder(position, **block)

    def prefill(tokens):
        with ka.cache(max_length=T + STEPS) as cache:
            logits = model(tokens)
        return logits, cache.state

    whole, step = compiled(model, model.variables), step_of(model)
    prefill = kernels.compile(prefill)
    for side in ("left", "right"):
        tokens = prompts(side)
        expected = to_numpy(whole(tokens))
        valid = tokens != 0
        logits, state = prefill(ops.convert_to_tensor(tokens[:, :T]))
        prefilled = to_numpy(logits)
        np.testing.assert_allclose(
            prefilled[valid[:, :T]], expected[:, :T][valid[:, :T]], atol=1e-5, err_msg=side
        )
        for t in range(T, T + STEPS):
            index = ops.convert_to_tensor(np.int32(t))
            logits, state = step(ops.convert_to_tensor(tokens[:, t : t + 1]), state, index)
            np.testing.assert_allclose(
                to_numpy(logits)[:, 0], expected[:, t], atol=1e-5, err_msg=side
            )


def test_several_tokens_can_be_continued_at_once():
    model = decoder("rotary")
    tokens = prompts("left")
    with ka.cache(max_length=T + STEPS) as cache:
        model(tokens[:, :T])
    with ka.cache(cache.state, index=T) as cache:
        logits = to_numpy(model(tokens[:, T:]))
    np.testing.assert_allclose(logits, to_numpy(model(tokens))[:, T:], atol=1e-5)


def test_the_step_runs_in_a_compiled_loop():
    """Greedy decoding inside `ops.while_loop`: the tokens of the uncached loop."""
    keras.utils.set_random_seed(1)
    model = decoder("rotary")
    prompt = prompts("left")[:, :T]
    expected = prompt
    for _ in range(STEPS):
        following = to_numpy(model(expected))[:, -1].argmax(-1)
        expected = np.concatenate([expected, following[:, None].astype("int32")], axis=1)

    def generate(prompt):
        with ka.cache(max_length=T + STEPS) as cache:
            logits = model(prompt)
        tokens = ops.pad(prompt, [[0, 0], [0, STEPS]])
        following = ops.cast(ops.argmax(logits[:, -1], axis=-1), "int32")[:, None]

        def body(index, tokens, following, state):
            tokens = ops.slice_update(tokens, (0, index), following)
            with ka.cache(state, index=index) as cache:
                logits = model(following)
            following = ops.cast(ops.argmax(logits[:, -1], axis=-1), "int32")[:, None]
            return index + 1, tokens, following, cache.state

        _, tokens, _, _ = ops.while_loop(
            lambda index, *_: index < T + STEPS,
            body,
            (ops.convert_to_tensor(np.int32(T)), tokens, following, cache.state),
        )
        return tokens

    token_ids = kernels.compile(generate)(ops.convert_to_tensor(prompt))
    np.testing.assert_array_equal(to_numpy(token_ids), expected)


@pytest.mark.parametrize("kind", ["transformer", "bahdanau", "luong"])
def test_cross_attention_projects_its_memory_once(kind):
    """The steps see a memory of NaN and still give the uncached outputs, padded left too."""
    keras.utils.set_random_seed(0)
    layer = {
        "transformer": lambda: ka.layers.TransformerDecoderBlock(4, 32),
        "bahdanau": lambda: ka.layers.BahdanauAttention(8),
        "luong": lambda: ka.layers.LuongAttention("general", "local_m", window=2),
    }[kind]()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, T + STEPS, WIDTH)).astype("float32")
    memory = rng.normal(size=(2, 7, 10)).astype("float32")
    mask = np.arange(7)[None] < np.array([[7], [5]])
    begun = np.arange(T + STEPS)[None] >= np.array([[0], [2]])
    expected = to_numpy(layer(x, memory, query_mask=begun, value_mask=mask))
    with ka.cache(max_length=T + STEPS) as cache:
        output = layer(x[:, :T], memory, query_mask=begun[:, :T], value_mask=mask)
    np.testing.assert_allclose(to_numpy(output), expected[:, :T], atol=1e-5)
    step = step_of(lambda x: layer(x, np.full_like(memory, np.nan)))
    state = cache.state
    for t in range(T, T + STEPS):
        index = ops.convert_to_tensor(np.int32(t))
        output, state = step(ops.convert_to_tensor(x[:, t : t + 1]), state, index)
        np.testing.assert_allclose(to_numpy(output)[:, 0], expected[:, t], atol=1e-5)


def test_capture_records_every_attention_layer_in_order():
    model = decoder("rotary")
    tokens = prompts("right")
    expected = to_numpy(model(tokens))
    with ka.capture() as maps:
        logits = model(tokens)
    np.testing.assert_allclose(to_numpy(logits), expected, atol=1e-5)
    assert list(maps) == [f"block_{i}/attention" for i in range(BLOCKS)]
    valid = tokens != 0
    for weights in maps.values():
        assert weights.shape == (3, 4, T + STEPS, T + STEPS)
        np.testing.assert_allclose(to_numpy(weights).sum(-1)[:, 0], valid, atol=1e-5)
    with ka.capture() as nothing:
        pass
    model(tokens)
    assert not nothing


def test_capture_in_nested_models_and_shared_layers():
    attention = ka.layers.MultiHeadSelfAttention(2, name="shared")
    inner_input = keras.Input((None, WIDTH))
    inner = keras.Model(inner_input, attention(attention(inner_input)), name="inner")
    outer_input = keras.Input((None, WIDTH))
    model = keras.Model(outer_input, ka.layers.AttentionPooling(name="pool")(inner(outer_input)))
    with ka.capture() as maps:
        model(np.ones((2, 3, WIDTH), "float32"))
    shapes = [weights.shape for weights in maps.values()]
    assert list(maps) == [attention.path, f"{attention.path}:1", "pool"]
    assert [tuple(shape) for shape in shapes] == [(2, 2, 3, 3), (2, 2, 3, 3), (2, 1, 1, 3)]


def test_capture_is_over_after_an_error():
    layer = ka.layers.MultiHeadSelfAttention(2)
    with pytest.raises(ValueError, match="must have shape"), ka.capture() as maps:
        layer(np.ones((2, 3), "float32"))
    layer(np.ones((1, 2, 4), "float32"))
    assert not maps
