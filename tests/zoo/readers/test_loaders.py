"""Tables of real data sets of TensorFlow and real loaders of PyTorch."""

import numpy as np
import pytest

from zoo import tasks
from zoo.readers.tables import read_table, read_texts

TEXTS = [f"{'good' if i % 2 else 'bad'} film {i}, wörd" for i in range(30)]
LABELS = [i % 2 for i in range(30)]


def check(data, names=("text", "label")):
    frame = read_table(data)
    assert read_texts(frame, names[0]) == TEXTS
    assert read_texts(frame, names[1]) == list(map(str, LABELS))


@pytest.mark.only_on("torch")
@pytest.mark.parametrize("workers", [0, 1])
def test_loaders_of_rows_and_of_pairs(workers):
    from torch.utils.data import DataLoader

    rows = [{"text": x, "label": y} for x, y in zip(TEXTS, LABELS, strict=True)]
    options = {"num_workers": workers, "multiprocessing_context": "fork" if workers else None}
    check(DataLoader(rows, batch_size=7, **options))
    pairs = list(zip(TEXTS, LABELS, strict=True))
    check(DataLoader(pairs, batch_size=2, **options), names=("x", "y"))


@pytest.mark.only_on("torch")
def test_loaders_of_tensors_and_without_collation():
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    x, y = torch.arange(12.0).reshape(12, 1).requires_grad_(), torch.arange(12) % 3
    frame = read_table(DataLoader(TensorDataset(x[:, 0], y), batch_size=5))
    np.testing.assert_array_equal(frame["x"], np.arange(12))
    np.testing.assert_array_equal(frame["y"], np.arange(12) % 3)
    rows = [{"text": x, "label": y} for x, y in zip(TEXTS, LABELS, strict=True)]
    check(DataLoader(rows, batch_size=4, collate_fn=list))
    check(DataLoader(rows, batch_size=None))


@pytest.mark.only_on("tensorflow")
def test_data_sets_of_rows_batches_and_pairs():
    import tensorflow as tf

    columns = {"text": TEXTS, "label": LABELS}
    check(tf.data.Dataset.from_tensor_slices(columns))
    check(tf.data.Dataset.from_tensor_slices(columns).batch(7).prefetch(1))
    pairs = tf.data.Dataset.from_tensor_slices((TEXTS, LABELS))
    check(pairs, names=("x", "y"))
    check(pairs.batch(2), names=("x", "y"))
    run = tasks.text_classification(pairs.batch(8), text="x", label="y")
    assert "Data: 30 rows" in str(run.findings)
    assert run.recipe.data.class_names == ("0", "1")
