"""Patch embedding: cases for the contract, against patches cut by hand."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case, WithMask


def case(patch=1, width=6, masks=("mask",), **config):
    columns = width // patch
    return Case(
        layer=ka.layers.PatchEmbedding,
        config={"hidden_dim": 5, **config},
        inputs={"inputs": ("T", width, 3)},
        masks=dict.fromkeys(masks, "inputs"),
        rows=lambda start, stop: slice(start // patch * columns, stop // patch * columns),
        lengths=(8, 2),
    )


CASES = [
    case(patch=2, patch_size=2),
    case(patch=2, stem=(4,)),
    case(patch=2, stem=(4,), stem_pooling=True),
    case(masks=(), patch_size=(2, 3), stride=(1, 2), flatten=False),
]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("size", "stride"), [((2, 3), (2, 3)), ((3, 3), (2, 1))])
def test_a_patch_is_a_flattened_piece_times_a_kernel(size, stride, data_format):
    """Equation 1 of the ViT paper, with patches cut by hand; sizes unknown to the model."""
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, 7, 8, 3)).astype("float32")
    layer = ka.layers.PatchEmbedding(5, size, stride, data_format=data_format)
    first = data_format == "channels_first"
    layer.build((None, 3, None, None) if first else (None, None, None, 3))
    kernel, bias = (rng.normal(size=w.shape).astype("float32") for w in layer.weights)
    layer.set_weights([kernel, bias])
    patches = [
        image[:, r : r + size[0], c : c + size[1]].reshape(2, -1) @ kernel.reshape(-1, 5) + bias
        for r in range(0, 7 - size[0] + 1, stride[0])
        for c in range(0, 8 - size[1] + 1, stride[1])
    ]
    output = layer(image.transpose(0, 3, 1, 2) if first else image)
    np.testing.assert_allclose(to_numpy(output), np.stack(patches, axis=1), atol=1e-5)
    shape = (None, 3, 7, 8) if first else (None, 7, 8, 3)
    assert layer.compute_output_shape(shape) == (None, len(patches), 5)


def test_a_patch_is_masked_if_all_of_its_rows_are():
    layer = ka.layers.PatchEmbedding(4, (2, 3))
    spectrogram = np.ones((3, 7, 6, 1), "float32")
    mask = np.arange(7)[None] < np.array([[7], [3], [0]])
    output = layer(WithMask()([spectrogram, mask]))
    rows = np.array([[True] * 3, [True, True, False], [False] * 3])
    np.testing.assert_array_equal(to_numpy(output._keras_mask), np.repeat(rows, 2, axis=1))


@pytest.mark.parametrize("pooling", [False, True])
def test_a_stem_is_convolutions_each_with_norm_and_gelu(pooling):
    layer = ka.layers.PatchEmbedding(5, stem=(4, 3), stem_pooling=pooling)
    image = keras.Input((9, 6, 2))  # 9 rows: one is left over at each halving
    x = image
    for channels in (4, 3):
        x = keras.layers.Conv2D(channels, 3, 1 if pooling else 2, "same")(x)
        if pooling:
            x = keras.layers.MaxPooling2D(padding="same")(x)
        x = keras.layers.LayerNormalization(epsilon=1e-5)(x)
        x = keras.layers.Activation("gelu")(x)
    reference = keras.Model(image, keras.layers.Reshape((-1, 5))(keras.layers.Dense(5)(x)))
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=w.shape).astype("float32") for w in reference.weights]
    reference.set_weights(weights)
    layer.build((None, 9, 6, 2))
    layer.set_weights([w.reshape(o.shape) for w, o in zip(weights, layer.weights, strict=True)])
    images = rng.normal(size=(2, 9, 6, 2)).astype("float32")
    np.testing.assert_allclose(
        to_numpy(layer(images)), reference.predict(images, verbose=0), atol=1e-5
    )
