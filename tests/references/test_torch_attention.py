"""Multi-head attention against `torch.nn.MultiheadAttention` with the same weights."""

import numpy as np
import pytest
import torch
from keras import ops

from keras_attention.layers import MultiHeadCrossAttention, MultiHeadSelfAttention
from tests.references.compare import (
    assert_same,
    assign,
    gradients,
    multi_head_weights,
    normal,
    randomize,
)

B, T, S, N, D = 3, 7, 5, 4, 24

TRIANGLE = np.tril(np.ones((T, T), bool))
RIGHT_PADDING = np.arange(T) < np.array([[7], [4], [2]])
LEFT_PADDING = RIGHT_PADDING[:, ::-1].copy()


def random_mask(*shape, seed):
    """A boolean mask, True = attend, in which every query sees some key."""
    mask = np.random.default_rng(seed).random(shape) < 0.5
    mask[..., 0] = True  # the first key is never padding in these tests
    return mask


def theirs(reference, query, key, value, seen=None, padding=None):
    """Output and weights by head; a boolean mask of PyTorch is True where it hides."""
    return reference(
        query,
        key,
        value,
        attn_mask=None if seen is None else torch.from_numpy(~seen),
        key_padding_mask=None if padding is None else torch.from_numpy(~padding),
        average_attn_weights=False,
    )


# Arguments of our layer, arguments of our call, the reference's (T, S) or (B * N, T, S) mask,
# the reference's key padding, and which query rows are compared.
HEADS = random_mask(B, N, T, T, seed=1)
SEEN = random_mask(1, T, T, seed=2)
SELF = {
    "none": ({}, {}, None, None, None),
    "padding": ({}, {"attention_mask": RIGHT_PADDING[:, None, None]}, None, RIGHT_PADDING, None),
    "mask": ({}, {"mask": RIGHT_PADDING}, None, RIGHT_PADDING, RIGHT_PADDING),
    "query_mask": ({}, {"query_mask": LEFT_PADDING}, None, LEFT_PADDING, LEFT_PADDING),
    "attention_mask": ({}, {"attention_mask": SEEN}, SEEN[0], None, None),
    "by head": ({}, {"attention_mask": HEADS}, HEADS.reshape(B * N, T, T), None, None),
    "causal": ({"causal": True}, {}, TRIANGLE, None, None),
    "causal, padding": (
        {"causal": True},
        {"attention_mask": RIGHT_PADDING[:, None, None]},
        TRIANGLE,
        RIGHT_PADDING,
        None,
    ),
    # Here padding queries see nothing, and PyTorch's gradients would be NaN; its padding
    # queries may see everything, as they are not compared.
    "causal, mask": (
        {"causal": True},
        {"mask": LEFT_PADDING},
        np.repeat((TRIANGLE & LEFT_PADDING[:, None]) | ~LEFT_PADDING[:, :, None], N, axis=0),
        None,
        LEFT_PADDING,
    ),
    "causal, mask, by head": (
        {"causal": True},
        {"mask": RIGHT_PADDING, "attention_mask": HEADS},
        (HEADS & TRIANGLE).reshape(B * N, T, T),
        RIGHT_PADDING,
        RIGHT_PADDING,
    ),
}


@pytest.mark.parametrize("case", SELF)
def test_self_attention(case):
    arguments, call, seen, padding, rows = SELF[case]
    rows = np.ones((B, T), bool) if rows is None else rows
    reference = randomize(torch.nn.MultiheadAttention(D, N, batch_first=True), seed=3)
    layer = MultiHeadSelfAttention(N, **arguments)
    layer.build((B, T, D))
    assign(layer, multi_head_weights(reference))
    x = normal(B, T, D, seed=4)

    x_theirs = torch.from_numpy(x).requires_grad_()
    expected, expected_weights = theirs(reference, x_theirs, x_theirs, x_theirs, seen, padding)
    output, weights = layer(x, **call, return_attention_scores=True)
    fused = layer(x, **call)
    # Rows that PyTorch has no answer for (NaN) are left out; ours are zero there.
    by_row = ops.convert_to_numpy(weights).transpose(0, 2, 1, 3)
    assert_same(by_row[rows], expected_weights.transpose(1, 2)[torch.from_numpy(rows)])
    for result in map(ops.convert_to_numpy, (output, fused)):
        assert_same(result[rows], expected[torch.from_numpy(rows)])
        np.testing.assert_array_equal(result[~rows], 0.0)
    np.testing.assert_array_equal(by_row[~rows], 0.0)

    cotangent = normal(B, T, D, seed=5, scale=0.2)
    (expected[torch.from_numpy(rows)] * torch.from_numpy(cotangent[rows])).sum().backward()
    expected_gradients = multi_head_weights(reference, of=lambda parameter: parameter.grad)
    ours = gradients(
        lambda x: layer(x, **call),
        [x],
        cotangent,
        [getattr(layer, name) for name in expected_gradients],
    )
    for gradient, expected in zip(ours, (x_theirs.grad, *expected_gradients.values()), strict=True):
        assert_same(gradient, expected)


VALUE_PADDING = np.arange(S) < np.array([[5], [3], [1]])
QUERY_PADDING = np.arange(T) < np.array([[4], [7], [6]])
CROSS_HEADS = random_mask(B, N, T, S, seed=6)
CROSS_SEEN = random_mask(1, T, S, seed=7)
CROSS = {
    "none": ({}, None, None, None),
    "padding": ({"attention_mask": VALUE_PADDING[:, None, None]}, None, VALUE_PADDING, None),
    "value_mask": ({"value_mask": VALUE_PADDING}, None, VALUE_PADDING, None),
    "both masks": (
        {"value_mask": VALUE_PADDING, "query_mask": QUERY_PADDING},
        None,
        VALUE_PADDING,
        QUERY_PADDING,
    ),
    "attention_mask": ({"attention_mask": CROSS_SEEN}, CROSS_SEEN[0], None, None),
    "by head": (
        {"attention_mask": CROSS_HEADS, "value_mask": VALUE_PADDING},
        CROSS_HEADS.reshape(B * N, T, S),
        VALUE_PADDING,
        None,
    ),
}


@pytest.mark.parametrize("widths", [(24, 24), (10, 18)], ids=["same width", "kdim, vdim"])
@pytest.mark.parametrize("case", CROSS)
def test_cross_attention(case, widths):
    call, seen, padding, rows = CROSS[case]
    rows = np.ones((B, T), bool) if rows is None else rows
    key_dim, value_dim = widths
    reference = torch.nn.MultiheadAttention(D, N, kdim=key_dim, vdim=value_dim, batch_first=True)
    randomize(reference, seed=8)
    layer = MultiHeadCrossAttention(N)
    layer.build((B, T, D), (B, S, value_dim), (B, S, key_dim))
    assign(layer, multi_head_weights(reference))
    query, key, value = (
        normal(B, T, D, seed=9),
        normal(B, S, key_dim, seed=10),
        normal(B, S, value_dim, seed=11),
    )

    tensors = [torch.from_numpy(x).requires_grad_() for x in (query, key, value)]
    expected, expected_weights = theirs(reference, *tensors, seen, padding)
    output, weights = layer(query, value, key, **call, return_attention_scores=True)
    fused = layer(query, value, key, **call)
    by_row = ops.convert_to_numpy(weights).transpose(0, 2, 1, 3)
    assert_same(by_row[rows], expected_weights.transpose(1, 2)[torch.from_numpy(rows)])
    for result in map(ops.convert_to_numpy, (output, fused)):
        assert_same(result[rows], expected[torch.from_numpy(rows)])
        np.testing.assert_array_equal(result[~rows], 0.0)

    cotangent = normal(B, T, D, seed=12, scale=0.2)
    (expected[torch.from_numpy(rows)] * torch.from_numpy(cotangent[rows])).sum().backward()
    expected_gradients = multi_head_weights(reference, of=lambda parameter: parameter.grad)
    ours = gradients(
        lambda query, key, value: layer(query, value, key, **call),
        [query, key, value],
        cotangent,
        [getattr(layer, name) for name in expected_gradients],
    )
    expected = (*(tensor.grad for tensor in tensors), *expected_gradients.values())
    for gradient, expected_gradient in zip(ours, expected, strict=True):
        assert_same(gradient, expected_gradient)


def test_keys_are_the_values_where_none_are_given():
    reference = randomize(torch.nn.MultiheadAttention(D, N, batch_first=True), seed=13)
    layer = MultiHeadCrossAttention(N)
    layer.build((B, T, D), (B, S, D))
    assign(layer, multi_head_weights(reference))
    query, value = normal(B, T, D, seed=14), normal(B, S, D, seed=15)
    memory = torch.from_numpy(value)
    expected, _ = theirs(reference, torch.from_numpy(query), memory, memory)
    assert_same(layer(query, value), expected)
