"""A file that one backend trained answers raw input on the others, by name and alike."""

import numpy as np
import pytest

from tests.backend import BACKENDS
from tests.cross_backend.answers import SAVER
from zoo.data.easy_vqa import CLASS_NAMES


@pytest.fixture
def answers(results):
    return {backend: results[backend]["answers"] for backend in BACKENDS}


def leaves(value):
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, list | tuple):
        for part in value:
            yield from leaves(part)
    else:
        yield value


def test_all_backends_answer_alike(answers):
    for backend in BACKENDS:
        assert answers[backend].keys() == answers[SAVER].keys()
        for recipe, expected in answers[SAVER].items():
            mine, its = list(leaves(answers[backend][recipe])), list(leaves(expected))
            assert len(mine) == len(its) > 0
            for actual, value in zip(mine, its, strict=True):
                if isinstance(value, float):
                    np.testing.assert_allclose(actual, value, rtol=1e-3, atol=1e-4, err_msg=recipe)
                else:
                    assert actual == value, f"{recipe} on {backend}"


def test_answers_have_names(answers):
    names = {recipe: list(leaves(answer)) for recipe, answer in answers[SAVER].items()}
    assert isinstance(names["text_trec"][0], str)
    assert names["vit_digits"][0] in set("0123456789")
    assert names["vqa_easy"][0] in CLASS_NAMES
    assert all(names["caption_emoji"]), "a text for each picture"
    assert names["tabular_adult"][0] in {"<=50K", ">50K"}
    assert all(isinstance(name, str) for name in names["gat_cora"][::2])
