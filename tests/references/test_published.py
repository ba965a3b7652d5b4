"""The real all-MiniLM-L6-v2 against transformers, where its files are: 90 MB, so they are not here.

    KERAS_ATTENTION_PRETRAINED=FOLDER pytest tests/references/test_published.py

`FOLDER/all-MiniLM-L6-v2` is as the Hub has it.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

import keras_attention as ka
import zoo.pretrained
from tests.backend import to_numpy

FOLDER = Path(os.environ.get("KERAS_ATTENTION_PRETRAINED", "")) / "all-MiniLM-L6-v2"
pytestmark = pytest.mark.skipif(
    "KERAS_ATTENTION_PRETRAINED" not in os.environ, reason="opt-in: needs the published weights"
)
TEXTS = [
    "A man is eating food.",
    "A man is eating a piece of bread.",
    "The girl is carrying a baby.",
    "Keras runs on three backends, which are TensorFlow, PyTorch and JAX; here is one of them.",
]


@pytest.fixture(scope="module")
def theirs():
    """Hidden states of transformers with their mask, and the means of length 1 by hand."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(FOLDER)
    model = transformers.AutoModel.from_pretrained(FOLDER).eval()
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state.numpy()
    mask = batch["attention_mask"].numpy()[..., None]
    means = (hidden * mask).sum(1) / mask.sum(1)
    return hidden, mask[..., 0] > 0, means / np.linalg.norm(means, axis=-1, keepdims=True)


def test_hidden_states(theirs):
    hidden, mask, _ = theirs
    model = zoo.pretrained.load(FOLDER, task="features")
    ours = to_numpy(model(ka.encode(model, TEXTS)))
    assert np.abs(ours[mask] - hidden[mask]).max() < 1e-5 * np.abs(hidden[mask]).max()


def test_similarities(theirs):
    *_, vectors = theirs
    model = zoo.pretrained.load(FOLDER)
    table = ka.similarity(model, TEXTS, TEXTS)
    np.testing.assert_allclose(table, vectors @ vectors.T, atol=1e-5)
    assert table[0, 1] > 0.7 > 0.2 > table[0, 2]
