"""Vision transformers under the contract, and what is their own."""

import keras
import numpy as np
import pytest
from PIL import Image

import keras_attention as ka
from tests.backend import to_numpy
from tests.zoo.models.contracts import ModelCase
from zoo.models.vit import VARIANTS, vit

pytestmark = pytest.mark.runs_on("jax")

SMALL = {"image_size": 16, "channels": 1, "num_classes": 3}


def images(rng, batch):
    return {"image": rng.integers(0, 256, (batch, 16, 16, 1)).astype("float32")}


CASES = [
    ModelCase(model=vit, sizes=VARIANTS["tiny"], inputs=images, maps=1, config=SMALL),
    ModelCase(
        model=vit,
        sizes=VARIANTS["tiny_compact"],
        inputs=images,
        maps=2,
        config={**SMALL, "augmentation": ka.layers.ImageAugmentation(flip=True, shift=0.2)},
    ),
    ModelCase(model=vit, sizes=VARIANTS["tiny_windows"], inputs=images, maps=2, config=SMALL),
]
PARAMETERS = {
    "default": 135_619,
    "compact": 185_091,
    "digits": 165_507,
    "digits_windows": 165_507 + 2 * 9 * 4,
    "tiny": 819,
    "tiny_compact": 1_093,
    "tiny_windows": 1_495,
    "ti16": 5_389_059,
}


def test_class_names_are_enough():
    """The sizes are those of a published model."""
    model = vit(class_names=("cat", "dog"))
    assert model.output_shape == (None, 2)
    assert model.count_params() == vit(**VARIANTS["ti16"], num_classes=2).count_params()


def test_positions_and_averages():
    """Neither has weights, and the order of the patches matters nevertheless."""
    model = vit(**{**VARIANTS["tiny"], **SMALL, "pooling": "average", "position": "sinusoidal"})
    names = {weight.path.split("/")[0] for weight in model.weights}
    assert names == {"patches", "block_0", "norm", "logits"}
    x = images(np.random.default_rng(0), 1)["image"]
    turned = np.concatenate([x[:, 8:], x[:, :8]], axis=1)  # whole patches
    assert np.abs(to_numpy(model(x)) - to_numpy(model(turned))).max() > 1e-4


def test_sizes_are_the_published_ones():
    """DeiT-Ti has 5,717,416 (timm's count), with a vector for each of 1 + 14 x 14 positions. By
    default each of 14 rows and of 14 columns has half a vector, and the class token none."""
    model = vit(**VARIANTS["ti16"])
    assert model.count_params() == 5_717_416 - 197 * 192 + 2 * 14 * 96
    model = vit(**VARIANTS["ti16"], position="learned_sequence")
    assert model.count_params() == 5_717_416


def test_the_class_token_has_a_position_too():
    """Tokens in the paper's order: it goes before the patches, row by row, and each has its own."""
    sizes = {**VARIANTS["tiny"], **SMALL, "num_classes": None, "num_layers": 0}
    model = vit(**sizes, pooling="tokens", position="learned_sequence", epsilon=0.5)
    patches = keras.Model(model.input, model.get_layer("tokens").output)
    rng = np.random.default_rng(0)
    table = rng.normal(size=model.get_layer("position").weights[0].shape).astype("float32")
    token = rng.normal(size=(1, table.shape[1])).astype("float32")
    model.get_layer("position").set_weights([table])
    model.get_layer("class_token").set_weights([token])
    x = images(rng, 2)["image"]
    tokens = np.concatenate([np.stack([token] * 2), to_numpy(patches(x))], axis=1) + table
    centred = tokens - tokens.mean(-1, keepdims=True)
    expected = centred / np.sqrt(centred.var(-1, keepdims=True) + 0.5)
    np.testing.assert_allclose(to_numpy(model(x)), expected, atol=1e-5)


def test_images_may_be_of_any_shape():
    """By a size of two numbers, or by a converter with its own size, channels and statistics."""
    sizes = {**VARIANTS["tiny"], "num_classes": None, "patch_size": (4, 2)}
    wide = vit(**sizes, image_size=(8, 12), channels=1, mean=0.25, pooling="tokens")
    assert (wide.input_shape, wide.output_shape) == ((None, 8, 12, 1), (None, 1 + 2 * 6, 8))
    converter = ka.layers.ImageConverter(8, 12, 1, mean=0.25, std=0.5, resample="bicubic")
    same = vit(**sizes, converter=converter, pooling="tokens")
    same.set_weights(wide.get_weights())
    x = np.random.default_rng(0).integers(0, 256, (2, 8, 12, 1)).astype("float32")
    np.testing.assert_array_equal(to_numpy(same(x)), to_numpy(wide(x)))


def test_augmentation_changes_images_in_training_alone():
    """Not where `training` is left out either, as when attention is captured."""
    augmentation = ka.layers.ImageAugmentation(flip=True, shift=0.2)
    model = vit(**VARIANTS["tiny"], **SMALL, augmentation=augmentation)
    x = np.repeat(images(np.random.default_rng(0), 1)["image"], 8, axis=0)
    plain = to_numpy(model(x, training=False))
    np.testing.assert_array_equal(to_numpy(model(x)), plain)
    first, second = (to_numpy(model(x, training=True)) for _ in range(2))
    assert len(np.unique(first.round(5), axis=0)) > 4, "each image in its own way"
    assert np.abs(first - second).max() > 1e-4, "each time in another"


def test_a_file_goes_from_a_picture_to_a_name(tmp_path):
    keras.utils.set_random_seed(0)
    model = vit(
        **VARIANTS["tiny_compact"],
        **SMALL,
        augmentation=ka.layers.ImageAugmentation(flip=True, shift=0.2),
        class_names=("shoe", "bag", "coat"),
    )
    ka.save_model(model, tmp_path / "model.keras")
    loaded = ka.load_model(tmp_path / "model.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    answer = ka.predict(loaded, tmp_path / "one.png")
    (same,) = ka.predict(model, pixels[None, ..., None])
    assert answer.label in ("shoe", "bag", "coat")
    assert answer.label == same.label
    assert answer.probability == pytest.approx(same.probability, abs=1e-5)


def test_windows_are_shifted_in_every_other_block():
    """Two blocks see further than one, and no patch sees all."""
    model = CASES[2].make()
    blocks = [model.get_layer(f"block_{i}").attention.mechanism for i in range(2)]
    assert [(block.window_size, block.shift, block.grid) for block in blocks] == [
        (3, 0, (8, 8)),
        (3, 1, (8, 8)),
    ]


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"window_size=2, pooling='class_token'"):
        vit(**VARIANTS["tiny"], **SMALL, window_size=2)
    with pytest.raises(ValueError, match=r"'tokens' or None\. Received: pooling='max'"):
        vit(**VARIANTS["tiny"], **SMALL, pooling="max")
    with pytest.raises(ValueError, match="Classes need one feature of an image"):
        vit(**VARIANTS["tiny"], **SMALL, pooling=None)
    with pytest.raises(ValueError, match=r"'learned_sequence'\. Received: position='rotary'"):
        vit(**VARIANTS["tiny"], **SMALL, position="rotary")
    with pytest.raises(ValueError, match=r"`mean` .* Received: mean=77\.8.* pass mean=0\.3051"):
        vit(**VARIANTS["tiny"], **SMALL, mean=77.8)


def test_a_feature_of_each_patch():
    """Without pooling: those that the average is of."""
    sizes = {**VARIANTS["tiny"], **SMALL, "num_classes": None}
    patches, mean = (vit(**sizes, pooling=pooling) for pooling in (None, "average"))
    mean.set_weights(patches.get_weights())
    x = images(np.random.default_rng(0), 2)["image"]
    output = to_numpy(patches(x))
    assert output.shape == (2, *patches.output.shape[1:])
    np.testing.assert_allclose(output.mean(axis=1), to_numpy(mean(x)), atol=1e-5)
