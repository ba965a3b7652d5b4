"""Recurrent sequence to sequence: cases for the contract, who sees whom, and decoding."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.layers.inputs.tokenizer_text import END, PAD, START
from tests.backend import to_numpy
from tests.zoo.models.contracts import ModelCase, call, recorded
from tests.zoo.models.test_transformer import padded, pairs
from zoo.models.seq2seq_rnn import VARIANTS, seq2seq_rnn

pytestmark = pytest.mark.runs_on("torch")

SIZES = {"source_vocabulary_size": 12, "target_vocabulary_size": 12}
CASES = [
    ModelCase(
        model=seq2seq_rnn,
        sizes=sizes,
        inputs=pairs,
        maps=0 if sizes["attention"] is None else 1,
        config=SIZES,
        padded=padded,
        rows=True,
        next_token=True,
    )
    for name, sizes in VARIANTS.items()
    if name.startswith("tiny")
]
IDS = [name for name in VARIANTS if name.startswith("tiny")]
PARAMETERS = {
    "default": 2_439_436,
    "luong": 2_700_812,
    "none": 1_324_556,
    "tiny": 1_684,
    "tiny_dot": 1_772,
    "tiny_local": 1_164,
    "tiny_none": 1_388,
}


@pytest.fixture(params=CASES, ids=IDS)
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
    """Through both directions of the encoder."""
    model, data = case.make(), case.data()
    data["source_ids"] = np.maximum(data["source_ids"], 1)
    for changed in (0, 5):
        other = data["source_ids"].copy()
        other[:, changed] = other[:, changed] % 11 + 1
        difference = call(model, {**data, "source_ids": other}) - call(model, data)
        assert np.abs(difference).max(axis=-1)[data["target_ids"] > 0].min() > 1e-6


def test_padding_is_seen_by_none(case):
    """At either side; and the loss is told of it."""
    model, data = case.make(), case.data()
    expected, maps = recorded(model, data)
    for path, weights in maps.items():  # (B, 1, T, S)
        assert path == "decoder/cross_attention"
        hidden = np.broadcast_to((data["source_ids"] == 0)[:, None, None], weights.shape)
        assert (weights[hidden] == 0).all()
    left = {name: np.pad(ids, ((0, 0), (3, 0))) for name, ids in data.items()}
    kept = data["target_ids"] > 0
    np.testing.assert_allclose(call(model, left)[:, 3:][kept], expected[kept], atol=1e-5)
    tensors = {name: keras.ops.convert_to_tensor(ids) for name, ids in data.items()}
    np.testing.assert_array_equal(to_numpy(model(tensors)._keras_mask), kept)


def test_the_first_state_does_not_saturate():
    """However far training drives its weights: else no gradient reaches the encoder by it."""
    case = CASES[IDS.index("tiny_none")]
    model, data = case.make(), case.data()
    features, first = model.get_layer("first_features"), model.get_layer("first_state")
    features.bias.assign(np.random.default_rng(0).normal(size=features.units, scale=50.0))
    state = call(keras.Model(model.input, first.output), data)
    assert np.abs(state).mean() < 0.9


def log_probabilities(model, sources, targets):
    """Returns those of each next token `(B, T, V)`, without padding and start."""
    logits = call(model, {"source_ids": sources, "target_ids": targets}).astype("float64")
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    log_probabilities[..., [PAD, START]] = -np.inf  # which are never written
    return log_probabilities


def test_decoding_is_the_uncached_loop(case):
    """Token for token, of sources of different lengths; and beams have their own states."""
    tokenizer = ka.layers.Tokenizer.train(
        ["a b c d e f g h"], model="word", min_frequency=1, start_end=True, name="source_tokenizer"
    )
    model = case.make(
        source_tokenizer=tokenizer, target_tokenizer=tokenizer.copy(name="target_tokenizer")
    )
    model.get_layer("output").bias.assign(np.random.default_rng(3).normal(size=12))
    sources = case.data()["source_ids"]
    targets = np.full((len(sources), 1), START, "int32")
    for _ in range(5):
        token = log_probabilities(model, sources, targets)[:, -1].argmax(-1)[:, None]
        targets = np.concatenate([targets, token.astype("int32")], axis=1)
    written = ka.generate(model, sources, max_new_tokens=5)
    for row, expected in zip(written, targets[:, 1:], strict=True):
        length = np.argmax(expected == END) if END in expected else 5
        np.testing.assert_array_equal(row, expected[:length])

    search = ka.decoding.BeamSearch(3, length_penalty=0.0, num_results=3)
    for source, hypotheses in zip(
        sources, ka.generate(model, sources, sampler=search, max_new_tokens=4), strict=True
    ):
        assert len({tuple(hypothesis.output) for hypothesis in hypotheses}) == 3
        for hypothesis in hypotheses:
            tokens = [*hypothesis.output, END][:4]
            scores = log_probabilities(model, source[None], np.array([[START, *tokens[:-1]]]))
            expected = sum(scores[0, t, token] for t, token in enumerate(tokens))
            assert hypothesis.score == pytest.approx(expected, abs=1e-4)


def test_bad_attention_is_named():
    with pytest.raises(ValueError, match="`attention` must be one of 'bahdanau', 'luong_dot'"):
        seq2seq_rnn(**{**VARIANTS["tiny"], **SIZES, "attention": "luong"})
    with pytest.raises(ValueError, match="without attention and without a bridge"):
        seq2seq_rnn(**{**VARIANTS["tiny_none"], **SIZES, "bridge": False})


def test_sizes_have_defaults():
    with keras.StatelessScope(initialize_variables=False):
        model = seq2seq_rnn(source_vocabulary_size=9, target_vocabulary_size=8)
    assert model.output.shape == (None, None, 8)
    assert model.get_layer("decoder").units == 256
