"""Visual question answering: words of a question and patches of an image, read together."""

from collections.abc import Sequence
from typing import Any

import keras

import keras_attention as ka
from zoo.models.vit import vit

STEM = (8, 16, 32)  # cuts 64 x 64 pixels to 64 patches
_TINY = dict(stem=(4, 4, 4), hidden_dim=8, intermediate_dim=16, num_heads=2, num_layers=1)
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "co": dict(fusion="co"),
    "single": dict(fusion="single"),
    "question_only": dict(inputs="question"),
    "image_only": dict(inputs="image"),
    "tiny": dict(fusion="cross", num_image_layers=1, **_TINY),
    "tiny_co": dict(fusion="co", **_TINY),
    "tiny_single": dict(fusion="single", **_TINY),
    "tiny_question_only": dict(fusion="single", inputs="question", **_TINY),
    "tiny_image_only": dict(fusion="cross", inputs="image", **_TINY),
}


def vqa(
    *,
    fusion: str = "cross",
    hidden_dim: int = 64,
    intermediate_dim: int = 128,
    num_heads: int = 4,
    num_layers: int = 2,
    num_image_layers: int = 0,
    patch_size: int | None = None,
    stem: tuple[int, ...] | None = None,
    inputs: str = "both",
    image_size: int = 64,
    channels: int = 3,
    mean: float | Sequence[float] = 0.5,
    std: float | Sequence[float] = 0.5,
    augmentation: keras.layers.Layer | None = None,
    dropout: float = 0.0,
    vocabulary_size: int | None = None,
    tokenizer: ka.layers.Tokenizer | None = None,
    num_classes: int | None = 1000,
    class_names: Sequence[str] | None = None,
    name: str = "vqa",
) -> keras.Model:
    """Answers a question about an image, by one of the answers that it knows.

    The patches are those of `zoo.vit`. A class token, from which the answer comes, stands before:

    - `"cross"`: the question, which attends to itself and to the patches, as a transformer's
      decoder (https://arxiv.org/abs/1706.03762) to its source, but seeing all of itself;
    - `"co"`: the question and, another one, the patches. Each attends to itself and to the other,
      as that was before the layer, in the manner of Lu et al., 2019
      (https://arxiv.org/abs/1908.02265); as there, the product of both goes to the answer;
    - `"single"`: question and patches as one sequence, which attends to itself, as in VisualBERT
      (https://arxiv.org/abs/1908.03557) and ViLT (https://arxiv.org/abs/2102.03334).

    Without one of the two there is nothing to fuse, and in all three ways the other one attends
    to itself: what the model could know from the question, or from the image, alone.

    Args:
        fusion: `"cross"`, `"co"` or `"single"`.
        hidden_dim: width D of words and patches.
        intermediate_dim: width of the blocks' feed-forward networks.
        num_heads: attention heads of each block.
        num_layers: number of blocks that read both.
        num_image_layers: number of blocks that read the patches alone, before.
        patch_size, stem: how the image is cut, see `vit`; by `STEM` if neither is given.
        inputs: `"both"`, or `"question"` or `"image"` alone.
        image_size, channels, mean, std, augmentation: of the image, see `vit`.
        dropout: share of each sub-layer's output that training drops.
        vocabulary_size: number of token ids; that of the tokenizer if `None`.
        tokenizer: which makes ids of questions and goes with the file.
        num_classes: answers, or `None` for the features; 1000 stands for as many as there are
            `class_names`, where these are given.
        class_names: the answers in words, which the file carries.
        name: of the model.

    Returns:
        A model from `image` `(B, image_size, image_size, channels)`, 0 to 255, and `question_ids`
        `(B, T)`, padded with 0, to logits `(B, num_classes)`, or to `(B, hidden_dim)`.

    Raises:
        ValueError: there is no such `fusion`, or no such `inputs`.
    """
    for key, value, known in (
        ("fusion", fusion, ("cross", "co", "single")),
        ("inputs", inputs, ("both", "question", "image")),
    ):
        if value not in known:
            raise ValueError(
                f"`{key}` must be one of {', '.join(known)}. Received: {key}={value!r}"
            )
    if num_classes == 1000 and class_names is not None:
        num_classes = len(class_names)
    model_inputs, sequences = [], []
    if inputs != "image":
        tokenizer = tokenizer or ka.layers.Tokenizer(name="tokenizer")
        size = vocabulary_size or tokenizer.vocabulary_size
        model_inputs.append(keras.Input((None,), dtype="int32", name="question_ids"))
        ids = tokenizer(model_inputs[0])
        sequences.append(embed_words(ids, size, hidden_dim, dropout))  # (B, T, D)
    if inputs != "question":
        image = vit(
            hidden_dim=hidden_dim,
            intermediate_dim=intermediate_dim,
            num_heads=num_heads,
            num_layers=num_image_layers,
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
        model_inputs.insert(0, image.input)
        sequences.append(image.output)  # (B, patches, D)
    fuse = {"cross": _read_patches, "co": _read_each_other, "single": _read_as_one}
    x = fuse[fusion if inputs == "both" else "single"](  # (B, D)
        *sequences,
        num_layers=num_layers,
        num_heads=num_heads,
        intermediate_dim=intermediate_dim,
        dropout=dropout,
    )
    if num_classes is not None:
        x = keras.layers.Dense(num_classes, name="logits")(x)
        x = ka.layers.Labels(num_classes, class_names, name="labels")(x)
    return keras.Model(model_inputs if len(model_inputs) > 1 else model_inputs[0], x, name=name)


def embed_words(ids: Any, vocabulary_size: int, hidden_dim: int, dropout: float) -> Any:
    """Embeds words with their positions and normalises them, as the patches are."""
    normal = keras.initializers.RandomNormal(stddev=hidden_dim**-0.5)
    x = keras.layers.Embedding(
        vocabulary_size,
        hidden_dim,
        mask_zero=True,
        embeddings_initializer=normal,
        name="embedding",
    )(ids)
    x = ka.layers.PositionalEncoding(scale_inputs=True, name="question_position")(x)
    x = keras.layers.LayerNormalization(epsilon=1e-6, name="question_norm")(x)
    return keras.layers.Dropout(dropout, name="question_dropout")(x)


def _read_patches(question: Any, image: Any, *, num_layers: int, **block: Any) -> Any:
    """Lets the question read the patches, and returns its class token `(B, D)`."""
    x = ka.layers.ClassToken(name="class_token")(question)
    for i in range(num_layers):
        x = ka.layers.TransformerDecoderBlock(causal=False, name=f"fusion_{i}", **block)(x, image)
    return _class_token(x, "answer")


def _read_each_other(question: Any, image: Any, *, num_layers: int, **block: Any) -> Any:
    """Lets each read the other, and returns the product of both class tokens `(B, D)`."""
    x = ka.layers.ClassToken(name="class_token")(question)
    y = ka.layers.ClassToken(name="image_class_token")(image)
    for i in range(num_layers):
        x, y = (
            ka.layers.TransformerDecoderBlock(causal=False, name=f"fusion_{i}_{side}", **block)(
                own, other
            )
            for side, own, other in (("question", x, y), ("image", y, x))
        )
    both = [_class_token(x, "question_answer"), _class_token(y, "image_answer")]
    return keras.layers.Multiply(name="product")(both)


def _read_as_one(*sequences: Any, num_layers: int, **block: Any) -> Any:
    """Reads all of them as one sequence, and returns its class token `(B, D)`.

    Biases tell what is a word and what a patch.
    """
    x = sequences[0]
    if len(sequences) > 1:
        x = keras.layers.Concatenate(axis=1, name="sequence")(sequences)
    x = ka.layers.ClassToken(name="class_token")(x)
    for i in range(num_layers):
        x = ka.layers.TransformerBlock(name=f"fusion_{i}", **block)(x)
    return _class_token(x, "answer")


def _class_token(x: Any, name: str) -> Any:
    """Returns the class token `(B, D)`, normalised."""
    return keras.layers.LayerNormalization(epsilon=1e-6, name=name)(x)[:, 0]
