"""Settings made on a part of a layer, or on the layer, are in its configuration or refused."""

import inspect
import json
import random

import keras
import pytest

import keras_attention as ka
from keras_attention.layers.composite import Composite
from keras_attention.layers.part_settings import parts
from tests.layers.test_contract import CASES

pytestmark = pytest.mark.runs_on("torch")
COMPOSITES = [case for case in CASES if issubclass(case.layer, Composite)]


def again(layer):
    """The layer that its configuration makes, through JSON as in a file."""
    return type(layer).from_config(json.loads(json.dumps(layer.get_config())))


def numbers_of(layer):
    """Yields the arguments of a layer that are attributes with numbers, and others it can take."""
    for name in inspect.signature(type(layer).__init__).parameters:
        value = vars(layer).get(name)
        if isinstance(value, bool):
            yield name, not value
        elif isinstance(value, int):
            yield name, value + 1
        elif isinstance(value, float):
            others = [x for x in (value / 2 + 0.125, value + 0.5) if takes(layer, name, x)]
            yield from ((name, other) for other in others[:1])  # some go with no other argument


def takes(layer, name, value):
    """Whether the constructor of a layer takes a value."""
    try:
        type(layer).from_config({**layer.get_config(), name: value})
    except (TypeError, ValueError):
        return False
    return True


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_setting_of_a_layer_is_in_its_configuration(case):
    for name, value in numbers_of(case.layer(**case.config)):
        layer = case.layer(**case.config)
        setattr(layer, name, value)
        assert layer.get_config()[name] == value, name


@pytest.mark.parametrize("case", COMPOSITES, ids=lambda case: case.name)
def test_a_setting_of_a_part_is_in_the_configuration(case):
    assert "parts" not in case.make().get_config()
    for path, part in parts(case.make()):
        for name, value in numbers_of(part):
            if type(value) is int:
                continue  # a size that others depend on
            layer = case.make()
            setattr(dict(parts(layer))[path], name, value)
            rebuilt = again(layer)
            assert getattr(dict(parts(rebuilt))[path], name) == value, (path, name)
            assert rebuilt.get_config() == layer.get_config()


@pytest.mark.parametrize("policy", ["float16", "mixed_bfloat16"])
def test_a_policy_is_no_setting_of_parts_but_one_of_a_part_is(policy):
    for case in COMPOSITES:
        layer = case.make()
        layer.dtype_policy = policy
        assert "parts" not in layer.get_config()
        assert "parts" not in case.make(dtype=policy).get_config()
    block = ka.layers.TransformerBlock(2, 8)
    block.attention_norm.dtype_policy = policy
    assert again(block).attention_norm.dtype_policy.name == policy
    assert again(block).feed_forward_norm.dtype_policy.name == "float32"


def test_a_setting_that_parts_do_not_heed_stays_without_effect():
    """The norms were made before, and a copy's are as they are."""
    block = ka.layers.TransformerBlock(2, 8, epsilon=1e-6)
    block.epsilon = 0.5
    copy = again(block)
    assert (copy.epsilon, copy.attention_norm.epsilon) == (0.5, 1e-6)


def test_objects_are_kept():
    block = ka.layers.TransformerBlock(2, 8, norm="rms")
    block.attention_norm.epsilon = 0.25
    block.feed_forward.kernel_initializer = keras.initializers.Constant(2.0)
    copy = again(block)
    assert copy.attention_norm.epsilon == 0.25
    assert copy.feed_forward.kernel_initializer.value == 2.0


def test_what_cannot_be_kept_is_refused():
    block = ka.layers.TransformerBlock(2, 8, name="block")
    block.attention_norm.epsilon = object()
    with pytest.raises(ValueError, match=r"'block' cannot keep.*`attention_norm.epsilon` is <obj"):
        block.get_config()
    block.attention_norm = keras.layers.RMSNormalization()
    with pytest.raises(ValueError, match="`attention_norm` must be a LayerNormalization"):
        block.get_config()


@pytest.mark.parametrize(
    "settings", [{"nowhere": {"epsilon": 1.0}}, {"attention_norm": {"__class__": 1.0}}]
)
def test_a_configuration_sets_nothing_else(settings):
    config = ka.layers.TransformerBlock(2, 8).get_config()
    with pytest.raises(ValueError, match="has no setting `"):
        ka.layers.TransformerBlock.from_config({**config, "parts": settings})


def test_a_configuration_draws_no_random_numbers():
    block = ka.layers.TransformerBlock(2, 8, dropout=0.123)
    state = random.getstate()
    block.get_config()
    assert random.getstate() == state


def test_a_class_that_no_configuration_makes_has_one_still():
    class Mine(ka.layers.TransformerBlock):
        def __init__(self):
            super().__init__(2, 8)

    assert Mine().get_config()["num_heads"] == 2
