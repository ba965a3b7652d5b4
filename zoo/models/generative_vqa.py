"""Visual question answering in words of its own: an image and a question in, a text out."""

from collections.abc import Sequence
from typing import Any

import keras

import keras_attention as ka
from zoo.models.captioner import write_about
from zoo.models.vit import vit
from zoo.models.vqa import STEM, embed_words

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "tiny": dict(
        stem=(4, 4, 4),
        hidden_dim=8,
        intermediate_dim=16,
        num_heads=2,
        num_encoder_layers=1,
        num_layers=1,
    ),
}


def generative_vqa(
    *,
    hidden_dim: int = 64,
    intermediate_dim: int = 128,
    num_heads: int = 4,
    num_encoder_layers: int = 2,
    num_layers: int = 2,
    patch_size: int | None = None,
    stem: tuple[int, ...] | None = None,
    image_size: int = 64,
    channels: int = 3,
    mean: float | Sequence[float] = 0.5,
    std: float | Sequence[float] = 0.5,
    augmentation: keras.layers.Layer | None = None,
    dropout: float = 0.0,
    question_vocabulary_size: int | None = None,
    tokenizer: ka.layers.Tokenizer | None = None,
    vocabulary_size: int | None = None,
    target_tokenizer: ka.layers.Tokenizer | None = None,
    name: str = "generative_vqa",
) -> keras.Model:
    """Answers a question about an image by a text, as Cho et al., 2021
    (https://arxiv.org/abs/2102.02779), let a transformer write what others choose from a list.

    Words of the question and patches of the image are one sequence, which an encoder reads as a
    whole; a decoder writes the answer about it. Unlike theirs nothing of it is pretrained, and the
    patches are those of `zoo.vit` in place of the regions of a detector.

    ```python
    question = {"image": [Path("shapes.png")], "question_ids": ["what is left of the circle?"]}
    ka.generate(model, question, max_new_tokens=20)  # ["a red triangle"]
    ```

    Args:
        hidden_dim, intermediate_dim, num_heads: of the blocks of both.
        num_encoder_layers: blocks of the encoder.
        num_layers: blocks of the decoder.
        patch_size, stem: how the image is cut, see `vit`; by `zoo.models.vqa.STEM` if neither is
            given.
        image_size, channels, mean, std, augmentation: of the image, see `vit`.
        dropout: share that training drops of the embeddings and of each sub-layer's output.
        question_vocabulary_size, vocabulary_size: number of ids of questions and of answers; those
            of the tokenizers if `None`.
        tokenizer, target_tokenizer: which make ids of questions and of answers and go with the
            file; id 0 is their padding. Decoding begins with the start of the latter.
        name: of the model.

    Returns:
        A model from `image` `(B, image_size, image_size, channels)`, 0 to 255, `question_ids`
        `(B, S)` and `target_ids` `(B, T)` to the logits `(B, T, V)` of the tokens that follow each
        of the latter, in float32.
    """
    tokenizer = tokenizer or ka.layers.Tokenizer(name="tokenizer")
    question = keras.Input((None,), dtype="int32", name="question_ids")
    size = question_vocabulary_size or tokenizer.vocabulary_size
    words = embed_words(tokenizer(question), size, hidden_dim, dropout)  # (B, S, D)
    patches = vit(
        hidden_dim=hidden_dim,
        intermediate_dim=intermediate_dim,
        num_heads=num_heads,
        num_layers=0,
        patch_size=patch_size,
        stem=STEM if patch_size is None and stem is None else stem,
        pooling=None,
        image_size=image_size,
        channels=channels,
        mean=mean,
        std=std,
        augmentation=augmentation,
        dropout=dropout,
        num_classes=None,
    )
    x = keras.layers.Concatenate(axis=1, name="sequence")([words, patches.output])
    for i in range(num_encoder_layers):
        x = ka.layers.TransformerBlock(
            num_heads, intermediate_dim, dropout=dropout, name=f"encoder_block_{i}"
        )(x)
    memory = keras.layers.LayerNormalization(epsilon=1e-5, name="encoder_norm")(x)
    target, logits = write_about(
        memory,
        intermediate_dim=intermediate_dim,
        num_heads=num_heads,
        num_layers=num_layers,
        dropout=dropout,
        vocabulary_size=vocabulary_size,
        tokenizer=target_tokenizer,
    )
    return keras.Model([patches.input, question, target], logits, name=name)
