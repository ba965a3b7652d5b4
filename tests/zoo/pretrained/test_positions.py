"""Positions of other image sizes, against PyTorch's bicubic interpolation."""

import numpy as np
import pytest
import torch

from zoo.pretrained.positions import resize_positions

pytestmark = pytest.mark.runs_on("torch")


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


def test_the_same_size_changes_nothing():
    table = np.random.default_rng(0).normal(size=(2 + 6, 4)).astype("float16")
    assert resize_positions(table, (2, 3), (2, 3), prefix=2) is table
    assert resize_positions(table, (2, 3), (3, 2), prefix=2).dtype == np.float16
