"""The transformer: cases for the contract, who sees whom, and one table for all ids."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.zoo.models.contracts import ModelCase, call, recorded
from zoo.models.transformer import VARIANTS, transformer

pytestmark = pytest.mark.runs_on("tensorflow")

TEXTS = ["ein hund rennt", "eine katze schl\u00e4ft auf dem hund", "a dog runs", "a cat sleeps"]


def pairs(rng, batch):
    """Rows of different lengths, padded at their ends."""
    ids = {
        "source_ids": rng.integers(1, 12, (batch, 6)),
        "target_ids": rng.integers(1, 12, (batch, 5)),
    }
    for name, array in ids.items():
        lengths = rng.integers(2, array.shape[1] + 1, (batch, 1))
        ids[name] = np.where(np.arange(array.shape[1]) < lengths, array, 0).astype("int32")
    return ids


def padded(inputs, by):
    return {name: np.pad(ids, ((0, 0), (0, by))) for name, ids in inputs.items()}


CASES = [
    ModelCase(
        model=transformer,
        sizes=VARIANTS[name],
        inputs=pairs,
        maps=3 * VARIANTS[name]["num_layers"],
        config={"source_vocabulary_size": 12, "target_vocabulary_size": 12},
        padded=padded,
        rows=True,
        next_token=True,
    )
    for name in ("tiny", "tiny_post_norm", "tiny_rotary")
]
PARAMETERS = {
    "default": 3_957_760,
    "small": 1_327_104,
    "base": 63_082_496,
    "tiny": 1_632,
    "tiny_post_norm": 3_712,
    "tiny_rotary": 1_728,
}


@pytest.fixture(params=CASES, ids=["tiny", "tiny_post_norm", "tiny_rotary"])
def case(request):
    return request.param


def test_a_later_token_changes_nothing_before(case):
    model, data = case.make(), case.data()
    data["target_ids"] = np.maximum(data["target_ids"], 1)
    changed = data["target_ids"].copy()
    changed[:, 3:] = 12 - changed[:, 3:]
    before, after = call(model, data), call(model, {**data, "target_ids": changed})
    np.testing.assert_allclose(after[:, :3], before[:, :3], atol=1e-6)
    assert np.abs(after[:, 3:] - before[:, 3:]).max() > 1e-3


def test_every_target_sees_the_whole_source(case):
    model, data = case.make(), case.data()
    data["source_ids"] = np.maximum(data["source_ids"], 1)
    for changed in (0, 5):
        other = data["source_ids"].copy()
        other[:, changed] = other[:, changed] % 11 + 1
        difference = call(model, {**data, "source_ids": other}) - call(model, data)
        assert np.abs(difference).max(axis=-1)[data["target_ids"] > 0].min() > 1e-5


def test_padding_is_seen_by_none(case):
    """At either side, in every attention layer: of the source, of the target, and between them."""
    model, data = case.make(), case.data()
    expected, maps = recorded(model, data)
    for path, weights in maps.items():  # (B, N, T, S)
        of_target = path.startswith("decoder") and "cross" not in path
        keys = data["target_ids" if of_target else "source_ids"]
        hidden = np.broadcast_to((keys == 0)[:, None, None], weights.shape)
        assert (weights[hidden] == 0).all(), path
        assert weights[~hidden].max() > 0, path
    left = {name: np.pad(ids, ((0, 0), (3, 0))) for name, ids in data.items()}
    kept = data["target_ids"] > 0
    np.testing.assert_allclose(call(model, left)[:, 3:][kept], expected[kept], atol=1e-5)
    tensors = {name: keras.ops.convert_to_tensor(ids) for name, ids in data.items()}
    np.testing.assert_array_equal(to_numpy(model(tensors)._keras_mask), kept)  # for the loss


def test_the_encoder_depends_on_the_source_alone(case):
    """So that decoding can compute it once."""
    model, data = case.make(), case.data()
    last = [layer for layer in model.layers if layer.name.startswith("encoder")][-1]
    source, target = model.inputs
    encoder = keras.Model(source, last.output)
    decoder = keras.Model([last.output, target], model.output)
    memory = encoder(keras.ops.convert_to_tensor(data["source_ids"]))
    logits = to_numpy(decoder([memory, keras.ops.convert_to_tensor(data["target_ids"])]))
    np.testing.assert_allclose(logits, call(model, data), atol=1e-6)


def test_one_table_for_all_ids(tmp_path):
    """Of source, target and output, where the vocabulary is shared; else of target and output."""
    for case, count in zip(CASES, (1, 2, 2), strict=True):
        model = case.make()
        model.save(tmp_path / "model.keras")
        for each in (model, keras.saving.load_model(tmp_path / "model.keras")):
            tables = [v.path for v in each.trainable_variables if 12 in v.shape]
            assert len(tables) == count, tables


def test_the_file_encodes_both_languages(tmp_path):
    source = ka.layers.Tokenizer.train(
        TEXTS, model="word", min_frequency=1, start_end=True, name="source_tokenizer"
    )
    model = transformer(
        **VARIANTS["tiny"],
        source_tokenizer=source,
        target_tokenizer=source.copy(name="target_tokenizer"),
    )
    ka.save_model(model, tmp_path / "model.keras")
    loaded = ka.load_model(tmp_path / "model.keras")
    raw = {"source_ids": TEXTS[:2], "target_ids": TEXTS[2:]}
    ids = ka.encode(loaded, raw)
    assert ids["source_ids"].shape == (2, 8)
    assert (ids["target_ids"][:, 0] == loaded.get_layer("target_tokenizer").start_id).all()
    np.testing.assert_array_equal(call(loaded, ids), call(model, ids))


def test_errors_teach():
    sizes = dict(source_vocabulary_size=9)
    with pytest.raises(ValueError, match=r"Received: 9 source ids and 8 target ids. Train one"):
        transformer(**VARIANTS["tiny"], **sizes, target_vocabulary_size=8)
    with pytest.raises(ValueError, match="sinusoids have no limit"):
        transformer(**VARIANTS["tiny"], **sizes, target_vocabulary_size=9, max_length=8)
    with pytest.raises(ValueError, match="others have no limit"):
        transformer(**VARIANTS["tiny_rotary"], **sizes, target_vocabulary_size=9, max_length=8)
    with pytest.raises(ValueError, match="has no vocabulary"):
        transformer(**VARIANTS["tiny"], **sizes)


def test_sizes_have_defaults():
    with keras.StatelessScope(initialize_variables=False):
        model = transformer(source_vocabulary_size=9, target_vocabulary_size=8)
    assert model.output.shape == (None, None, 8)
    assert model.get_layer("decoder_block_2").get_config()["num_heads"] == 4
