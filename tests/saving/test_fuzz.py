"""Whatever is changed in a file: it is loaded, or refused by name; nothing else happens.

`FUZZ_EXAMPLES=5000` looks further than a run of all tests has time for.
"""

import copy
import json
import os
import resource
import time
from contextlib import suppress

import keras
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import keras_attention as ka
from tests.saving import hostile

SECONDS, MIB = 5, 1024  # for one file, and for all of them
FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", 150)),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["relu", "Dense", "keras.layers", "__lambda__", "function", "float16", "os"]),
    st.lists(st.integers(-2, 10**9), max_size=4),
    st.dictionaries(st.sampled_from(["class_name", "config", "module"]), st.text(max_size=5)),
    st.just({"class_name": "__numpy__", "config": {"value": [[1.0]], "dtype": "float32"}}),
    st.sampled_from(["\x1b[2J", "\x9b", "keras_attention>TransformerBlock", "stranger>Evil"]),
)


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "model.keras"
    ka.save_model(hostile.model(), path)
    ka.load_model(path, resume=True)  # what it takes once is not counted below
    return hostile.members(path)


def outcome(path, *, resume):
    """Loads; every error must be one of ours, soon, and without much memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    message = ""
    try:
        assert isinstance(ka.load_model(path, resume=resume), keras.Model)
    except ka.saving.FileError as error:
        message = str(error)
    assert message.replace("\n", "").isprintable()
    assert time.process_time() - start < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < MIB


def changed(content, changes):
    """`content` with bytes replaced, cut out or repeated, each `(place, kind, byte)`."""
    content = bytearray(content)
    for place, kind, byte in changes:
        at = int(place * len(content))
        if kind == "replace":
            content[at : at + 1] = bytes([byte])
        elif kind == "cut":
            del content[at : at + byte]
        else:
            content[at:at] = content[at : at + byte]
    return bytes(content)


CHANGES = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["replace", "replace", "cut", "repeat"]),
        st.integers(0, 255),
    ),
    min_size=1,
    max_size=6,
)


@FUZZ
@given(changes=CHANGES)
def test_bytes_of_the_file(members, tmp_path, changes):
    path = tmp_path / "model.keras"
    hostile.write(members, path)
    path.write_bytes(changed(path.read_bytes(), changes))
    outcome(path, resume=False)


@FUZZ
@given(
    changes=CHANGES,
    name=st.sampled_from(
        ["model.weights.h5", "model.weights.h5", "training.json", "metadata.json"]
    ),
)
def test_bytes_of_a_member_with_a_right_checksum(members, tmp_path, changes, name):
    path = tmp_path / "model.keras"
    hostile.write({**members, name: changed(members[name], changes)}, path)
    outcome(path, resume=True)


def places(value, where=()):
    """The way to everything in a nested value."""
    yield where
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(each, (*where, key))


def mutate(value, data):
    """Changes a nested value in place: puts another at a place, drops it, or copies it there."""
    for _ in range(data.draw(st.integers(1, 3))):
        where = data.draw(st.sampled_from(list(places(value))[1:]))
        parent = at(value, where[:-1])
        kind = data.draw(st.sampled_from(["another", "another", "nothing", "a copy"]))
        if kind == "another":
            parent[where[-1]] = copy.deepcopy(data.draw(VALUES))
        elif kind == "nothing":
            del parent[where[-1]]
        else:
            source = data.draw(st.sampled_from(list(places(value))[1:]))
            parent[where[-1]] = copy.deepcopy(at(value, source))


def at(value, where):
    for key in where:
        value = value[key]
    return value


@FUZZ
@given(data=st.data(), name=st.sampled_from(["config.json", "config.json", "training.json"]))
def test_values_of_a_member(members, tmp_path, data, name):
    content = json.loads(members[name])
    if name == "training.json":  # or all changes would be among these thousand numbers
        state = content["random"]
        state["python"][1], state["numpy"]["state"]["key"] = [], []
    mutate(content, data)
    if name == "training.json":
        good = json.loads(members[name])["random"]
        with suppress(KeyError, TypeError, IndexError):
            state["python"][1] = state["python"][1] or good["python"][1]
            key = state["numpy"]["state"]
            key["key"] = key["key"] or good["numpy"]["state"]["key"]
    path = tmp_path / "model.keras"
    hostile.write({**members, name: json.dumps(content).encode()}, path)
    outcome(path, resume=name == "training.json" or data.draw(st.booleans()))
