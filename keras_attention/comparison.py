"""How alike texts, or other raw values, are by a model."""

import itertools
from typing import Any

import keras
import numpy as np

from keras_attention import prediction
from keras_attention.ops import batches


def similarity(
    model: keras.Model, texts: Any, others: Any = None, *, batch_size: int = 32
) -> np.ndarray:
    """Returns how alike each of some texts and each of some others are.

    ```python
    ka.similarity(encoder, ["a happy person"], ["a glad man", "a parked car"])  # (1, 2)
    ```

    Of a model of embeddings it is the cosine of their vectors, from -1 to 1 (Reimers and Gurevych,
    2019, https://arxiv.org/abs/1908.10084): each text is read once. A cross-encoder reads all N M
    pairs, and it is the number that `ka.predict` gives for each: use it for few texts, such as the
    best that embeddings have found. What its numbers mean is the model's own, and those of a pair
    and of the same pair turned round may differ.

    Args:
        model: functional, with outputs `(B, D)` that no layer decodes; or with one number for each
            pair of texts, `(B, 1)`.
        texts: N raw values, as `ka.encode` takes them.
        others: M raw values; `texts` if `None`.
        batch_size: rows computed at a time.

    Returns:
        `(N, M)` float32.

    Raises:
        TypeError: `texts` or `others` is no list.
        ValueError: the model has other outputs.
    """
    rows = batches.items("texts", texts, "texts")
    columns = rows if others is None else batches.items("others", others, "texts")
    shape = model.outputs[0].shape
    if len(model.outputs) == 1 and len(shape) == 2:
        if prediction.decoder(model) is None:
            embedded = _embed(model, rows, batch_size)
            compared = embedded if others is None else _embed(model, columns, batch_size)
            return embedded @ compared.T
        if shape[-1] == 1:
            pairs = [*itertools.product(rows, columns)]
            answers = prediction.predict(model, pairs, batch_size=batch_size)
            scores = [value for answer in answers for value in answer.values()]
            return np.array(scores, np.float32).reshape(len(rows), len(columns))
    raise ValueError(
        "`model` must give a vector for each text, (B, D), that no layer decodes, or a number for "
        f"each pair of texts, (B, 1). Received: {model.name!r} with outputs "
        f"{', '.join(str(output.shape) for output in model.outputs)}"
    )


def _embed(model: keras.Model, rows: list[Any], batch_size: int) -> np.ndarray:
    """Returns vectors of length 1, `(B, D)`; a vector of zeros stays one."""
    vectors = prediction.predict(model, rows, batch_size=batch_size)
    array = np.array(vectors, np.float32).reshape(len(rows), model.outputs[0].shape[-1])
    lengths = np.linalg.norm(array, axis=-1, keepdims=True)
    return array / np.where(lengths > 0, lengths, 1)
