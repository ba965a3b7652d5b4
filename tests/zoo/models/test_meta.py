"""Whole models on PyTorch's meta device, where an operation on a tensor left on the CPU fails.

Keras reads numbers there in `ops.repeat` and in `ops.split` at indices, so that four models, which
use them, cannot be looked at. It also cuts off gradients: see `tests/layers/test_meta.py`.
"""

import keras
import numpy as np
import pytest
from keras import tree

from tests.zoo.models.cases import MODELS, cases_of

pytestmark = pytest.mark.only_on("torch")

REPEATS = {"audio_transformer", "patch_tst", "vqa"}
SPLITS = {"captioner"}


@pytest.mark.parametrize("name", sorted({*MODELS} - REPEATS - SPLITS))
def test_outputs(name):
    case = cases_of(name)[0]
    inputs = case.inputs(np.random.default_rng(0), 2)
    with keras.device("meta"):
        model = case.model(**case.sizes, **case.config)
        outputs = model({name: keras.ops.convert_to_tensor(x) for name, x in inputs.items()})
    assert all(x.is_meta for x in [*tree.flatten(outputs), *(v.value for v in model.variables)])
