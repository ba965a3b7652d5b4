"""Words for masks: the last node of a masked language model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_attention.layers.entrance import tensors
from keras_attention.layers.outputs.labels import Answer
from keras_attention.layers.outputs.logits import Logits, softmax
from keras_attention.ops import checks
from keras_attention.texts import Text


@dataclass(frozen=True)
class Filled:
    """Text whose masks are filled.

    Attributes:
        text: with the most probable word in place of each mask.
        masks: for each mask, in their order, what may stand there.
    """

    text: str
    masks: tuple[Answer, ...]

    def __str__(self) -> str:
        return self.text


@keras.saving.register_keras_serializable(package="keras_attention")
class MaskedTokens(Logits):
    """Fills masks, as Devlin et al., 2019 (https://arxiv.org/abs/1810.04805, section 3.1): logits
    pass, in float32, and `decode_texts` names the most probable tokens of each mask.

    `ka.predict` gives a `Filled` for each text. Each mask is filled by itself.

    Args:
        vocabulary_size: number of tokens V.

    Call arguments:
        logits: `(B, T, V)`.

    Output:
        `logits` as float32, of the same mask.

    Raises:
        ValueError: the logits are of another shape; or, in `decode_texts`, a text has no mask.
    """

    takes = tensors(logits="(B, T, vocabulary_size)")

    def __init__(self, vocabulary_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        checks.positive_int(vocabulary_size=vocabulary_size)
        self.num_classes = self.vocabulary_size = vocabulary_size

    def probabilities(self, logits: Any) -> np.ndarray:
        """Returns the probabilities of the tokens, `(B, T, V)`."""
        return softmax(np.asarray(keras.ops.convert_to_numpy(logits), np.float64))

    def decode_texts(
        self, logits: Sequence[np.ndarray], texts: Sequence[Text], *, top: int = 5
    ) -> list[Filled]:
        """Returns the texts with their masks filled.

        Args:
            logits: `(T, V)` of each.
            texts: with a mask each at least.
            top: words in each mask's ranking.
        """
        return [self._fill(*each, top) for each in zip(logits, texts, strict=True)]

    def _fill(self, logits: np.ndarray, text: Text, top: int) -> Filled:
        vocabulary, mask = text.encoder, text.encoder.mask_id
        places = [i for i, piece in enumerate(text.pieces) if piece.id == mask]
        if not places or len(text.strings) > 1:
            written = "by no token" if mask is None else vocabulary.vocabulary[mask]
            raise ValueError(
                "A text must be a string with a mask where a word is missing, which is written "
                f"{written} for this model. Received: {text.strings[-1][:100]!r}, where the model "
                f"saw {len(places)}" + (" in a pair" if len(text.strings) > 1 else "")
            )
        shares = softmax(logits[places].astype(np.float64))
        order = np.argsort(-shares, axis=-1, kind="stable")[:, :top]
        words = vocabulary.decode(order.reshape(-1, 1))
        names = [
            word.strip() or vocabulary.vocabulary[token]  # of special tokens, nothing is left
            for word, token in zip(words, order.ravel(), strict=True)
        ]
        answers = []
        for row, best, start in zip(shares, order, range(0, order.size, top), strict=True):
            ranking = tuple(zip(names[start : start + top], map(float, row[best]), strict=True))
            answers.append(Answer(*ranking[0], ranking))
        return Filled(_replace(text, places, [each.label for each in answers]), tuple(answers))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "vocabulary_size": self.vocabulary_size}


def _replace(text: Text, places: Sequence[int], words: Sequence[str]) -> str:
    """Returns a text with words in place of some of its tokens."""
    (string,) = text.strings
    parts, end = [], 0
    for place, word in zip(places, words, strict=True):
        piece = text.pieces[place]
        mask = string[piece.start : piece.end]
        start = piece.start + len(mask) - len(mask.lstrip())  # of some, a space before is part
        parts += [string[end:start], word]
        end = start + len(mask.strip())
    return "".join([*parts, string[end:]])
