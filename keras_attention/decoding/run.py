"""One call of `generate` or `stream`: its prompts as arrays, and the loop that continues them."""

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention import roles
from keras_attention.decoding import arguments, checking, prompts
from keras_attention.decoding.beams import BeamLoop
from keras_attention.decoding.loop import Loop
from keras_attention.decoding.parts import parts_of
from keras_attention.decoding.steps import Cached, Recomputed
from keras_attention.kernels import compiled_for
from keras_attention.ops import checks

_MOST_LOOPS = 32  # of a model, so that ever new settings of samplers do not fill the memory
_CHUNK = 16  # tokens between looks at the text, where text is to stop it


class Run:
    """One call: its arguments checked, and its prompts as arrays.

    Args:
        model, prompt, sampler, max_new_tokens, stop, seed: as in `generate`.
        keep_end: whether the id that ends a row is one of its new ids.
    """

    def __init__(
        self,
        model: keras.Model,
        prompt: Any,
        sampler: arguments.Samplers,
        max_new_tokens: int,
        stop: arguments.Stop,
        seed: int | None,
        *,
        keep_end: bool = False,
    ) -> None:
        checks.positive_int(max_new_tokens=max_new_tokens)
        self.samplers, self.search = arguments.split_samplers(sampler)
        self.parts = parts_of(model)
        self._known = compiled_for(model)
        self.prompt = prompts.read(self.parts, prompt)
        self.stops, self.stop_texts = arguments.split_stops(self.parts, stop)
        self.max_new_tokens = max_new_tokens
        self.seed = arguments.draw_seed(seed)
        self._padding = self.parts.padding[self.parts.target]
        self._keep_end = keep_end
        self.over = not self.prompt.rows
        if self.stop_texts and (self.search is not None or not self.prompt.text):
            raise ValueError(
                "Stops that are several tokens need text, and no beam search. Received: "
                f"stop={stop!r}. Give ids of single tokens."
            )
        tokenizer = self.parts.tokenizer
        # A tokenizer's padding is masked; a start token begins a text. Some end one as well.
        banned = [] if tokenizer is None else [self._padding, tokenizer.start_id]
        self._banned = tuple(
            i for i in banned if i is not None and i >= 0 and i not in self.parts.ends
        )
        self._longest = self._check_length()

    def _check_length(self) -> int:
        """Returns the tokens of the longest prompt, if it and its continuation fit."""
        longest = max((len(row) for row in self.prompt.rows), default=0)
        whole, context = longest + self.max_new_tokens, self.parts.context
        if context is not None and whole > context:
            number = max(range(len(self.prompt.rows)), key=lambda i: len(self.prompt.rows[i]))
            raise ValueError(
                f"The model has a context of {context} tokens. Received: prompt {number} of "
                f"{longest} tokens, and max_new_tokens={self.max_new_tokens}. Shorten them to "
                f"{context} together."
            )
        return longest

    def _sizes(self, steps: Cached | Recomputed) -> tuple[int, int]:
        """Returns the positions of the padded prompts, and of prompts and continuations."""
        if isinstance(steps, Recomputed):  # and how many a layer can read is not known
            return self._longest, self._longest + self.max_new_tokens
        # Few different sizes, so that few are compiled.
        length = -(-self._longest // 16) * 16
        if self.parts.context is not None:
            length = min(length, self.parts.context - self.max_new_tokens)
        room = -(-(length + max(self.max_new_tokens, 2)) // 64) * 64
        return length, room

    def _arguments(self) -> tuple[list, Any, Any, Any]:
        ids, present = prompts.pad_left(self.prompt.rows, self.length, self._padding)
        return (
            self._sources(),
            ops.convert_to_tensor(ids),
            None if present.all() else ops.convert_to_tensor(present),
            self._stop_ids(self.stops),
        )

    def _sources(self) -> list:
        arrays = zip(self.parts.sources, self.prompt.sources, strict=True)
        return [ops.convert_to_tensor(self._lengthen(name, array)) for name, array in arrays]

    def _stop_ids(self, ids: Iterable[int]) -> Any:
        # Their number is part of what is compiled, so few numbers of them.
        stops = np.full(-(-max(len(self.stops), 1) // 4) * 4, -1, np.int32)
        stops[: len([*ids])] = sorted(ids)
        return ops.convert_to_tensor(stops)

    def _lengthen(self, name: str, array: np.ndarray) -> np.ndarray:
        """Returns ids of a source `(B, S)` padded on the right to a size of which there are few, if
        the layer that encodes them hides that, and there are positions for it."""
        encoder, padding = self.parts.encoders[name], self.parts.padding[name]
        hidden = padding in self.parts.masked.get(name, ())
        if roles.vocabulary(encoder) is None or not hidden:
            return array
        length = array.shape[1]
        size = -(-length // 16) * 16
        if self.parts.source_limit is not None:
            size = max(length, min(size, self.parts.source_limit))
        return np.pad(array, ((0, 0), (0, size - length)), constant_values=padding)

    def _loop(self) -> Any:
        """Returns the loop to run, once it is known how logits are to be computed.

        That a cache continues the model is told by numbers: before its first token, and again
        when its weights are others.
        """
        sample = checking.sample(self.parts.variables)
        steps, checked = self._known.get("steps", (None, None))
        if steps is None:
            steps = (Cached if self.parts.length is None else Recomputed)(self.parts)
        loop = self._loop_of(steps)
        if checked == sample:
            return loop
        sources = self._sources()
        if isinstance(steps, Cached):
            length, stops = max(self.length, 2), self._stop_ids([])
            batch = len(self.prompt.rows)
            if not checking.continues(self.parts, loop, sources, batch, length, stops):
                checking.refuse_looking_ahead(self.parts, sources)
                checking.warn_of_recomputing(self.parts, sources)
                steps = Recomputed(self.parts)
                loop = self._loop_of(steps)
        else:
            checking.refuse_looking_ahead(self.parts, sources)
        self._known["steps"] = steps, sample
        return loop

    def _loop_of(self, steps: Cached | Recomputed) -> Any:
        """Returns the loop for steps of a kind, compiled or not yet."""
        self.length, room = self._sizes(steps)
        kind: Any = Loop if self.search is None else BeamLoop
        values = [self.samplers] if self.search is None else [self.search, self.samplers]
        key = ("loop", type(steps), *values, room, self._banned)
        loop = self._known.get(key)
        if loop is None:
            loop = self._known[key] = kind(self.parts, steps, *values, room, self._banned)
            loops = [key for key in [*self._known] if isinstance(key, tuple) and key[0] == "loop"]
            for oldest in loops[:-_MOST_LOOPS]:
                self._known.pop(oldest, None)
        return loop

    def chunks(self, size: int) -> Iterator[list[np.ndarray]]:
        """Yields the new ids of all rows so far, after each `size` tokens; `over` with the last."""
        if self.over:
            yield []
            return
        loop = self._loop()
        carry = loop.begin(*self._arguments(), _integer(self.seed))
        end = self.length + self.max_new_tokens
        filled = min(self.length + size, end)
        if size > 1:  # the first token is there already
            carry = loop.go_on(carry, _integer(filled))
        while True:
            tokens, finished, until = (
                np.asarray(ops.convert_to_numpy(carry[name]))
                for name in ("tokens", "finished", "until")
            )
            rows = [
                self._cut(row[self.length : last]) for row, last in zip(tokens, until, strict=True)
            ]
            self.over = filled == end or all(
                ended or self._stopped(row, new)
                for row, (ended, new) in enumerate(zip(finished, rows, strict=True))
            )
            lengths = np.array([len(row) for row in rows])
            if np.any((lengths == until - self.length) & (until < filled)):
                self._check_numbers(carry["logits"])  # no token could come
            yield rows
            if self.over:
                return
            filled = min(filled + size, end)
            carry = loop.go_on(carry, _integer(filled))

    def best(self) -> list[np.ndarray]:
        """Returns all new ids of each row, of a beam search those with the highest score."""
        if self.search is None:
            (*_, rows) = self.chunks(_CHUNK if self.stop_texts else self.max_new_tokens)
            return rows
        none = np.zeros(0, np.int32)
        return [sequences[0] if sequences else none for sequences, _ in self.beams()]

    def _cut(self, row: np.ndarray) -> np.ndarray:
        return prompts.cut(row, self.stops, keep_end=self._keep_end)

    def _check_numbers(self, logits: Any) -> None:
        """Raises `ValueError` if the last logits are no numbers."""
        if np.isnan(ops.convert_to_numpy(logits)).any():
            raise ValueError(
                f"The logits of the model {self.parts.name!r} are NaN. Has its training diverged, "
                "or does one of its sources have NaN?"
            )

    def _stopped(self, row: int, new: np.ndarray) -> bool:
        if not self.stop_texts:
            return False
        text = prompts.answer(self.parts, self.prompt.rows[row], new, True)
        return any(stop in text for stop in self.stop_texts)

    def output(self, row: int, new: np.ndarray, partial: bool = False) -> Any:
        """Returns the new ids of a row as the caller wants them, cut off where a text stops it."""
        output = prompts.answer(self.parts, self.prompt.rows[row], new, self.prompt.text)
        for stop in self.stop_texts:
            output = output.split(stop, 1)[0]
        if partial and self.prompt.text:
            output = output.rstrip("\ufffd")  # bytes of a character that is not whole yet
            for stop in self.stop_texts:
                output = _without_beginning(output, stop)
        return output

    def beams(self) -> list[tuple[list[np.ndarray], list[float]]]:
        """Returns, for each prompt, the new ids that a beam search ended with, and their scores.

        The best ones come first.
        """
        if self.over:
            return []
        loop = self._loop()
        end = _integer(self.length + self.max_new_tokens)
        carry = loop.go_on(loop.begin(*self._arguments(), end), end)
        sequences, scores, ended = (
            np.asarray(ops.convert_to_numpy(carry[name]))
            for name in ("ended", "ended_scores", "has_ended")
        )
        if not ended.any(axis=1).all():
            self._check_numbers(carry["logits"])
        new = sequences[:, :, self.length : self.length + self.max_new_tokens]
        return [
            ([self._cut(ids) for ids in rows[real]], values[real].tolist())
            for rows, values, real in zip(new, scores, ended, strict=True)
        ]


def _integer(value: int) -> Any:
    return ops.convert_to_tensor(value, "int32")


def _without_beginning(text: str, stop: str) -> str:
    """Returns `text` without an end that may become `stop`."""
    for size in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:size]):
            return text[:-size]
    return text
