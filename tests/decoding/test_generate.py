"""Generation equals calling the model on all tokens for each of them, whatever is asked for."""

import gc

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention import decoding
from keras_attention.decoding.noise import gumbel
from keras_attention.decoding.parts import parts_of
from keras_attention.decoding.samplers import History
from keras_attention.kernels import compiled
from tests.decoding.models import (
    V,
    greedy,
    language_model,
    logits_after,
    randomized,
    reader,
    translator,
)

PROMPTS = [[1, 2, 3], [4, 5, 6, 7, 8, 9, 10], [3]]
SPARSE = ka.layers.BlockSparseAttention(2, window_blocks=0, random_blocks=1, seed=1)
SOURCES = [[5, 1, 7, 2], [9, 3], [6]]


def as_lists(rows):
    return [row.tolist() for row in rows]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"position": "rotary"},
        {"position": "rotary", "window": 3},
        {"position": "rotary", "mechanism": SPARSE},
        {"mechanism": "linear"},
    ],
    ids=lambda options: ",".join(options),
)
def test_cached_is_uncached(options):
    """Ragged prompts in one batch, each as if it were alone."""
    model = language_model(**options)
    expected = [greedy(model, row, 12) for row in PROMPTS]
    assert as_lists(ka.generate(model, PROMPTS, max_new_tokens=12)) == expected
    if not options:
        alone = [ka.generate(model, [row], max_new_tokens=12)[0].tolist() for row in PROMPTS[:2]]
        assert alone == expected[:2]


@pytest.mark.parametrize("mechanism", [SPARSE, "linear"], ids=lambda m: type(m).__name__)
def test_every_sampler_after_a_cache(mechanism):
    """All at once, as a loop over the uncached model applies them with the same noise."""
    model = language_model(mechanism=mechanism)
    samplers = (
        decoding.RepetitionPenalty(1.5),
        decoding.NoRepeatNGrams(2),
        decoding.Temperature(2.0),
        decoding.TopK(9),
        decoding.TopP(0.95),
        decoding.MinP(0.01),
    )
    row, first = [1, 2, 3], 16  # where prompts end when they are padded
    for index in range(first, first + 10):
        logits = ops.convert_to_tensor(logits_after(model, row)[None], "float32")
        history = History(ops.convert_to_tensor([row]), ops.ones((1, len(row)), "bool"), len(row))
        for sampler in samplers:
            logits = sampler(logits, history)
        row.append(int(ops.argmax(logits + gumbel(7, index, 1, V), axis=-1)[0]))
    generated = ka.generate(model, [[1, 2, 3]], sampler=samplers, max_new_tokens=10, seed=7)
    assert generated[0].tolist() == row[3:]
    assert len(set(row[3:])) > 3


def test_an_encoder_decoder():
    model = translator()
    config = model.get_config()
    prompt = {"source_ids": SOURCES, "target_ids": [[1], [1, 2], [1]]}
    expected = [
        greedy(model, row, 8, source)
        for source, row in zip(SOURCES, prompt["target_ids"], strict=True)
    ]
    padded = np.zeros((3, 4), "int32")
    for row, source in zip(padded, SOURCES, strict=True):
        row[: len(source)] = source
    prompt["source_ids"] = padded
    assert as_lists(ka.generate(model, prompt, max_new_tokens=8)) == expected
    assert model.get_config() == config, "it can be saved after that"


def test_a_row_stops_and_others_go_on():
    model = language_model()
    whole = [greedy(model, row, 12) for row in PROMPTS]
    stop = {whole[0][4], whole[1][7]}
    expected = [greedy(model, row, 12, stop=stop) for row in PROMPTS]
    assert {len(row) for row in expected} != {12}
    assert as_lists(ka.generate(model, PROMPTS, max_new_tokens=12, stop=[*stop])) == expected


def test_what_was_compiled():
    """Another prompt of similar length and other weights find it again; it goes with the model."""
    reader.cache_clear()
    gc.collect()
    before = len(compiled._kept)
    model = language_model.__wrapped__()
    ka.generate(model, [[1, 2]], max_new_tokens=5)
    functions = compiled.compiled_for(model)
    kept = dict(functions)
    for variable in model.trainable_variables:
        variable.assign(variable + 0.5)
    row = [3, 4, 5, 6]
    assert ka.generate(model, [row], max_new_tokens=9)[0].tolist() == greedy(model, row, 9)
    assert functions.keys() == kept.keys()
    assert all(functions[key] is kept[key] for key in kept if key != "steps")
    assert len(compiled._kept) == before + 1
    reader.cache_clear()
    del model, functions, kept
    gc.collect()
    assert len(compiled._kept) == before


def test_a_stream_is_the_whole_piece_by_piece():
    model = language_model()
    whole = ka.generate(model, PROMPTS, max_new_tokens=6)
    pieces = list(ka.stream(model, PROMPTS, max_new_tokens=6))
    assert [len(row) for row in pieces[0]] == [1, 1, 1]
    for row, expected in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([p[row] for p in pieces]), expected)


@pytest.fixture(scope="module")
def texts():
    """A language model with a tokenizer, and one whose texts begin and end."""
    pytest.importorskip("tokenizers")
    corpus = ["the cat sat on the mat", "größe 😀 and ñandú", "a b c d e f"] * 3
    plain = ka.layers.Tokenizer.train(corpus, vocabulary_size=300)
    bounded = ka.layers.Tokenizer.train(
        corpus, vocabulary_size=300, start_end=True, name="target_tokenizer"
    )
    source = ka.layers.Tokenizer.from_config({**bounded.get_config(), "name": "source_tokenizer"})
    source._set(bounded._json)
    size = plain.vocabulary_size
    return (
        language_model(tokenizer=plain, vocabulary_size=size),
        translator(source, bounded, bounded.vocabulary_size),
    )


def test_text_in_text_out(texts):
    model, _ = texts
    tokenizer = model.get_layer("tokenizer")
    prompts = ["the cat", "größe 😀 and"]
    continuations = ka.generate(model, prompts, max_new_tokens=10)
    for prompt, text in zip(prompts, continuations, strict=True):
        ids = tokenizer.encode([prompt])[0].tolist()
        new = ids
        for _ in range(10):  # padding is no token
            logits = logits_after(model, new)
            logits[0] = -np.inf
            new = [*new, int(np.argmax(logits))]
        assert prompt + text == tokenizer.decode([new])[0]
    assert ka.generate(model, prompts[0], max_new_tokens=10) == continuations[0]


def test_streamed_text_is_whole_characters(texts):
    model, _ = texts
    sampler = decoding.Temperature(3.0)
    for seed in range(3):
        options = {"sampler": sampler, "max_new_tokens": 24, "seed": seed}
        pieces = list(ka.stream(model, "the cat", **options))
        assert len(pieces) > 5
        assert "".join(pieces) == ka.generate(model, "the cat", **options)


def test_a_text_stops_a_row(texts):
    model, _ = texts
    options = {"sampler": decoding.Temperature(3.0), "max_new_tokens": 40, "seed": 1}
    whole = ka.generate(model, "the cat", **options)
    stop = whole[9:12]
    expected = whole.split(stop)[0]
    assert ka.generate(model, "the cat", stop=stop, **options) == expected
    assert "".join(ka.stream(model, "the cat", stop=stop, **options)) == expected


def test_sources_as_text_begin_a_target(texts):
    _, model = texts
    (text,) = ka.generate(model, ["the cat"], max_new_tokens=8)
    assert isinstance(text, str)
    tokenizer = model.get_layer("target_tokenizer")
    prompt = {"source_ids": ["the cat"], "target_ids": [[tokenizer.start_id]]}
    (ids,) = ka.generate(model, prompt, max_new_tokens=8)
    assert text == (tokenizer.decode(ids[None])[0] if ids.size else "")
    assert not {tokenizer.start_id, tokenizer.end_id, 0} & set(ids.tolist())


BAD = {
    "empty prompt": ([[1], []], {}, "Prompt 1 of `prompt` has no tokens to continue from"),
    "unknown id": ([[1, V]], {}, f"between 0 and {V - 1}. Received: the id {V} in prompt 0"),
    "too long": (
        [[1] * 40],
        {},
        "context of 48 tokens. Received: prompt 0 of 40 tokens, and max_new_tokens=9",
    ),
    "an id beyond 32 bits": (np.array([[1 + 2**32]]), {}, f"the id {1 + 2**32} in prompt 0"),
    "padding alone": ({"token_ids": [[1], []]}, {}, "Prompt 1 of `prompt` has no tokens"),
    "one row": ([1, 2], {}, "Received: list, whose entry 0 is 1"),
    "truth": ([[True]], {}, "Received: list, whose entry 0 is [True]"),
    "another input": ({"ids": [[1]]}, {}, "must have entries for token_ids. Received: ids"),
    "seed": ([[1]], {"seed": 0.5}, "`seed` must be an integer or None. Received: seed=0.5"),
    "no tokenizer": ("hello", {}, "the model has no Tokenizer layer"),
    "nothing new": ([[1]], {"max_new_tokens": 0}, "`max_new_tokens` must be"),
    "no sampler": ([[1]], {"sampler": "greedy"}, "`sampler` must be a value of ka.decoding"),
    "stop": ([[1]], {"stop": V}, f"`stop` must be ids between 0 and {V - 1}"),
    "beams not last": (
        [[1]],
        {"sampler": (decoding.BeamSearch(2), decoding.Greedy())},
        "BeamSearch must come last",
    ),
    "coverage of nothing": (
        [[1]],
        {"sampler": decoding.BeamSearch(2, coverage_penalty=0.5)},
        "needs a model with cross-attention",
    ),
}


@pytest.fixture(scope="module")
def small():
    return language_model()


@pytest.mark.parametrize("case", BAD)
def test_bad_input(small, case):
    prompt, options, message = BAD[case]
    with pytest.raises((ValueError, TypeError)) as error:
        ka.generate(small, prompt, **{"max_new_tokens": 9, **options})
    assert message in str(error.value)


def test_models_that_write_nothing():
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(V, 8)(tokens)
    classifier = keras.Model(tokens, keras.layers.Dense(3)(ka.layers.AttentionPooling()(x)))
    with pytest.raises(ValueError, match=r"from token ids \(B, T\) to logits \(B, T, V\)"):
        ka.generate(classifier, [[1]], max_new_tokens=2)


@pytest.mark.parametrize("sampler", [decoding.Greedy(), decoding.BeamSearch(2)], ids=str)
def test_no_prompts_have_no_continuations(small, sampler):
    for nothing in ([], np.zeros((0, 3), "int32")):
        assert ka.generate(small, nothing, max_new_tokens=4, sampler=sampler) == []
    assert list(ka.stream(small, [], max_new_tokens=4)) == []


def masked(embedding):
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    x = ka.layers.PositionalEncoding()(embedding(tokens))
    x = ka.layers.TransformerBlock(2, 16, causal=True)(x)
    return randomized(keras.Model(tokens, keras.layers.Dense(V)(x), name="masked"))


def test_padding_of_a_prompt_is_left_out():
    """On either side, in whatever the prompts are, where the model masks it; nested too."""
    inner = masked(keras.layers.Embedding(V, 8, mask_zero=True))
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    model = keras.Model(tokens, inner(tokens))
    rows = [[5, 7], [3, 4, 5, 6]]
    expected = [greedy(inner, row, 4) for row in rows]
    right, left = np.array([[5, 7, 0, 0], rows[1]]), np.array([[0, 0, 5, 7], rows[1]])
    for prompt in (right, left, right.tolist(), ops.convert_to_tensor(right), list(left)):
        assert as_lists(ka.generate(model, prompt, max_new_tokens=4)) == expected
    if keras.backend.backend() == "torch":
        assert masked_ids(ka.layers.TokenEmbedding(V, 8, mask_zero=True)) == {0}
        assert masked_ids(keras.layers.Embedding(V, 8)) == set()


def masked_ids(embedding):
    return parts_of(masked(embedding)).masked["token_ids"]


def test_the_end_of_a_table_is_the_end_of_a_text():
    """In a nested model too; and no size of ours takes positions from a text that fits."""
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(V, 8)(tokens)
    x = ka.layers.PositionalEncoding("learned", 20)(x)
    inner = keras.Model(tokens, ka.layers.TransformerBlock(2, 16, causal=True)(x))
    model = randomized(keras.Model(tokens, keras.layers.Dense(V)(inner(tokens))))
    (token_ids,) = ka.generate(model, [[1] * 17], max_new_tokens=3)
    row = [1] * 17
    for token in token_ids.tolist():
        logits = ops.convert_to_numpy(model(np.array([row], "int32")))
        assert token == logits[0, -1].argmax()
        row.append(token)
    with pytest.raises(ValueError, match="a context of 20 tokens"):
        ka.generate(model, [[1] * 18], max_new_tokens=3)


@pytest.mark.runs_on("torch")
def test_sources_that_fit_a_table_are_not_padded_beyond_it():
    pytest.importorskip("tokenizers")
    tokenizer = ka.layers.Tokenizer.train(
        ["a b c"], model="word", min_frequency=1, name="source_tokenizer"
    )
    source = keras.Input((None,), dtype="int32", name="source_ids")
    target = keras.Input((None,), dtype="int32", name="target_ids")
    x = keras.layers.Embedding(V, 8, mask_zero=True)(tokenizer(source))
    memory = ka.layers.PositionalEncoding("learned", 20)(x)
    y = ka.layers.TransformerDecoderBlock(2, 16)(keras.layers.Embedding(V, 8)(target), memory)
    model = keras.Model([source, target], keras.layers.Dense(V)(y))
    prompt = {"source_ids": ["a " * 18], "target_ids": [[1]]}
    assert len(ka.generate(model, prompt, max_new_tokens=2)[0]) == 2


@pytest.mark.runs_on("torch")
def test_rows_of_sources_that_nothing_masks_are_of_one_length():
    model = translator.__wrapped__()
    sources, targets = [[1, 2], [3]], [[1], [1]]
    generated = ka.generate(model, {"source_ids": sources, "target_ids": targets}, max_new_tokens=3)
    assert generated[1].tolist() == greedy(model, [1], 3, [3])
    source = keras.Input((None,), dtype="int32", name="source_ids")
    target = keras.Input((None,), dtype="int32", name="target_ids")
    query, memory = keras.layers.Embedding(V, 8)(target), keras.layers.Embedding(V, 8)(source)
    y = ka.layers.TransformerDecoderBlock(2, 16)(query, memory)
    unmasked = keras.Model([source, target], keras.layers.Dense(V)(y))
    with pytest.raises(ValueError, match=r"'source_ids' must have the same length.*\[2, 1\]"):
        ka.generate(unmasked, {"source_ids": sources, "target_ids": targets}, max_new_tokens=3)
