"""Text or token ids from a model: at once, as they come, or the best of a beam search."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_attention.decoding.arguments import Samplers, Stop
from keras_attention.decoding.run import Run
from keras_attention.decoding.samplers import Greedy


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
            list of them, or pixels `(B, H, W, C)`; a mapping by the names of the inputs gives
            several sources, such as images and questions, and the beginnings of the targets too.
        sampler: a value of `ka.decoding`, or several, applied in order.
        max_new_tokens: tokens that are generated at most, that which stops included.
        stop: what ends a row, and is left out: ids, or texts; the end token of the tokenizer, if
            it has one, does so too.
        seed: of random samplers. The same seed gives the same tokens on the same backend; drawn
            by NumPy if `None`.

    Returns:
        The new text of each prompt, without the prompt; or an int32 array of new ids, if ids were
        given. One, if one text or path was given, or one for each input. Of
        `BeamSearch(num_results=n)`, for each prompt a list of at most n `Hypothesis`, the best
        first.

    Raises:
        TypeError: the prompt, or the sampler, is nothing that can be read.
        ValueError: a prompt is empty, longer than the context, or has unknown ids; the model looks
            ahead, or its logits are NaN.
    """
    run = Run(model, prompt, sampler, max_new_tokens, stop, seed)
    if run.search is None or run.search.num_results is None:
        results = [run.output(row, new) for row, new in enumerate(run.best())]
    else:
        count = run.search.num_results
        results = [
            [
                Hypothesis(run.output(row, ids), score)
                for ids, score in zip(sequences[:count], scores, strict=False)
            ]
            for row, (sequences, scores) in enumerate(run.beams())
        ]
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
    """Yields what `generate` returns, piece by piece as it comes.

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
    run = Run(model, prompt, sampler, max_new_tokens, stop, seed)
    if run.search is not None:
        raise ValueError(
            "A beam search knows its text at the end only. Received: "
            f"sampler={sampler!r}. Use generate(), or another sampler."
        )
    return _pieces(run)


def _pieces(run: Run) -> Iterator[Any]:
    """Yields what each step adds to the outputs."""
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
