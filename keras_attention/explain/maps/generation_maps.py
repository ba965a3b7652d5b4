"""The attention of a model while it writes a text, token by token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from keras_attention import roles, scope
from keras_attention.decoding import BeamSearch, Greedy, prompts
from keras_attention.decoding.arguments import Samplers, Stop
from keras_attention.decoding.parts import Parts, parts_of
from keras_attention.decoding.run import Run
from keras_attention.explain.maps.attention_maps import as_list, predicted, record, to_numpy
from keras_attention.explain.probabilities import rank_tokens
from keras_attention.explain.token_names import name_tokens

MOST_TOKENS = 64  # of a translation or a caption that is drawn as a whole


@dataclass(frozen=True)
class Generated:
    """A text that a model wrote for one prompt, and what it read for each token.

    Attributes:
        output: as `ka.generate` returns it: the new text, or the new ids.
        maps: weights `(N, T, S)` by layer path, without padding. In the decoder there is a row
            for each token that was written, its end included; columns are tokens of the source,
            in self-attention those before it. In the encoder both are tokens of the source.
        queries, keys: by layer path, what stands at each row and column.
        words: of each token that was written, but its end, which word of the output it belongs
            to; nothing where the output is ids.
        cross_attention: paths of the layers by which the decoder reads the source, in their order.
        axes: by layer path, which sequences its rows and columns are: `"written"`, `"read"` or
            `"source"`.
        choices: for each token that was written, the most probable ones at its place, and their
            probabilities: those of the model, whatever the sampler made of them.
    """

    output: Any
    maps: dict[str, np.ndarray]
    queries: dict[str, list[str]]
    keys: dict[str, list[str]]
    words: list[int]
    cross_attention: tuple[str, ...] = ()
    axes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    choices: Sequence[Sequence[tuple[str, float]]] = ()


def generation_maps(
    model: keras.Model,
    prompt: Any,
    *,
    sampler: Samplers | None = None,
    max_new_tokens: int,
    stop: Stop = None,
    seed: int | None = None,
    layers: Sequence[str] | str | None = None,
    heads: Sequence[int] | int | None = None,
) -> Any:
    """Continues prompts, or translates sources, and tells what was read for each new token.

    ```python
    written = ka.explain.generation_maps(translator, "Ein Hund rennt.", max_new_tokens=50)
    written.output                               # "a dog is running ."
    (*_, path) = written.cross_attention
    plots.attention_heads({path: written.maps[path]}, written.queries[path],
                          key_labels=written.keys[path])
    ```

    `ka.generate` writes, and one pass over all that it wrote makes the maps, which are those of
    its steps.

    Args:
        model, prompt, max_new_tokens, stop, seed: as in `ka.generate`.
        sampler: likewise; greedy if `None`. Of a beam search the best result.
        layers, heads: as in `attention_maps`.

    Returns:
        A `Generated` for each prompt; one, if one text was given.

    Raises:
        ValueError: as `ka.generate` and `attention_maps`; or several results were asked for.
    """
    sampler = Greedy() if sampler is None else sampler
    if any(isinstance(x, BeamSearch) and x.num_results is not None for x in _listed(sampler)):
        raise ValueError(
            "Maps are those of the best result, of which there is one. Received: "
            f"sampler={sampler!r}. Leave out num_results."
        )
    parts = parts_of(model)
    read = prompts.read(parts, prompt)
    ids_to_continue = _with_ids(parts, prompt, read)
    run = Run(model, ids_to_continue, sampler, max_new_tokens, stop, seed, keep_end=True)
    written = run.best()
    new = [prompts.cut(row, run.stops) for row in written]
    # The last token was written and not read.
    ids = [np.concatenate([row, after])[:-1] for row, after in zip(read.rows, written, strict=True)]
    inputs: Any = {
        **dict(zip(parts.sources, read.sources, strict=True)),
        # On the right, where a decoder does not look.
        parts.target: prompts.pad_right(ids, parts.padding[parts.target]),
    }
    given = inputs if parts.sources else inputs[parts.target]
    outputs = predicted(model, given)
    recording = record(model, given, expected=outputs, layers=as_list(layers), heads=as_list(heads))
    scores = to_numpy(keras.tree.flatten(outputs)[0])  # (B, T, V)
    maps = {path: to_numpy(weights) for path, weights in recording.maps.items()}
    places = {path: _place(parts, recording, path) for path in maps}
    crossing = tuple(path for path, place in places.items() if place == ("written", "source"))
    sources = _source_names(parts, prompt, read)
    by_row = []
    for row, (before, after) in enumerate(zip(read.rows, written, strict=True)):
        axes = {
            "written": name_tokens(parts.tokenizer, after),
            "read": name_tokens(parts.tokenizer, ids[row]),
            "source": sources[row],
        }
        first = {"written": len(before) - 1, "read": 0, "source": 0}
        kept: dict[str, np.ndarray] = {}
        names: tuple[dict[str, list[str]], dict[str, list[str]]] = {}, {}
        for path, weights in maps.items():
            kept[path] = weights[row]
            for side, what in enumerate(places[path]):
                start, labels = first[what], axes[what]
                length = kept[path].shape[1 + side]
                if labels is None or start + len(labels) > length:  # patches of an image, say
                    start, labels = 0, [str(i) for i in range(length)]
                kept[path] = kept[path].take(range(start, start + len(labels)), axis=1 + side)
                names[side][path] = labels
        output = prompts.answer(parts, before, new[row], read.text)
        words = _words(parts, before, new[row]) if read.text else []
        at = slice(len(before) - 1, len(before) - 1 + len(after))
        choices = rank_tokens(parts.tokenizer, scores[row, at])
        by_row.append(Generated(output, kept, *names, words, crossing, places, choices))
    return by_row[0] if read.single else by_row


def write_for_first(
    model: keras.Model, inputs: Any, *, max_new_tokens: int | None = None
) -> Generated:
    """Returns what a model writes greedily for its first input, `MOST_TOKENS` at most if `None`."""
    if isinstance(inputs, Mapping):  # several, such as an image and a question
        first: Any = {name: values[:1] for name, values in inputs.items()}
    else:
        first = [inputs if isinstance(inputs, str) else next(iter(inputs))]
    return generation_maps(model, first, max_new_tokens=max_new_tokens or MOST_TOKENS)[0]


def by_word(generated: Generated, path: str) -> tuple[list[str], np.ndarray]:
    """Returns the words of a text that was generated, and what was read for each.

    Args:
        generated: of `generation_maps`, with text for output.
        path: of a layer of the decoder.

    Returns:
        T words, and weights `(N, T, S)`: of each word the mean over its tokens. An end is no word.
    """
    words, place = generated.output.split(), np.array(generated.words, np.int32)
    share = (place == np.arange(len(words))[:, None]).astype(np.float32)  # (T, tokens)
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1)
    weights = generated.maps[path][:, : len(place)]
    return words, np.einsum("wt,nts->nws", share, weights)


def _listed(sampler: Samplers) -> Sequence[Any]:
    return sampler if isinstance(sampler, Sequence) else [sampler]


def _with_ids(parts: Parts, prompt: Any, read: prompts.Prompt) -> Any:
    """Returns the prompt with ids to continue, so that ids come back."""
    if not parts.sources:
        return read.rows
    prompt = prompts.as_batch(prompt) if read.single else prompt
    given = dict(prompt) if isinstance(prompt, Mapping) else {parts.sources[0]: prompt}
    return {**given, parts.target: read.rows}


def _words(parts: Parts, before: np.ndarray, new: np.ndarray) -> list[int]:
    """Returns the word that each new id belongs to, which a part of a character does too."""
    texts = [prompts.answer(parts, before, new[: i + 1], True) for i in range(len(new))]
    return [max(0, len(text.split()) - 1) for text in texts]


def _place(parts: Parts, recording: scope.Recording, path: str) -> tuple[str, str]:
    """Returns what the rows and the columns of a layer's weights are."""
    layer = recording.owners[path]
    if layer not in parts.decoder_layers:
        return "source", "source"
    crosses = layer.path in parts.cross_attention or path in recording.crossing
    return "written", "source" if crosses and parts.sources else "read"


def _source_names(parts: Parts, prompt: Any, read: prompts.Prompt) -> list[list[str] | None]:
    """Returns the tokens of each source, if the one that there is has tokens."""
    source = read.sources[0] if len(parts.sources) == 1 else None
    if source is None or source.ndim != 2 or source.dtype.kind not in "iu":  # no ids
        return [None] * len(read.rows)
    (name,), (ids,) = parts.sources, read.sources
    tokenizer = roles.vocabulary(parts.encoders[name])
    given = prompt[name] if isinstance(prompt, Mapping) else prompt
    texts = [given] if isinstance(given, str) else list(given)
    padding = parts.padding[name]
    return [
        tokenizer.tokens(text)
        if isinstance(text, str) and tokenizer is not None
        else name_tokens(tokenizer, row[: np.max(np.flatnonzero(row != padding), initial=-1) + 1])
        for text, row in zip(texts, ids, strict=True)
    ]
