"""Sequences and their reversals."""

import numpy as np
import pytest

from zoo.data import reversal

pytestmark = pytest.mark.runs_on("torch")


def test_targets_are_the_sources_backwards():
    splits = reversal.load(letters=5, lengths=(2, 6), sequences=120)
    sources = []
    for (x, y), size in ((splits.train, 90), (splits.validation, 10), (splits.test, 20)):
        assert len(y) == size
        assert list(y) == list(x["target_ids"])
        for source, target in zip(x["source_ids"], y, strict=True):
            assert source.split() == target.split()[::-1]
            assert set(source.split()) <= set("abcde")
        sources += list(x["source_ids"])
    assert len(set(sources)) == 120, "none comes twice"
    lengths = np.bincount([len(source.split()) for source in sources])
    assert (lengths[2:] > 5).all()
    assert len(lengths) == 7


def test_a_seed_brings_them_back():
    first, again, other = (reversal.load(sequences=24, seed=seed).sha256() for seed in (0, 0, 1))
    assert first == again != other


def test_more_than_there_are_is_refused():
    with pytest.raises(ValueError, match="twice as many different sequences"):
        reversal.load(letters=2, lengths=(1, 3), sequences=8)
