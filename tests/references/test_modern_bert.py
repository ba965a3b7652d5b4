"""ModernBERT's settings of heads, and its older files, against transformers."""

import json

import numpy as np
import pytest

import zoo.pretrained
from tests.references.compare import to_numpy
from tests.references.test_pretrained import TOLERANCE, outputs_of
from tests.zoo.pretrained.cases import CASES
from tests.zoo.pretrained.make_checkpoints import compute, make_reference

CASE = CASES["modern_bert"]


def largest_difference(folder, reference, task):
    """Of rows padded on the right."""
    model = zoo.pretrained.load(folder, task=task)
    ids, mask, outputs, _ = compute(reference, CASE, left=False)
    difference = to_numpy(model(ids)) - to_numpy(outputs_of(outputs))
    return np.abs(difference[mask] if difference.ndim == 3 else difference).max()


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        ("classes", {"classifier_pooling": "mean"}),
        ("classes", {"classifier_bias": True, "norm_bias": True}),
        ("tags", {"classifier_activation": "relu", "norm_eps": 0.1}),
        ("tags", {"classifier_activation": "gelu_pytorch_tanh"}),
        ("fill", {"decoder_bias": False, "classifier_bias": True}),
        ("fill", {"classifier_activation": "silu"}),
    ],
    ids=str,
)
def test_settings_of_heads(task, settings, tmp_path):
    reference = make_reference(CASE, task, **settings)
    reference.save_pretrained(tmp_path / "theirs")
    assert largest_difference(tmp_path / "theirs", reference, task) < TOLERANCE
    model = zoo.pretrained.load(tmp_path / "theirs")
    zoo.pretrained.save(model, tmp_path / "ours", like=tmp_path / "theirs")
    assert largest_difference(tmp_path / "ours", reference, task) < TOLERANCE


def test_files_of_older_versions(tmp_path):
    """As published: with a step of global layers and two bases instead of lists by layer."""
    reference = make_reference(
        CASE, global_attn_every_n_layers=2, global_rope_theta=40.0, local_rope_theta=7.0
    )
    reference.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    assert config.pop("layer_types") == ["full_attention", "sliding_attention", "full_attention"]
    bases = [rope["rope_theta"] for rope in config.pop("rope_parameters").values()]
    assert sorted(bases) == [7.0, 40.0]
    config |= {"global_attn_every_n_layers": 2, "global_rope_theta": 40.0, "local_rope_theta": 7.0}
    path.write_text(json.dumps(config))
    assert largest_difference(tmp_path, reference, "features") < TOLERANCE
    del config["global_attn_every_n_layers"], config["global_rope_theta"]
    path.write_text(json.dumps(config))
    assert largest_difference(tmp_path, reference, "features") > 1e-3


ROPE = {"full_attention": {"rope_type": "yarn", "rope_theta": 10.0, "factor": 2.0}}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rope_parameters": ROPE}, "'rope_type' of full_attention of rope_parameters of config"),
        ({"rope_parameters": {"rope_theta": 5.0}}, "'rope_theta' of rope_parameters"),
        ({"rope_parameters": [1.0]}, "'rope_parameters' of config.json must be an object"),
        ({"layer_types": ["full_attention"]}, "'layer_types' of config.json must be a list"),
        ({"classifier_pooling": "max"}, "'classifier_pooling' of config.json must be one of"),
        ({"num_hidden_layers": 2**31 - 1, "layer_types": None}, "numbers|parameters|missing"),
    ],
    ids=str,
)
def test_settings_that_are_refused(settings, words, tmp_path):
    make_reference(CASE).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
    with pytest.raises(ValueError, match=words):
        zoo.pretrained.load(tmp_path)
