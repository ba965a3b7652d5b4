"""GPT: cases for the contract, who sees whom, one table for input and output, and its start."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests.backend import to_numpy
from tests.zoo.models.contracts import ModelCase, call, recorded
from zoo.models.gpt import VARIANTS, gpt

pytestmark = pytest.mark.runs_on("jax")

TEXTS = ["the cat sat on the mat", "a dog", "the dog sat"]


def tokens(rng, batch):
    """Ids, 0 among them: without a tokenizer that is a token as any other."""
    return {"token_ids": rng.integers(0, 12, (batch, 7)).astype("int32")}


def padded(inputs, by):
    return {"token_ids": np.pad(inputs["token_ids"], ((0, 0), (0, by)))}


def gpt_of_text(**config):
    tokenizer = ka.layers.Tokenizer.train(TEXTS, model="word", min_frequency=1, start_end=True)
    return gpt(tokenizer=tokenizer, **config)


def token_ids(rng, batch):
    """Rows of different lengths, padded at their ends."""
    ids = rng.integers(1, 12, (batch, 7))
    lengths = rng.integers(2, 8, (batch, 1))
    return {"token_ids": np.where(np.arange(7) < lengths, ids, 0).astype("int32")}


CASES = [
    ModelCase(
        model=gpt,
        sizes=VARIANTS["tiny"],
        inputs=tokens,
        maps=2,
        config={"vocabulary_size": 12},
        padded=padded,
        rows=True,
        next_token=True,
    ),
    ModelCase(
        model=gpt_of_text,
        sizes=VARIANTS["tiny_llama"],
        inputs=token_ids,
        maps=2,
        config={"vocabulary_size": 12},
        padded=padded,
        rows=True,
        next_token=True,
    ),
    ModelCase(
        model=gpt_of_text,
        sizes=VARIANTS["tiny"],
        inputs=token_ids,
        maps=2,
        config={"vocabulary_size": 12},
        padded=padded,
        rows=True,
        next_token=True,
    ),
]
PARAMETERS = {
    "default": 798_464,
    "shakespeare_cpu": 798_464,
    "shakespeare": 10_729_728,
    "gpt2": 124_439_808,
    "benchmark": 10_750_464,
    "tiny": 1_568,
    "tiny_llama": 4_304,
}
IDS = [f"{case.name}-{case.sizes.get('position', 'learned')}" for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_later_token_changes_nothing_before(case):
    model, data = case.make(), case.data()
    changed = {"token_ids": data["token_ids"].copy()}
    changed["token_ids"][:, 4:] = 11 - changed["token_ids"][:, 4:]
    before, after = call(model, data), call(model, changed)
    np.testing.assert_allclose(after[:, :4], before[:, :4], atol=1e-6)
    assert np.abs(after[:, 4:] - before[:, 4:]).max() > 1e-3


def test_a_window_hides_what_is_far():
    """Two blocks with windows of 4 see 6 tokens back."""
    case = CASES[1]
    model, data = case.make(), {"token_ids": np.arange(1, 12, dtype="int32")[None]}
    changed = {"token_ids": data["token_ids"].copy()}
    changed["token_ids"][:, 1] = 1
    difference = np.abs(call(model, changed) - call(model, data)).max(axis=-1)[0]
    assert (difference[1:8] > 1e-5).all()
    np.testing.assert_allclose(difference[[0, 8, 9, 10]], 0, atol=1e-6)


@pytest.mark.parametrize("case", CASES[1:], ids=IDS[1:])
def test_padding_is_seen_by_none(case):
    """It changes nothing at either side, and has the weight 0 in every layer."""
    model, data = case.make(), case.data()
    ids = data["token_ids"]
    expected, maps = recorded(model, data)
    for weights in maps.values():  # (B, N, T, T)
        hidden = np.broadcast_to((ids == 0)[:, None, None], weights.shape)
        assert (weights[hidden] == 0).all()
        assert (weights.sum(axis=-1)[np.broadcast_to((ids > 0)[:, None], weights.shape[:3])]).min()
    left = {"token_ids": np.pad(ids, ((0, 0), (3, 0)))}
    logits = call(model, left)[:, 3:]
    np.testing.assert_allclose(logits[ids > 0], expected[ids > 0], atol=1e-5)
    tensor = model(keras.ops.convert_to_tensor(ids))
    np.testing.assert_array_equal(to_numpy(tensor._keras_mask), ids > 0)  # for the loss


def test_without_a_tokenizer_every_id_is_a_token():
    model = CASES[0].make()
    _, maps = recorded(model, {"token_ids": np.array([[0, 0, 5]], "int32")})
    assert all(weights[0, :, 2].min() > 0 for weights in maps.values())


@pytest.mark.parametrize("tied", [True, False])
def test_one_table_for_input_and_output(tied, tmp_path):
    model = CASES[0].make(tied=tied)
    model.save(tmp_path / "model.keras")
    for each in (model, keras.saving.load_model(tmp_path / "model.keras")):
        tables = [v.path for v in each.trainable_variables if 12 in v.shape]
        assert len(tables) == (1 if tied else 2), tables


def test_it_begins_as_gpt2_did():
    """Section 2.3 of the paper: small normal weights, smaller ones into the residual path."""
    keras.utils.set_random_seed(0)
    model = gpt(**{**VARIANTS["benchmark"], "num_layers": 2}, vocabulary_size=400)
    spread = {
        w.path.partition("/")[2]: to_numpy(w).std()
        for w in model.get_layer("block_1").trainable_variables
        if len(w.shape) == 2
    }
    assert len(spread) == 6
    for path, std in spread.items():
        expected = 0.01 if "output" in path else 0.02
        np.testing.assert_allclose(std, expected, rtol=0.03, err_msg=path)
    table = to_numpy(model.get_layer("embedding").embeddings)
    np.testing.assert_allclose(table.std(), 0.02, rtol=0.03)
    ids, following = np.random.default_rng(0).integers(0, 400, (2, 2, 32)).astype("int32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(following, model(ids))
    assert abs(float(to_numpy(loss)) - np.log(400)) < 0.2  # it knows nothing yet


def test_from_text_to_its_continuation(tmp_path):
    """The file alone encodes; a text that has not ended has no end."""
    model = CASES[2].make()
    ka.save_model(model, tmp_path / "model.keras")
    loaded = ka.load_model(tmp_path / "model.keras")
    ids = ka.encode(loaded, TEXTS)
    assert (ids[:, 0] == 2).all()
    np.testing.assert_array_equal(call(loaded, {"token_ids": ids}), call(model, {"token_ids": ids}))
    assert loaded.get_layer("tokenizer").decode(ids) == TEXTS


def test_another_mechanism():
    """In each block, with other attention dropout than the rest, since it has none."""
    sizes = {**VARIANTS["tiny"], "dropout": 0.1, "vocabulary_size": 12}
    model = gpt(**sizes, mechanism="linear", attention_dropout=0.0)
    blocks = [layer for layer in model.layers if isinstance(layer, ka.layers.TransformerBlock)]
    assert [type(block.attention.mechanism) for block in blocks] == [ka.layers.LinearAttention] * 2
    assert {(block.dropout, block.attention.dropout) for block in blocks} == {(0.1, 0.0)}
    with pytest.raises(ValueError, match=r"no weights that training could drop. Received: dropou"):
        gpt(**sizes, mechanism="linear")


def test_without_a_head_it_returns_what_the_head_reads():
    model = CASES[0].make()
    features = gpt(**VARIANTS["tiny"], vocabulary_size=12, head=False)
    names = {variable.path for variable in features.variables}
    assert names == {variable.path for variable in model.variables}, "the head is the tied table"
    features.set_weights(model.get_weights())
    data = CASES[0].data()
    table = to_numpy(model.get_layer("embedding").embeddings)
    np.testing.assert_allclose(call(features, data) @ table.T, call(model, data), atol=1e-5)


def test_each_dropout_and_the_epsilon():
    sizes = {**VARIANTS["tiny"], "dropout": 0.1, "vocabulary_size": 12}
    for given, embedding, attention in (
        ({}, 0.1, 0.1),
        ({"embedding_dropout": 0.0, "attention_dropout": 0.3}, 0.0, 0.3),
    ):
        model = gpt(**sizes, **given, epsilon=1e-3)
        block = model.get_layer("block_1")
        assert model.get_layer("dropout").rate == embedding
        assert (block.dropout, block.attention.dropout) == (0.1, attention)
        assert block.epsilon == model.get_layer("norm").epsilon == 1e-3


def test_errors_teach():
    sizes = VARIANTS["tiny"]
    with pytest.raises(ValueError, match="Pass one of them"):
        gpt(**sizes)
    with pytest.raises(ValueError, match="others have no limit"):
        gpt(**sizes, vocabulary_size=9, position="rotary")
    with pytest.raises(ValueError, match="`max_length` must be a positive integer"):
        gpt(**{**sizes, "max_length": 0}, vocabulary_size=9)
    with pytest.raises(ValueError, match=r"at most max_length=32. Received: 40"):
        CASES[0].make()(np.ones((1, 40), "int32"))


def test_sizes_have_defaults():
    with keras.StatelessScope(initialize_variables=False):
        model = gpt(vocabulary_size=65)
    assert model.get_layer("position").max_length == 1024
    assert model.get_layer("block_3").get_config()["num_heads"] == 4
