"""ImageAugmentation: cases for the contract, and what each change is."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.backend import BACKEND, to_numpy
from tests.contracts import Case

EVERYTHING = {"flip": True, "rotation": 0.05, "zoom": 0.1, "shift": 0.2}
CASES = [
    Case(
        layer=ka.layers.ImageAugmentation,
        config={},
        inputs={"image": (6, 5, 2)},
        dropout=EVERYTHING,
        rows=None,
        stateless=True,
    )
]
IMAGE = np.random.default_rng(0).random((6, 5, 2)).astype("float32")


def changed(count=16, image=IMAGE, **config):
    layer = ka.layers.ImageAugmentation(**config, seed=1)
    return to_numpy(layer(np.stack([image] * count), training=True))


def test_nothing_changes_unless_in_training():
    """Not even where `training` is left out, which is when Keras's own layers do."""
    layer = ka.layers.ImageAugmentation(**EVERYTHING)
    for call in ({}, {"training": False}):
        np.testing.assert_array_equal(to_numpy(layer(IMAGE[None], **call)), IMAGE[None])


def test_each_image_is_flipped_or_not():
    kinds = [
        [np.allclose(one, other, atol=1e-5) for other in (IMAGE, IMAGE[:, ::-1])]
        for one in changed(flip=True)
    ]
    assert all(sum(kind) == 1 for kind in kinds)
    assert np.any(kinds, axis=0).all(), "some are, some are not"


@pytest.mark.parametrize("change", [{"rotation": 0.1}, {"zoom": 0.3}, {"shift": 0.3}])
def test_each_image_is_moved_in_its_own_way(change):
    images = changed(**change)
    assert np.isfinite(images).all()
    assert len(np.unique(images.round(4), axis=0)) > 12
    assert images.min() >= IMAGE.min() - 1e-5
    assert images.max() <= IMAGE.max() + 1e-5


def test_the_background_is_what_it_is_said_to_be():
    images = changed(64, np.ones_like(IMAGE), shift=0.3, fill="constant", fill_value=-2.0)
    assert images.min() == pytest.approx(-2.0, abs=1e-5)
    assert images.max() == pytest.approx(1.0, abs=1e-5)


def test_a_shift_moves_at_most_as_far_as_it_says():
    """The centre of a bright spot: by bilinear weights it moves as the image does."""
    image = np.zeros((21, 21, 1), "float32")
    image[10, 10] = 1
    images = changed(64, image, shift=0.2, fill="constant")[..., 0]
    grid = np.arange(21)
    rows = (images.sum(axis=2) * grid).sum(axis=1) / images.sum(axis=(1, 2)) - 10
    columns = (images.sum(axis=1) * grid).sum(axis=1) / images.sum(axis=(1, 2)) - 10
    for moved in (rows, columns):
        assert np.abs(moved).max() <= 0.2 * 21 + 1e-3
        assert moved.min() < -1.5
        assert moved.max() > 1.5


def test_jax_compiles_a_training_with_it():
    """TensorFlow runs its graph as it is, without XLA."""
    image = keras.Input((6, 5, 2))
    model = keras.Model(image, ka.layers.ImageAugmentation(**EVERYTHING)(image))
    model.compile("sgd", "mse")
    assert model.jit_compile == (BACKEND == "jax")
    x = np.stack([IMAGE] * 8)
    differ = model.fit(x, x, batch_size=4, verbose=0).history["loss"]
    assert 0 < differ[0] < np.inf


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"shift": 1.0}, r"`shift` must be a number in \[0, 1\)"),
        ({"fill": "grey"}, "`fill` must be one of 'nearest'"),
    ],
)
def test_configuration_is_checked(config, message):
    with pytest.raises(ValueError, match=message):
        ka.layers.ImageAugmentation(**config)


def test_images_have_four_axes():
    with pytest.raises(ValueError, match=r"shape \(B, height, width, C\)"):
        ka.layers.ImageAugmentation()(IMAGE)
