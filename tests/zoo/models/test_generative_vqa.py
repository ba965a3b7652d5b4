"""Answers in words of its own: cases for the contract, who reads what, and decoding."""

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import keras_attention as ka
from keras_attention import prediction
from keras_attention.explain.plots import any_model
from tests.scripts.running import run
from tests.zoo.models.contracts import ModelCase, call, recorded
from zoo.models.generative_vqa import VARIANTS, generative_vqa

pytestmark = pytest.mark.runs_on("jax")

SMALL = {"image_size": 16, "question_vocabulary_size": 12, "vocabulary_size": 9}
PATCHES = 4  # of 8 x 8 pixels


def ask(rng, batch):
    """Images, questions and answers, each padded at its end."""
    question, target = (
        np.where(
            np.arange(size) < rng.integers(2, size + 1, (batch, 1)),
            rng.integers(1, 9, (batch, size)),
            0,
        ).astype("int32")
        for size in (5, 4)
    )
    image = rng.integers(0, 256, (batch, 16, 16, 3)).astype("float32")
    return {"image": image, "question_ids": question, "target_ids": target}


def padded(inputs, by):
    ids = {name: np.pad(inputs[name], ((0, 0), (0, by))) for name in ("question_ids", "target_ids")}
    return {**inputs, **ids}


CASES = [
    ModelCase(
        model=generative_vqa,
        sizes=VARIANTS["tiny"],
        inputs=ask,
        maps=3,
        config=SMALL,
        padded=padded,
        rows=True,
        next_token=True,
    )
]
PARAMETERS = {"default": 178_249, "tiny": 2_305}


@pytest.fixture(scope="module")
def built():
    return CASES[0].make(), CASES[0].data()


def test_words_and_patches_are_one_sequence(built):
    """Both see both, padding is seen by none, and the decoder sees all and no later token."""
    model, data = built
    _, maps = recorded(model, data)
    there = np.pad(data["question_ids"] > 0, ((0, 0), (0, PATCHES)), constant_values=True)
    causal = np.tril(np.ones((4, 4), bool)) & (data["target_ids"] > 0)[:, None]
    for path, seen in {
        "encoder_block_0/attention": there[:, None] & there[:, :, None],
        "decoder_block_0/cross_attention": there[:, None] & (data["target_ids"] > 0)[:, :, None],
        "decoder_block_0/attention": causal & (data["target_ids"] > 0)[:, :, None],
    }.items():
        computed = (maps.pop(path) > 0).all(axis=1)
        np.testing.assert_array_equal(computed, seen, path)
    assert not maps


def test_every_input_counts(built):
    model, data = built
    expected = call(model, data)
    for name, other in {
        "image": 255 - data["image"],
        "question_ids": np.where(data["question_ids"] > 0, data["question_ids"] % 11 + 1, 0),
    }.items():
        changed = call(model, {**data, name: other.astype(data[name].dtype)})
        assert np.abs(changed - expected).max(axis=(1, 2)).min() > 1e-6, name


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The file of a model, and an image."""
    folder = tmp_path_factory.mktemp("generative_vqa")
    keras.utils.set_random_seed(0)
    model = generative_vqa(
        **VARIANTS["tiny"],
        image_size=16,
        tokenizer=ka.layers.Tokenizer.train(
            ["what is it?", "is it red?"], model="word", min_frequency=1
        ),
        target_tokenizer=ka.layers.Tokenizer.train(
            ["a red bar", "yes"], model="word", min_frequency=1, start_end=True,
            name="target_tokenizer",
        ),
    )  # fmt: skip
    ka.save_model(model, folder / "model.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "x.png")
    return folder, pixels


def test_decoding_is_the_uncached_loop(saved):
    """Of files and of arrays, of one question and of several of different lengths."""
    folder, pixels = saved
    model = ka.load_model(folder / "model.keras")
    texts = ["what is it?", "red?"]
    target = model.get_layer("target_tokenizer")
    answers = []
    for text in texts:
        ids, question = [target.start_id], model.get_layer("tokenizer").encode([text])
        while len(ids) < 4:
            inputs = {"image": pixels[None], "question_ids": question, "target_ids": [ids]}
            logits = call(model, {name: np.array(x) for name, x in inputs.items()})[0, -1]
            logits[[0, target.start_id]] = -np.inf  # which are never written
            ids.append(int(logits.argmax()))
            if ids[-1] == target.end_id:
                break
        answers.append(target.decode(np.array([ids]))[0])
    given = {"image": [folder / "x.png"] * 2, "question_ids": texts}
    assert ka.generate(model, given, max_new_tokens=3) == answers
    given = {"image": np.stack([pixels] * 2), "question_ids": texts}
    assert ka.generate(model, given, max_new_tokens=3) == answers
    one = {"image": folder / "x.png", "question_ids": texts[0]}
    assert ka.generate(model, one, max_new_tokens=3) == answers[0]
    beside = prediction.add_image(model, texts, image=folder / "x.png")
    assert ka.generate(model, beside, max_new_tokens=3) == answers


def test_the_script_answers_about_an_image(saved):
    folder, _ = saved
    question = "is it red?"
    output = run("predict", folder / "model.keras", "--image", folder / "x.png", question)
    *_, asked, answer = output.splitlines()
    assert asked == question
    model = ka.load_model(folder / "model.keras")
    given = {"image": folder / "x.png", "question_ids": question}
    assert answer == f"  {ka.generate(model, given, max_new_tokens=100)}"
    with pytest.raises(SystemExit, match="about an image: pass --image PATH"):
        run("predict", folder / "model.keras", question)


def test_the_picture_is_of_the_patches_alone(saved):
    folder, _ = saved
    model = ka.load_model(folder / "model.keras")
    given = {"image": [Path(folder / "x.png")] * 2, "question_ids": ["is it red?"] * 2}
    figure = any_model.heads(model, given, max_new_tokens=3)
    written = any_model.generation_maps.write_for_first(model, given, max_new_tokens=3)
    words = written.output.split()
    images = [ax.images for ax in figure.axes if ax.images]
    assert len(images) >= 1 + len(words)
    for overlay in images[1 : 1 + len(words)]:
        assert overlay[-1].get_array().shape == (2, 2)


def test_predict_says_what_writes(saved):
    folder, _ = saved
    model = ka.load_model(folder / "model.keras")
    with pytest.raises(
        ValueError, match=r"writes a text about its other inputs: call ka\.generate"
    ):
        ka.predict(model, {"image": folder / "x.png", "question_ids": "red?"})


def test_defaults_need_no_sizes():
    tokenizer = ka.layers.Tokenizer.train(["a b"], model="word", min_frequency=1, start_end=True)
    model = generative_vqa(
        tokenizer=tokenizer, target_tokenizer=tokenizer.copy(name="target_tokenizer")
    )
    assert [tensor.name for tensor in model.inputs] == ["image", "question_ids", "target_ids"]
    assert model.output_shape == (None, None, tokenizer.vocabulary_size)
    with pytest.raises(ValueError, match="either `patch_size`"):
        generative_vqa(**SMALL, patch_size=8, stem=(4,))
    assert generative_vqa(**SMALL, patch_size=8).output_shape == (None, None, 9)
