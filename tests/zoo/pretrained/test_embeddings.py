"""Embeddings of sentences by encoders other than BERT, and rows that no text reads."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import zoo.pretrained
from tests.backend import to_numpy

pytestmark = pytest.mark.runs_on("torch")
FOLDER = Path(__file__).parent / "checkpoints"
MODULES = ("Transformer", "Pooling", "Normalize")


@pytest.mark.parametrize("family", ["mpnet", "modern_bert"])
def test_sentences_are_means_of_length_1(family, tmp_path):
    """As all-mpnet-base-v2 has them: of real tokens, on whichever side the padding is."""
    folder = shutil.copytree(FOLDER / family, tmp_path / family)
    modules = [{"type": f"sentence_transformers.models.{m}", "path": f"1_{m}"} for m in MODULES]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    pooling = json.dumps({"pooling_mode_mean_tokens": True, "word_embedding_dimension": 24})
    (folder / "1_Pooling" / "config.json").write_text(pooling)
    model = zoo.pretrained.load(folder)
    expected = np.load(folder / "expected.npz")
    for side in ("right", "left"):
        mask = expected[f"{side}_mask"][..., None]
        means = (expected[f"{side}_features"] * mask).sum(1) / mask.sum(1)
        means /= np.linalg.norm(means, axis=-1, keepdims=True)
        vectors = to_numpy(model(expected[f"{side}_ids"]))
        np.testing.assert_allclose(vectors, means, atol=2e-5)


def test_rows_that_no_text_reads_come_back(tmp_path):
    """Of the checkpoint that a model is saved like, whatever they are."""
    folder = shutil.copytree(FOLDER / "mpnet", tmp_path / "mpnet")
    tensors = load_file(folder / "model.safetensors")
    name = "embeddings.position_embeddings.weight"
    tensors[name][:2] = 7.0
    save_file(tensors, folder / "model.safetensors")
    model = zoo.pretrained.load(FOLDER / "mpnet", task="features")
    zoo.pretrained.save(model, tmp_path / "saved", like=folder)
    saved = load_file(tmp_path / "saved" / "model.safetensors")
    np.testing.assert_array_equal(saved[name], tensors[name])
