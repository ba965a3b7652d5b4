"""Layers on PyTorch's meta device, where an operation on a tensor that is left on the CPU fails.

Keras's `convert_to_tensor` cuts gradients off there, so that only outputs can be looked at, and its
`repeat`, which `PatchEmbedding` spreads a mask by, asks for values.
"""

import keras
import pytest
from keras import tree

import keras_attention as ka
from tests.layers.test_contract import FIRST

pytestmark = pytest.mark.only_on("torch")


@pytest.mark.parametrize("case", FIRST.values(), ids=lambda case: case.layer.__name__)
def test_outputs(case):
    data = case.data()
    masks = {} if case.layer is ka.layers.PatchEmbedding else case.padding(data)
    with keras.device("meta"):
        layer = case.make()
        call = {name: keras.ops.convert_to_tensor(x) for name, x in {**data, **masks}.items()}
        outputs = [x for x in tree.flatten(layer(**call)) if x is not None]
    assert outputs
    assert all(x.is_meta for x in outputs)
