import keras
import pytest

import keras_attention as ka
from tests.backend import BACKEND


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_a_model_that_draws_random_numbers_is_not_compiled_by_xla_on_a_cpu(dropout):
    x = keras.Input((4, 8))
    block = ka.layers.TransformerBlock(2, 16, attention_dropout=dropout)
    model = keras.Model(x, keras.layers.Dense(1)(block(x)))
    chosen = ka.training.choose_jit_compile(model)
    assert chosen == (False if BACKEND == "tensorflow" and dropout else "auto")
    model.compile(ka.optimizers.Adam(), "mse", jit_compile=chosen)
    model.fit(keras.ops.ones((2, 4, 8)), keras.ops.ones((2, 4, 1)), verbose=0)
