"""KerasHub's BERT, on the backend that Keras runs on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras_hub
import numpy as np
from keras import ops

from benchmarks import peers
from benchmarks.case import Run


def features(folder: Path, ids: np.ndarray) -> Run:
    """Returns a forward pass of token ids, padded with 0."""
    backbone = keras_hub.models.BertBackbone.from_preset(str(folder))

    def call(ids: Any, segments: Any, mask: Any) -> Any:
        inputs = {"token_ids": ids, "segment_ids": segments, "padding_mask": mask}
        return backbone(inputs, training=False)["sequence_output"]

    tensors = ids, np.zeros_like(ids), (ids != 0).astype("int32")
    return peers.forward(call, *map(ops.convert_to_tensor, tensors), layer=backbone)


def vectors(folder: Path, texts: Sequence[str], *, length: int, batch_size: int) -> Run:
    """Returns a run from texts to the mean features of each.

    Args:
        folder: of the checkpoint.
        texts: a batch.
        length: to which all texts are padded, in tokens.
        batch_size: rows computed at a time.
    """
    backbone = keras_hub.models.BertBackbone.from_preset(str(folder))
    vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(
        keras_hub.models.BertTokenizer(vocabulary, lowercase=True), sequence_length=length
    )

    def run() -> np.ndarray:
        inputs = preprocessor(list(texts))
        outputs = backbone.predict(inputs, batch_size=batch_size, verbose=0)["sequence_output"]
        mask = np.asarray(ops.convert_to_numpy(inputs["padding_mask"]))[..., None]
        return (outputs * mask).sum(axis=1) / mask.sum(axis=1)

    return run
