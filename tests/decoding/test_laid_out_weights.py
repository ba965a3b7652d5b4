"""Weights large enough to be laid out for a loop on a CPU: with any number of rows the same."""

import functools
import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras import ops

import keras_attention as ka
from keras_attention import kernels
from keras_attention.kernels.products import loop_weights
from tests.backend import to_numpy
from tests.decoding.models import greedy, randomized

D, U, V = 128, 144, 160


@functools.cache
def tied():
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    embedding = ka.layers.TokenEmbedding(V, D)
    x = ka.layers.PositionalEncoding("learned", 48)(embedding(tokens))
    x = ka.layers.TransformerBlock(4, U, causal=True, activation="swiglu")(x)
    return randomized(keras.Model(tokens, embedding(x, reverse=True)), scale=0.3)


class Gated(keras.Layer):
    """Products with two matrices, and with the transpose of another."""

    def build(self, inputs_shape):
        self.kernel = self.add_weight(name="kernel", shape=(D, U))
        self.gate = self.add_weight(name="gate", shape=(D, U))
        self.table = self.add_weight(name="table", shape=(D, U))
        self.biases = [
            self.add_weight(name=f"bias_{i}", shape=(U,), initializer="ones") for i in range(2)
        ]

    def call(self, inputs):
        pairs = zip((self.kernel, self.gate), self.biases, strict=True)
        hidden, gate = kernels.linears(inputs, list(pairs))
        return ops.tanh(kernels.linear(ops.tanh(hidden) * gate, self.table, transposed=True))


@pytest.mark.parametrize("rows", [1, 2, 3, 48, 64, 65])
def test_a_loop_multiplies_by_the_weights(rows):
    layer = Gated()
    layer.build((None, 1, D))

    def begin(x):
        y, weights = kernels.lay_out_weights(lambda: layer(x), layer.variables, rows)
        return {"x": y, "weights": weights}

    def go_on(carry):
        weights = carry["weights"]
        return kernels.while_loop(
            lambda carry: carry["index"] < 3,
            lambda carry: {"x": layer(carry["x"]), "index": carry["index"] + 1},
            {"x": carry["x"], "index": ops.convert_to_tensor(0, "int32")},
            variables=layer.variables,
            weights=weights,
            graphs=graphs,
        )

    graphs: dict = {}
    begin = kernels.trace_with(begin, layer.variables)
    go_on = kernels.compile_with(go_on, layer.variables)
    x = np.random.default_rng(rows).normal(size=(rows, 1, D)).astype("float32")
    for scale in (1, 0.5):  # what was compiled reads the values of now
        layer.set_weights([scale * weights for weights in layer.get_weights()])
        kernel, gate, table, bias, gate_bias = layer.get_weights()
        expected = x.astype("float64")
        for _ in range(4):
            hidden = np.tanh(expected @ kernel + bias) * (expected @ gate + gate_bias)
            expected = np.tanh(hidden @ table.T)
        begun = begin(ops.convert_to_tensor(x))
        np.testing.assert_allclose(to_numpy(go_on(begun)["x"]), expected, atol=1e-5)
        _assert_equal(begun["weights"].values(), _wanted(rows, kernel, gate, table))


class Scaled:
    """A product that tells whose weights it was given: those of a loop are `factor` times it."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.kernel = keras.Variable(rng.normal(size=(D, U)), dtype="float32")
        self.x = rng.normal(size=(8, D)).astype("float32")
        self.expected = self.x @ to_numpy(self.kernel)

    def asking(self, factor):
        weights = {("UD", (0,)): factor * ops.transpose(self.kernel)}
        return loop_weights.asking(loop_weights.LoopWeights([self.kernel], weights))

    def factor(self):
        y = to_numpy(kernels.linear(ops.convert_to_tensor(self.x), self.kernel))
        factor = np.round(y.mean() / self.expected.mean())
        np.testing.assert_allclose(y, factor * self.expected, rtol=1e-4, atol=1e-4)
        return factor


def test_of_nested_loops_the_innermost_is_asked():
    one, other = Scaled(), Scaled()
    with one.asking(2):
        with other.asking(3):
            assert (one.factor(), other.factor()) == (1, 3)
        assert (one.factor(), other.factor()) == (2, 1)
        with pytest.raises(KeyError), one.asking(4):
            raise KeyError
        assert one.factor() == 2
        with one.asking(5):
            assert one.factor() == 5
    assert one.factor() == 1


def test_each_thread_asks_its_own():
    product, both_inside = Scaled(), threading.Barrier(2, timeout=60)

    def run(factor):
        with product.asking(factor):
            both_inside.wait()
            inside = product.factor()
            both_inside.wait()
        return inside, product.factor()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, (2, 3))) == [(2, 1), (3, 1)]


def test_weights_are_laid_out_inside_of_laying_out_others():
    one, other = Scaled(), Scaled()

    def lay_out_other():
        one.factor()
        return kernels.lay_out_weights(other.factor, [other.kernel], rows=8)

    (factor, inner), outer = kernels.lay_out_weights(lay_out_other, [one.kernel], rows=8)
    assert factor == 1
    for weights, product in ((outer, one), (inner, other)):
        expected = [to_numpy(product.kernel).T] if kernels.device_name() == "cpu" else []
        _assert_equal(weights.values(), expected)


def _wanted(rows, kernel, gate, table):
    """One row takes matrices as they are, few others their transposes; PyTorch joins them."""
    on_torch = keras.backend.backend() == "torch"
    joined = [np.concatenate([kernel, gate], axis=1)] if on_torch else [kernel, gate]
    if kernels.device_name() != "cpu":
        return []
    if rows == 1:
        return [*(joined if on_torch else []), table.T]
    few = rows in (range(2, 49) if on_torch else range(3, 65))
    return [matrix.T for matrix in joined] if few else []


def _assert_equal(actual, expected):
    for x, y in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(to_numpy(x), y)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_generated_as_without_a_cache(rows):
    prompts = [[1, 2, 3], [4, 5, 6, 7], [8, 9]][:rows]
    generated = ka.generate(tied(), prompts, max_new_tokens=8)
    assert [list(row) for row in generated] == [greedy(tied(), row, 8) for row in prompts]


def test_beams_of_two_prompts_are_those_of_each():
    """Six rows, as columns; two, as they are; and three."""
    prompts = [[1, 2, 3], [4, 5, 6, 7]]
    for beams in (2, 3):
        search = ka.decoding.BeamSearch(beams, num_results=beams)
        both = ka.generate(tied(), prompts, sampler=search, max_new_tokens=6)
        for prompt, hypotheses in zip(prompts, both, strict=True):
            (alone,) = ka.generate(tied(), [prompt], sampler=search, max_new_tokens=6)
            assert [list(x.output) for x in hypotheses] == [list(x.output) for x in alone]
            scores = [[x.score for x in results] for results in (hypotheses, alone)]
            np.testing.assert_allclose(*scores, atol=2e-5)  # of logits of 10 to 100, in float32
