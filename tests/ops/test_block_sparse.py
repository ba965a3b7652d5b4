"""Block-sparse attention against dense attention under a mask made pair by pair, in NumPy."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import kernels
from keras_attention.ops import block_sparse
from keras_attention.ops.softmax import Softmax
from tests.backend import BACKEND, compiled, gradients, to_numpy
from tests.ops.test_attention import B, H, K, N, T, numpy_attention  # T: five blocks of 4, a rest

SEED = 5
CASES = [  # near, leading and random blocks, causal, padded side, branch
    (1, 0, 0, False, None, "explicit"),
    (0, 1, 2, False, "right", "explicit"),
    (0, 1, 1, False, "left", "tiled"),
    (1, 0, 2, True, "left", "explicit"),
    (0, 2, 1, True, None, "tiled"),
    # On PyTorch by lists, a few blocks at a time.
    (0, 1, 1, False, None, "rows"),
    (1, 1, 1, True, "left", "rows"),
]


def bits(*counters):
    """The hash of `ops.hashing`, in Python's integers."""
    mixed = 0
    for number, counter in enumerate((SEED + 0x9E3779B9, *counters)):
        mixed = (mixed + counter if number else counter) & 0xFFFFFFFF
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            mixed = ((mixed ^ (mixed >> shift)) * factor) & 0xFFFFFFFF
        mixed ^= mixed >> 16
    return mixed >> 8


def drawn(pattern, i, count):
    """One block of each part of those that are neither near to block `i` nor leading nor later."""
    rest = [
        j
        for j in range(pattern.leading, i if pattern.causal else count)
        if abs(i - j) > pattern.near
    ]
    bounds = [len(rest) * part // pattern.random for part in range(pattern.random + 1)]
    return {
        rest[first + bits(i, part) % (end - first)]
        for part, (first, end) in enumerate(itertools.pairwise(bounds))
        if end > first
    }


def visible(pattern, present):
    """`(T, T)`: who sees whom in a row whose elements are `present` `(T,)`."""
    where = np.flatnonzero(present)
    start, stop = (where[0], where[-1] + 1) if len(where) else (0, len(present))
    count = -(-(stop - start) // pattern.size)
    sees = np.zeros((len(present),) * 2, bool)
    for t in range(start, stop):
        i = (t - start) // pattern.size
        random = drawn(pattern, i, count) if pattern.random else set()
        for s in range(start, t + 1 if pattern.causal else stop):
            j = (s - start) // pattern.size
            sees[t, s] = abs(i - j) <= pattern.near or min(i, j) < pattern.leading or j in random
    return sees & present


def padding(side):
    if side is None:
        return None
    mask = np.arange(T) < np.array([[15], [22]])
    return mask[:, ::-1].copy() if side == "left" else mask


@pytest.mark.parametrize(("near", "leading", "random", "causal", "side", "branch"), CASES)
def test_it_is_dense_attention_under_the_mask(near, leading, random, causal, side, branch):
    """Outputs and gradients, with grouped heads; the mask of the weights is the same too."""
    pattern = block_sparse.Pattern(4, near, leading, random, SEED, causal)
    rng = np.random.default_rng(0)
    query, upstream = rng.normal(size=(2, B, N, T, H)).astype("float32")
    key, value = rng.normal(size=(2, B, K, T, H)).astype("float32")
    mask = padding(side)
    present = np.ones((B, T), bool) if mask is None else mask
    sees = np.stack([visible(pattern, row) for row in present])
    assert sees[present].mean() < 0.8, "it is sparse"
    upstream = upstream * present[:, None, :, None]  # what masked queries yield is up to it
    expected, expected_gradients = numpy_attention(query, key, value, sees[:, None], None, upstream)
    seen = None if mask is None else ops.convert_to_tensor(mask)

    def attend(*tensors):
        with kernels.forced(branch, block=4):
            return block_sparse.attention(*tensors, pattern, mask=seen)

    arrays = [query, key, value]
    output = to_numpy(compiled(attend, ())(*map(ops.convert_to_tensor, arrays)))
    np.testing.assert_allclose(
        output * present[:, None, :, None], expected * present[:, None, :, None], atol=2e-6
    )
    _, by_array, _ = gradients(lambda *xs: ops.sum(ops.multiply(attend(*xs), upstream)), arrays)
    for gradient, right in zip(by_array, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, right, atol=1e-5)
    steps = np.arange(T, dtype="int32")
    places = steps if mask is None else (steps - mask.argmax(axis=1)[:, None]).astype("int32")
    count = block_sparse.block_count(pattern, T, seen)
    run = compiled(pattern.sees, ())
    of_weights = to_numpy(run(*[ops.convert_to_tensor(places)] * 2, count))
    of_weights = np.broadcast_to(of_weights, sees.shape) & present[:, None]
    np.testing.assert_array_equal(of_weights[present], sees[present])


@pytest.mark.parametrize("causal", [False, True])
def test_each_block_sees_as_many_others_once(causal):
    """However long the sequence, and spread over all of it; another seed draws others."""
    by_seed = {}
    for seed in (1, 2):
        pattern = block_sparse.Pattern(4, 1, 1, 3, seed, causal)
        blocks = ops.arange(200, dtype="int32")[None]
        by_seed[seed] = [to_numpy(x)[0] for x in pattern.key_blocks(blocks, 200)]
    blocks, counts = by_seed[1]
    assert blocks.shape == (200, 1 + (2 if causal else 3) + 3)
    for i in range(10, 190):
        row = blocks[i][counts[i]]
        assert len(set(row)) == len(row) == blocks.shape[1]
        rest = [j for j in range(1, i if causal else 200) if abs(i - j) > 1]
        parts = [rest[len(rest) * k // 3 : len(rest) * (k + 1) // 3] for k in range(3)]
        assert all(j in part for j, part in zip(row[-3:], parts, strict=True))
    assert (blocks[:, -3:] != by_seed[2][0][:, -3:]).mean() > 0.8


@pytest.mark.parametrize("branch", ["explicit", "rows"])
def test_dropout_drops_weights_of_its_share(branch):
    """On identity values the output is the weights."""
    pattern = block_sparse.Pattern(4, 0, 1, 1, SEED, False)
    rng = np.random.default_rng(1)
    query, key = (ops.convert_to_tensor(rng.normal(size=(1, 8, T, T)), "float32") for _ in "qk")
    value = ops.convert_to_tensor(np.tile(np.eye(T, dtype="float32"), (1, 8, 1, 1)))

    def attend(seed):
        softmax = Softmax(dropout=0.3, seed=seed)
        with kernels.forced(branch):
            return to_numpy(block_sparse.attention(query, key, value, pattern, softmax=softmax))

    weights, used = attend(None), attend(keras.random.SeedGenerator(3))
    kept = used != 0
    np.testing.assert_allclose(used[kept], weights[kept] / 0.7, rtol=1e-4)
    drawn = kept[weights > 0]
    assert abs(drawn.mean() - 0.7) < 4 * np.sqrt(0.21 / drawn.size)


if BACKEND == "torch":  # which alone has lists

    @pytest.mark.parametrize("causal", [False, True])
    def test_gradients_by_lists_are_numerical_ones(causal, monkeypatch):
        """With dropout, padding, grouped heads and a last block that is no whole one."""
        import torch

        from keras_attention.kernels.attention import torch_listed

        monkeypatch.setitem(torch_listed._NUMBERS, "cpu", 60)  # two blocks at a time
        torch.manual_seed(0)
        size, length, nothing = 2, 9, 5
        shapes = [(2, 4, length, 3), (2, 2, length, 3), (2, 2, length, 3)]
        tensors = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
        lists = torch.tensor(
            [[[i, (i + 2) % 5 if not causal or i == 4 else nothing] for i in range(5)]]
        )
        mask = torch.arange(length) < torch.tensor([[9], [7]])

        class Seed:
            def next(self):
                return torch.tensor([3, 4])

        def attend(*tensors):
            y = kernels.listed_attention(
                *tensors,
                lists,
                size=size,
                mask=mask,
                causal=causal,
                scale=0.6,
                dropout=0.3,
                seed=Seed(),
            )
            return y * mask[:, None, :, None]  # what masked queries yield is up to it

        assert torch.autograd.gradcheck(attend, tensors)


if BACKEND == "jax":  # which alone tells the memory of a compiled function

    @pytest.mark.parametrize("branch", ["explicit", "tiled"])
    def test_it_needs_linear_memory(branch):
        import jax

        pattern = block_sparse.Pattern(32, 1, 1, 2, SEED, True)

        def temporary(length):
            shape = jax.ShapeDtypeStruct((1, 2, length, 16), "float32")

            def loss(*tensors):
                with kernels.forced(branch):
                    return ops.sum(block_sparse.attention(*tensors, pattern) ** 2)

            function = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))
            return function.lower(shape, shape, shape).compile().memory_analysis()

        assert temporary(4096).temp_size_in_bytes < 2.1 * temporary(2048).temp_size_in_bytes
