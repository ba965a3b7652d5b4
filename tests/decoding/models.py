"""Small models with random weights, and decoding by calling them on everything, again and again."""

import functools

import keras
import numpy as np

import keras_attention as ka
from keras_attention import kernels
from tests.backend import to_numpy

V = 13
LONGEST = 32


def randomized(model, scale=0.4):
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(scale * rng.normal(size=variable.shape))
    return model


@functools.cache  # and with it what was compiled for it
def language_model(position="learned", *, vocabulary_size=V, tokenizer=None, **options):
    """Rotary positions come with grouped heads and RMSNorm; `options` are of the blocks."""
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    x = tokens if tokenizer is None else tokenizer(tokens)
    x = ka.layers.TokenEmbedding(vocabulary_size, 8)(x)  # the mask is the tokenizer's
    learned = position == "learned"
    if learned:
        x = ka.layers.PositionalEncoding("learned", 48)(x)
    for i in range(2):
        x = ka.layers.TransformerBlock(
            4,
            16,
            num_kv_heads=4 if learned else 2,
            causal=True,
            position=None if learned else position,
            norm="layer" if learned else "rms",
            **options,
            name=f"block_{i}",
        )(x)
    return randomized(keras.Model(tokens, keras.layers.Dense(vocabulary_size)(x)))


@functools.cache
def translator(source_tokenizer=None, target_tokenizer=None, vocabulary_size=V):
    """An encoder-decoder whose source is masked."""
    source = keras.Input((None,), dtype="int32", name="source_ids")
    target = keras.Input((None,), dtype="int32", name="target_ids")
    x = source if source_tokenizer is None else source_tokenizer(source)
    x = ka.layers.TokenEmbedding(vocabulary_size, 8, mask_zero=source_tokenizer is None)(x)
    x = ka.layers.PositionalEncoding()(x)
    memory = ka.layers.TransformerBlock(2, 16, name="encoder")(x)
    y = target if target_tokenizer is None else target_tokenizer(target)
    y = ka.layers.TokenEmbedding(vocabulary_size, 8)(y)
    y = ka.layers.PositionalEncoding()(y)
    for i in range(2):
        y = ka.layers.TransformerDecoderBlock(2, 16, name=f"decoder_{i}")(y, memory)
    return randomized(keras.Model([source, target], keras.layers.Dense(vocabulary_size)(y)))


def image_captioner():
    """Of images of 16 x 16, whose texts are a few words."""
    image = keras.Input((16, 16, 3), name="image")
    target = keras.Input((None,), dtype="int32", name="target_ids")
    tokenizer = ka.layers.Tokenizer.train(
        ["a red cat", "the blue dog"], model="word", min_frequency=1, start_end=True,
        name="target_tokenizer",
    )  # fmt: skip
    x = ka.layers.ImageConverter(16, 16, name="pixels")(image)
    memory = keras.layers.Conv2D(8, 4, 4, name="regions")(x)
    memory = keras.layers.Reshape((16, 8))(memory)
    y = keras.layers.Embedding(tokenizer.vocabulary_size, 8, mask_zero=True)(tokenizer(target))
    y = ka.layers.TransformerDecoderBlock(2, 16, name="decoder")(y, memory)
    return randomized(
        keras.Model([image, target], keras.layers.Dense(tokenizer.vocabulary_size)(y))
    )


def logits_after(model, row, source=None):
    """`(V,)` float64: logits after the ids of `row`, all of them read anew."""
    # Of one length, so that one is compiled: what follows changes nothing.
    ids = np.pad(np.array([row], "int32"), ((0, 0), (0, LONGEST - len(row))), constant_values=1)
    inputs = [ids] if source is None else [np.array([source], "int32"), ids]
    logits = reader(model)(*map(keras.ops.convert_to_tensor, inputs))
    return to_numpy(logits)[0, len(row) - 1].astype("float64")


@functools.cache
def reader(model):
    """The model itself, compiled where that is faster."""
    return kernels.compile_with(
        lambda *inputs: model(list(inputs) if len(inputs) > 1 else inputs[0]), model.variables
    )


def log_probabilities(model, row, source=None):
    logits = logits_after(model, row, source)
    return logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())


def greedy(model, row, count, source=None, stop=()):
    new = []
    for _ in range(count):
        token = int(np.argmax(logits_after(model, [*row, *new], source)))
        if token in stop:
            break
        new.append(token)
    return new
