"""Every recipe, in its test sizes and on made-up data: trains, saves, is measured and answers.

Recipes compose models that pass the contract, so each runs on one backend, which is fixed here.
"""

import importlib
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure

import keras_attention as ka
from keras_attention import reading
from keras_attention.prediction import encoders
from tests.zoo.models.cases import tiny_variants
from zoo import recipes
from zoo.harness import experiment, reports

WRITES = ("text-generation", "translation", "image-to-text")  # the tasks whose answers are texts
BACKENDS = {
    "attention_vs_rnn": "torch",
    "audio_fsdd": "tensorflow",
    "caption_emoji": "torch",
    "cartpole": "jax",
    "cartpole_memory": "tensorflow",
    "copy_reverse": "jax",
    "gat_cora": "tensorflow",
    "gat_lookup": "tensorflow",
    "gpt_shakespeare_char": "jax",
    "iris": "jax",
    "series_etth1": "jax",
    "tabular_adult": "jax",
    "tabular_housing": "tensorflow",
    "tag_ner": "torch",
    "tag_pos": "torch",
    "text_clinc": "jax",
    "text_sst2": "torch",
    "text_trec": "tensorflow",
    "translate_rnn": "torch",
    "translate_transformer": "torch",
    "vit_digits": "jax",
    "vit_fashion": "tensorflow",
    "vqa_easy": "torch",
}
RUNS = [
    pytest.param(name, variant, marks=pytest.mark.runs_on(BACKENDS[name]))
    for name in recipes.names()
    for variant in tiny_variants(name)
]


@pytest.fixture(autouse=True)
def no_data(monkeypatch, tmp_path):
    """No dataset is there, and none can be fetched."""
    monkeypatch.setenv("KERAS_ATTENTION_DATA", str(tmp_path / "nothing"))
    yield
    assert not (tmp_path / "nothing").exists()


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch):
    """Pictures have few dots, which take less time."""
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, file, **_: save(self, file, dpi=40))


@pytest.mark.parametrize(("name", "variant"), RUNS)
def test_smoke(name, variant, tmp_path):
    """All that `scripts/train.py NAME --smoke` does, and the answers of the saved file."""
    recipe = recipes.load(name)(variant=variant, seed=3, smoke=True)
    assert (recipe.name, recipe.variant, recipe.seed) == (name, variant, 3)
    assert recipe.baselines, "something simpler stands beside it"
    result = experiment.train(recipe, checkpoint_folder=tmp_path / "checkpoints")
    metrics = reports.save(result, tmp_path)
    assert np.isfinite(list(metrics["test"].values())).all(), metrics["test"]
    assert metrics["score"] in metrics["test"]
    assert np.isfinite([m[recipe.score] for m in metrics["baselines"].values()]).all()
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    pictures = {path.stem for path in tmp_path.glob("*.png")}
    assert "training_curves" in pictures
    assert len(pictures) >= 3, "attention, and the like of a confusion matrix"
    recipe.next_step.format(folder=tmp_path, backend="jax")

    model = keras.saving.load_model(tmp_path / "model.keras")
    experiment.compile_model(recipe, model)
    again = experiment.evaluate(recipe, model)
    assert again == pytest.approx(metrics["test"], abs=1e-4)

    for example in tmp_path.glob("example.*"):
        assert len(encode(model, example)) >= 1
    raw = first_rows(recipe.data.test[0], 2)
    if recipe.task in WRITES:
        texts = ka.generate(model, prompts(model, raw), max_new_tokens=4)
        assert len(texts) == 2
        assert all(isinstance(text, str) for text in texts)
        return
    answers = ka.predict(model, raw)
    assert len(answers) == len(next(iter(raw.values())) if isinstance(raw, dict) else raw)
    for answer in answers:
        text = str(answer)
        assert text
        named = any(isinstance(layer, ka.layers.Labels) for layer in model.layers)
        assert named or isinstance(answer, dict)


def encode(model, example):
    """Returns what the model's encoders make of a file that the training left."""
    if example.suffix == ".npz":
        return ka.encode(model, example)
    layers = [layer for layer in encoders(model).values() if hasattr(layer, "encode")]
    kind = {".png": "images", ".wav": "recordings", ".csv": "tables"}[example.suffix]
    (layer, *_) = [layer for layer in layers if getattr(layer, "encodes", None) == kind]
    return layer.encode(reading.table(example) if kind == "tables" else [example])


def prompts(model, raw):
    """Texts to go on from or to translate, or images to caption."""
    if isinstance(raw, dict) and "image" in raw:
        return raw["image"]
    if isinstance(raw, dict):
        return model.get_layer("source_tokenizer").decode(raw["source_ids"])
    return list(raw)


def first_rows(x, count):
    """The first raw values of a part: rows of a table or an array, or graphs."""
    if isinstance(x, dict):
        return {name: column[:count] for name, column in x.items()}
    return x[:count]


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize("name", recipes.names())
def test_recipe_says_what_it_is(name):
    module = importlib.import_module(f"zoo.recipes.{name}")
    assert {"default", "tiny"} <= set(module.VARIANTS)
    promise = recipes.promise(name)
    assert promise.endswith(".")
    assert len(promise) < 120
    with pytest.raises(ValueError, match=r"no variant 'huge'\. Variants: "):
        module.recipe(variant="huge", smoke=True)


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize("name", recipes.names())
def test_recipes_do_not_import_each_other(name):
    """Code that they share is in `zoo.tasks`."""
    source = Path(recipes.__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    assert "zoo.recipes" not in source
