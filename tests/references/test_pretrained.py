"""Published checkpoints against transformers: what it saves is read, and what we save it reads."""

import json

import numpy as np
import pytest
import torch
import transformers
from safetensors.numpy import load_file

import keras_attention as ka
import zoo.pretrained
from tests.references.compare import gradients, normal, to_numpy
from tests.zoo.pretrained.cases import CASES
from tests.zoo.pretrained.make_checkpoints import CLASSES, compute, make_reference

TOLERANCE = 2e-5
TASKS = [(name, task) for name, case in CASES.items() for task in ("features", *case.tasks)]


def outputs_of(outputs):
    """The main outputs of a model of transformers, as one tensor."""
    if "start_logits" in outputs:
        return torch.stack([outputs.start_logits, outputs.end_logits], dim=-1)
    return outputs.last_hidden_state if "last_hidden_state" in outputs else outputs.logits


def real(array, mask):
    """Rows of positions that are no padding; all of what has no positions."""
    return array[mask] if array.ndim == 3 else array


@pytest.mark.parametrize(("name", "task"), TASKS)
def test_same_numbers(name, task, tmp_path):
    case = CASES[name]
    reference = make_reference(case, task)
    reference.save_pretrained(tmp_path / "theirs")
    model = zoo.pretrained.load(tmp_path / "theirs", task=task)
    for left in (False, True):
        ids, mask, outputs, maps = compute(reference, case, left=left)
        expected = outputs_of(outputs)
        if left and expected.ndim == 2 and reference.config.model_type != "gpt2":
            continue  # transformers classifies by what is first, be it padding
        with ka.capture() as weights:
            ours = to_numpy(model(ids))
        difference = real(ours, mask) - real(to_numpy(expected), mask)
        assert np.abs(difference).max() < TOLERANCE
        for ours, theirs in zip(weights.values(), maps, strict=True):
            difference = to_numpy(ours) - to_numpy(theirs) * mask[:, None, :, None]
            assert np.abs(difference).max() < TOLERANCE


@pytest.mark.parametrize(
    ("name", "model_type"), [(name, other) for name, case in CASES.items() for other in case.also]
)
def test_further_types_of_models(name, model_type, tmp_path):
    case = CASES[name]
    reference = make_reference(case, "fill", model_type)
    reference.save_pretrained(tmp_path)
    model = zoo.pretrained.load(tmp_path)
    ids, mask, outputs, _ = compute(reference, case, left=True)
    difference = to_numpy(model(ids)) - to_numpy(outputs.logits)
    assert np.abs(difference[mask]).max() < TOLERANCE


@pytest.mark.parametrize(("name", "task"), TASKS)
def test_transformers_reads_what_is_saved(name, task, tmp_path):
    case = CASES[name]
    make_reference(case, task).save_pretrained(tmp_path / "theirs")
    model = zoo.pretrained.load(tmp_path / "theirs")
    zoo.pretrained.save(model, tmp_path / "ours", like=tmp_path / "theirs")
    theirs = load_file(tmp_path / "theirs" / "model.safetensors")
    ours = load_file(tmp_path / "ours" / "model.safetensors")
    for tensor, array in ours.items():
        first = case.unread_positions if "position_embeddings" in tensor else 0
        np.testing.assert_array_equal(array[first:], theirs[tensor][first:], err_msg=tensor)
    assert not [t for t in theirs if t not in ours and task != "features"]
    cls = getattr(transformers, CLASSES[task])
    reread, info = cls.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not [key for key in info["missing_keys"] if "pooler" not in key]
    assert not info["unexpected_keys"]
    assert (
        reread.config.architectures
        == json.loads((tmp_path / "theirs" / "config.json").read_text())["architectures"]
    )


@pytest.mark.parametrize("name", CASES)
def test_gradient(name, tmp_path):
    case = CASES[name]
    reference = make_reference(case)
    reference.save_pretrained(tmp_path)
    model = zoo.pretrained.load(tmp_path)
    ids, mask, outputs, _ = compute(reference, case, left=False)
    expected = outputs.last_hidden_state
    cotangent = normal(*expected.shape, seed=2, scale=0.1) * mask[..., None]
    (expected * torch.from_numpy(cotangent)).sum().backward()
    table = model.get_layer("embedding").embeddings
    gradient = gradients(lambda *_: model(ids), [], cotangent, [table])[0]
    difference = gradient - to_numpy(reference.get_input_embeddings().weight.grad)
    difference[case.padding_id] = 0  # transformers keeps the row of padding as it is
    assert np.abs(difference).max() < TOLERANCE


@pytest.mark.parametrize(
    ("name", "key"), [(name, key) for name, case in CASES.items() for key in case.read]
)
def test_settings_that_change_numbers_are_read(name, key, tmp_path):
    case = CASES[name]
    reference = make_reference(case, **{key: case.read[key]})
    reference.save_pretrained(tmp_path)
    model = zoo.pretrained.load(tmp_path)
    ids, mask = case.inputs(left=False)
    _, _, outputs, _ = compute(reference, case, left=False)
    difference = to_numpy(model(ids)) - to_numpy(outputs.last_hidden_state)
    assert np.abs(difference[mask]).max() < TOLERANCE


@pytest.mark.parametrize(
    ("name", "key"), [(name, key) for name, case in CASES.items() for key in case.refused]
)
def test_settings_that_are_not_followed_are_refused(name, key, tmp_path):
    case = CASES[name]
    make_reference(case).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: case.refused[key]}))
    with pytest.raises(ValueError, match=f"{key!r} of config.json must be"):
        zoo.pretrained.load(tmp_path)
