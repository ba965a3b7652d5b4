import numpy as np
import pytest

import keras_attention as ka
from tests.zoo.models.contracts import ModelCase, call
from tests.zoo.models.taggers import SIZE, inputs, padded
from zoo.models.transformer_tagger import VARIANTS, transformer_tagger

pytestmark = pytest.mark.runs_on("torch")

CASES = [
    ModelCase(
        model=transformer_tagger,
        sizes=VARIANTS["tiny"],
        inputs=inputs,
        maps=1,
        config={"vocabulary_size": SIZE},
        padded=padded,
        rows=True,
    )
]
PARAMETERS = {"default": 315_473, "tiny": 11_945}


def test_order_of_the_words_matters():
    case = CASES[0]
    model, data = case.make(), case.data(1)
    turned = {name: x[:, ::-1].copy() for name, x in data.items()}
    assert not np.allclose(call(model, turned)[:, ::-1], call(model, data), atol=1e-3)


def test_entities_are_decoded_in_bio():
    names = ["O", "B-x", "I-x"]
    model = CASES[0].make(num_classes=3, class_names=names, entities=True)
    last = model.get_layer("labels")
    assert isinstance(last, ka.layers.EntityLabels)
    assert last.class_names == tuple(names)
