"""A loop gives what its step gives when Python calls it, whatever the step writes to."""

import numpy as np
import pytest
from keras import ops

from keras_attention import kernels


def written(carry):
    """Reads the buffer with the same expression before and after it is written to."""
    before = ops.sum(carry["buffer"])
    update = ops.reshape(carry["value"], (1,))
    buffer = kernels.store(carry["buffer"], update, carry["index"], axis=0, in_place=True)
    return {**carry, "buffer": buffer, "value": before + 2 * ops.sum(buffer) + 1}


def constant(carry):
    """Writes to what the step before returned: zeros that are the same in every step."""
    update = ops.reshape(carry["value"], (1,))
    buffer = kernels.store(carry["buffer"], update, carry["index"] % 4, axis=0, in_place=True)
    return {**carry, "buffer": ops.zeros((4,)), "value": carry["value"] + ops.sum(buffer)}


def viewed(carry):
    """Reads a view that was made before the buffer was written to."""
    rows = ops.reshape(carry["buffer"], (2, 2))
    update = ops.reshape(carry["value"], (1,))
    buffer = kernels.store(carry["buffer"] + 0, update, carry["index"] % 4, axis=0, in_place=True)
    more = ops.sum(rows * carry["scale"]) + ops.sum(ops.reshape(buffer, (2, 2)) * carry["scale"])
    return {**carry, "buffer": buffer, "value": more}


def swapped(carry):
    """Returns two tensors in the other order, and one of them twice."""
    return {**carry, "buffer": carry["scale"] * 2, "scale": carry["buffer"], "value": carry["old"]}


@pytest.mark.parametrize("step", [written, constant, viewed, swapped], ids=lambda f: f.__name__)
def test_while_loop_is_a_loop(step):
    def begin():
        return {
            "buffer": ops.convert_to_tensor(np.arange(4, dtype="float32")),
            "scale": ops.full((), 0.5) if step is viewed else ops.full((4,), 0.5),
            "value": ops.full((), 2.0),
            "old": ops.full((), 7.0),
            "index": ops.convert_to_tensor(0, "int32"),
        }

    def counted(carry):
        return {**step(carry), "index": carry["index"] + 1}

    def unfinished(carry):
        return carry["index"] < 4

    graphs: dict = {}
    loop = kernels.compile_with(
        lambda carry: kernels.while_loop(
            unfinished, counted, carry, variables=[], weights={}, graphs=graphs
        ),
        [],
    )
    expected = begin()
    for _ in range(4):
        expected = counted(expected)
    for _ in range(2):  # and again, from the graph that is kept
        carried = loop(begin())
        assert carried.keys() == expected.keys()
        for name in carried:
            np.testing.assert_allclose(
                ops.convert_to_numpy(carried[name]), ops.convert_to_numpy(expected[name]), rtol=1e-6
            )
