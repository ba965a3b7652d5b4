"""Small models: the scores of every method of explanation."""

import keras

from keras_attention import explain
from tests.backend import BACKEND, BACKENDS
from tests.zoo.models.cases import cases_of
from tests.zoo.models.contracts import feed

SAVER = "torch"
# Of each kind of elements, and of two sequences; with the position that is explained.
MODELS = {
    "text_classifier": {},
    "vit": {},
    "audio_transformer": {},
    "gat": {"position": [1, 0]},
    "transformer": {"position": [2, 3]},
}
METHODS = {
    explain.attention: {},
    explain.attention_gradient: {},
    explain.rollout: {"head_fusion": "max", "discard_ratio": 0.1},
    explain.relevance: {},
    explain.gradient_x_input: {},
    explain.integrated_gradients: {"steps": 4},
    explain.leave_one_out: {},
}


def save(folder, share):
    if BACKEND != SAVER:
        return
    for name in MODELS:
        cases_of(name)[0].make().save(folder / f"{name}.keras")


def read(folders):
    """Returns the scores of each method by `model/method`."""
    folder, scores = folders[BACKENDS.index(SAVER)], {}
    for name, where in MODELS.items():
        model = keras.saving.load_model(folder / f"{name}.keras", compile=False)
        inputs = feed(cases_of(name)[0].data(2))
        for method, settings in METHODS.items():
            explanation = method(model, inputs, target=1, **where, **settings)
            scores[f"{name}/{method.__name__}"] = explanation.scores
    return scores
