"""Action values: cases for the contract, and choices."""

import numpy as np
import pytest

import keras_attention as ka
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.ActionValues,
        config={"num_classes": 3, "names": ["left", "stay", "right"]},
        inputs={"logits": ("T", 3)},
        stateless=True,
    )
]


def test_choices_are_the_highest_values_and_no_probabilities():
    values = np.array([[-3.0, -1.5, -2.0], [90.0, 80.0, 85.5]])
    first, second = ka.layers.ActionValues(3, ["left", "stay", "right"]).decode(values)
    assert (first.label, first.value) == ("stay", -1.5)
    assert second.ranking == (("left", 90.0), ("right", 85.5), ("stay", 80.0))
    assert str(second) == "left (90.00)"
    assert not hasattr(second, "probability")


def test_further_axes_give_lists():
    choices = ka.layers.ActionValues(2).decode(np.array([[[0.0, 1.0], [3.0, 0.0]]]), top=1)
    assert [choice.label for choice in choices[0]] == ["1", "0"]
    assert choices[0][1].ranking == (("0", 3.0),)


def test_values_must_fit():
    with pytest.raises(ValueError, match=r"\(B, \.\.\., 3\).*\(2, 4\)"):
        ka.layers.ActionValues(3).decode(np.zeros((2, 4)))
