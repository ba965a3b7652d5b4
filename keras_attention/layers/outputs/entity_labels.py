"""Names of entity tags: the last node of a tagger that finds entities."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import tensors
from keras_attention.layers.outputs import tag_schemes
from keras_attention.layers.outputs.labels import Answer, Labels
from keras_attention.ops import checks, masks
from keras_attention.texts import Text

_MOST = 4096


@dataclass(frozen=True)
class Entity:
    """Entity in a text.

    Attributes:
        label: its type.
        text: as it is written there.
        start, end: where it stands: `text == string[start:end]`.
        probability: mean of its words' probabilities of their tags.
    """

    label: str
    text: str
    start: int
    end: int
    probability: float

    def __str__(self) -> str:
        return f"{self.label} {self.text!r} ({self.probability:.1%})"


class TaggedWords(list[tuple[str, Answer]]):
    """Pairs of the words of a text and their answers; and the entities that they make.

    Attributes:
        entities: in the order of the text.
    """

    def __init__(
        self, words: Iterable[tuple[str, Answer]] = (), entities: Iterable[Entity] = ()
    ) -> None:
        super().__init__(words)
        self.entities = tuple(entities)


@keras.saving.register_keras_serializable(package="keras_attention")
class EntityLabels(Labels):
    """Names the tags of words, and decodes only sequences that mark entities: valid BIO.

    Unlike `Labels`, which names each word's most probable tag, it finds the most probable
    sequence of tags in which every `I-x` follows a `B-x` or an `I-x` (Viterbi's algorithm over
    the probabilities of the words, without learned transitions). So an answer's label may be
    another than the first of its ranking.

    `ka.predict` gives for each text pairs `(word, Answer)`, whose attribute `entities` has what
    they mark: `[(entity.label, entity.text) for entity in ka.predict(model, text).entities]`.
    Where a word is several tokens its first one counts, as taggers are trained (Devlin et al.,
    2019, https://arxiv.org/abs/1810.04805, section 5.3).

    Args:
        num_classes: number of tags C.
        names: C names: `"O"`, and `"B-x"` and `"I-x"` of each type x.
        outside_bias: what decoding adds to the logits of `"O"`. A model that learned from few
            entities names too few of them; a negative number, chosen on validation data, finds
            more, at the price of more that are none. The attribute of this name may be set to
            another when the model is trained.
        scheme: how tags mark an entity. `"BIO"`: it begins with `B-x`, and `I-x` goes on.
            `"IOB1"`: it may begin with `I-x` as well, so that every sequence is valid; published
            taggers are of either kind, and their names do not tell. `"BIOES"`: it is `B-x`, any
            number of `I-x` and `E-x`, or `S-x` alone.

    Call arguments:
        logits: `(B, T, C)`.
        mask: `(B, T)` boolean, of words that are not padding.

    Output:
        `logits` as float32, zero where masked, so that padding says nothing of the words.

    Raises:
        ValueError: the names are not tags of the scheme, there is no such scheme, or the logits
            are of another shape.
    """

    takes = tensors(logits="(B, T, num_classes)")

    def __init__(
        self,
        num_classes: int,
        names: Sequence[str],
        outside_bias: float = 0.0,
        scheme: str = "BIO",
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, names, **kwargs)
        if num_classes > _MOST:
            raise ValueError(
                f"`num_classes` must be at most {_MOST}, for decoding looks at all pairs of tags. "
                f"Received: num_classes={num_classes}"
            )
        checks.one_of("scheme", scheme, tag_schemes.SCHEMES)
        tag_schemes.check(names, scheme)
        self.scheme = scheme
        self.outside_bias = float(outside_bias)

    def call(self, logits: Any, mask: Any = None) -> Any:
        checks.sequence_mask("mask", mask, "logits", logits.shape)
        return masks.zero_masked(ops.cast(logits, self.compute_dtype), mask)

    def compute_output_spec(self, logits: Any, mask: Any = None) -> keras.KerasTensor:
        checks.sequence_mask("mask", mask, "logits", logits.shape)
        return super().compute_output_spec(logits)

    def decode(self, logits: Any, *, top: int = 5) -> list[list[Answer]]:
        """Returns for each sentence a list of answers, one per word.

        Args:
            logits: `(B, T, C)`.
            top: tags in each answer's ranking.
        """
        logits = self._add_bias(logits)
        tags, probabilities = self._find_best(logits), self.probabilities(logits)
        return [self._answer(*row, top) for row in zip(probabilities, tags, strict=True)]

    def decode_texts(
        self, logits: Sequence[np.ndarray], texts: Sequence[Text]
    ) -> list[TaggedWords]:
        """Returns the words of each text with their answers, and the entities that they mark.

        Args:
            logits: `(T, C)` of each text.
            texts: of which the first token of each word counts.
        """
        length = max((len(text.words) for text in texts), default=0)
        # Behind the last word of a text nothing but "O" may stand.
        padded = np.full((len(texts), max(1, length), self.num_classes), -np.inf)
        padded[..., self.class_names.index("O")] = 0.0
        for row, of_text, text in zip(padded, logits, texts, strict=True):
            row[: len(text.words)] = of_text[[word.token for word in text.words]]
        padded = self._add_bias(padded)
        tags, probabilities = self._find_best(padded), self.probabilities(padded)
        return [
            self._mark(text, self._answer(of_words[: len(text.words)], best[: len(text.words)], 5))
            for text, of_words, best in zip(texts, probabilities, tags, strict=True)
        ]

    def _mark(self, text: Text, answers: Sequence[Answer]) -> TaggedWords:
        entities = []
        for label, first, end in tag_schemes.find_entities([each.label for each in answers]):
            start, stop = text.words[first].start, text.words[end - 1].end
            probability = float(np.mean([each.probability for each in answers[first:end]]))
            string = text.strings[-1][start:stop]
            entities.append(Entity(label, string, start, stop, probability))
        pairs = zip((word.text for word in text.words), answers, strict=True)
        return TaggedWords(pairs, entities)

    def tags(self, logits: Any) -> np.ndarray:
        """Returns the indices `(B, T)` of the tags that `decode` names."""
        return self._find_best(self._add_bias(logits))

    def _add_bias(self, logits: Any) -> np.ndarray:
        """Returns the logits, those of `"O"` with `outside_bias`, as an array of float64."""
        logits = np.array(ops.convert_to_numpy(logits), np.float64)
        checks.rank("logits", logits.shape, "(B, T, C)")
        self._check(logits.shape)
        logits[..., self.class_names.index("O")] += self.outside_bias
        return logits

    def _find_best(self, logits: np.ndarray) -> np.ndarray:
        """Returns the tags of the most probable valid sequences (Viterbi): `(B, T)`."""
        follows = tag_schemes.find_successors(self.class_names, self.scheme)
        if follows.all():
            return logits.argmax(axis=-1).astype(np.int32)
        outside = self.class_names.index("O")  # as before the first word and behind the last
        batch, length, _ = logits.shape
        # Of a sequence only differences count, so logits do for the words' log probabilities.
        step = np.where(follows, 0.0, -np.inf)  # (from, to)
        score = logits[:, 0] + step[outside]
        origins = np.zeros(logits.shape, np.int64)
        for t in range(1, length):
            paths = score[:, :, None] + step  # (B, from, to)
            origins[:, t] = paths.argmax(axis=1)
            score = paths.max(axis=1) + logits[:, t]
        tags = np.zeros((batch, length), np.int32)
        tags[:, -1] = (score + step[:, outside]).argmax(axis=-1)
        for t in range(length - 1, 0, -1):
            tags[:, t - 1] = origins[np.arange(batch), t, tags[:, t]]
        return tags

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "outside_bias": self.outside_bias, "scheme": self.scheme}
