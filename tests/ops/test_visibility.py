"""Who may see whom, against a loop over pairs."""

import itertools

import numpy as np
import pytest
from keras import ops

from keras_attention.ops.visibility import EVERYTHING, NOWHERE, Band, Span, Visibility
from tests.backend import to_numpy

pytestmark = pytest.mark.runs_on("torch")

B, N, T, FIRST = 2, 3, 5, 4
S = FIRST + T
ROWS = np.array([3, 0], "int32")
RNG = np.random.default_rng(0)
QUERY_MASK = RNG.random((B, T)) < 0.7
KEY_MASK = RNG.random((B, S)) < 0.7
ATTENTION_MASKS = [None, RNG.random((B, 1, S)) < 0.6, RNG.random((1, N, T, S)) < 0.6]


def pairs(band, query_mask, key_mask, attention_mask):
    """`(B, N, T, S)`, pair by pair: queries stand after `FIRST` keys."""
    sees = np.ones((B, N, T, S), bool)
    for b, n, t, s in np.ndindex(sees.shape):
        distance = FIRST + t - s
        sees[b, n, t, s] = not (
            (band.causal and distance < 0)
            or (band.window is not None and abs(distance) >= band.window)
            or (query_mask is not None and not query_mask[b, t % query_mask.shape[1]])
            or (key_mask is not None and not key_mask[b, s])
        )
    if attention_mask is not None:
        sees &= attention_mask if attention_mask.ndim == 4 else attention_mask[:, None]
    return sees


def spread(mask, queries=T):
    shape = (B, N, queries, S)
    return np.ones(shape, bool) if mask is None else np.broadcast_to(to_numpy(mask), shape)


@pytest.mark.parametrize("band", [EVERYTHING, Band(True), Band(True, 3), Band(False, 2)])
def test_it_is_all_masks_together(band):
    """The whole mask, some rows of it, and what a kernel is told."""
    masks = itertools.product(
        (None, QUERY_MASK, QUERY_MASK[:, :1]), (None, KEY_MASK), ATTENTION_MASKS
    )
    for query_mask, key_mask, attention_mask in masks:
        expected = pairs(band, query_mask, key_mask, attention_mask)
        given = {
            "query_mask": query_mask,
            "key_mask": key_mask,
            "attention_mask": attention_mask,
        }
        given = {k: None if x is None else ops.convert_to_tensor(x) for k, x in given.items()}
        visibility = Visibility.of(band, queries=Span(T, FIRST), keys=Span(S), **given)
        np.testing.assert_array_equal(spread(visibility.mask()), expected)
        np.testing.assert_array_equal(
            spread(visibility.take(ROWS).mask(), len(ROWS)), expected[:, :, ROWS]
        )
        present = np.ones((B, T), bool) if query_mask is None else query_mask
        kernel = spread(visibility.kernel_mask()) & present[:, None, :, None]
        np.testing.assert_array_equal(kernel, expected)
        visible = visibility.visible_queries()
        if attention_mask is None:
            assert visible is given["query_mask"]
        else:
            visible = np.broadcast_to(to_numpy(visible), (B, T))
            np.testing.assert_array_equal(visible, expected.any(axis=(1, 3)))


def test_nothing_is_made_where_all_see_all():
    """Nor where a kernel makes the band itself."""
    everything = Visibility.of(EVERYTHING)
    assert everything.queries is NOWHERE
    assert everything.mask() is everything.kernel_mask() is everything.visible_queries() is None
    aligned = Visibility.of(Band(True, 3), queries=Span(T), keys=Span(T), aligned=True)
    assert aligned.kernel_mask() is None
    assert to_numpy(aligned.mask()).sum() == 3 * T - 3


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("lengths", [[3, 5], [0, 5], None])
def test_an_order_hides_padding_on_the_right(causal, lengths):
    """So that PyTorch's kernel needs no mask; another mask it must be told."""
    mask = np.array([[False, True, True, True, True]] * 2)
    if lengths is not None:
        mask = np.arange(T) < np.array(lengths)[:, None]
    given = ops.convert_to_tensor(mask)
    span = Span(T)
    visibility = Visibility.of(
        Band(causal), queries=span, keys=span, aligned=True, query_mask=given, key_mask=given
    )
    kernel = visibility.kernel_mask()
    assert (kernel is None) == (causal and lengths is not None)
    sees = np.ones((B, 1, T, T), bool) if kernel is None else to_numpy(kernel)
    sees = sees & (np.tri(T, dtype=bool) if causal else True) & mask[:, None, :, None]
    np.testing.assert_array_equal(sees, to_numpy(visibility.mask()))
