"""Visual question answering: cases for the contract, who reads what, and why it answers so."""

import keras
import numpy as np
import pytest
from PIL import Image

import keras_attention as ka
from keras_attention.explain.plots import any_model
from tests.backend import compiled, to_numpy
from tests.scripts.running import run
from tests.zoo.models.contracts import ModelCase, call, feed, recorded
from zoo.models.vqa import VARIANTS, vqa

pytestmark = pytest.mark.runs_on("torch")

SMALL = {"image_size": 16, "vocabulary_size": 12, "num_classes": 3}
PATCHES = 4  # of 8 x 8 pixels


def ask(rng, batch):
    """Images, and questions of different lengths that are padded at their ends."""
    ids = rng.integers(1, 12, (batch, 5))
    lengths = rng.integers(2, 6, (batch, 1))
    return {
        "image": rng.integers(0, 256, (batch, 16, 16, 3)).astype("float32"),
        "question_ids": np.where(np.arange(5) < lengths, ids, 0).astype("int32"),
    }


def ask_only(name):
    return lambda rng, batch: {name: ask(rng, batch)[name]}


def padded(inputs, by):
    return {**inputs, "question_ids": np.pad(inputs["question_ids"], ((0, 0), (0, by)))}


def make_case(variant, maps, inputs=ask, padded=padded):
    return ModelCase(
        model=vqa, sizes=VARIANTS[variant], inputs=inputs, maps=maps, config=SMALL, padded=padded
    )


CASES = [
    make_case("tiny", 3),  # of the patches, of the words, and between them
    make_case("tiny_co", 4),
    make_case("tiny_single", 1),
    make_case("tiny_question_only", 1, ask_only("question_ids")),
    make_case("tiny_image_only", 1, ask_only("image"), None),
]
FUSIONS = CASES[:3]
PARAMETERS = {
    "default": 110_275,
    "co": 210_947,
    "single": 76_739,
    "question_only": 68_227,
    "image_only": 75_843,
    "tiny": 2_171,
    "tiny_co": 2_499,
    "tiny_single": 1_267,
    "tiny_question_only": 763,
    "tiny_image_only": 1_155,
}


@pytest.fixture(scope="module", params=FUSIONS, ids=["cross", "co", "single"])
def built(request):
    """A model, which is compiled once for all that is asked of it; and its inputs and fusion."""
    return request.param.make(), request.param.data(), request.param.sizes["fusion"]


def test_image_and_question_count(built):
    """Every word and every patch of them."""
    model, data, _ = built
    expected = call(model, data)
    ids = data["question_ids"]
    for at in (0, 1):
        other = ids.copy()
        other[:, at] = other[:, at] % 11 + 1
        changed = call(model, {**data, "question_ids": other})
        assert np.abs(changed - expected).max(axis=1).min() > 1e-6
    for row in (0, 8):
        for column in (0, 8):
            other = data["image"].copy()
            other[:, row : row + 8, column : column + 8] = 0
            changed = call(model, {**data, "image": other})
            assert np.abs(changed - expected).max(axis=1).min() > 1e-6


def test_who_reads_whom(built):
    """Words that are padding are read by none; the class token, before all, and all else are."""
    model, data, fusion = built
    _, maps = recorded(model, data)
    patches = np.ones((3, PATCHES), bool)
    words, image = (
        np.pad(there, ((0, 0), (1, 0)), constant_values=True)
        for there in (data["question_ids"] > 0, patches)
    )
    seen = {
        "cross": {
            "block_0/attention": patches,
            "fusion_0/attention": words,
            "fusion_0/cross_attention": patches,
        },
        "co": {
            "fusion_0_question/attention": words,
            "fusion_0_question/cross_attention": image,
            "fusion_0_image/attention": image,
            "fusion_0_image/cross_attention": words,
        },
        "single": {"fusion_0/attention": np.concatenate([words, patches], axis=1)},
    }[fusion]
    assert set(maps) == set(seen)
    for path, weights in maps.items():  # (B, N, T, S)
        np.testing.assert_array_equal((weights > 0).any(axis=(1, 2)), seen[path], path)


# The others are followed alike on every backend, and compiled for seconds on those that compile.
@pytest.mark.parametrize("case", CASES)
def test_relevance_of_words_and_patches(case):
    model, data = case.make(), case.data()
    for name, array in data.items():
        explanation = ka.explain.relevance(model, feed(data), name=name)
        present = array > 0 if name == "question_ids" else np.ones((3, PATCHES), bool)
        assert explanation.elements.kind == {"image": "patches", "question_ids": "tokens"}[name]
        assert explanation.scores.shape == present.shape
        assert (explanation.scores[~present] == 0).all()
        assert explanation.scores.max() > 0  # of one input nothing may speak for its answer


def by_hand(layer, query, value, seen, heads=2):
    """Weights and output of attention, by NumPy; `seen` says what of the values may be."""
    w = {v.path.rsplit("/", 1)[-1]: to_numpy(v) for v in layer.weights}

    def projected(x, name):  # (B, N, T, H)
        y = x @ w[f"{name}_kernel"] + w[f"{name}_bias"]
        return y.reshape(*y.shape[:2], heads, -1).swapaxes(1, 2)

    q, k, v = projected(query, "query"), projected(value, "key"), projected(value, "value")
    logits = np.where(seen[:, None, None], q @ k.swapaxes(2, 3) / np.sqrt(q.shape[-1]), -np.inf)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    mixed = (weights @ v).swapaxes(1, 2).reshape(query.shape)
    return weights, mixed @ w["output_kernel"] + w["output_bias"]


def normalized(x, layer):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + layer.epsilon)
    return x * to_numpy(layer.gamma) + to_numpy(layer.beta)


def test_co_attention_by_hand():
    """Lu et al., 2019, section 3.1: keys and values of each side go to the other's attention, as
    they were before the layer."""
    model, data = CASES[1].make(), CASES[1].data()
    tokens = [model.get_layer(name).output for name in ("class_token", "image_class_token")]
    before = keras.Model(model.inputs, tokens)
    tensors = {name: keras.ops.convert_to_tensor(x) for name, x in data.items()}
    question, image = map(to_numpy, compiled(before, before.variables)(tensors))
    words = np.pad(data["question_ids"] > 0, ((0, 0), (1, 0)), constant_values=True)
    patches = np.ones(image.shape[:2], bool)
    question = np.where(words[..., None], question, 0)
    _, maps = recorded(model, data)
    for side, x, own, memory, others in (
        ("question", question, words, image, patches),
        ("image", image, patches, question, words),
    ):
        block = model.get_layer(f"fusion_0_{side}")
        normed = normalized(x, block.attention_norm)
        x = x + by_hand(block.attention, normed, normed, own)[1]
        query = normalized(x, block.cross_attention_norm)
        expected, _ = by_hand(block.cross_attention, query, memory, others)
        expected = np.where(own[:, None, :, None], expected, 0)  # padding reads nothing
        weights = maps[f"fusion_0_{side}/cross_attention"]
        np.testing.assert_allclose(weights, expected, atol=1e-5)


def test_the_answer_is_the_product_of_both_sides():
    """Section 3.3 of Lu et al., 2019."""
    model = CASES[1].make(num_classes=None)
    tensors = {name: keras.ops.convert_to_tensor(x) for name, x in CASES[1].data().items()}
    layers = [model.get_layer(f"{side}_answer") for side in ("question", "image")]
    both = keras.Model(model.inputs, [*(layer.output for layer in layers), model.output])
    question, image, features = map(to_numpy, compiled(both, both.variables)(tensors))
    np.testing.assert_allclose(features, question[:, 0] * image[:, 0], atol=1e-6)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The file of a model, and an image."""
    folder = tmp_path_factory.mktemp("vqa")
    questions = ["what color is the shape?", "is there a circle?"]
    keras.utils.set_random_seed(0)
    model = vqa(
        **VARIANTS["tiny"],
        image_size=16,
        tokenizer=ka.layers.Tokenizer.train(questions, model="word", min_frequency=1),
        num_classes=3,
        class_names=("yes", "no", "red"),
    )
    ka.save_model(model, folder / "model.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "x.png")
    return folder, pixels


def test_a_file_answers_about_an_image(saved):
    folder, pixels = saved
    model = ka.load_model(folder / "model.keras")
    question = "is there a shape?"
    one = ka.predict(model, {"image": folder / "x.png", "question_ids": question})
    assert one.label in ("yes", "no", "red")
    (same,) = ka.predict(model, {"image": pixels[None], "question_ids": [question]})
    assert same.label == one.label
    assert same.probability == pytest.approx(one.probability, abs=1e-6)


def test_the_script_answers_about_an_image(saved):
    folder, _ = saved
    questions = ("what color is the shape?", "is there a circle?")
    output = run("predict", folder / "model.keras", "--image", folder / "x.png", *questions)
    _, *lines = output.strip().splitlines()
    assert [line for line in lines if not line.startswith(" ")] == list(questions)
    shares = [line.split() for line in lines if line.startswith(" ")]
    assert {name for name, _ in shares} == {"yes", "no", "red"}
    assert sum(float(share[:-1]) for _, share in shares) == pytest.approx(200, abs=0.4)
    with pytest.raises(SystemExit, match="about an image: pass --image PATH"):
        run("predict", folder / "model.keras", questions[0])
    with pytest.raises(SystemExit, match=r"There is no file 'absent\.png'"):
        run("predict", folder / "model.keras", "--image", "absent.png", questions[0])


@pytest.mark.parametrize("method", ["relevance", "heads"])
def test_the_script_draws_why(saved, method):
    folder, _ = saved
    question = ("--image", folder / "x.png", "is there a circle?", "--method", method)
    printed = run("visualize", folder / "model.keras", *question)
    assert (folder / f"{method}.png").stat().st_size > 1000
    assert ("row 1, column 1: " in printed) == (method == "relevance")


def test_the_picture_is_of_words_and_of_patches(saved):
    folder, pixels = saved
    model = ka.load_model(folder / "model.keras")
    inputs = {"image": pixels[None], "question_ids": ["is there a circle?"]}
    explanation, figure = any_model.explain(model, inputs, ka.explain.relevance)
    assert explanation.elements.kind == "patches"
    written = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert written == ["is", "there", "a", "circle", "?"]
    assert [len(ax.images) for ax in figure.axes[:2]] == [1, 2]  # the image; and the scores on it
    words, figure = any_model.explain(model, inputs, ka.explain.relevance, name="question_ids")
    assert words.elements.kind == "tokens"
    assert not any(ax.images for ax in figure.axes)
    assert '"of":"question"' in str(ka.explain.page(model, inputs))


def test_errors_teach():
    with pytest.raises(ValueError, match="`fusion` must be one of cross, co, single"):
        vqa(**{**VARIANTS["tiny"], "fusion": "late"}, **SMALL)
    with pytest.raises(ValueError, match="`inputs` must be one of both, question, image"):
        vqa(**VARIANTS["tiny"], **SMALL, inputs="text")
