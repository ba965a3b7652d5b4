"""Words by their characters, for taggers."""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.layers.inputs.tokenizer import Tokenizer
from keras_attention.ops import batches, checks, masks

PAD, BEGIN, END, GAP = 0, 1, 2, 3
_BYTE = 4  # id of the byte 0
_MOST_CHARACTERS = 4096


@keras.saving.register_keras_serializable(package="keras_attention")
class CharacterFeatures(Entrance, keras.layers.Layer):
    """A vector per word from its characters, by convolution and max pooling over the word.

    Ma and Hovy, 2016 (https://arxiv.org/abs/1603.01354, section 2.1) and Chiu and Nichols, 2016
    (https://arxiv.org/abs/1511.08308, section 2.1). Unlike theirs the characters are the bytes
    of UTF-8, so that none is unknown, and they know where the word begins and ends.

    Outside the graph `encode` turns words to ids: byte b is 4 + b, between the marks 1 (begin)
    and 2 (end); 0 pads. Of a word of more than `max_characters` bytes the first and the last
    are kept, with the mark 3 in place of those between: what a suffix tells is not cut off.
    As the first node of a model it goes from words to features by the `.keras` file alone.

    Args:
        embedding_dim: width of a byte's embedding.
        filters: of each convolution.
        kernel_size: bytes that a convolution sees, or several sizes, each with `filters`.
        max_characters: bytes of a word that are kept.
        max_length: words of a text that are kept; all if `None`.
        dropout: share of the embeddings' components that training drops.
        seed: of the dropout.

    Call arguments:
        characters: `(B, T, C)` integers; a word of padding alone is masked.
        mask: `(B, T)` boolean, of words that are masked as well.
        training: whether to apply dropout.

    Output:
        `(B, T, D)`, D being `filters` for each kernel size; exactly zero where masked.

    Raises:
        TypeError: a text is neither a string nor a list of words.
    """

    takes = tensors(characters="integers (B, T, C)")

    encodes = "texts"
    embeds_ids = True

    def __init__(
        self,
        embedding_dim: int = 30,
        filters: int = 30,
        kernel_size: int | Sequence[int] = 3,
        max_characters: int = 16,
        max_length: int | None = None,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(
            embedding_dim=embedding_dim, filters=filters, max_characters=max_characters
        )
        if max_characters > _MOST_CHARACTERS:  # each word has room for so many
            raise ValueError(
                f"`max_characters` must be at most {_MOST_CHARACTERS}. Received: "
                f"max_characters={max_characters}"
            )
        if max_length is not None:
            checks.positive_int(max_length=max_length)
        one = isinstance(kernel_size, int)
        self._sizes = (kernel_size,) if isinstance(kernel_size, int) else tuple(kernel_size)
        self.kernel_size = kernel_size if one else self._sizes
        for size in self._sizes:
            checks.positive_int(kernel_size=size)
        checks.rate(dropout=dropout)
        self.embedding_dim = embedding_dim
        self.filters = filters
        self.max_characters = max_characters
        self.max_length = max_length
        self.dropout = dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed) if dropout else None
        self.supports_masking = True

    def encode(self, texts: Iterable[Any]) -> np.ndarray:
        """Returns ids `(B, T, max_characters + 2)` int32; ids themselves pass.

        Args:
            texts: lists of words; or strings, which `Tokenizer.split` cuts into words; or
                integers `(B, T, C)`.
        """
        given = batches.ids("characters", texts, "(B, T, C)")
        if given is not None:
            return given
        rows = [
            batches.words(text, number, Tokenizer.split)[: self.max_length]
            for number, text in enumerate(batches.items("texts", texts, "texts"))
        ]
        length = max([1, *map(len, rows)])
        ids = np.full((len(rows), length, self.max_characters + 2), PAD, np.int32)
        known: dict[str, list[int]] = {}
        for row, words in zip(ids, rows, strict=True):
            for cell, word in zip(row, words, strict=False):
                if word not in known:
                    known[word] = self._encode_word(word)
                cell[: len(known[word])] = known[word]
        return ids

    def _encode_word(self, word: str) -> list[int]:
        """Returns the ids of a word, its begin and end included."""
        ids = [_BYTE + byte for byte in unicodedata.normalize("NFC", word).encode("utf-8")]
        if len(ids) > self.max_characters:
            first = self.max_characters // 2
            last = self.max_characters - first - 1
            ids = [*ids[:first], GAP, *ids[len(ids) - last :]]
        return [BEGIN, *ids, END]

    def build(self, characters_shape: tuple) -> None:
        checks.rank("characters", characters_shape, "(B, T, C)")
        scale = (3.0 / self.embedding_dim) ** 0.5  # section 3.1 of Ma and Hovy
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(_BYTE + 256, self.embedding_dim),
            initializer=keras.initializers.RandomUniform(-scale, scale),
        )
        self._kernels = [
            (
                self.add_weight(
                    name=f"kernel_{number}",
                    shape=(size * self.embedding_dim, self.filters),
                    initializer="glorot_uniform",
                ),
                self.add_weight(name=f"bias_{number}", shape=(self.filters,), initializer="zeros"),
            )
            for number, size in enumerate(self._sizes)
        ]
        self.built = True

    def call(self, characters: Any, mask: Any = None, training: bool | None = None) -> Any:
        self._check(characters, mask)
        batch, length, count = ops.shape(characters)
        ids = ops.reshape(ops.cast(characters, "int32"), (-1, count))  # (B T, C)
        valid = ops.not_equal(ids, PAD)
        x = ops.cast(ops.take(self.embeddings, ids, axis=0), self.compute_dtype)
        if training and self.dropout:
            x = keras.random.dropout(x, self.dropout, seed=self.seed_generator)
        x = masks.zero_masked(x, valid)
        pooled = [
            self._convolve(x, valid, size, *weights)
            for size, weights in zip(self._sizes, self._kernels, strict=True)
        ]
        x = pooled[0] if len(pooled) == 1 else ops.concatenate(pooled, axis=-1)
        x = ops.reshape(x, (batch, length, self.filters * len(pooled)))
        return masks.zero_masked(x, self.compute_mask(characters, mask))

    def _convolve(self, x: Any, valid: Any, size: int, kernel: Any, bias: Any) -> Any:
        """Returns the largest response of each filter in each word: `(B T, filters)`."""
        if x.shape[0] == 0:  # TensorFlow has no maximum of nothing
            return ops.zeros((0, self.filters), x.dtype)
        count = ops.shape(x)[1]
        x = ops.pad(x, [[0, 0], [(size - 1) // 2, size // 2], [0, 0]])
        # One product of matrices: as fast as a convolution or faster, for words are short.
        windows = ops.concatenate([x[:, i : i + count] for i in range(size)], axis=-1)
        responses = ops.matmul(windows, kernel) + bias  # (B T, C, filters)
        lowest = -6e4  # that float16 can hold
        # `amax`, for PyTorch does not trace Keras's `max`.
        return ops.amax(ops.where(valid[..., None], responses, lowest), axis=1)

    def _check(self, characters: Any, mask: Any) -> None:
        checks.sequence_mask("mask", mask, "characters", characters.shape)

    def compute_mask(self, characters: Any, previous_mask: Any = None) -> Any:
        mask = ops.any(ops.not_equal(characters, PAD), axis=-1)
        return masks.both(mask, previous_mask)

    def compute_output_shape(self, characters_shape: tuple) -> tuple:
        checks.rank("characters", characters_shape, "(B, T, C)")
        return (*characters_shape[:2], self.filters * len(self._sizes))

    def compute_output_spec(
        self, characters: Any, mask: Any = None, training: bool | None = None
    ) -> keras.KerasTensor:
        self._check(characters, mask)
        return keras.KerasTensor(
            self.compute_output_shape(characters.shape), dtype=self.compute_dtype
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "embedding_dim": self.embedding_dim,
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "max_characters": self.max_characters,
            "max_length": self.max_length,
            "dropout": self.dropout,
            "seed": self.seed,
        }
