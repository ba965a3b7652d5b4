"""Texts that a GPT-2 writes after it was loaded, and what else its files may have."""

import json

import keras
import numpy as np
import pytest

import keras_attention as ka
import zoo.pretrained
from keras_attention.decoding import BeamSearch
from keras_attention.saving.errors import FileError
from tests.backend import to_numpy
from tests.zoo.pretrained import texts
from tests.zoo.pretrained.texts import BEAMS, NEW, PROMPTS

WRITTEN = json.loads((texts.TEXTS / "written.json").read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return texts.make_checkpoint(tmp_path_factory.mktemp("gpt2") / "gpt2")


@pytest.fixture(scope="module")
def model(folder):
    return zoo.pretrained.load(folder)


def read(model, prompts):
    return [model.get_layer("tokenizer").encode([text])[0] for text in prompts]


def test_it_writes_what_transformers_writes(model):
    """Greedily and by beams, prompts of several lengths at once, until one of two ends."""
    prompts = read(model, PROMPTS)
    written = ka.generate(model, prompts, max_new_tokens=NEW)
    assert [row.tolist() for row in written] == WRITTEN["greedy"]
    sampler = BeamSearch(**BEAMS, num_results=2)
    found = ka.generate(model, prompts, sampler=sampler, max_new_tokens=NEW)
    results = [result for row in found for result in row]
    assert [result.output.tolist() for result in results] == WRITTEN["beams"]
    np.testing.assert_allclose([r.score for r in results], WRITTEN["scores"], rtol=1e-4)


def test_the_file_alone_writes_the_same(model, tmp_path):
    """A saved one knows that its padding is no token, and its ends."""
    ka.save_model(model, tmp_path / "model.keras")
    again = ka.load_model(tmp_path / "model.keras")
    tokenizer = again.get_layer("tokenizer")
    assert (tokenizer.padding_id, tokenizer.end_ids) == (-1, (89, 34))
    written = ka.generate(again, read(again, PROMPTS), max_new_tokens=NEW)
    assert [row.tolist() for row in written] == WRITTEN["greedy"]
    ids = ka.encode(again, PROMPTS)
    assert (ids == -1).any()
    assert (ids == 0).any()
    np.testing.assert_array_equal(to_numpy(again(ids)), to_numpy(model(ids)))


def test_fit_learns_to_write(folder):
    """What comes after padding is not learned: the loss is that of the tokens alone."""
    keras.utils.set_random_seed(0)
    model = zoo.pretrained.load(folder)
    ids = ka.encode(model, PROMPTS)
    x, y = ids[:, :-1], ids[:, 1:]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    logits = to_numpy(model(x)).astype("float64")
    logits -= np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    expected = -np.take_along_axis(logits, np.maximum(y, 0)[..., None], axis=-1)[y >= 0].mean()
    losses = model.fit(x, y, batch_size=len(x), epochs=15, verbose=0).history["loss"]
    np.testing.assert_allclose(losses[0], expected, rtol=1e-4)
    assert losses[-1] < 0.5 * losses[0]


def test_in_16_bits(folder, model):
    half = zoo.pretrained.load(folder, dtype="bfloat16")
    kernel = half.get_layer("block_0").attention.query_kernel
    assert kernel.dtype == half.get_layer("block_0").compute_dtype == "bfloat16"
    ids = ka.encode(half, PROMPTS)
    expected, logits = to_numpy(model(ids)), half(ids)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    difference = np.abs(to_numpy(logits) - expected)[ids >= 0]
    assert 1e-4 < difference.max() < 0.1 * np.abs(expected).max()
    assert len(ka.generate(half, PROMPTS[0], max_new_tokens=4)) > 0


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize("method", ["relevance", "integrated_gradients", "leave_one_out"])
def test_padding_is_explained_by_nothing(folder, method):
    """A text is explained as if it were alone, and "!", whose id is 0, as any other token."""
    keras.utils.set_random_seed(0)
    with pytest.warns(UserWarning, match="begin at random"):
        model = zoo.pretrained.load(folder, task="classes", class_names=("no", "yes"))
    explain = getattr(ka.explain, method)
    together = explain(model, ["the cat sat on the mat", "a! hat"], target=1)
    alone = explain(model, ["a! hat"], target=1)
    assert together.elements.labels[1] == alone.elements.labels[0] == ["a", "!", "hat"]
    np.testing.assert_allclose(together.scores[1, :3], alone.scores[0], atol=1e-5)
    assert not together.scores[1, 3:].any()
    assert np.abs(alone.scores[0]).min() > 0


@pytest.mark.runs_on("torch")
def test_each_dropout_is_read(folder, tmp_path):
    other = copy_with(folder, tmp_path, resid_pdrop=0.1, attn_pdrop=0.2, embd_pdrop=0.3)
    model = zoo.pretrained.load(other)
    block = model.get_layer("block_1")
    assert (block.dropout, block.attention.dropout) == (0.1, 0.2)
    assert model.get_layer("dropout").rate == 0.3


def copy_with(folder, tmp_path, **settings):
    """A checkpoint like another with other settings."""
    tensors = texts.load_file(folder / "model.safetensors")
    return write(folder, tmp_path / "other", tensors, **settings)


def write(folder, target, tensors, **settings):
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    texts.save_file(tensors, target / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (target / "config.json").write_text(json.dumps({**config, **settings}))
    return target


@pytest.mark.runs_on("torch")
def test_old_files(folder, model, tmp_path):
    """Masks are no weights, and names may have a prefix; what else is there is named."""
    tensors = texts.load_file(folder / "model.safetensors")
    old = {f"transformer.{name}": tensor for name, tensor in tensors.items()}
    for layer in range(2):
        old[f"transformer.h.{layer}.attn.bias"] = np.tri(32, dtype="uint8")[None, None]
        old[f"transformer.h.{layer}.attn.masked_bias"] = np.array(-1e4, "float32")
    other = zoo.pretrained.load(write(folder, tmp_path / "old", old))
    for ours, theirs in zip(other.weights, model.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs))
    crossed = {**tensors, "h.0.crossattention.c_attn.weight": np.zeros((24, 72), "float32")}
    with pytest.raises(FileError, match=r"h\.0\.crossattention\.c_attn\.weight is unknown"):
        zoo.pretrained.load(write(folder, tmp_path / "crossed", crossed))
    with pytest.raises(ValueError, match=r"which is no task here\. Pass `task=`"):
        zoo.pretrained.load(copy_with(folder, tmp_path, architectures=["GPT2DoubleHeadsModel"]))


@pytest.mark.runs_on("torch")
def test_a_text_beyond_the_positions_is_refused(model):
    with pytest.raises(ValueError, match="a context of 32 tokens"):
        ka.generate(model, [[5] * 30], max_new_tokens=3)
