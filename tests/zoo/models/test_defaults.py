"""A model needs no sizes: what a builder asks for ties it to data, and names tell the classes."""

import inspect

import pytest

import keras_attention as ka
import zoo
from tests.zoo.models.cases import MODELS, cases_of

pytestmark = pytest.mark.runs_on("torch")

PARAMETERS = {name: inspect.signature(getattr(zoo, name)).parameters for name in MODELS}
NAMED = [name for name in MODELS if "class_names" in PARAMETERS[name]]
NAMES = ("O", "B-a", "I-a", "B-b", "I-b", "B-c", "I-c")  # of entities too


@pytest.mark.parametrize("name", MODELS)
def test_sizes_have_defaults(name):
    """What has none ties a model to data, and no model can guess it."""
    asked = {
        key
        for key, each in PARAMETERS[name].items()
        if each.default is each.empty and each.kind is each.KEYWORD_ONLY
    }
    assert asked <= set(cases_of(name)[0].config)


@pytest.mark.parametrize("name", MODELS)
def test_the_default_variant_repeats_no_default(name):
    for key, value in getattr(zoo.models, name).VARIANTS["default"].items():
        assert PARAMETERS[name][key].default != value, f"{key} is {value} by itself"


@pytest.mark.parametrize("name", NAMED)
def test_names_tell_how_many_classes(name):
    case = cases_of(name)[0]
    given = {**case.sizes, **case.config, "class_names": NAMES}
    given.pop("num_classes", None)
    model = case.model(**given)
    assert model.output_shape[-1] == 7
    assert model.get_layer("labels").class_names == NAMES


def test_a_text_classifier_of_a_tokenizer_and_names():
    tokenizer = ka.layers.Tokenizer.train(["to be", "not to be"], model="word", min_frequency=1)
    model = zoo.text_classifier(tokenizer=tokenizer, class_names=("yes", "no", "perhaps"))
    (answer,) = ka.predict(model, ["to be"])
    assert {label for label, _ in answer.ranking} == {"yes", "no", "perhaps"}


def test_what_is_missing_is_named():
    message = r"'tokenizer' has no vocabulary\. Make it with `Tokenizer\.train`"
    with pytest.raises(ValueError, match=message):
        zoo.text_classifier()
