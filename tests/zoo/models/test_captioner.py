"""Captioners: cases for the contract, who sees what, and decoding from an image."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.decoding import prompts
from keras_attention.decoding.parts import Parts
from keras_attention.layers.inputs.tokenizer_text import END, PAD, START
from tests.backend import to_numpy
from tests.zoo.models.contracts import ModelCase, call, recorded
from zoo.models.captioner import VARIANTS, captioner

pytestmark = pytest.mark.runs_on("torch")

SIZES = {"vocabulary_size": 12, "image_size": 16}


def pairs(rng, batch):
    """Images, and rows of different lengths, padded at their ends."""
    image = rng.integers(0, 256, (batch, 16, 16, 3)).astype("float32")
    ids = rng.integers(1, 12, (batch, 5))
    lengths = rng.integers(2, 6, (batch, 1))
    return {"image": image, "target_ids": np.where(np.arange(5) < lengths, ids, 0).astype("int32")}


def padded(inputs, by):
    return {**inputs, "target_ids": np.pad(inputs["target_ids"], ((0, 0), (0, by)))}


CASES = [
    ModelCase(
        model=captioner,
        sizes=VARIANTS[name],
        inputs=pairs,
        maps=maps,
        config=SIZES,
        padded=padded,
        rows=True,
        next_token=True,
    )
    for name, maps in (("tiny", 1), ("tiny_transformer", 3))
]
PARAMETERS = {
    "default": 271_284,
    "transformer": 191_644,
    "tiny": 2_266,
    "tiny_transformer": 2_182,
}


@pytest.fixture(params=CASES, ids=["tiny", "tiny_transformer"])
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


def test_every_token_sees_the_whole_image(case):
    """Each corner of it; and the mask of the captions reaches the loss."""
    model, data = case.make(), case.data()
    expected, shown = call(model, data), data["target_ids"] > 0
    for rows, columns in ((slice(4), slice(4)), (slice(-4, None), slice(-4, None))):
        image = data["image"].copy()
        image[:, rows, columns] = 255 - image[:, rows, columns]
        difference = np.abs(call(model, {**data, "image": image}) - expected)
        assert difference.max(axis=-1)[shown].min() > 1e-6
    _, maps = recorded(model, data)
    for path, weights in maps.items():
        if "cross_attention" in path:
            read = weights.sum(axis=-1)
            expected = np.broadcast_to(shown[:, None], read.shape)
            np.testing.assert_allclose(read, expected, atol=1e-5)
    tensors = {name: keras.ops.convert_to_tensor(array) for name, array in data.items()}
    np.testing.assert_array_equal(to_numpy(model(tensors)._keras_mask), shown)


def log_probabilities(model, image, targets):
    """Returns those of each next token `(B, T, V)`, without padding and start."""
    logits = call(model, {"image": image, "target_ids": targets}).astype("float64")
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    log_probabilities[..., [PAD, START]] = -np.inf  # which are never written
    return log_probabilities


@pytest.fixture
def tokenizer():
    return ka.layers.Tokenizer.train(
        ["a b c d e f g h"], model="word", min_frequency=1, start_end=True, name="target_tokenizer"
    )


def test_decoding_is_the_uncached_loop(case, tokenizer, tmp_path):
    """Of arrays and of files, greedily and by beams; in a file, with the regions in a grid."""
    from PIL import Image

    model = case.make(tokenizer=tokenizer, vocabulary_size=None)
    model.get_layer("output").bias.assign(np.random.default_rng(3).normal(size=12))
    images = case.data()["image"].astype("uint8")
    targets = np.full((len(images), 1), START, "int32")
    for _ in range(5):
        ids = np.pad(targets, ((0, 0), (0, 6 - targets.shape[1])))  # of one length
        token = log_probabilities(model, images.astype("float32"), ids)
        token = token[:, targets.shape[1] - 1].argmax(-1)[:, None]
        targets = np.concatenate([targets, token.astype("int32")], axis=1)
    lengths = [np.argmax(row == END) if END in row else 5 for row in targets[:, 1:]]
    rows = [row[1 : 1 + length] for row, length in zip(targets, lengths, strict=True)]
    expected = [tokenizer.decode(row[None])[0] if row.size else "" for row in rows]
    paths = []
    for number, image in enumerate(images):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(image).save(paths[-1])
    for prompt in (images, paths, {"image": images}):
        assert ka.generate(model, prompt, max_new_tokens=5) == expected
    assert prompts.read(Parts(model), paths[1]).single, "one text comes back"
    with pytest.raises(TypeError, match="must be named by a `pathlib"):
        ka.generate(model, [str(paths[1])], max_new_tokens=5)
    begun = {"image": images, "target_ids": [[START]] * len(images)}
    for written, row in zip(ka.generate(model, begun, max_new_tokens=5), rows, strict=True):
        np.testing.assert_array_equal(written, row)

    search = ka.decoding.BeamSearch(3, length_penalty=0.0, num_results=3)
    beams = ka.generate(model, begun, sampler=search, max_new_tokens=4)
    for image, hypotheses in zip(images.astype("float32"), beams, strict=True):
        assert len({tuple(hypothesis.output) for hypothesis in hypotheses}) == 3
        for hypothesis in hypotheses:
            tokens = [*hypothesis.output, END][:4]
            ids = np.array([[START, *tokens[:-1], *[0] * (6 - len(tokens))]])
            scores = log_probabilities(model, image[None], ids)
            total = sum(scores[0, t, token] for t, token in enumerate(tokens))
            assert hypothesis.score == pytest.approx(total, abs=1e-4)


def test_what_is_no_image_is_refused(tokenizer, tmp_path):
    model = CASES[0].make(tokenizer=tokenizer, vocabulary_size=None)
    (tmp_path / "note.png").write_text("no picture")
    for prompt, message in (
        (np.zeros((16, 16, 3), np.uint8), r"`images` must have shape \(B, 16, 16, 3\)"),
        ([tmp_path / "note.png"], "cannot be read as an image"),
        ({"picture": [0]}, "must have entries for image, and may have one for target_ids"),
    ):
        with pytest.raises(ValueError, match=message):
            ka.generate(model, prompt, max_new_tokens=2)


def test_errors_teach():
    with pytest.raises(ValueError, match=r"one of 'recurrent', 'transformer'\. Received: 'gru'"):
        captioner(decoder="gru")
