"""The encoder: its cases for the contract, pairs of texts, and projected embeddings."""

import numpy as np
import pytest
import tokenizers

import keras_attention as ka
from tests.backend import to_numpy
from tests.zoo.models.contracts import ModelCase, call
from zoo.models.encoder import VARIANTS, encoder

pytestmark = pytest.mark.runs_on("tensorflow")


def token_ids(rng, batch):
    """Rows of different lengths, padded at their ends."""
    ids = rng.integers(1, 30, (batch, 7))
    lengths = rng.integers(2, 8, (batch, 1))
    return {"token_ids": np.where(np.arange(7) < lengths, ids, 0).astype("int32")}


def padded(inputs, by):
    return {"token_ids": np.pad(inputs["token_ids"], ((0, 0), (0, by)))}


CASES = [
    ModelCase(
        model=encoder,
        sizes=VARIANTS["tiny"],
        inputs=token_ids,
        maps=2,
        config={"vocabulary_size": 30, "num_segments": 1},
        padded=padded,
        rows=True,
        classes=False,
        features=True,
    )
]
PARAMETERS = {"default": 85_473_024, "minilm": 10_856_064, "tiny": 1_720}


@pytest.fixture(scope="module")
def tokenizer():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "who", "bit", "the", "dog"]
    words = {word: number for number, word in enumerate(words)}
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece(words, unk_token="[UNK]"))
    made.normalizer = tokenizers.normalizers.BertNormalizer()
    made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    made.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return ka.layers.Tokenizer.from_json(made.to_str(), padding="[PAD]", separator="[SEP]")


def test_the_second_text_of_a_pair_is_another_segment(tokenizer):
    changes = dict(tokenizer=tokenizer, vocabulary_size=None, num_segments=2)
    model, first = CASES[0].make(**changes), CASES[0].make(**changes, pairs=False)
    first.set_weights(model.get_weights())
    (ids,) = tokenizer.encode([("who", "bit the dog")])
    np.testing.assert_array_equal(ids, [2, 4, 3, 5, 6, 7, 3])
    ids = {"token_ids": ids[None]}
    expected = call(first, ids)
    assert np.abs(call(model, ids) - expected).max() > 1e-3
    table = model.get_layer("segments").table
    table.assign(np.repeat(to_numpy(table)[:1], 2, axis=0))
    np.testing.assert_allclose(call(model, ids), expected, atol=1e-6)


def test_embeddings_of_another_width_are_projected():
    model = CASES[0].make(embedding_dim=4)
    assert model.get_layer("embedding").embeddings.shape[-1] == 4
    assert call(model, CASES[0].data()).shape == (3, 7, 8)
