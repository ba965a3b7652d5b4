"""Text or token ids from a model: at once, as they come, or the best of a beam search."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.decoding import checking, prompts
from keras_attention.decoding.beams import BeamLoop
from keras_attention.decoding.loop import Loop
from keras_attention.decoding.parts import Parts, parts_of
from keras_attention.decoding.samplers import BeamSearch, Greedy, Sampler
from keras_attention.decoding.steps import Cached, Recomputed
from keras_attention.kernels import compiled_for
from keras_attention.layers.inputs.tokenizer import Tokenizer
from keras_attention.ops import checks

Samplers = Sampler | BeamSearch | Sequence[Sampler | BeamSearch]
Stop = int | str | Sequence[int | str] | None

_CHUNK = 16  # tokens between looks at the text, where text is to stop it


@dataclass(frozen=True)
class Hypothesis:
    """One result of a beam search.

    Attributes:
        output: text or ids.
        score: log probability / length ** length_penalty, and the coverage penalty.
    """

    output: Any
    score: float


def generate(
    model: keras.Model,
    prompt: Any,
    *,
    sampler: Samplers = Greedy(),  # noqa: B008, immutable
    max_new_tokens: int,
    stop: Stop = None,
    seed: int | None = None,
) -> Any:
    """Continues prompts, translates sources or captions images, token by token.

    Keys and values are computed once per token, and on JAX and TensorFlow the whole loop is one
    compiled function. It is kept with the model: a prompt of similar length compiles nothing,
    and other weights neither. On a CPU the weights are laid out for the loop first, and take their
    memory once more while it runs.

    Before the first token of a model, and again when it has been trained, one step is compared with
    a pass over the same tokens. If they differ, a layer reads earlier elements and keeps nothing in
    the cache, such as `ops.cumsum` or one of Keras's recurrent layers: then all tokens are read
    again for each new one, after a warning that names it. A model whose logits change with later
    tokens is refused.

    ```python
    ka.generate(gpt, "To be", sampler=ka.decoding.TopP(0.9), max_new_tokens=100, seed=0)
    ka.generate(translator, ["Ein Hund rennt."], sampler=ka.decoding.BeamSearch(5),
                max_new_tokens=50)
    ka.generate(captioner, Path("dog.png"), sampler=ka.decoding.BeamSearch(5), max_new_tokens=50)
    ```

    Args:
        model: functional, from `token_ids` `(B, T)` to logits `(B, T, V)`; or with several inputs,
            of which `target_ids` is the decoder's.
        prompt: a text, or a list of texts; or ids, as an array or a tensor `(B, T)` or a list of
            rows, which may differ in length. Ids before and behind a row that the model masks, as
            by `Embedding(mask_zero=True)`, are padding, which is left out. For an encoder-decoder
            the sources, which may be what another layer encodes, such as a `Path` of an image, a
            list of them, or pixels `(B, H, W, C)`; a mapping by the names of the inputs gives the
            beginnings of the targets too.
        sampler: a value of `ka.decoding`, or several, applied in order.
        max_new_tokens: tokens that are generated at most, that which stops included.
        stop: what ends a row, and is left out: ids, or texts; the end token of the tokenizer, if
            it has one, does so too.
        seed: of random samplers. The same seed gives the same tokens on the same backend; drawn
            by NumPy if `None`.

    Returns:
        The new text of each prompt, without the prompt; or an int32 array of new ids, if ids were
        given. One, if one text or path was given. Of `BeamSearch(num_results=n)`, for each prompt a
        list of at most n `Hypothesis`, the best first.

    Raises:
        TypeError: the prompt, or the sampler, is nothing that can be read.
        ValueError: a prompt is empty, longer than the context, or has unknown ids; the model looks
            ahead, or its logits are NaN.
    """
    run = _Run(model, prompt, sampler, max_new_tokens, stop, seed)
    if run.search is not None:
        results = run.beams(run.search)
    else:
        for new in run.chunks(_CHUNK if run.stop_texts else max_new_tokens):
            results = new
        results = [run.output(row, new) for row, new in enumerate(results)]
    return results[0] if run.prompt.single else results


def stream(
    model: keras.Model,
    prompt: Any,
    *,
    sampler: Samplers = Greedy(),  # noqa: B008, immutable
    max_new_tokens: int,
    stop: Stop = None,
    seed: int | None = None,
) -> Iterator[Any]:
    """What `generate` returns, piece by piece as it comes.

    ```python
    for text in ka.stream(gpt, "To be", max_new_tokens=100):
        print(text, end="", flush=True)
    ```

    Args:
        model, prompt, sampler, max_new_tokens, stop, seed: as in `generate`; no beam search.

    Yields:
        New text, or new ids, of a single prompt; for a list of prompts a list of pieces, each
        perhaps empty. Text comes in whole characters. All pieces together are what `generate`
        returns.
    """
    run = _Run(model, prompt, sampler, max_new_tokens, stop, seed)
    if run.search is not None:
        raise ValueError(
            "A beam search knows its text at the end only. Received: "
            f"sampler={sampler!r}. Use generate(), or another sampler."
        )
    return _pieces(run)


def _pieces(run: "_Run") -> Iterator[Any]:
    given = [run.output(row, np.zeros(0, np.int32)) for row in range(len(run.prompt.rows))]
    for new in run.chunks(1):
        pieces = []
        for row, ids in enumerate(new):
            whole = run.output(row, ids, partial=not run.over)
            # What comes next may change the end of a text: a character has several bytes.
            pieces.append(whole[len(given[row]) :])
            given[row] = whole if len(whole) >= len(given[row]) else given[row]
        if any(len(piece) for piece in pieces):
            yield pieces[0] if run.prompt.single else pieces


class _Run:
    """One call: its arguments checked, and its prompts as arrays."""

    def __init__(
        self,
        model: keras.Model,
        prompt: Any,
        sampler: Samplers,
        max_new_tokens: int,
        stop: Stop,
        seed: int | None,
    ) -> None:
        checks.positive_int(max_new_tokens=max_new_tokens)
        self.samplers, self.search = _checked(sampler)
        self.parts = parts_of(model)
        self._known = compiled_for(model)
        self.prompt = prompts.read(self.parts, prompt)
        self.stops, self.stop_texts = _stops(self.parts, stop)
        self.max_new_tokens = max_new_tokens
        self.seed = _seed(seed)
        self.over = not self.prompt.rows
        if self.stop_texts and (self.search is not None or not self.prompt.text):
            raise ValueError(
                "Stops that are several tokens need text, and no beam search. Received: "
                f"stop={stop!r}. Give ids of single tokens."
            )
        tokenizer = self.parts.tokenizer
        # A tokenizer's padding is masked; a start token begins a text.
        banned = [] if tokenizer is None else [prompts.PAD, tokenizer.start_id]
        self._banned = tuple(i for i in banned if i is not None)
        self._longest = self._checked_length()

    def _checked_length(self) -> int:
        """Tokens of the longest prompt, if it and its continuation fit."""
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
        """Positions of the padded prompts, and of prompts and continuations."""
        if isinstance(steps, Recomputed):  # and how many a layer can read is not known
            return self._longest, self._longest + self.max_new_tokens
        # Few different sizes, so that few are compiled.
        length = -(-self._longest // 16) * 16
        if self.parts.context is not None:
            length = min(length, self.parts.context - self.max_new_tokens)
        room = -(-(length + max(self.max_new_tokens, 2)) // 64) * 64
        return length, room

    def _arguments(self) -> tuple[list, Any, Any, Any]:
        ids, present = prompts.padded(self.prompt.rows, self.length)
        return (
            self._sources(),
            ops.convert_to_tensor(ids),
            None if present.all() else ops.convert_to_tensor(present),
            self._stop_ids(self.stops),
        )

    def _sources(self) -> list:
        arrays = zip(self.parts.sources, self.prompt.sources, strict=True)
        return [ops.convert_to_tensor(self._lengthened(name, array)) for name, array in arrays]

    def _stop_ids(self, ids: Iterable[int]) -> Any:
        # Their number is part of what is compiled, so few numbers of them.
        stops = np.full(-(-max(len(self.stops), 1) // 4) * 4, -1, np.int32)
        stops[: len([*ids])] = sorted(ids)
        return ops.convert_to_tensor(stops)

    def _lengthened(self, name: str, array: np.ndarray) -> np.ndarray:
        """Ids of a source `(B, S)` padded on the right to a size of which there are few, if the
        layer that encodes them hides that, and there are positions for it."""
        if not isinstance(self.parts.encoders[name], Tokenizer):
            return array
        length = array.shape[1]
        size = -(-length // 16) * 16
        if self.parts.source_limit is not None:
            size = max(length, min(size, self.parts.source_limit))
        return np.pad(array, ((0, 0), (0, size - length)))

    def _loop(self) -> Any:
        """The loop to run, once it is known how logits are to be computed."""
        sample = checking.sample(self.parts.variables)
        steps, checked = self._known.get("steps", (None, None))
        if steps is None:
            steps = (Cached if self.parts.length is None else Recomputed)(self.parts)
        loop = self._compiled(steps)
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
                loop = self._compiled(steps)
        else:
            checking.refuse_looking_ahead(self.parts, sources)
        self._known["steps"] = steps, sample
        return loop

    def _compiled(self, steps: Cached | Recomputed) -> Any:
        """The loop for steps of a kind, compiled or not yet."""
        self.length, room = self._sizes(steps)
        kind: Any = Loop if self.search is None else BeamLoop
        values = [self.samplers] if self.search is None else [self.search, self.samplers]
        key = ("loop", type(steps), *values, room, self._banned)
        if key not in self._known:
            self._known[key] = kind(self.parts, steps, *values, room, self._banned)
        return self._known[key]

    def chunks(self, size: int) -> Iterator[list[np.ndarray]]:
        """The new ids of all rows so far, after each `size` tokens; `over` with the last ones."""
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
                prompts.cut(row[self.length : last], self.stops)
                for row, last in zip(tokens, until, strict=True)
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
        text = prompts.written(self.parts, self.prompt.rows[row], new, True)
        return any(stop in text for stop in self.stop_texts)

    def output(self, row: int, new: np.ndarray, partial: bool = False) -> Any:
        """The new ids of a row as the caller wants them, cut off where a text stops it."""
        output = prompts.written(self.parts, self.prompt.rows[row], new, self.prompt.text)
        for stop in self.stop_texts:
            output = output.split(stop, 1)[0]
        if partial and self.prompt.text:
            output = output.rstrip("\ufffd")  # bytes of a character that is not whole yet
            for stop in self.stop_texts:
                output = _without_beginning(output, stop)
        return output

    def beams(self, search: BeamSearch) -> list:
        """What a beam search found for each prompt."""
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
        results: list = []
        for row, (found, values, real) in enumerate(zip(sequences, scores, ended, strict=True)):
            new = [prompts.cut(self._new(ids), self.stops) for ids in found[real]]
            if search.num_results is None:
                results.append(self.output(row, new[0] if new else np.zeros(0, np.int32)))
            else:
                outputs = [self.output(row, ids) for ids in new[: search.num_results]]
                scored = zip(outputs, values[real].tolist(), strict=False)
                results.append([Hypothesis(output, value) for output, value in scored])
        return results

    def _new(self, ids: np.ndarray) -> np.ndarray:
        return ids[self.length : self.length + self.max_new_tokens]


def _checked(sampler: Samplers) -> tuple[tuple[Sampler, ...], BeamSearch | None]:
    """The samplers in order, and the beam search behind them, if any."""
    values = tuple(sampler) if isinstance(sampler, Sequence) else (sampler,)
    for value in values:
        if not isinstance(value, Sampler | BeamSearch):
            raise TypeError(
                "`sampler` must be a value of ka.decoding such as Greedy(), TopP(0.9) or "
                f"BeamSearch(5), or a sequence of them. Received: {value!r}"
            )
    last = values[-1] if values else None
    search = last if isinstance(last, BeamSearch) else None
    samplers = tuple(value for value in values if isinstance(value, Sampler))
    misplaced = len(values) - len(samplers) > (search is not None)
    if misplaced or (search is not None and any(sampler.random for sampler in samplers)):
        raise ValueError(
            "BeamSearch must come last in `sampler`, and nothing random before it. Received: "
            f"sampler={values!r}"
        )
    return samplers, search


def _stops(parts: Parts, stop: Stop) -> tuple[set[int], tuple[str, ...]]:
    """Ids that end a row, and texts that do."""
    tokenizer = parts.tokenizer
    ids = set() if tokenizer is None or tokenizer.end_id is None else {tokenizer.end_id}
    texts = []
    given: Iterable = (
        [] if stop is None else [stop] if isinstance(stop, int | np.integer | str) else stop
    )
    for value in given:
        if isinstance(value, str) and value and tokenizer is not None:
            texts.append(value)
        elif isinstance(value, int | np.integer) and 0 <= value < parts.vocabulary_size:
            ids.add(int(value))
        else:
            raise ValueError(
                f"`stop` must be ids between 0 and {parts.vocabulary_size - 1}, or texts if the "
                f"model has a tokenizer. Received: {value!r}"
            )
    return ids, tuple(texts)


def _seed(seed: Any) -> int:
    """An integer of 31 bits."""
    if seed is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"`seed` must be an integer or None. Received: seed={seed!r}")
    return int(seed) % 2**31


def _integer(value: int) -> Any:
    return ops.convert_to_tensor(value, "int32")


def _without_beginning(text: str, stop: str) -> str:
    """`text` without an end that may become `stop`."""
    for size in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:size]):
            return text[:-size]
    return text
