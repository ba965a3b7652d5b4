"""Maps of what was read for each generated token, beside what the cached steps themselves read."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention.decoding.parts import Parts
from keras_attention.decoding.steps import Cached
from keras_attention.explain.maps.generation_maps import Generated, _words, by_word, generation_maps
from tests.backend import to_numpy
from tests.decoding.models import V, language_model, randomized, translator

PROMPTS = [[1, 2, 3], [4, 5, 6, 7]]
SOURCES = [[5, 1, 7, 2], [9, 3]]
STEPS = 4


def recurrent_translator():
    source = keras.Input((None,), dtype="int32", name="source_ids")
    target = keras.Input((None,), dtype="int32", name="target_ids")
    memory = keras.layers.Embedding(V, 8, mask_zero=True)(source)
    y = keras.layers.Embedding(V, 8, mask_zero=True)(target)
    attend = ka.layers.BahdanauAttention(4, name="cross_attention")
    y = ka.layers.RecurrentDecoder(8, attention=attend, name="decoder")(y, memory)
    return randomized(keras.Model([source, target], keras.layers.Dense(V)(y)))


def stepwise(model, before, new, sources):
    """Weights `(N, T, S)` by layer, of steps that each continue a cache: one row for each."""
    parts = Parts(model)
    steps, rows = Cached(parts), {}

    def keep(maps):
        for path, weights in maps.items():
            rows.setdefault(path, []).append(to_numpy(weights)[0, :, -1])

    memory = parts.memory(sources)
    with ka.capture() as maps:
        _, state = steps.begin(ops.convert_to_tensor([before]), None, memory, 16)
    keep(maps)
    for place, token in enumerate(new[:-1]):
        with ka.capture() as maps:
            _, state, _ = steps.step(
                ops.convert_to_tensor(np.array([token], "int32")),
                memory,
                state,
                ops.convert_to_tensor(np.int32(len(before) + place)),
            )
        keep(maps)
    longest = {path: max(row.shape[-1] for row in of_layer) for path, of_layer in rows.items()}
    return {
        path: np.stack(
            [np.pad(row, ((0, 0), (0, longest[path] - row.shape[-1]))) for row in of_layer], 1
        )
        for path, of_layer in rows.items()
    }


def test_a_decoder_alone():
    """Rows are what was written, columns what was there before, in the prompt as well."""
    model = language_model("rotary")
    generated = generation_maps(model, PROMPTS, max_new_tokens=STEPS)
    expected = ka.generate(model, PROMPTS, max_new_tokens=STEPS)
    for prompt, one, ids in zip(PROMPTS, generated, expected, strict=True):
        np.testing.assert_array_equal(one.output, ids)
        steps = stepwise(model, prompt, ids, [])
        assert list(one.maps) == list(steps) == ["block_0/attention", "block_1/attention"]
        for path, weights in one.maps.items():
            assert one.queries[path] == [str(i) for i in ids]
            assert one.keys[path] == [str(i) for i in [*prompt, *ids[:-1]]]
            assert weights.shape == (4, STEPS, len(prompt) + STEPS - 1)
            np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
            np.testing.assert_allclose(weights, steps[path][..., : weights.shape[-1]], atol=1e-5)


@pytest.mark.parametrize("make", [translator, recurrent_translator])
def test_an_encoder_and_a_decoder(make):
    """Sources differ in length."""
    model = make()
    padded = np.array([[*row, 0, 0][:4] for row in SOURCES], "int32")
    prompt = {"source_ids": padded, "target_ids": [[1, 4], [1, 2]]}
    generated = generation_maps(model, prompt, max_new_tokens=STEPS)
    for row, one in enumerate(generated):
        before, source = prompt["target_ids"][row], SOURCES[row]
        steps = stepwise(model, before, one.output, [padded[row : row + 1]])
        crossing = [path for path in one.maps if "cross_attention" in path]
        assert set(steps) == {path for path in one.maps if not path.startswith("encoder")}
        for path in steps:
            weights = one.maps[path]
            columns = source if path in crossing else [*before, *one.output[:-1]]
            assert one.keys[path] == [str(i) for i in columns]
            assert one.queries[path] == [str(i) for i in one.output]
            assert weights.shape[1:] == (STEPS, len(columns))
            np.testing.assert_allclose(weights, steps[path][..., : len(columns)], atol=1e-5)
        for path in set(one.maps) - set(steps):
            assert one.maps[path].shape == (2, len(source), len(source))
            assert one.queries[path] == one.keys[path] == [str(i) for i in source]
    some = generation_maps(model, prompt, max_new_tokens=STEPS, layers="*cross_attention", heads=0)
    assert list(some[1].maps) == crossing
    for path in crossing:
        np.testing.assert_allclose(some[1].maps[path], generated[1].maps[path][:1], atol=1e-6)


def test_texts_and_a_beam_search():
    """Tokens are named as a reader would write them; the end is one that was written."""
    texts = ["the cat sat", "a dog ran far"]
    source = ka.layers.Tokenizer.train(
        texts, vocabulary_size=300, model="word", min_frequency=1, start_end=True,
        name="source_tokenizer",
    )  # fmt: skip
    target = source.copy(name="target_tokenizer")
    model = translator.__wrapped__(source, target, source.vocabulary_size)
    for variable in model.layers[-1].variables:  # the end comes when nothing else is better
        variable.assign(variable * 0.5)
    sampler = ka.decoding.BeamSearch(2)
    path = "decoder_1/cross_attention"
    for text in texts:
        one = generation_maps(model, text, sampler=sampler, max_new_tokens=STEPS)
        assert one.output == ka.generate(model, text, sampler=sampler, max_new_tokens=STEPS)
        assert one.keys[path] == ["[START]", *text.split(), "[END]"]
        written = one.queries[path]
        words = one.output.split()
        assert written[: len(words)] == words
        if len(words) < STEPS:
            assert written[-1] == "[END]"
        assert one.maps[path].shape == (2, len(written), len(text.split()) + 2)
        spoken, read = by_word(one, path)  # tokens are words here
        assert spoken == words
        np.testing.assert_array_equal(read, one.maps[path][:, : len(words)])
        np.testing.assert_allclose(one.maps[path].sum(-1), 1, atol=1e-5)
    with pytest.raises(ValueError, match="num_results"):
        generation_maps(
            model, texts, sampler=ka.decoding.BeamSearch(2, num_results=2), max_new_tokens=STEPS
        )


def test_tokens_make_words():
    """Byte pairs, of which one is a part of a character; a word reads what its tokens do."""
    text = "o\u2019clock ticks"
    tokenizer = ka.layers.Tokenizer.train([text], vocabulary_size=270, start_end=True)
    ids = tokenizer.encode([text])[0][1:-1]
    parts = SimpleNamespace(tokenizer=tokenizer, sources=["image"])
    word_numbers = _words(parts, ids[:0], ids)
    assert len(word_numbers) == len(ids) > 6
    assert sorted(set(word_numbers)) == [0, 1]
    first = word_numbers.index(1)
    assert tokenizer.decode(ids[None, :first])[0].strip() == "o\u2019clock"
    maps = np.random.default_rng(0).random((2, len(ids) + 1, 3)).astype("float32")
    words, read = by_word(Generated(text, {"a": maps}, {}, {}, word_numbers), "a")
    assert words == text.split()
    expected = [maps[:, :first].mean(axis=1), maps[:, first:-1].mean(axis=1)]
    np.testing.assert_allclose(read, np.stack(expected, axis=1), atol=1e-6)
