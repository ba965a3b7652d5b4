"""Resampling along an axis beside NumPy's interpolation of what is padded in the same way."""

import numpy as np
import pytest
from keras import ops

from keras_attention.ops.resampling import resample
from tests.backend import to_numpy

IMAGES = np.random.default_rng(0).random((3, 6, 5, 2)).astype("float32")
ZOOM, SHIFT = np.array([1.0, 0.7, 1.3]), np.array([2.4, -0.3, -4.2])  # in pixels
FAR = 12  # beyond an edge, more than any place is
MODES = {
    "nearest": {"mode": "edge"},
    "constant": {"constant_values": -2.0},
    "reflect": {"mode": "symmetric"},
    "wrap": {"mode": "wrap"},
}


@pytest.mark.parametrize("fill", MODES)
@pytest.mark.parametrize("axis", [1, 2])
def test_places_are_interpolated(fill, axis):
    size = IMAGES.shape[axis]
    places = (ZOOM[:, None] * np.arange(size) + SHIFT[:, None]).astype("float32")
    resampled = resample(*map(ops.convert_to_tensor, (IMAGES, places)), axis, fill, -2.0)

    def line(values, where):
        known = np.arange(-FAR, size + FAR)
        return np.interp(where, known, np.pad(values, FAR, **MODES[fill]))

    expected = [
        np.apply_along_axis(line, axis - 1, image, where)
        for image, where in zip(IMAGES, places, strict=True)
    ]
    np.testing.assert_allclose(to_numpy(resampled), np.stack(expected), atol=1e-5)
