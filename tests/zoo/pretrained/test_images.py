"""A checkpoint of a vision transformer against what transformers computed of it."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

import keras_attention as ka
import zoo.pretrained
from tests.backend import to_numpy

FOLDER = Path(__file__).parent / "checkpoints" / "vit"
EXPECTED = np.load(FOLDER / "expected.npz")
TOLERANCE = 2e-5
TORCH = pytest.mark.runs_on("torch")


@pytest.fixture(scope="module")
def model():
    return zoo.pretrained.load(FOLDER)


@pytest.fixture
def changed(tmp_path):
    """Returns a folder like the checkpoint's, but for settings of `config.json`."""

    def change(**settings):
        shutil.copytree(FOLDER, tmp_path / "changed", dirs_exist_ok=True)
        config = {**json.loads((FOLDER / "config.json").read_text()), **settings}
        (tmp_path / "changed" / "config.json").write_text(json.dumps(config))
        return tmp_path / "changed"

    return change


def assert_close(ours, theirs):
    np.testing.assert_allclose(to_numpy(ours), theirs, rtol=0, atol=TOLERANCE)


def test_logits_and_attention_maps(model):
    with ka.capture() as maps:
        logits = model(EXPECTED["images"].astype("float32"))
    assert_close(logits, EXPECTED["logits"])
    for weights, theirs in zip(maps.values(), EXPECTED["maps"], strict=True):
        assert_close(weights, theirs)


def test_features_and_embeddings():
    """The embedding is the first of the features, the class token."""
    features = zoo.pretrained.load(FOLDER, task="features")
    assert_close(features(EXPECTED["images"].astype("float32")), EXPECTED["features"])
    embedding = zoo.pretrained.load(FOLDER, task="embedding")
    vectors = ka.predict(embedding, list(EXPECTED["images"]))
    assert_close(vectors, EXPECTED["features"][:, 0])


def test_images_of_another_size(tmp_path):
    """And what is saved of it says the size, so that it comes back without `image_size`."""
    larger = zoo.pretrained.load(FOLDER, image_size=(16, 20))
    images = EXPECTED["larger_images"].astype("float32")
    assert_close(larger(images), EXPECTED["larger_logits"])
    zoo.pretrained.save(larger, tmp_path / "saved", like=FOLDER)
    again = zoo.pretrained.load(tmp_path / "saved")
    np.testing.assert_array_equal(to_numpy(again(images)), to_numpy(larger(images)))
    size = json.loads((tmp_path / "saved" / "preprocessor_config.json").read_text())["size"]
    assert size == {"height": 16, "width": 20}


def test_files_of_the_zoo_and_of_the_hub_come_back(model, tmp_path):
    images = EXPECTED["images"].astype("float32")
    ka.save_model(model, tmp_path / "model.keras")
    again = ka.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(to_numpy(again(images)), to_numpy(model(images)))
    zoo.pretrained.save(again, tmp_path / "saved", like=FOLDER)
    ours, theirs = (load_file(f / "model.safetensors") for f in (tmp_path / "saved", FOLDER))
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)
    for name in ("config.json", "preprocessor_config.json"):
        assert json.loads((tmp_path / "saved" / name).read_text()) == json.loads(
            (FOLDER / name).read_text()
        )


def test_a_photograph_gets_a_name(model, tmp_path):
    """With the probability that transformers has behind its own processor."""
    Image.fromarray(EXPECTED["photograph"]).save(tmp_path / "photograph.png")
    (answer,) = ka.predict(model, [tmp_path / "photograph.png"])
    (logits,) = EXPECTED["photograph_logits"]
    probabilities = np.exp(logits) / np.exp(logits).sum()
    assert answer.label == ("cat", "dog", "owl")[logits.argmax()]
    assert answer.probability == pytest.approx(probabilities.max(), abs=TOLERANCE)


def test_fit_learns_new_classes():
    keras.utils.set_random_seed(0)
    with pytest.warns(UserWarning, match="logits of the task 'classes'.*begin at random"):
        model = zoo.pretrained.load(FOLDER, class_names=("no", "yes"))
    assert model.output_shape == (None, 2)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    x, y = EXPECTED["images"].astype("float32"), np.array([0, 1])
    losses = model.fit(x, y, batch_size=2, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


@TORCH
def test_what_is_dropped_in_training(changed):
    folder = changed(hidden_dropout_prob=0.25, attention_probs_dropout_prob=0.125)
    model = zoo.pretrained.load(folder)
    block = model.get_layer("block_1")
    assert model.get_layer("dropout").rate == block.dropout == 0.25
    assert block.attention.dropout == 0.125


@TORCH
def test_a_decoder_of_masked_images_is_no_task(changed):
    folder = changed(architectures=["ViTForMaskedImageModeling"])
    with pytest.raises(
        ValueError, match=r"ViTForMaskedImageModeling, which is no task here\. Pass"
    ):
        zoo.pretrained.load(folder)


@TORCH
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_act": "mish"}, "'hidden_act' of config.json must be one of 'gelu'"),
        ({"head_dim": 4}, "'head_dim' of config.json must be 8"),
        ({"qkv_bias": "no"}, "'qkv_bias' of config.json must be true or false"),
        ({"layer_norm_eps": "tiny"}, "'layer_norm_eps' of config.json must be a number"),
        (
            {"image_size": [12, 12, 12]},
            "'image_size' of config.json must be a positive integer, or",
        ),
        ({"patch_size": 0}, "'patch_size' of config.json must be a positive integer, or two"),
        ({"patch_size": 13}, "A patch must not be larger than the image"),
        ({"patch_size": 6}, r"position_embeddings \(1, 10, 24\)"),
        ({"image_size": 16}, r"position_embeddings \(1, 10, 24\)"),
        ({"num_channels": 4}, "`channels` must be one of 1, 3"),
        ({"num_channels": 1}, "`mean` must be one number or one for each channel"),
        ({"hidden_size": 3 * 10**7}, "parameters"),
        ({"image_size": 4000, "patch_size": 1}, "above the limit of 67,108,864"),
        ({"image_size": 10**5}, "`height` times `width` must be at most"),
        ({"num_hidden_layers": 1}, r"encoder\.layer\.1.* is unknown"),
    ],
)
def test_settings_that_do_not_fit_are_named(changed, settings, message):
    with pytest.raises(ValueError, match=message):
        zoo.pretrained.load(changed(**settings))


@TORCH
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 0}, "`image_size` must be a positive integer"),
        ({"image_size": (16, 3)}, r"at least that of a patch, \(4, 4\)"),
        ({"image_size": (4, 4, 4)}, "`image_size` must be one number or two"),
        ({"image_size": 10**5}, "at most"),
        ({"max_length": 9}, "`max_length` goes with models of texts, and this one is of images"),
        ({"task": "span"}, "`task` must be one of 'features', 'embedding', 'classes'"),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo.pretrained.load(FOLDER, **arguments)


@TORCH
def test_a_processor_that_is_not_known_is_refused(changed):
    folder = changed()
    (folder / "preprocessor_config.json").write_text('{"image_processor_type": "X"}')
    with pytest.raises(ValueError, match="The image processor must be one of ViTImageProcessor"):
        zoo.pretrained.load(folder)
    (folder / "preprocessor_config.json").write_text("[]")
    with pytest.raises(ValueError, match=r"preprocessor_config\.json has no settings by name"):
        zoo.pretrained.load(folder)
    (folder / "preprocessor_config.json").unlink()
    assert zoo.pretrained.load(folder).get_layer("pixels").mean == (0.5, 0.5, 0.5)
    nested = {"image_processor": {"image_mean": [0.1, 0.2, 0.3]}}
    (folder / "processor_config.json").write_text(json.dumps(nested))
    assert zoo.pretrained.load(folder).get_layer("pixels").mean == (0.1, 0.2, 0.3)
