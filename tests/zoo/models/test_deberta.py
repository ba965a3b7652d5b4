"""DeBERTa: its cases for the contract, and texts longer than its distances."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from tests.zoo.models.contracts import ModelCase, call
from zoo.models.deberta import VARIANTS, deberta

pytestmark = pytest.mark.runs_on("torch")


def token_ids(rng, batch):
    """Rows of different lengths, padded at their ends."""
    ids = rng.integers(1, 30, (batch, 7))
    lengths = rng.integers(2, 8, (batch, 1))
    return {"token_ids": np.where(np.arange(7) < lengths, ids, 0).astype("int32")}


def padded(inputs, by):
    return {"token_ids": np.pad(inputs["token_ids"], ((0, 0), (0, by)))}


CASE = ModelCase(
    model=deberta,
    sizes=VARIANTS["tiny"],
    inputs=lambda rng, batch: {"token_ids": rng.integers(1, 30, (batch, 7)).astype("int32")},
    maps=2,
    config={"vocabulary_size": 30},
    padded=padded,
    rows=True,
    classes=False,
    features=True,
)
OF_V2 = {"max_length": 12, "embedding_dim": 6, "num_segments": 2, "normalize_relative": False}
CASES = [
    CASE,
    replace(CASE, config={**CASE.config, **OF_V2, "num_buckets": None, "share_projections": False}),
]
PARAMETERS = {"default": 85_473_792, "xsmall": 21_503_232, "large": 302_868_480, "tiny": 1_536}


def test_order_and_padding_on_the_left():
    """Distances alone tell where tokens stand, and padding on either side changes nothing."""
    model = CASE.make()
    rng = np.random.default_rng(0)
    ids = token_ids(rng, 3)["token_ids"]
    features = call(model, {"token_ids": ids})
    left = call(model, {"token_ids": np.stack([np.roll(row, (row == 0).sum()) for row in ids])})
    for row, ours, theirs in zip(ids, features, left, strict=True):
        length = (row != 0).sum()
        np.testing.assert_allclose(theirs[7 - length :], ours[:length], atol=1e-5)
    whole = CASE.inputs(rng, 2)["token_ids"]
    backwards = call(model, {"token_ids": whole[:, ::-1]})[:, ::-1]
    assert np.abs(backwards - call(model, {"token_ids": whole})).max() > 1e-2


def test_all_blocks_share_the_distances():
    model = CASE.make()
    shared = [v for v in model.trainable_variables if v.path.startswith("relative/")]
    assert [v.shape for v in shared] == [(8, 8), (8,), (8,)]
    model.compile(keras.optimizers.Adam(0.01), "mse")
    ids = CASE.data()["token_ids"]
    target = np.random.default_rng(0).normal(size=(*ids.shape, 8))
    losses = model.fit(ids, target, epochs=25, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]
