"""Model cards, as huggingface_hub reads them."""

import json
import re

import keras
import pytest
import yaml
from huggingface_hub import EvalResult, ModelCard
from huggingface_hub.repocard import metadata_load

from keras_attention.saving import card, digests
from zoo.harness import experiment, reports
from zoo.recipes.iris import recipe

pytestmark = pytest.mark.runs_on("torch")
METRICS = {
    "task": "tabular-classification",
    "license": "mit",
    "data": {
        "name": "Iris",
        "url": "https://huggingface.co/datasets/someone/iris",
        "license": "CC BY 4.0",
        "citation": "R. A. Fisher, 1936",
    },
    "data_sha256": "ab" * 32,
    "test": {"loss": 0.125, "accuracy": 0.96},
    "baselines": {"logistic regression": {"accuracy": 0.97}},
    "seed": 3,
    "backend": "jax",
    "device": "a CPU",
    "versions": {"keras": "3.15.1", "keras_attention": "0.1.0"},
    "history": [1, 2, 3],
}
WHERE = {"name": "iris", "address": "iris.keras", "sha256": "cd" * 32, "files": {"f": "ef" * 32}}
HOSTILE = [
    'a "quoted" name',
    "it's: a {mapping}, [1, 2]",
    "- item\n---\nlicense: stolen",
    "...\n--- \n",
    "# comment",
    "!!python/object/apply:os.system ['true']",
    "&anchor *alias",
    "%TAG",
    "\\ \\n \\\\",
    "null",
    "yes",
    "1e5",
    "",
    " leading and trailing ",
    "tab\tand\rreturn",
    "next\x85line\u2028separator\u2029paragraph",
    "control\x00\x07\x1b\x7f\x9f",
    "\ufeffmark \ufffe not a character",
    "half of \ud800 a pair",
    "emoji \U0001f600, 中文, é",
    "`code` | pipe | <b>html</b> [link](javascript:x) ![image](y) ~~x~~ &amp;",
    "```\nimport os\n```",
    "x" * 5000,
]


def front_matter(text):
    return ModelCard(text).data.to_dict()


def body(text):
    return ModelCard(text).text


def test_hugging_face_reads_what_was_measured():
    data = ModelCard(card.card(METRICS, **WHERE)).data
    assert data.library_name == "keras"
    assert data.license == "mit"
    assert data.datasets == ["someone/iris"]
    assert data.pipeline_tag == "tabular-classification"
    assert data.tags == ["keras", "keras_attention"]
    assert data.model_name == "iris"
    about = {
        "task_type": "tabular-classification",
        "dataset_type": "someone/iris",
        "dataset_name": "Iris",
        "dataset_split": "test",
    }
    assert data.eval_results == [
        EvalResult(metric_type="loss", metric_value=0.125, **about),
        EvalResult(metric_type="accuracy", metric_value=0.96, **about),
    ]


def test_the_sections_say_everything_that_is_known():
    text = body(card.card(METRICS, **WHERE))
    titles = ["Task", "Data", "Metrics", "How to load", "Versions", "SHA-256"]
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == titles
    for line in (
        "# iris",
        "- Task: tabular-classification",
        "- Name: Iris",
        "- URL: <https://huggingface.co/datasets/someone/iris>",
        "- Licence: CC BY 4.0",
        "- Citation: R. A. Fisher, 1936",
        f"- SHA-256 of the arrays: {'ab' * 32}",
        "| test | model | logistic regression |",
        "| loss | 0.125 |  |",
        "| accuracy | 0.96 | 0.97 |",
        "- Seed: 3",
        "- Backend: jax",
        "- Device: a CPU",
        "- keras 3.15.1",
        f"- f: `{'ef' * 32}`",
    ):
        assert line in text.splitlines(), line
    assert "history" not in text


@pytest.mark.parametrize("absent", [*METRICS, "everything"])
def test_what_is_absent_is_left_out(absent):
    kept = {} if absent == "everything" else {k: v for k, v in METRICS.items() if k != absent}
    text = card.card(kept, **WHERE)
    assert text == card.card({**dict.fromkeys(METRICS), **kept}, **WHERE)  # null says no more
    assert "None" not in text
    assert "How to load" in text
    data = front_matter(text)
    assert data["library_name"] == "keras"
    needed = {"task", "data", "test", "everything"}
    assert ("model-index" in data) == (absent not in needed)
    gone = {"task": "pipeline_tag", "license": "license", "data": "datasets"}
    assert absent not in gone or gone[absent] not in data
    if absent == "everything":
        assert set(data) == {"library_name", "tags"}
        assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == ["How to load", "SHA-256"]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_string_breaks_the_front_matter_or_the_page(text, tmp_path):
    metrics = {
        **METRICS,
        "task": text or "t",
        "license": text,
        "data": {"name": text or "n", "url": text, "license": text, "citation": text},
        "test": {text: 0.5},
        "baselines": {text: {text: 0.25}},
        "device": text,
        "versions": {text: text},
    }
    where = {**WHERE, "name": text, "address": text, "files": {text: "ef" * 32}}
    written = card.card(metrics, **where)
    assert all(c.isprintable() or c == "\n" for c in written)
    (tmp_path / "README.md").write_text(written, encoding="utf-8")
    data = metadata_load(tmp_path / "README.md")
    assert data["license"] == text
    assert data["pipeline_tag"] == (text or "t")
    (index,) = data["model-index"]
    assert index["name"] == text
    (result,) = index["results"]
    assert result["dataset"]["name"] == (text or "n")
    assert result["metrics"] == [{"type": text, "value": 0.5}]
    # The page has its own lines and no other: the same headings, one table, one block of code.
    plain = card.card(metrics | {"device": "d"}, **WHERE)
    for pattern in (r"^#+ ", r"^```", r"^\|", r"^- ", r"^---$", r"^$"):
        counts = [len(re.findall(pattern, t, flags=re.MULTILINE)) for t in (written, plain)]
        assert counts[0] == counts[1], pattern
    page = body(written).split("## How to load")
    for part in (page[0], page[1].split("## Versions")[1]):  # no more than a digest in backticks
        assert not re.search(r"(?<!\\)[<\[](?!https?://)", part)
        assert all(
            re.fullmatch(r"[0-9a-f]{64}", code) for code in re.findall(r"(?<!\\)`(.*?)`", part)
        )
    code = re.search(r"^```python\n(.*?)^```$", written, flags=re.MULTILINE | re.DOTALL)[1]
    calls = []
    exec(
        code.replace("import keras_attention as ka", "").replace("ka.load_model", "load"),
        {"load": lambda address, sha256: calls.append((address, sha256))},
    )
    assert calls == [(text, "cd" * 32)]


def test_numbers_that_are_none_are_not_for_the_index():
    metrics = {**METRICS, "test": {"loss": float("nan"), "accuracy": 0.5}}
    text = card.card(metrics, **WHERE)
    (result,) = front_matter(text)["model-index"][0]["results"]
    assert result["metrics"] == [{"type": "accuracy", "value": 0.5}]
    assert "| loss | nan |  |" in text


def test_front_matter_is_yaml_for_another_reader_too():
    text = card.card(METRICS, **WHERE)
    block = text.split("---\n")[1]
    assert list(yaml.safe_load(block)) == [
        "library_name",
        "license",
        "datasets",
        "pipeline_tag",
        "tags",
        "model-index",
    ]


def test_a_model_on_the_hub_is_loaded_by_its_address():
    text = card.card(METRICS, **{**WHERE, "address": "hf://someone/iris"})
    assert '"hf://someone/iris",' in text
    assert "`revision=`" in text
    assert "`revision=`" not in card.card(METRICS, **WHERE)


@pytest.mark.parametrize(
    "wrong", [[], {"data": "iris"}, {"test": 0.5}, {"baselines": {"x": 1}}, {"versions": ["3"]}]
)
def test_what_is_no_metrics_file_is_refused(wrong):
    with pytest.raises(TypeError, match=r"`metrics`.*Received: "):
        card.card(wrong, **WHERE)


def test_the_card_of_a_recipe(tmp_path):
    result = experiment.Result(
        recipe=recipe(variant="tiny"),
        test={"loss": 0.5, "accuracy": 0.75},
        history={"loss": [0.5], "accuracy": [0.75]},
        seconds=1.5,
    )
    reports.save(result, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    path = card.write(tmp_path / "model.keras", metrics)
    assert path == tmp_path / "model.md"
    data = ModelCard.load(path).data
    assert {each.metric_type: each.metric_value for each in data.eval_results} == result.test
    assert data.pipeline_tag == "tabular-classification"
    text = path.read_text()
    assert "archive.ics.uci.edu" in text
    assert "logistic regression" in text
    assert f'sha256="{digests.digest(tmp_path / "model.keras")}"' in text

    folder = tmp_path / "folder"
    model = keras.saving.load_model(tmp_path / "model.keras")
    keras.saving.save_model(model, folder, zipped=False)
    path = card.write(folder, metrics, url="hf://someone/flowers@main")
    assert path == folder / "README.md"
    assert ModelCard.load(path).data.model_name == "flowers"
    assert f'sha256="{digests.digest(folder)}"' in path.read_text()  # the card changes it not
    assert "- model.weights.h5: `" in path.read_text()
