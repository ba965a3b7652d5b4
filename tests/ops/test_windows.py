"""Windows of a grid against dense attention under a mask made cell by cell, in NumPy."""

import numpy as np
import pytest
from keras import ops

from keras_attention.ops.windows import Windows, attention
from tests.backend import compiled, gradients, to_numpy
from tests.ops.test_attention import B, H, K, N, numpy_attention

GRIDS = [  # rows, columns, size, shift, masked
    (4, 6, 2, 0, False),
    (4, 6, 2, 1, True),
    (5, 7, 3, 1, True),  # filled up to 6 x 9
    (2, 7, 3, 2, False),  # one window high
]


def window_of(place, length, size, shift):
    """The window of a row or column, as the paper's figure 2 and 4 have it: borders are moved by
    `shift`, and what is before the first of them is a window of its own, however small."""
    shift = shift if length > size else 0
    return (place - shift) // size


@pytest.mark.parametrize(("rows", "columns", "size", "shift", "masked"), GRIDS)
def test_it_is_dense_attention_under_the_mask(rows, columns, size, shift, masked):
    """Outputs, gradients of the inputs and of the bias, and the mask of the weights."""
    windows, length = Windows(rows, columns, size, shift), rows * columns
    cells = [(t // columns, t % columns) for t in range(length)]
    of = [(window_of(r, rows, size, shift), window_of(c, columns, size, shift)) for r, c in cells]
    sees = np.array([[a == b for b in of] for a in of])
    rng = np.random.default_rng(0)
    query, upstream = rng.normal(size=(2, B, N, length, H)).astype("float32")
    key, value = rng.normal(size=(2, B, K, length, H)).astype("float32")
    table = rng.normal(size=((2 * size - 1) ** 2, N)).astype("float32")
    # Equation 4: of the offsets of rows and columns, each from -(size - 1) on.
    side = 2 * size - 1
    offsets = np.array(
        [
            [((r - y + size - 1) * side + c - x + size - 1) if sees[t, s] else 0
             for s, (y, x) in enumerate(cells)]
            for t, (r, c) in enumerate(cells)
        ]
    )  # fmt: skip
    bias = np.transpose(table[offsets], (2, 0, 1))[None]
    mask = rng.random((B, length)) < 0.8 if masked else None
    if masked:
        mask[1] = False  # one image sees nothing
    all_seen = np.broadcast_to(sees if mask is None else sees & mask[:, None], (B, length, length))
    expected, expected_gradients = numpy_attention(
        query, key, value, all_seen[:, None], bias, upstream
    )
    visible = all_seen.any(-1)[:, None, :, None]
    if masked:  # what a query that sees nothing yields is up to it
        upstream = upstream * visible
        _, expected_gradients = numpy_attention(
            query, key, value, all_seen[:, None], bias, upstream
        )
    *expected_gradients, d_bias = expected_gradients
    d_table = np.zeros(table.shape)
    np.add.at(d_table, offsets[sees], np.transpose(d_bias[0], (1, 2, 0))[sees])
    present = None if mask is None else ops.convert_to_tensor(mask)

    def attend(query, key, value, table):
        cells = ops.arange(size * size, dtype="int32")
        inside = ops.take(table, Windows(size, size, size, 0).offsets(cells, cells), axis=0)
        return attention(
            query, key, value, windows, mask=present, bias=ops.transpose(inside, (2, 0, 1))[None]
        )

    arrays = [query, key, value, table]
    output = to_numpy(compiled(attend, ())(*map(ops.convert_to_tensor, arrays)))
    np.testing.assert_allclose(output * visible, expected * visible, atol=2e-6)
    _, by_array, _ = gradients(lambda *xs: ops.sum(ops.multiply(attend(*xs), upstream)), arrays)
    for gradient, right in zip(by_array, [*expected_gradients, d_table], strict=True):
        np.testing.assert_allclose(gradient, right, atol=1e-5)
    tokens = ops.arange(length, dtype="int32")
    np.testing.assert_array_equal(to_numpy(windows.sees(tokens, tokens)), sees)
    assert (to_numpy(windows.offsets(tokens, tokens))[sees] == offsets[sees]).all()
