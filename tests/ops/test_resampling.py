"""Resampling along an axis beside Keras's general transformation of images."""

import numpy as np
import pytest
from keras import ops

from keras_attention.ops.resampling import resample
from tests.backend import to_numpy

IMAGES = np.random.default_rng(0).random((3, 6, 5, 2)).astype("float32")
ZOOM = np.array([[1.0, 1.2], [0.7, 1.0], [1.3, 0.8]], "float32")  # of height and width
SHIFT = np.array([[2.4, -1.0], [-0.3, 0.2], [3.1, -4.2]], "float32")  # in pixels


@pytest.mark.parametrize("fill", ["nearest", "constant", "reflect", "wrap"])
def test_zooms_and_shifts_are_affine_transformations(fill):
    found = IMAGES
    for axis in (1, 2):
        steps = np.arange(IMAGES.shape[axis], dtype="float32")
        places = ZOOM[:, axis - 1, None] * steps + SHIFT[:, axis - 1, None]
        found = resample(*map(ops.convert_to_tensor, (found, places)), axis, fill, -2.0)
    zero = np.zeros(3, "float32")
    # Rows of x, then of y, then of the perspective.
    transform = np.stack(
        [ZOOM[:, 1], zero, SHIFT[:, 1], zero, ZOOM[:, 0], SHIFT[:, 0], zero, zero], axis=1
    )
    expected = ops.image.affine_transform(
        IMAGES, transform, "bilinear", fill, -2.0, data_format="channels_last"
    )
    np.testing.assert_allclose(to_numpy(found), to_numpy(expected), atol=1e-5)
