"""How much a model writes where nobody says it."""

import numpy as np
import pytest

from tests.decoding.models import image_captioner, language_model
from zoo.writing import choose_length

pytestmark = pytest.mark.runs_on("torch")


def test_what_the_context_leaves():
    model = language_model()  # which has 48 positions
    prompts = [np.array([3, 4], "int32"), np.array([3, 4, 5, 6, 7], "int32")]
    assert choose_length(model, prompts, most=10) == 10
    assert choose_length(model, prompts, most=100) == 43
    assert choose_length(model, [np.full(60, 3, "int32")], most=100) == 1
    assert choose_length(model, [], most=100) == 47
    assert choose_length(language_model("rotary"), prompts, most=100) == 100


def test_what_cannot_be_read_is_left_to_the_library():
    assert choose_length(language_model(), [np.array([], "int32")], most=100) == 100


def test_of_a_source_there_is_the_start_alone():
    assert choose_length(image_captioner(), ["missing.png"], most=100) == 100
