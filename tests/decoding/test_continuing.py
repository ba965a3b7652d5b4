"""Models that no cache continues, or that are not what they were: the tokens of the whole pass."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention.decoding import BeamSearch
from tests.decoding.models import V, greedy, randomized, reader

PROMPTS = [[1, 2, 3], [4, 5, 6, 7, 8], [9]]


class Shifted(keras.Layer):
    """The sequence, and as much of the element before as a gate lets through."""

    def build(self, inputs_shape):
        self.gate = self.add_weight(name="gate", shape=())

    def call(self, inputs):
        before = ops.concatenate([ops.zeros_like(inputs[:, :1]), inputs[:, :-1]], axis=1)
        return inputs + self.gate * before


def averaged(x):
    return x + ops.mean(x, axis=1, keepdims=True)


def summed(x):
    return ops.cumsum(x, axis=1)


def model_of(front, length=None, causal=True):
    tokens = keras.Input((length,), dtype="int32", name="token_ids")
    x = front(keras.layers.Embedding(V, 8)(tokens))
    x = ka.layers.TransformerBlock(2, 16, causal=causal, name="block")(x)
    return randomized(keras.Model(tokens, keras.layers.Dense(V, name="head")(x)))


def generate(model, prompts=PROMPTS, **options):
    return [row.tolist() for row in ka.generate(model, prompts, max_new_tokens=6, **options)]


def generate_uncached(model):
    reader.cache_clear()
    return [greedy(model, row, 6) for row in PROMPTS]


def check_recomputed(front, name):
    model = model_of(front)
    with pytest.warns(UserWarning, match=f"No cache continues .* the layer '{name}"):
        token_ids = generate(model)
    assert token_ids == generate_uncached(model)
    search = BeamSearch(3, num_results=2)
    together = ka.generate(model, PROMPTS, sampler=search, max_new_tokens=4)
    for prompt, beams in zip(PROMPTS, together, strict=True):
        (alone,) = ka.generate(model, [prompt], sampler=search, max_new_tokens=4)
        assert [h.output.tolist() for h in beams] == [h.output.tolist() for h in alone]


def test_what_a_step_does_not_see_is_read_again():
    check_recomputed(summed, "cumsum")


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize(
    ("front", "name"),
    [
        (lambda x: Shifted(name="shifted")(x), "shifted"),
        (lambda x: keras.layers.GRU(8, return_sequences=True, name="gru")(x), "gru"),
        (lambda x: keras.layers.Conv1D(8, 3, padding="causal", name="conv")(x), "conv"),
        (
            lambda x: keras.layers.MultiHeadAttention(2, 4, name="theirs")(
                x, x, use_causal_mask=True
            ),
            "theirs",
        ),
    ],
)
def test_so_is_what_other_layers_do_not_see(front, name):
    check_recomputed(front, name)


@pytest.mark.parametrize(
    ("front", "causal", "name"),
    [
        (lambda x: ka.layers.NGramConvolution(8, name="grams")(x), True, "grams"),
        pytest.param(averaged, True, "mean", marks=pytest.mark.runs_on("torch")),
        pytest.param(lambda x: x, False, "block", marks=pytest.mark.runs_on("torch")),
    ],
)
def test_a_model_that_looks_ahead_is_refused(front, causal, name):
    with pytest.raises(ValueError, match=rf"looks ahead: what the layer '{name}(_\d+)?'"):
        generate(model_of(front, causal=causal))


def test_a_gate_that_opens_later_is_seen():
    """A model is checked again when it has been trained."""
    model = model_of(lambda x: Shifted(name="shifted")(x))
    gate = model.get_layer("shifted").gate
    gate.assign(0.0)
    assert generate(model) == generate_uncached(model)
    gate.assign(1.0)
    with pytest.warns(UserWarning, match="the layer 'shifted'"):
        token_ids = generate(model)
    assert token_ids == generate_uncached(model)


def test_a_model_of_one_length_reads_all_of_it():
    model = model_of(lambda x: x, length=32)
    assert generate(model) == generate_uncached(model)
    with pytest.raises(ValueError, match="a context of 32 tokens"):
        ka.generate(model, [[1] * 30], max_new_tokens=3)


def test_other_variables_and_settings_are_seen():
    model = model_of(lambda x: x)
    tokens = generate(model)
    head = model.get_layer("head")
    head.enable_lora(2)
    for kernel in (head.lora_kernel_a, head.lora_kernel_b):
        kernel.assign(np.random.default_rng(3).normal(size=kernel.shape))
    after = generate(model)
    assert after == generate_uncached(model) != tokens
    model.get_layer("block").attention.window = 2
    assert generate(model) == generate_uncached(model) != after


@pytest.mark.runs_on("torch")
def test_nan_is_no_token():
    model = model_of(lambda x: x)
    model.get_layer("head").bias.assign(np.full(V, np.nan))
    for sampler in (ka.decoding.Greedy(), BeamSearch(2)):
        with pytest.raises(ValueError, match=r"The logits of the model .* are NaN"):
            generate(model, sampler=sampler)
