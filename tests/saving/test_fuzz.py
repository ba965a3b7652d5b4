"""Whatever is changed in a file: it is loaded, or refused by name; nothing else happens.

`FUZZ_EXAMPLES=5000` looks further than a run of all tests has time for.
"""

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

SECONDS, MIB = 20, 1024  # for one file, and for all of them
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
    start = time.monotonic()
    with suppress(ka.saving.FileError):
        assert isinstance(ka.load_model(path, resume=resume), keras.Model)
    assert time.monotonic() - start < SECONDS
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


@FUZZ
@given(data=st.data())
def test_values_of_the_configuration(members, tmp_path, data):
    config = json.loads(members["config.json"])
    for _ in range(data.draw(st.integers(1, 3))):
        where = data.draw(st.sampled_from(list(places(config))[1:]))
        parent = config
        for key in where[:-1]:
            parent = parent[key]
        if data.draw(st.booleans()):
            parent[where[-1]] = data.draw(VALUES)
        else:
            del parent[where[-1]]
    path = tmp_path / "model.keras"
    hostile.write({**members, "config.json": json.dumps(config).encode()}, path)
    outcome(path, resume=data.draw(st.booleans()))
