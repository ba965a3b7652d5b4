"""Attention as a page to explore: one HTML file that fetches nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_attention import scope
from keras_attention.explain.pages.document import make_document
from keras_attention.explain.pages.sequences import Axes, Sequences
from keras_attention.explain.pages.view import View
from keras_attention.explain.pages.weights import (
    check_size,
    choose_bits,
    choose_heads,
    count_weights,
    pack,
    take_example,
)


def to_html(
    maps: Mapping[str, Any],
    tokens: Any = None,
    *,
    axes: Mapping[str, tuple[str, str]] | None = None,
    layers: Sequence[str] | None = None,
    heads: Sequence[int] | None = None,
    example: int = 0,
    title: str = "Attention weights",
) -> View:
    """Attention weights as a page to explore, in one file that needs no network.

    ```python
    maps = ka.explain.attention_maps(model, ["what is my balance"])
    view = ka.explain.to_html(maps, tokenizer.tokens("what is my balance"))
    view.save("attention.html")  # or the last line of a notebook's cell
    ```

    One chooses layer and head (or the mean over heads), and points at a token. The tokens that it
    attends to are shown in blue, those that attend to it in orange, the largest weights as numbers.
    Sliders show what softmax would give at another temperature, and what is left inside a window of
    positions. Keyboards and screen readers work.

    Patches of an image are tokens, alone or among words. Where queries and keys are different
    sequences, they have names:

    ```python
    to_html(maps, {"source": source_tokens, "target": target_tokens})
    to_html(maps, {"caption": words, "image": Patches(image, (7, 7))})
    ```

    Up to 400,000 weights are stored in 16 bits each, off by at most 0.14 % of themselves: a page of
    less than 1 MB. More are stored in 8: a weight w is then off by at most sqrt(w * m) / 255, m the
    largest of its row, and there is no slider for the temperature. The page shows the digits that
    are right. 12 layers of 12 heads over 512 tokens make 17 MB where attention is sparse, and never
    more than 51.

    Args:
        maps: weights by layer, `(B, N, T, S)` or `(N, T, S)`, as `capture` and `attention_maps`
            give them.
        tokens: a sequence of strings and `Patches`, or several by name; the positions' numbers if
            `None`. The lengths tell which of them a layer relates. A longer axis is cut if the rest
            is padding, whose weights are zero. An axis of length 1, as of `AttentionPooling`, needs
            no tokens.
        axes: by path, beginning of a path or pattern (`"*/cross_attention"`) of layers, the names
            of their queries and of their keys, where lengths do not tell.
        layers: paths, beginnings of paths or patterns of the layers to show; all if `None`.
        heads: indices of the heads to show; all if `None`. Layers with one head keep it.
        example: index in the batch.
        title: of the page.

    Returns:
        A `View`: a notebook shows it, `save` writes it.

    Raises:
        ValueError: there are no maps, they have another rank, or are negative or not finite;
            tokens do not fit them, or fit in more than one way; there is no such example, head or
            layer; or the weights are too many for a page.
    """
    if not maps:
        raise ValueError(
            "There are no attention maps to show. Call the model itself, not `predict`, inside "
            "`with ka.capture() as maps:`."
        )
    wanted = [layers] if isinstance(layers, str) else layers
    chosen = {path: weights for path, weights in maps.items() if scope.is_among(path, wanted)}
    if not chosen:
        raise ValueError(f"`layers` must name some of {list(maps)}. Received: layers={layers}")
    sequences = Sequences.of_numbers(chosen) if tokens is None else Sequences.of_tokens(tokens)
    shown = describe_maps(chosen, sequences, axes or {}, heads=heads, example=example)
    return make_view(title, [{"name": title, **shown, "answer": None, "reasons": []}])


def make_view(title: str, examples: Sequence[dict[str, Any]], note: str = "") -> View:
    """Returns the page of examples.

    Args:
        title: of the page.
        examples: as JSON has them, at least one.
        note: a line below the title.
    """
    images: dict[str, int] = {}  # each is in the page once
    shown = [_refer(example, images) for example in examples]
    data = {"title": title, "note": note, "images": list(images), "examples": shown}
    return View(make_document(data))


def _refer(content: Any, images: dict[str, int]) -> Any:
    """Returns content of JSON with indices for images."""
    if isinstance(content, dict):
        if isinstance(content.get("image"), str):  # and no sequence of that name
            content = {**content, "image": images.setdefault(content["image"], len(images))}
        return {key: _refer(value, images) for key, value in content.items()}
    if isinstance(content, list) and content and isinstance(content[0], (dict, list)):
        return [_refer(value, images) for value in content]
    return content


def describe_maps(
    maps: Mapping[str, Any],
    sequences: Sequences,
    axes: Axes,
    *,
    heads: Sequence[int] | None = None,
    example: int = 0,
) -> dict[str, Any]:
    """Returns the weights of one example and its sequences as JSON has them.

    Args:
        maps: at least one.
        sequences: that the maps relate.
        axes, heads, example: as in `to_html`.

    Raises:
        ValueError: as `to_html`.
    """
    indices = {path: choose_heads(path, weights, heads) for path, weights in maps.items()}
    check_size(maps, indices)
    bits = choose_bits(count_weights(maps, indices))
    packed = []
    related: set[str] = set()
    for path, weights in maps.items():
        values = take_example(path, weights, example)[indices[path]]  # (N, T, S)
        query, key = sequences.relate(path, values, axes)
        values = values[:, : sequences.length(query), : sequences.length(key)]
        labels = {"path": path, "queries": query, "keys": key, "heads": indices[path]}
        packed.append({**labels, "shape": values.shape, **pack(values, bits)})
        related |= {query, key}
    return {"sequences": sequences.describe(related), "maps": packed}
