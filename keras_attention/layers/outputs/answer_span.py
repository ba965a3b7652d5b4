"""Answers that stand in a text: the last node of a model that reads questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_attention.layers.entrance import tensors
from keras_attention.layers.outputs.logits import Logits, softmax
from keras_attention.ops import checks
from keras_attention.texts import Text


@dataclass(frozen=True)
class Span:
    """Part of a text that answers a question.

    Attributes:
        text: as it is written there; empty if nothing answers.
        start, end: where it stands: `text == string[start:end]`.
        probability: that the answer begins at its first token and ends at its last.
    """

    text: str
    start: int
    end: int
    probability: float

    def __str__(self) -> str:
        return f"{self.text} ({self.probability:.1%})"


@keras.saving.register_keras_serializable(package="keras_attention")
class AnswerSpan(Logits):
    """Finds answers in texts, as Devlin et al., 2019 (https://arxiv.org/abs/1810.04805, section
    4.2): of each token how likely an answer begins there, and how likely it ends there.

    `ka.predict` takes pairs of a question and the text that answers it, and gives a `Span` for
    each: of the tokens of the text the most probable first and last one, with P(first) P(last),
    extended to whole words. Both probabilities are shares among the tokens of the text and the
    first token of all, which stands for no answer (Devlin et al., section 4.3). A text that is
    longer than the model reads is read in parts that overlap.

    Args:
        max_answer_length: tokens of an answer at most.
        no_answer: whether a text may have no answer, as in SQuAD 2. The span is empty where that
            is more probable. Of a model that learned from SQuAD 1 it says nothing.
        overlap: tokens that two parts of a long text share.

    Call arguments:
        logits: `(B, T, 2)`, of the first token of the answer and of the last.

    Output:
        `logits` as float32, of the same mask.

    Raises:
        ValueError: the logits are of another shape; or, in `decode_texts`, a text is no pair.
    """

    takes = tensors(logits="(B, T, 2)")
    num_classes = 2
    class_names = ("start", "end")

    def __init__(
        self,
        max_answer_length: int = 30,
        no_answer: bool = False,
        overlap: int = 128,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(max_answer_length=max_answer_length, overlap=overlap)
        self.max_answer_length = max_answer_length
        self.no_answer = no_answer
        self.overlap = overlap

    def probabilities(self, logits: Any) -> np.ndarray:
        """Returns the probabilities of tokens to be the first and the last, `(B, T, 2)`."""
        return softmax(np.asarray(keras.ops.convert_to_numpy(logits), np.float64), axis=-2)

    def decode_texts(self, logits: Sequence[np.ndarray], texts: Sequence[Text]) -> list[Span]:
        """Returns the answer in each text.

        Args:
            logits: `(T, 2)` of each.
            texts: pairs of a question and the text that answers it.
        """
        return [self._find(*each) for each in zip(logits, texts, strict=True)]

    def _find(self, logits: np.ndarray, text: Text) -> Span:
        if len(text.strings) != 2:
            raise ValueError(
                f"The layer {self.name!r} finds answers in pairs of texts, [(question, text)]. "
                f"Received: {text.strings[0][:100]!r} alone"
            )
        own = np.array(text.own, int)
        has_first = bool(text.pieces) and text.pieces[0].text is None
        tokens = np.concatenate([[0], own]) if has_first else own
        if not len(own):
            return Span("", 0, 0, 0.0)
        shares = softmax(logits[tokens].astype(np.float64), axis=0)  # (tokens, 2)
        nothing = float(shares[0].prod()) if has_first else 0.0
        shares = shares[-len(own) :]
        first, last, probability = self._find_best(shares)
        if self.no_answer and nothing > probability:
            return Span("", 0, 0, nothing)
        starts = [word.token for word in text.words]
        words = np.searchsorted(starts, own[[first, last]], side="right") - 1
        start, end = text.words[words[0]].start, text.words[words[1]].end
        return Span(text.strings[1][start:end], start, end, probability)

    def _find_best(self, shares: np.ndarray) -> tuple[int, int, float]:
        """Returns the most probable first and last token, and the product of their shares."""
        size = min(self.max_answer_length, len(shares))
        products = np.zeros((size, len(shares)))  # by the length of the answer, less 1
        for more in range(size):
            products[more, : len(shares) - more] = (
                shares[: len(shares) - more, 0] * shares[more:, 1]
            )
        more, first = map(int, np.unravel_index(products.argmax(), products.shape))
        return first, first + more, float(products[more, first])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_answer_length": self.max_answer_length,
            "no_answer": self.no_answer,
            "overlap": self.overlap,
        }
