"""Names of entity tags: the last node of a tagger that finds entities."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import tensors
from keras_attention.layers.outputs.labels import Answer, Labels
from keras_attention.ops import checks, masks

_MOST = 4096


@keras.saving.register_keras_serializable(package="keras_attention")
class EntityLabels(Labels):
    """Names the tags of words, and decodes only sequences that mark entities: valid BIO.

    Unlike `Labels`, which names each word's most probable tag, it finds the most probable
    sequence of tags in which every `I-x` follows a `B-x` or an `I-x` (Viterbi's algorithm over
    the probabilities of the words, without learned transitions). So an answer's label may be
    another than the first of its ranking.

    Args:
        num_classes: number of tags C.
        names: C names: `"O"`, and `"B-x"` and `"I-x"` of each type x.
        outside_bias: what decoding adds to the logits of `"O"`. A model that learned from few
            entities names too few of them; a negative number, chosen on validation data, finds
            more, at the price of more that are none. The attribute of this name may be set to
            another when the model is trained.

    Call arguments:
        logits: `(B, T, C)`.
        mask: `(B, T)` boolean, of words that are not padding.

    Output:
        `logits` as float32, zero where masked, so that padding says nothing of the words.

    Raises:
        ValueError: the names are not tags in BIO, or the logits are of another shape.
    """

    takes = tensors(logits="(B, T, num_classes)")

    def __init__(
        self,
        num_classes: int,
        names: Sequence[str],
        outside_bias: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, names, **kwargs)
        if num_classes > _MOST:
            raise ValueError(
                f"`num_classes` must be at most {_MOST}, for decoding looks at all pairs of tags. "
                f"Received: num_classes={num_classes}"
            )
        begins = {name[2:] for name in names if name.startswith("B-")}
        wrong = [
            name
            for name in names
            if name != "O" and name[:2] != "B-" and not (name[:2] == "I-" and name[2:] in begins)
        ]
        if wrong or "O" not in names:
            raise ValueError(
                "`names` must be 'O', and 'B-x' and 'I-x' of each type x. Received: "
                f"names={list(names)}"
            )
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
        words = super().decode(logits.reshape(-1, self.num_classes), top=self.num_classes)
        for number, tag in enumerate(self._find_best(logits).ravel()):
            name, ranking = self.class_names[tag], words[number].ranking
            words[number] = Answer(name, dict(ranking)[name], ranking[:top])
        length = logits.shape[1]
        return [words[i * length : (i + 1) * length] for i in range(len(logits))]

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
        follows = self._find_successors()
        batch, length, _ = logits.shape
        # Of a sequence only differences count, so logits do for the words' log probabilities.
        step = np.where(follows, 0.0, -np.inf)  # (from, to)
        begin = np.where([name.startswith("I-") for name in self.class_names], -np.inf, 0.0)
        score = logits[:, 0] + begin
        origins = np.zeros(logits.shape, np.int64)
        for t in range(1, length):
            paths = score[:, :, None] + step  # (B, from, to)
            origins[:, t] = paths.argmax(axis=1)
            score = paths.max(axis=1) + logits[:, t]
        tags = np.zeros((batch, length), np.int32)
        tags[:, -1] = score.argmax(axis=-1)
        for t in range(length - 1, 0, -1):
            tags[:, t - 1] = origins[np.arange(batch), t, tags[:, t]]
        return tags

    def _find_successors(self) -> np.ndarray:
        """Returns `(C, C)`: whether the second tag may stand behind the first."""
        names = self.class_names
        return np.array(
            [
                [not tag.startswith("I-") or before[1:] == tag[1:] for tag in names]
                for before in names
            ]
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "outside_bias": self.outside_bias}
