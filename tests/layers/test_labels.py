"""Labels: cases for the contract, and answers."""

import numpy as np
import pytest

import keras_attention as ka
from tests.contracts import Case

CASES = [
    Case(
        layer=ka.layers.Labels,
        config={"num_classes": 3, "names": ["a", "b", "c"]},
        inputs={"logits": ("T", 3)},
        stateless=True,
    ),
    Case(
        layer=ka.layers.Labels,
        config={"num_classes": 2, "activation": "sigmoid"},
        inputs={"logits": ("T", 2)},
        stateless=True,
    ),
]


def test_answers_are_the_softmax_with_names():
    logits = np.log(np.array([[0.2, 0.5, 0.3], [0.9, 0.04, 0.06]]))
    first, second = ka.layers.Labels(3, ["cat", "dog", "owl"]).decode(logits)
    assert (first.label, first.probability) == ("dog", pytest.approx(0.5))
    assert [name for name, _ in first.ranking] == ["dog", "owl", "cat"]
    assert str(second) == "cat (90.0%)"


def test_further_axes_give_lists():
    answers = ka.layers.Labels(2).decode(np.array([[[0.0, 800.0], [3.0, 0.0], [0.0, 1.0]]]))
    assert [answer.label for answer in answers[0]] == ["1", "0", "1"]
    assert answers[0][0].probability == 1.0
    assert len(ka.layers.Labels(9).decode(np.zeros((1, 9)), top=4)[0].ranking) == 4


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "b"]])
def test_names_must_fit(names):
    with pytest.raises(ValueError, match="a name of its own for each class"):
        ka.layers.Labels(3, names)


def test_logits_must_fit():
    with pytest.raises(ValueError, match=r"\(B, \.\.\., 3\).*\(2, 4\)"):
        ka.layers.Labels(3).decode(np.zeros((2, 4)))


def test_several_classes_may_be_right():
    logits = np.array([[800.0, -800.0, 0.0, 2.0], [-1.0, -2.0, -3.0, -4.0]])
    layer = ka.layers.Labels(4, list("abcd"), activation="sigmoid")
    first, second = layer.decode(logits, top=1)
    assert [name for name, _ in first.ranking] == ["a", "d"]
    np.testing.assert_allclose([x for _, x in first.ranking], [1, 1 / (1 + np.exp(-2))])
    assert second.ranking == (("a", pytest.approx(1 / (1 + np.exp(1)))),)
    with pytest.raises(ValueError, match="`activation` must be one of 'softmax', 'sigmoid'"):
        ka.layers.Labels(4, activation="relu")
