"""Pictures and pages of any kind of model."""

import json
import re

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention import explain
from keras_attention.explain.attribution import names
from keras_attention.explain.maps.generation_maps import generation_maps
from keras_attention.explain.plots import any_model
from tests.decoding.models import image_captioner
from zoo.models.audio_transformer import VARIANTS as AUDIO
from zoo.models.audio_transformer import audio_transformer
from zoo.models.ft_transformer import VARIANTS as FT
from zoo.models.ft_transformer import ft_transformer
from zoo.models.gat import VARIANTS as GAT
from zoo.models.gat import gat
from zoo.models.gpt import VARIANTS as GPT
from zoo.models.gpt import gpt
from zoo.models.patch_tst import VARIANTS as PATCH_TST
from zoo.models.patch_tst import patch_tst
from zoo.models.transformer import VARIANTS as TRANSFORMER
from zoo.models.transformer import transformer
from zoo.models.vit import VARIANTS as VIT
from zoo.models.vit import vit

pytestmark = pytest.mark.runs_on("torch")


@pytest.fixture(scope="module")
def images():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1)).astype("float32")
    return vit(**VIT["tiny"], image_size=8, channels=1, class_names=["no", "yes"], num_classes=2), (
        pixels
    )


@pytest.fixture(scope="module")
def graphs():
    inputs = {
        "features": np.random.default_rng(0).normal(size=(1, 5, 4)).astype("float32"),
        "edges": np.array([[[0, 2], [1, 2], [3, 4], [2, 2]]]),
    }
    return gat(**GAT["tiny"], num_features=4, num_classes=3), inputs


def data_of(page):
    return json.loads(re.search(r"<script[^>]*json[^>]*>(.*?)</script>", str(page), re.S)[1])


def test_a_page_has_answers_relevance_and_recorded_deletions(images):
    model, pixels = images
    data = data_of(ka.explain.page(model, np.repeat(pixels, 8, axis=0)))
    assert len(data["examples"]) == 12
    assert data["note"].startswith("The first 12 of 16 inputs")
    example, explanation = data["examples"][8], ka.explain.relevance(model, pixels)
    answer = ka.predict(model, pixels)[1]
    (choices,) = example["answer"]["choices"]
    assert [name for name, _ in choices] == [name for name, _ in answer.ranking]
    np.testing.assert_allclose([p for _, p in choices], [p for _, p in answer.ranking], atol=1e-5)
    (reason,) = example["reasons"]
    scores = explanation.scores[1]
    by_relevance = reason["methods"][0]
    assert by_relevance["name"] == "relevance"
    np.testing.assert_allclose(by_relevance["shares"], scores / np.abs(scores).max(), atol=1e-3)
    for count, probability in zip(reason["counts"], by_relevance["curve"], strict=True):
        removed = np.zeros((1, 4), bool)
        removed[0, by_relevance["order"][:count]] = True
        without = explanation.elements.without(removed, [1])
        ranking = dict(ka.predict(model, without)[0].ranking)
        assert ranking[reason["target"]] == pytest.approx(probability, abs=1e-4)
    plain = data_of(ka.explain.page(model, pixels, why=False))
    assert [example["reasons"] for example in plain["examples"]] == [[], []]


def test_the_page_of_a_graph_has_an_example_for_each_node(graphs):
    model, inputs = graphs
    example, alone = data_of(ka.explain.page(model, inputs, position=[2, 4], why=False))["examples"]
    assert (example["name"], alone["name"]) == ("node 2", "node 4")
    (part,) = example["sequences"]["nodes"]
    assert [label.split()[0] for label in part["nodes"]] == ["2", "0", "1"]
    assert part["edges"] == [[1, 0], [2, 0]]
    assert [choices[0][0] for choices in example["answer"]["choices"]] == [
        ka.predict(model, inputs)[0][2].label
    ]
    assert len(alone["sequences"]["nodes"][0]["nodes"]) == 2


def test_the_page_of_an_image_has_its_class_token_and_its_patches(images):
    page = str(ka.explain.page(*images))
    assert "block_0/attention" in page
    assert '"class"' in page
    assert "data:image/png;base64," in page


def test_the_page_of_a_table_has_relevance_for_each_column():
    keras.utils.set_random_seed(0)
    model = ft_transformer(
        **FT["tiny"],
        numbers=["age", "pay"],
        categories={"job": ["x", "y"], "city": ["u", "v"]},
        class_names=["no", "yes"],
    )
    rows = [{"age": 0.3, "pay": -1, "job": "y", "city": "w"}]
    (example,) = data_of(ka.explain.page(model, rows))["examples"]
    (sequence,) = example["sequences"].values()
    assert sequence == [{"tokens": ["class", "age", "pay", "job", "city"]}]
    for reason, name in zip(example["reasons"], ("numbers", "categories"), strict=True):
        scores = ka.explain.relevance(model, rows, name=name).scores[0]
        relevance = reason["methods"][0]
        shares = scores / max(scores.max(), 1e-12)  # of categories that speak for nothing
        np.testing.assert_allclose(relevance["shares"], shares, atol=1e-3)
        assert reason["parts"] == [{"tokens": explain.elements(model, rows, name=name).labels[0]}]
        (answer,) = ka.predict(model, rows)
        assert reason["target"] == answer.label
        assert relevance["curve"][0] == pytest.approx(answer.probability, abs=1e-4)
    texts = ka.explain.relevance(model, rows).figure().axes[0].texts
    assert [text.get_text() for text in texts][1:] == ["age", "pay"]
    with pytest.raises(ValueError, match="Categories have no gradient, and 'categories' has them"):
        ka.explain.gradient_x_input(model, rows, name="categories")


def test_the_page_of_series_has_a_map_for_each_and_relevance_of_steps():
    keras.utils.set_random_seed(0)
    sizes = {**PATCH_TST["tiny"], "patch_size": 16, "stride": 8}
    model = patch_tst(**sizes, names=["oil", "load"])
    series = np.random.default_rng(0).normal(size=(2, 96, 2)).astype("float32")
    examples = data_of(ka.explain.page(model, series))["examples"]
    assert [m["path"] for m in examples[0]["maps"]] == [
        f"block_0/attention, {name}" for name in ("oil", "load")
    ]
    labels = explain.elements(model, series).labels[0]
    assert examples[0]["sequences"] == {"series": [{"tokens": labels}]}
    # No series reads another one, so that those of one series alone are the maps of its name.
    changed = series.copy()
    changed[..., 1] = 0
    other = data_of(ka.explain.page(model, changed, why=False))["examples"]
    for example, without in zip(examples, other, strict=True):
        same = [a == b for a, b in zip(example["maps"], without["maps"], strict=True)]
        assert same == [True, False]
    (reason,) = examples[1]["reasons"]
    assert reason["target"].endswith(" at 96")
    target = ["oil", "load"].index(reason["target"].split()[0])
    scores = ka.explain.integrated_gradients(model, series, position=95, target=[0, target])
    shares = scores.scores[1] / np.abs(scores.scores[1]).max()
    np.testing.assert_allclose(reason["methods"][0]["shares"], shares, atol=1e-3)


def test_heads_of_images_have_a_row_for_each_layer(images):
    figure = ka.explain.heads(*images)
    assert [ax.get_ylabel() for ax in figure.axes if ax.get_ylabel()][:2] == ["image", "block_0"]


def test_titles_and_scores_have_names(images):
    model, pixels = images
    explanation = ka.explain.rollout(model, pixels, target=1)
    assert names.name_targets(model, explanation) == ["for yes", "for yes"]
    row, column = np.unravel_index(explanation.scores[0].argmax(), (2, 2))
    name, score = names.name_highest(explanation, 1)[0]
    assert name == f"row {row + 1}, column {column + 1}"
    assert score == pytest.approx(explanation.scores[0].max())
    assert names.class_index(model, "yes") == 1
    assert names.class_index(model, "0") == 0
    assert names.class_index(model, None) is None


def test_heads_of_a_node_are_its_edges(graphs):
    model, inputs = graphs
    weights = list(ka.explain.attention_maps(model, inputs).values())[-1][0].mean(axis=0)
    texts = [text.get_text() for text in ka.explain.heads(model, inputs, position=2).axes[0].texts]
    assert sorted(texts[:2]) == sorted(f"{weights[edge]:.2f}" for edge in (0, 1))
    with pytest.raises(ValueError, match="Pass its `position`"):
        ka.explain.heads(model, inputs)
    explanation = ka.explain.rollout(model, inputs, position=2)
    assert names.name_targets(model, explanation)[0].endswith(" at 2")


def test_heads_of_recordings_lie_on_the_spectrogram():
    model = audio_transformer(**AUDIO["tiny"])
    waves = [np.sin(np.arange(n) / 5).astype("float32") for n in (1600, 3000)]
    figure = ka.explain.heads(model, waves)
    assert "spectrogram" in [ax.get_ylabel() for ax in figure.axes]
    page = str(ka.explain.page(model, waves))
    frames = ka.explain.elements(model, waves)
    for example, present in zip(data_of(page)["examples"], frames.present, strict=True):
        (part,) = example["sequences"]["audio"]
        assert part["labels"] == frames.labels[0][: present.sum()]
        assert (part["rows"], part["columns"]) == (frames.bands, present.sum())
        assert {tuple(m["shape"][1:]) for m in example["maps"]} >= {
            (present.sum() * frames.bands,) * 2
        }


def test_what_a_translator_reads_while_it_writes():
    texts = ["the cat sat on the mat", "a dog ran in the park"] * 3
    source = ka.layers.Tokenizer.train(texts, start_end=True, name="source_tokenizer")
    model = transformer(
        **TRANSFORMER["tiny"],
        source_tokenizer=source,
        target_tokenizer=source.copy(name="target_tokenizer"),
    )
    (written,) = ka.explain.generation_maps(model, texts[:1], max_new_tokens=64)
    figure = ka.explain.heads(model, texts[:1])
    drawn = [ax for ax in figure.axes if "cross_attention, head" in ax.get_title()]
    path = "decoder_block_0/cross_attention"
    assert len(drawn) == len(written.maps[path])
    np.testing.assert_allclose(drawn[0].images[0].get_array(), written.maps[path][0], atol=1e-6)
    page = str(ka.explain.page(model, texts[:1]))
    assert all(path in page for path in written.maps)


def test_what_a_language_model_reads_for_each_new_token():
    texts = ["the cat sat on the mat", "a dog ran in the park"] * 3
    tokenizer = ka.layers.Tokenizer.train(texts, model="word", min_frequency=1)
    keras.utils.set_random_seed(1)  # with which it writes words alone
    model = gpt(**GPT["tiny"], tokenizer=tokenizer)
    (written,) = ka.explain.generation_maps(model, texts[:1], max_new_tokens=4)
    path = "block_1/attention"
    assert written.queries[path] == written.output.split()
    assert written.keys[path] == [*texts[0].split(), *written.output.split()[:-1]]
    assert written.axes[path] == ("written", "read")
    for inputs in (texts, texts[0]):
        examples = data_of(ka.explain.page(model, inputs, max_new_tokens=4))["examples"]
        assert len(examples) == (6 if inputs is texts else 1)
        assert "has one for each token" in examples[0]["unexplained"]
        data = examples[0]
        named = [[name for name, _ in choices] for choices in data["answer"]["choices"]]
        assert [best for best, *_ in named] == data["answer"]["chosen"] == written.queries[path]
        assert {m["offset"] for m in data["maps"]} == {5}
        assert data["sequences"] == {
            "written": [{"tokens": written.queries[path]}],
            "read": [{"tokens": written.keys[path]}],
        }
        assert {(m["queries"], m["keys"]) for m in data["maps"]} == {("written", "read")}
    figure = ka.explain.heads(model, texts, max_new_tokens=4)
    (drawn, *_) = [ax for ax in figure.axes if ax.get_title().startswith(path)]
    np.testing.assert_allclose(drawn.images[0].get_array(), written.maps[path][0], atol=1e-6)


def test_a_caption_is_drawn_word_by_word():
    """Beside the image: what the cross-attention read of its grid for each, mean over heads."""
    model = image_captioner()
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    options = {"max_new_tokens": 4, "sampler": ka.decoding.BeamSearch(2)}
    figure = any_model.caption(model, images, **options, title="Test")
    written = generation_maps(model, images[:1], **options)[0]
    assert figure.get_suptitle() == f"Test\n{written.output}"
    drawn = [ax for ax in figure.axes if ax.images]
    np.testing.assert_array_equal(drawn[0].images[0].get_array(), images[0])
    assert [ax.get_title() for ax in drawn[1:]] == written.output.split()
    for ax, weights in zip(
        drawn[1:], written.maps["decoder/cross_attention"].mean(0), strict=False
    ):
        np.testing.assert_allclose(ax.images[1].get_array(), weights.reshape(4, 4), atol=1e-6)

    # One that has learned to end at once.
    kernel, bias = (np.zeros_like(weights) for weights in model.layers[-1].get_weights())
    bias[model.get_layer("target_tokenizer").end_id] = 1
    model.layers[-1].set_weights([kernel, bias])
    alone = any_model.caption(model, images, **options)
    assert alone.get_suptitle() == "(no word)"
    assert len(alone.axes) == 1
