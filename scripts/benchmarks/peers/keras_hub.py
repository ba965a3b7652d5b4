"""KerasHub's BERT and ViT, on the backend that Keras runs on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import keras_hub
import numpy as np
from keras import ops

from benchmarks import checkpoint, peers
from benchmarks.case import Run


def features(folder: Path, ids: np.ndarray) -> Run:
    """Returns a forward pass of token ids, padded with 0."""
    backbone = keras_hub.models.BertBackbone.from_preset(str(folder))

    def call(ids: Any, segments: Any, mask: Any) -> Any:
        inputs = {"token_ids": ids, "segment_ids": segments, "padding_mask": mask}
        return backbone(inputs, training=False)["sequence_output"]

    arrays = ids, np.zeros_like(ids), (ids != 0).astype("int32")
    return peers.forward(call, *map(ops.convert_to_tensor, arrays), layer=backbone)


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


def image_classifier(model: keras.Model) -> keras.Model:
    """Returns a `ViTImageClassifier` with the weights of a `zoo.vit`, behind what its preprocessor
    does to pixels."""
    with checkpoint.of_model(model, "vit") as folder:
        backbone = keras_hub.models.ViTBackbone.from_preset(str(folder))
    logits = model.get_layer("logits")
    classifier = keras_hub.models.ViTImageClassifier(backbone, num_classes=logits.units)
    classifier.output_dense.set_weights(logits.get_weights())
    image = keras.Input(model.input.shape[1:])
    return keras.Model(image, classifier(keras.layers.Rescaling(1 / 127.5, -1)(image)))
