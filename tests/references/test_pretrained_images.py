"""Published models of images against transformers: what it saves is read, and it reads ours."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import keras_attention as ka
import zoo.pretrained
from tests.references.compare import gradients, normal, to_numpy
from tests.zoo.pretrained.images import CLASSES, make_images, make_reference, save_reference

TOLERANCE = 2e-5
READ = {
    "gelu_new": {"hidden_act": "gelu_new"},
    "quick_gelu": {"hidden_act": "quick_gelu"},
    "relu": {"hidden_act": "relu"},
    "epsilon": {"layer_norm_eps": 0.1},
    "no_epsilon": {"layer_norm_eps": 0.0},
    "heads": {"num_attention_heads": 2},
    "no_bias": {"qkv_bias": False},
    "width": {"hidden_size": 30, "intermediate_size": 50},
    "depth": {"num_hidden_layers": 1},
    "wide": {"image_size": [8, 16]},
    "patches": {"image_size": [12, 15], "patch_size": [6, 3]},
    "grey": {"num_channels": 1},
}


def outputs_of(outputs):
    return outputs.logits if "logits" in outputs else outputs.last_hidden_state


@pytest.mark.parametrize("task", CLASSES)
def test_same_numbers_and_attention(task, tmp_path):
    reference = make_reference(task)
    save_reference(reference, tmp_path)
    images, values = make_images()
    outputs = reference(values, output_attentions=True)
    with ka.capture() as maps:
        ours = zoo.pretrained.load(tmp_path)(images.astype("float32"))
    assert np.abs(to_numpy(ours) - to_numpy(outputs_of(outputs))).max() < TOLERANCE
    for weights, theirs in zip(maps.values(), outputs.attentions, strict=True):
        assert np.abs(to_numpy(weights) - to_numpy(theirs)).max() < TOLERANCE


@pytest.mark.parametrize("name", READ)
def test_settings_that_change_numbers_are_read(name, tmp_path):
    reference = make_reference("classes", **READ[name])
    save_reference(reference, tmp_path)
    images, values = make_images(reference.config.image_size, reference.config.num_channels)
    ours = to_numpy(zoo.pretrained.load(tmp_path)(images.astype("float32")))
    assert np.abs(ours - to_numpy(reference(values).logits)).max() < TOLERANCE


@pytest.mark.parametrize("size", [8, 20, (16, 20)])
def test_images_of_another_size(size, tmp_path):
    """Transformers resizes positions at each call; it reads what we save of the resized model."""
    reference = make_reference("classes")
    save_reference(reference, tmp_path / "theirs")
    images, values = make_images(size)
    expected = to_numpy(reference(values, interpolate_pos_encoding=True).logits)
    model = zoo.pretrained.load(tmp_path / "theirs", image_size=size)
    assert np.abs(to_numpy(model(images.astype("float32"))) - expected).max() < TOLERANCE
    zoo.pretrained.save(model, tmp_path / "ours", like=tmp_path / "theirs")
    again = CLASSES["classes"].from_pretrained(tmp_path / "ours")
    assert np.abs(to_numpy(again(values).logits) - expected).max() < TOLERANCE


@pytest.mark.parametrize("task", CLASSES)
def test_transformers_reads_what_is_saved(task, tmp_path):
    reference = make_reference(task)
    save_reference(reference, tmp_path / "theirs")
    model = zoo.pretrained.load(tmp_path / "theirs")
    zoo.pretrained.save(model, tmp_path / "ours", like=tmp_path / "theirs")
    theirs, ours = (load_file(tmp_path / name / "model.safetensors") for name in ("theirs", "ours"))
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)
    assert {name.split(".")[0] for name in theirs.keys() - ours.keys()} <= {"pooler"}
    _, info = CLASSES[task].from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not [key for key in info["missing_keys"] if not key.startswith("pooler.")]
    assert not info["unexpected_keys"]
    assert json.loads((tmp_path / "ours" / "config.json").read_text()) == json.loads(
        (tmp_path / "theirs" / "config.json").read_text()
    )


def test_gradients(tmp_path):
    """Of the loss by what comes first, the patches' kernel, and by the table of positions."""
    reference = make_reference("classes")
    save_reference(reference, tmp_path)
    model = zoo.pretrained.load(tmp_path)
    images, values = make_images()
    logits = reference(values).logits
    cotangent = normal(*logits.shape, seed=2)
    (logits * torch.from_numpy(cotangent)).sum().backward()
    variables = [
        model.get_layer("position").weights[0],
        model.get_layer("patches").weights[0],
    ]
    table, kernel = gradients(lambda *_: model(images.astype("float32")), [], cotangent, variables)
    embeddings = reference.vit.embeddings
    expected = to_numpy(embeddings.position_embeddings.grad)[0]
    assert np.abs(table - expected).max() < TOLERANCE
    expected = to_numpy(embeddings.patch_embeddings.projection.weight.grad).transpose(2, 3, 1, 0)
    assert np.abs(kernel - expected).max() < TOLERANCE * np.abs(expected).max()
