"""The methods against a small encoder written down in NumPy, whose gradients are differences.

One model for most of it, in few shapes: JAX compiles anew for each.
"""

import gc
import weakref

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention import explain, scope
from keras_attention.explain.attribution import gradients
from keras_attention.explain.attribution.question import Question
from keras_attention.explain.maps import attention_maps as maps
from keras_attention.kernels import compiled
from tests.backend import to_numpy
from tests.explain.attribution.test_propagation import joint_attention
from tests.zoo.models.cases import cases_of

IDS = np.array([[5, 3, 7, 2, 8], [4, 9, 6, 0, 0]], "int32")  # the second one is padded
TARGET = np.array([1, 2])
METHODS = (
    explain.attention,
    explain.attention_gradient,
    explain.rollout,
    explain.relevance,
    explain.gradient_x_input,
    explain.integrated_gradients,
    explain.leave_one_out,
)
NAMES = [method.__name__ for method in METHODS]


def randomize(model, seed=0):
    """Returns the model with weights that hide nothing, the same on every backend."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(0.6 * rng.normal(size=weight.shape))
    return model


def encoder(read=lambda x: x[:, 0]):
    """Two attention layers of two heads, one of which feeds the other; the first row is read."""
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(12, 4, mask_zero=True, name="embedding")(ids)
    for i in range(2):
        more = ka.layers.MultiHeadSelfAttention(2, name=f"attention_{i}")(x)
        x = keras.layers.Add(name=f"add_{i}")([x, more])
    x = keras.layers.Dense(5, "tanh", name="hidden")(x)
    return randomize(keras.Model(ids, keras.layers.Dense(3, name="logits")(read(x))))


@pytest.fixture(scope="module")
def model():
    return encoder()


class Reference:
    """The same, of one input, in float64."""

    def __init__(self, model):
        self.weights = {w.path: to_numpy(w).astype(np.float64) for w in model.weights}

    def embedded(self, ids):
        return self.weights["embedding/embeddings"][ids]

    def logits(self, embedded, seen, nudges=(0, 0)):
        """Logits and weights `(2, T, T)` of each layer, to which `nudges` are added."""
        w = self.weights
        x, weights = embedded, []
        for i in range(2):
            part = {
                name: x @ w[f"attention_{i}/{name}_kernel"] + w[f"attention_{i}/{name}_bias"]
                for name in ("query", "key", "value")
            }
            query, key, value = (
                part[name].reshape(len(x), 2, 2).transpose(1, 0, 2) for name in part
            )
            scores = np.einsum("nth,nsh->nts", query, key) / np.sqrt(2)
            scores = np.exp(np.where(seen, scores, -np.inf))
            weights.append(scores / scores.sum(axis=-1, keepdims=True))
            heads = np.einsum("nts,nsh->tnh", weights[-1] + nudges[i], value).reshape(len(x), 4)
            x = x + heads @ w[f"attention_{i}/output_kernel"] + w[f"attention_{i}/output_bias"]
        x = np.tanh(x[0] @ w["hidden/kernel"] + w["hidden/bias"])
        return x @ w["logits/kernel"] + w["logits/bias"], weights

    def by_weights(self, ids, target):
        """Weights, and the gradient by them, of each layer."""
        embedded, seen = self.embedded(ids), ids != 0
        _, weights = self.logits(embedded, seen)

        def compute_output(layer, nudge):
            nudges = [np.zeros_like(weights[0]), np.zeros_like(weights[1])]
            nudges[layer] = nudge
            return self.logits(embedded, seen, nudges)[0][target]

        return [
            (a, differences(lambda n, i=i: compute_output(i, n), np.zeros_like(a)))
            for i, a in enumerate(weights)
        ]

    def by_embeddings(self, embedded, seen, target):
        return differences(lambda x: self.logits(x, seen)[0][target], embedded)


def differences(function, x, step=1e-5):
    """The gradient of a scalar by central differences."""
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        there = np.zeros(x.shape)
        there[index] = step
        gradient[index] = (function(x + there) - function(x - there)) / (2 * step)
    return gradient


def softmax(logits):
    exp = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1, keepdims=True)


def test_the_reference_computes_what_the_model_does(model):
    logits = to_numpy(model(IDS))
    reference = Reference(model)
    for b, ids in enumerate(IDS):
        expected, _ = reference.logits(reference.embedded(ids), ids != 0)
        np.testing.assert_allclose(logits[b], expected, atol=1e-5)


def test_attention_is_that_of_the_last_layer(model):
    reference = Reference(model)
    for fusion in ("mean", "max", "min"):
        explanation = explain.attention(model, IDS, head_fusion=fusion)
        for b, ids in enumerate(IDS):
            _, weights = reference.logits(reference.embedded(ids), ids != 0)
            expected = getattr(weights[1], fusion)(axis=0)[0]
            np.testing.assert_allclose(explanation.scores[b], expected * (ids != 0), atol=1e-5)


def test_rollout_is_that_of_the_maps(model):
    recorded = explain.attention_maps(model, IDS)
    explanation = explain.rollout(model, IDS)
    settings = {"head_fusion": "max", "discard_ratio": 0.4, "residual": False}
    other = explain.rollout(model, IDS, **settings).scores
    matrix = explain.rollout_matrix(recorded, **settings)[:, 0]
    np.testing.assert_allclose(other, np.where(IDS != 0, matrix, 0), atol=1e-7)
    for b in range(2):
        layers = [weights[b].mean(axis=0) for weights in recorded.values()]
        expected = joint_attention(layers)[0]
        np.testing.assert_allclose(explanation.scores[b], np.where(IDS[b], expected, 0), atol=1e-6)


def test_attention_times_gradient_and_relevance_of_the_target(model):
    """Equation 5 of each layer, with gradients by differences; then equation 6."""
    last = explain.attention_gradient(model, IDS, target=TARGET)
    relevance = explain.relevance(model, IDS, target=TARGET)
    np.testing.assert_array_equal(relevance.target, TARGET)
    reference = Reference(model)
    for b, ids in enumerate(IDS):
        r = np.eye(5)
        for weights, gradient in reference.by_weights(ids, TARGET[b]):
            a = np.maximum(weights * gradient, 0).mean(axis=0)
            r = r + a @ r
        seen = ids != 0
        np.testing.assert_allclose(last.scores[b], np.where(seen, a[0], 0), atol=1e-5)
        np.testing.assert_allclose(relevance.scores[b], np.where(seen, r[0], 0), atol=1e-5)


def test_gradient_times_input_of_the_target(model):
    scores = explain.gradient_x_input(model, IDS, target=TARGET).scores
    reference = Reference(model)
    for b, ids in enumerate(IDS):
        embedded = reference.embedded(ids)
        gradient = reference.by_embeddings(embedded, ids != 0, TARGET[b])
        expected = np.where(ids != 0, (gradient * embedded).sum(axis=-1), 0)
        np.testing.assert_allclose(scores[b], expected, atol=1e-5)


def test_integrated_gradients_are_the_integral(model):
    scores = explain.integrated_gradients(model, IDS, target=TARGET).scores
    reference = Reference(model)
    points, steps = np.linspace(0, 1, 65), np.full(65, 2.0)  # Simpson's rule
    steps[1::2], steps[[0, -1]] = 4, 1
    for b, ids in enumerate(IDS):
        embedded, seen = reference.embedded(ids), ids != 0
        along = [reference.by_embeddings(t * embedded, seen, TARGET[b]) for t in points]
        expected = np.einsum("p,ptd,td->t", steps / 192, along, embedded)
        np.testing.assert_allclose(scores[b], np.where(seen, expected, 0), atol=1e-4)
        # Their sum is what the output gains over that of no embeddings at all.
        gain = (reference.logits(embedded, seen)[0] - reference.logits(0 * embedded, seen)[0])[
            TARGET[b]
        ]
        np.testing.assert_allclose(scores[b].sum(), gain, rtol=1e-3)


def test_leave_one_out_is_a_loop(model):
    scores = explain.leave_one_out(model, IDS, target=TARGET, batch_size=3).scores
    whole = softmax(to_numpy(model(IDS)))
    expected = np.zeros(IDS.shape)
    for t in range(IDS.shape[1]):
        without = IDS.copy()
        without[:, t] = 0
        lost = whole - softmax(to_numpy(model(without)))
        expected[:, t] = lost[np.arange(2), TARGET]
    np.testing.assert_allclose(scores, np.where(IDS != 0, expected, 0), atol=1e-5)


def test_probabilities_are_not_made_probabilities_again(model):
    """Of a model that ends with a softmax."""
    chances = keras.Model(model.input, keras.layers.Softmax()(model.output))
    explanation = explain.leave_one_out(chances, IDS)
    expected = explain.leave_one_out(model, IDS)
    np.testing.assert_array_equal(explanation.target, expected.target)
    np.testing.assert_allclose(explanation.scores, expected.scores, atol=1e-5)


def test_a_row_alone_and_padded_is_explained_as_in_its_batch(model):
    alone = np.pad(IDS[1:], ((0, 0), (0, 2)))
    for method in METHODS:
        together, explanation = method(model, IDS), method(model, alone)
        assert explanation.scores.shape == (1, 7)
        name = method.__name__
        np.testing.assert_array_equal(explanation.target, together.target[1:])
        np.testing.assert_array_equal(explanation.scores[:, 5:], 0)
        np.testing.assert_allclose(
            explanation.scores[:, :5], together.scores[1:], atol=2e-5, err_msg=name
        )
        assert (together.method, together.elements.kind) == (name, "tokens")


def test_the_target_is_the_highest_output_unless_it_is_named(model):
    highest = to_numpy(model(IDS)).argmax(axis=-1)
    explanation = explain.gradient_x_input(model, IDS)
    np.testing.assert_array_equal(explanation.target, highest)
    np.testing.assert_array_equal(explain.rollout(model, IDS, target=-1).target, [2, 2])
    one = explain.gradient_x_input(model, IDS, target=int(highest[0]))
    np.testing.assert_allclose(one.scores[0], explanation.scores[0], atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": 3}, "`target` must be below 3"),
        ({"target": -4}, "`target` must be below 3"),
        ({"target": [0, 1, 2]}, "one for each of the 2 inputs"),
        ({"target": 0.5}, "`target` must be an index"),
        ({"target": True}, "`target` must be an index"),
        ({"position": 0}, r"of shape \(2, 3\): leave `position` out"),
    ],
)
def test_targets_that_do_not_fit_are_told(model, settings, message):
    with pytest.raises(ValueError, match=message):
        explain.rollout(model, IDS, **settings)


def test_steps_must_be_some(model):
    with pytest.raises(ValueError, match="steps"):
        explain.integrated_gradients(model, IDS, steps=0)


def test_nothing_of_the_model_changes(model):
    before = model.get_weights()
    patched = (keras.layers.MultiHeadAttention, "_compute_attention")
    original = getattr(*patched)
    for method in METHODS:
        method(model, IDS)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert not any("call" in vars(layer) for layer in model._flatten_layers())
    assert getattr(*patched) is original
    assert scope.current_recording() is None


class Fragile(keras.layers.Layer):
    broken = False

    def call(self, x):
        if self.broken:
            raise RuntimeError("broken")
        return x * 1.0


def fragile():
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(12, 4, name="embedding")(ids)
    x = keras.layers.MultiHeadAttention(1, 2)(x, x)
    x = keras.layers.GlobalAveragePooling1D()(Fragile(name="fragile")(x))
    return randomize(keras.Model(ids, keras.layers.Dense(2)(x)))


def test_an_error_leaves_the_model_as_it_was():
    model = fragile()
    question = Question(model, IDS, None, None, {})
    model.get_layer("fragile").broken = True
    original = keras.layers.MultiHeadAttention._compute_attention
    with pytest.raises(RuntimeError, match="broken"):
        gradients.Ground(model, question.elements)
    with pytest.raises(RuntimeError, match="broken"):
        question.record()
    weights = {model.layers[2].path: np.zeros((2, 1, 5, 5))}
    with pytest.raises(RuntimeError, match="broken"):
        gradients.by_weights(model, IDS, weights, question.target, None)
    assert "call" not in vars(model.get_layer("embedding"))
    assert keras.layers.MultiHeadAttention._compute_attention is original
    assert scope.current_recording() is None
    model.get_layer("fragile").broken = False
    ground = gradients.Ground(model, question.elements)
    model.get_layer("fragile").broken = True
    with pytest.raises(RuntimeError, match="broken"):
        ground.gradients(ground.values, question.target, None)
    assert "call" not in vars(model.get_layer("embedding"))


def test_explained_models_are_let_go():
    model = fragile()
    explain.relevance(model, IDS)
    explain.gradient_x_input(model, IDS)
    explain.gradient_x_input(model, IDS)  # TensorFlow traces the second time
    known = weakref.ref(model)
    del model
    keras.backend.clear_session()
    gc.collect()
    assert known() is None
    assert all(known.functions for known in compiled._kept.values())


def test_an_embedding_is_told_by_its_input():
    """Even where two inputs that share a table are equal."""
    a = keras.Input((5,), dtype="int32", name="a")
    b = keras.Input((5,), dtype="int32", name="b")
    table = keras.layers.Embedding(12, 2, name="table")
    x = keras.layers.Concatenate(axis=1)([table(a), 3 * table(b)])
    model = randomize(keras.Model([a, b], keras.layers.Dense(2)(keras.layers.Flatten()(x))))
    kernel = to_numpy(model.layers[-1].kernel).reshape(2, 5, 2, 2)
    rows = to_numpy(table.embeddings)[IDS]
    for name, part in (("a", kernel[0]), ("b", 3 * kernel[1])):
        explanation = explain.gradient_x_input(model, {"a": IDS, "b": IDS}, target=1, name=name)
        expected = np.einsum("btd,td->bt", rows, part[..., 1])
        np.testing.assert_allclose(explanation.scores, np.where(IDS != 0, expected, 0), atol=1e-5)


def select(outputs, explanation):
    """Returns, of each row of outputs, the number that is explained."""
    outputs = to_numpy(outputs)
    each = np.arange(len(outputs))
    return (
        outputs[each, explanation.target]
        if explanation.position is None
        else (outputs[each, explanation.position, explanation.target])
    )


def assert_complete(model, explanation, rtol=1e-3):
    """The sum is the difference to the output of what has no elements, by a call of its own."""
    elements = explanation.elements
    nothing = elements.without(np.ones_like(elements.present))
    gain = select(model(elements.inputs), explanation) - select(model(nothing), explanation)
    assert np.abs(gain).min() > 1e-3
    np.testing.assert_allclose(explanation.scores.sum(axis=1), gain, rtol=rtol, atol=1e-5)


def test_patches_behind_a_class_token():
    """Rollout reads its row; integrated gradients are complete, and slopes those of the output."""
    image = keras.Input((6, 4, 2), name="image")
    x = ka.layers.PatchEmbedding(4, 2, data_format="channels_last")(image)
    x = ka.layers.ClassToken()(x)
    x = ka.layers.MultiHeadSelfAttention(2, name="attention")(x)
    model = randomize(keras.Model(image, keras.layers.Dense(3)(x[:, 0])))
    images = np.random.default_rng(0).uniform(-1, 1, (2, 6, 4, 2)).astype("float32")
    for replacement in ("mean", 0.5):
        explanation = explain.integrated_gradients(model, images, replacement=replacement)
        assert explanation.scores.shape == (2, 6)
        assert_complete(model, explanation)
    rolled = explain.rollout(model, images).scores
    weights = explain.attention_maps(model, images)["attention"]
    np.testing.assert_allclose(rolled, weights.mean(axis=1)[:, 0, 1:] / 2, atol=1e-6)
    slope = explain.gradient_x_input(model, images)
    step = np.float32(1e-2)
    ahead = select(model(images * (1 + step)), slope) - select(model(images * (1 - step)), slope)
    np.testing.assert_allclose(slope.scores.sum(axis=1), ahead / (2 * step), rtol=1e-2)


def test_integrated_gradients_of_frames_are_complete():
    """As far as a logarithm that begins at a floor can be summed up."""
    audio = keras.Input((None,), name="audio")
    x = ka.layers.AudioConverter(80, multiple=16, name="waveform")(audio)
    x = ka.layers.LogMelSpectrogram(80, 4, 16, 8, floor=0.1, normalize=None, channel_axis=True)(x)
    x = ka.layers.PatchEmbedding(4, (2, 4), data_format="channels_last")(x)
    x = ka.layers.AttentionPooling(name="pooling")(x)
    model = randomize(keras.Model(audio, keras.layers.Dense(3)(x)))
    rng = np.random.default_rng(0)
    recordings = [rng.uniform(-1, 1, length).astype("float32") for length in (48, 20)]
    explanation = explain.integrated_gradients(model, recordings, steps=128)
    np.testing.assert_array_equal(explanation.elements.present, [[True] * 3, [True, True, False]])
    assert explanation.scores[1, 2] == 0
    assert np.isfinite(explanation.scores).all()
    assert_complete(model, explanation, rtol=1e-2)


@pytest.fixture(scope="module")
def graph():
    case = cases_of("gat")[0]
    return case.make(), case.data(2)


def test_integrated_gradients_of_nodes_are_complete(graph):
    model, inputs = graph
    explanation = explain.integrated_gradients(model, inputs, position=1)
    assert_complete(model, explanation, rtol=1e-2)  # its slopes have steps


def test_the_gradient_by_weights_of_edges(graph):
    """By differences of a model whose weights are nudged."""
    model, inputs = graph
    recorded = maps.record(model, inputs).maps
    target, position = np.array([0, 1]), np.array([1, 0])
    gradient_by_path = gradients.by_weights(model, inputs, recorded, target, position)

    def output(path, nudge):
        with scope.recording(scope.Recording(nudges={path: keras.ops.convert_to_tensor(nudge)})):
            outputs = to_numpy(model(inputs, training=False))
        return outputs[np.arange(2), position, target]

    edges = inputs["edges"]
    for path, weights in recorded.items():
        largest = np.abs(gradient_by_path[path]).max()
        assert largest > 1e-3
        for e in np.flatnonzero((edges >= 0).all(axis=(0, 2)))[:3]:
            nudge = np.zeros(weights.shape, "float32")
            nudge[:, 0, e] = 1e-2
            slope = (output(path, nudge) - output(path, -nudge)) / 2e-2
            np.testing.assert_allclose(gradient_by_path[path][:, 0, e], slope, atol=1e-2 * largest)


@pytest.fixture(scope="module")
def tagger():
    """Words and their characters, one attention layer, an output for each word."""
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    characters = keras.Input((None, None), dtype="int32", name="characters")
    words = keras.layers.Embedding(12, 6, mask_zero=True, name="embedding")(
        ka.layers.Tokenizer(words=True, name="tokenizer")(ids)
    )
    spelling = ka.layers.CharacterFeatures(3, 3, (1, 2), name="spelling")(characters)
    x = keras.layers.Add()([words, spelling])
    x = ka.layers.MultiHeadSelfAttention(2, name="attention")(x)
    return randomize(keras.Model([ids, characters], keras.layers.Dense(3)(x)))


CHARACTERS = np.random.default_rng(0).integers(4, 60, (2, 5, 4)).astype("int32")
WORDS = {"token_ids": IDS, "characters": np.where(IDS[..., None] != 0, CHARACTERS, 0)}


def test_characters_are_a_part_of_their_tokens(tagger):
    whole = tagger(WORDS)
    explanation = explain.integrated_gradients(tagger, WORDS, position=[0, 1])
    # The same mask, but words and characters that are nothing.
    weights = tagger.get_weights()
    for weight in tagger.weights:
        if weight.path.startswith(("embedding", "spelling")):
            weight.assign(0 * weight)
    gain = select(whole, explanation) - select(tagger(WORDS), explanation)
    tagger.set_weights(weights)
    np.testing.assert_allclose(explanation.scores.sum(axis=1), gain, rtol=1e-3, atol=1e-5)
    lost = explain.leave_one_out(tagger, WORDS, position=[0, 1])
    without = {name: array.copy() for name, array in WORDS.items()}
    for array in without.values():
        array[:, 2] = 0
    chances = [softmax(to_numpy(outputs)) for outputs in (whole, tagger(without))]
    expected = select(chances[0], lost) - select(chances[1], lost)
    np.testing.assert_allclose(lost.scores[:, 2], expected, atol=1e-5)


def test_outputs_at_positions_need_one(tagger):
    with pytest.raises(ValueError, match="Pass the `position`"):
        explain.rollout(tagger, WORDS)
    with pytest.raises(ValueError, match="`position` must be below 5"):
        explain.rollout(tagger, WORDS, position=99)
    with pytest.raises(ValueError, match="one for each of the 2 inputs"):
        explain.rollout(tagger, WORDS, position=[0, 1, 2])
    explanation = explain.rollout(tagger, WORDS, position=[-2, 1])
    np.testing.assert_array_equal(explanation.position, [3, 1])
    weights = explain.attention_maps(tagger, WORDS)["attention"].mean(axis=1)
    rows = (weights + np.eye(5))[[0, 1], [3, 1]] / 2
    np.testing.assert_allclose(explanation.scores, np.where(IDS != 0, rows, 0), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "read"), [("first", lambda x: x[:, 0]), ("last", lambda x: x[:, -1])]
)
def test_a_pooling_by_one_token_is_read_there(kind, read):
    """The first or the last token that is no padding, on whichever side that is."""
    pooled, sliced = encoder(ka.layers.TokenPooling(kind, name="pooling")), encoder(read)
    alone = IDS[1:, :3]
    for method in (explain.relevance, explain.rollout):
        expected = method(sliced, alone, target=2).scores
        right = method(pooled, IDS, target=2).scores
        np.testing.assert_allclose(right[1:, :3], expected, atol=1e-5)
        left = method(pooled, np.roll(IDS, 2, axis=1)[1:], target=2).scores
        np.testing.assert_allclose(left[:, 2:], expected, atol=1e-5)
        np.testing.assert_allclose(right[:1], method(sliced, IDS[:1], target=2).scores, atol=1e-5)


def test_models_without_attention_have_other_methods():
    image = keras.Input((4, 4, 1), name="image")
    model = randomize(keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image))))
    images = np.random.default_rng(0).uniform(size=(2, 4, 4, 1)).astype("float32")
    with pytest.raises(ValueError, match="no attention layer"):
        explain.relevance(model, images, grid=(2, 2))
    explanation = explain.integrated_gradients(model, images, grid=(2, 2), replacement=0, target=0)
    kernel = to_numpy(model.layers[-1].kernel)[:, 0].reshape(4, 4)
    products = images[..., 0] * kernel  # exact, for the model is linear
    expected = products.reshape(2, 2, 2, 2, 2).sum(axis=(2, 4)).reshape(2, 4)
    np.testing.assert_allclose(explanation.scores, expected, atol=1e-5)
    with pytest.raises(ValueError, match=r"no `keras.layers.Embedding`"):
        explain.gradient_x_input(counting(), IDS)


def counting():
    ids = keras.Input((5,), dtype="int32", name="ids")
    return keras.Model(ids, keras.layers.Dense(2)(keras.ops.cast(ids, "float32")))
