"""Positions of other image sizes, against PyTorch's bicubic interpolation."""

import numpy as np
import pytest

from tests.backend import BACKEND
from zoo.pretrained.positions import fit_rules, resize_positions
from zoo.pretrained.weights import FLAT, rule

if BACKEND == "torch":
    import torch

pytestmark = pytest.mark.only_on("torch")


@pytest.mark.parametrize(
    ("old", "new"), [((14, 14), (24, 24)), ((14, 14), (7, 9)), ((3, 5), (8, 2)), ((1, 2), (3, 3))]
)
def test_is_the_interpolation_that_published_models_were_resized_by(old, new):
    table = np.random.default_rng(0).normal(size=(1 + old[0] * old[1], 6)).astype("float32")
    grid = torch.tensor(table[1:]).reshape(1, *old, 6).permute(0, 3, 1, 2)
    theirs = torch.nn.functional.interpolate(grid, new, mode="bicubic", align_corners=False)
    expected = theirs.permute(0, 2, 3, 1).reshape(-1, 6).numpy()
    resized = resize_positions(table, old, new)
    np.testing.assert_array_equal(resized[:1], table[:1])
    np.testing.assert_allclose(resized[1:], expected, atol=1e-5)


def test_tables_of_other_tokens_types_and_sizes():
    table = np.random.default_rng(0).normal(size=(2 + 6, 4)).astype("float16")
    resized = resize_positions(table, (2, 3), (3, 2))
    assert (resized.dtype, resized.shape) == (np.float16, (8, 4))
    np.testing.assert_array_equal(resized[:2], table[:2])
    np.testing.assert_allclose(resize_positions(table, (2, 3), (2, 3)), table, atol=1e-6)
    with pytest.raises(ValueError, match=r"Received: 8 positions, old=\(3, 3\)"):
        resize_positions(table, (3, 3), (2, 2))


def test_the_table_alone_is_resized():
    rules = [rule("theirs", "position/table", FLAT), rule("cls", "class_token/tokens", FLAT)]
    assert fit_rules(rules, (2, 3), (2, 3)) == rules
    table, token = fit_rules(rules, (2, 3), (4, 4))
    assert token is rules[1]
    theirs = np.zeros((1, 1 + 6, 5), "float32")
    assert table.change.load([theirs])[0].shape == (1 + 16, 5)
    assert table.change.save([theirs[0]])[0].shape == theirs.shape
