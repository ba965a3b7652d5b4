"""How alike texts are: cosines of vectors, and scores of pairs."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests import text_models

pytestmark = pytest.mark.runs_on("torch")

TEXTS, OTHERS = ["ada", "who lived in London"], ["new york", "ada", "in"]


def embedder():
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = text_models.tokenizer()(ids)
    x = keras.layers.Embedding(len(text_models.VOCABULARY), 4, mask_zero=True)(x)
    return keras.Model(ids, keras.layers.GlobalAveragePooling1D()(x))


def test_cosines_of_vectors():
    model = embedder()
    a, b = (np.stack(ka.predict(model, texts)) for texts in (TEXTS, OTHERS))
    norms = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)
    similarity = ka.similarity(model, TEXTS, OTHERS, batch_size=2)
    np.testing.assert_allclose(similarity, a @ b.T / norms, atol=1e-6)
    itself = ka.similarity(model, TEXTS)
    np.testing.assert_allclose(np.diag(itself), 1, atol=1e-6)
    np.testing.assert_allclose(itself, itself.T, atol=1e-6)
    assert ka.similarity(model, [], OTHERS).shape == (0, 3)
    assert ka.similarity(model, []).shape == (0, 0)


def test_a_vector_of_zeros_is_like_none():
    model = embedder()
    model.layers[2].set_weights([np.zeros((len(text_models.VOCABULARY), 4))])
    np.testing.assert_array_equal(ka.similarity(model, TEXTS, OTHERS), np.zeros((2, 3)))


def test_scores_of_pairs():
    x = embedder()
    score = ka.layers.Quantities(["score"], activation="sigmoid")
    model = keras.Model(x.input, score(keras.layers.Dense(1)(x.output)))
    scores = ka.similarity(model, TEXTS, OTHERS)
    assert scores.shape == (2, 3)
    pair = ka.predict(model, [(TEXTS[1], OTHERS[2])])[0]
    assert scores[1, 2] == pytest.approx(pair["score"])
    assert scores.min() > 0
    assert scores.max() < 1
    assert ka.similarity(model, [], OTHERS).shape == (0, 3)


def test_other_models_are_refused():
    x = embedder()
    model = keras.Model(x.input, ka.layers.Labels(3)(keras.layers.Dense(3)(x.output)))
    with pytest.raises(ValueError, match=r"a vector for each text, \(B, D\), .*\(None, 3\)"):
        ka.similarity(model, TEXTS)
    with pytest.raises(TypeError, match=r"`others` must be a list of texts\. Received: the text"):
        ka.similarity(x, TEXTS, "ada")
