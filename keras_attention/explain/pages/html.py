"""Attention as a page to explore: one HTML file that fetches nothing."""

import base64
import hashlib
import html
import json
import struct
import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from keras import ops

from keras_attention import scope
from keras_attention.explain.maps.attention_maps import to_numpy
from keras_attention.saving import files

_MOST_WEIGHTS = 2**26  # of a page; browsers open 12 layers x 12 heads x 512 x 512 with ease
_LARGEST_CELL = 2**24  # bytes of a notebook's output, which is in the notebook's file
_CHANNELS = {1: 0, 3: 2, 4: 6}  # of an image: PNG's colour type


class Patches:
    """An image whose patches are tokens.

    ```python
    to_html(maps, ["class", Patches(image, (7, 7))])  # a class token, then 49 patches
    ```

    Args:
        image: `(H, W)`, or `(H, W, C)` with 1, 3 or 4 channels: grey, RGB, or RGB and opacity.
            Integers from 0 to 255; floats too, or from 0 to 1 if none is larger.
        grid: rows and columns of the patches, which are tokens from left to right, then down.

    Raises:
        ValueError: the image has another shape or range, or there are no patches.
    """

    def __init__(self, image: Any, grid: tuple[int, int]) -> None:
        self.pixels = _pixels(image)
        self.rows, self.columns = grid
        if min(grid) < 1:
            raise ValueError(f"`grid` must be (rows, columns) of the patches. Received: {grid}")

    def __len__(self) -> int:
        return self.rows * self.columns


@dataclass(frozen=True, repr=False)
class View:
    """A page: shown by a notebook, `str(view)`, or `view.save("attention.html")`.

    Attributes:
        page: the HTML document.
    """

    page: str

    def __str__(self) -> str:
        return self.page

    def __repr__(self) -> str:
        return f"<View, {len(self.page) / 1e6:.1f} MB: .save('attention.html')>"

    def save(self, path: str | Path) -> Path:
        """Writes the file, completely or not at all."""
        files.write_text(path, self.page)
        return Path(path)

    def _repr_html_(self) -> str:
        """In a frame of its own, whose styles and scripts meet nothing else in the notebook."""
        if len(self.page) > _LARGEST_CELL:
            warnings.warn(
                f"This view puts {len(self.page) / 1e6:.0f} MB in the notebook. Choose with "
                "`layers=` or `heads=`, or save it to a file of its own: "
                "view.save('attention.html').",
                stacklevel=2,
            )
        return (
            '<iframe title="Attention weights" sandbox="allow-scripts" '
            'style="width: 100%; height: 720px; border: 0; resize: vertical" '
            f'srcdoc="{html.escape(self.page)}"></iframe>'
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

    One chooses layer and head (or the mean over heads), and points at a token: what it attends to
    is shown in blue, what attends to it in orange, the largest weights as numbers. Keyboards work.

    Patches of an image are tokens, alone or among words. Where queries and keys are different
    sequences, they have names:

    ```python
    to_html(maps, {"source": source_tokens, "target": target_tokens})
    to_html(maps, {"caption": words, "image": Patches(image, (7, 7))})
    ```

    Weights are stored in 8 bits: a weight w is off by at most sqrt(w * m) / 255, m the largest of
    its row, and the page shows the digits that are right. 12 layers of 12 heads over 512 tokens
    make 17 MB where attention is sparse, and never more than 51.

    Args:
        maps: weights by layer, `(B, N, T, S)` or `(N, T, S)`, as `capture` and `attention_maps`
            give them.
        tokens: a sequence of strings and `Patches`, or several by name; the positions' numbers if
            `None`. Which of them a layer relates is found from the lengths; a longer axis is cut
            if the rest is padding, whose weights are zero. An axis of length 1, as of
            `AttentionPooling`, needs no tokens.
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
    sequences = _numbers(chosen) if tokens is None else _sequences(tokens)
    indices = {path: _heads(path, weights, heads) for path, weights in chosen.items()}
    _check_size(chosen, indices)
    shown = []
    for path, weights in chosen.items():
        values = _of_example(path, weights, example)[indices[path]]  # (N, T, S)
        query, key = _axes(path, values, sequences, axes or {})
        values = values[:, : len(sequences[query]), : len(sequences[key])]
        labels = {"path": path, "queries": query, "keys": key, "heads": indices[path]}
        shown.append({**labels, "shape": values.shape, **_packed(values)})
    used = {name for layer in shown for name in (layer["queries"], layer["keys"])}
    parts = {name: _parts(s) for name, s in sequences.items() if name in used}
    return View(_page({"title": title, "sequences": parts, "maps": shown}))


# Which weights


def _heads(path: str, weights: Any, heads: Sequence[int] | None) -> list[int]:
    if len(weights.shape) not in (3, 4):
        raise ValueError(
            "Attention maps must have shape (N, T, S) or (B, N, T, S). Received: "
            f"{path!r} of shape {tuple(weights.shape)}"
        )
    if 0 in weights.shape:
        raise ValueError(f"{path!r} has no weights. Received: shape {tuple(weights.shape)}")
    count = weights.shape[-3]
    if heads is None or count == 1:
        return list(range(count))
    found = np.atleast_1d(heads)
    if not found.size or not ((-count <= found) & (found < count)).all():
        raise ValueError(
            f"`heads` must be indices of the {count} heads of {path!r}. Received: heads={heads}"
        )
    return [int(head) % count for head in found]


def _check_size(maps: Mapping[str, Any], heads: Mapping[str, list[int]]) -> None:
    total = sum(len(heads[p]) * w.shape[-2] * w.shape[-1] for p, w in maps.items())
    if total > _MOST_WEIGHTS:
        raise ValueError(
            f"A page can hold {_MOST_WEIGHTS:,} weights. Received: {total:,}. Choose with "
            "`layers=[...]` or `heads=[...]`, or record fewer: `ka.capture(queries=[...])`."
        )


def _of_example(path: str, weights: Any, example: int) -> np.ndarray:
    if len(weights.shape) == 4:
        if not -weights.shape[0] <= example < weights.shape[0]:
            raise ValueError(
                f"`example` must be one of the {weights.shape[0]} of the batch in {path!r}. "
                f"Received: example={example}"
            )
        weights = weights[example]
    values = to_numpy(weights)
    if not np.isfinite(values).all() or values.min(initial=0) < 0:
        raise ValueError(
            f"Weights must be finite and not negative, and those of {path!r} are not. Show "
            "`abs(...)` of them, or their positive part."
        )
    return values


# Which tokens


def _sequences(tokens: Any) -> dict[str, list[Any]]:
    """By name, items: strings, and for each patch its `Patches`."""
    named = tokens if isinstance(tokens, Mapping) else {"tokens": tokens}
    return {name: _items(name, sequence) for name, sequence in named.items()}


def _numbers(maps: Mapping[str, Any]) -> dict[str, list[Any]]:
    """For each length of an axis, the positions' numbers."""
    lengths = {length for weights in maps.values() for length in weights.shape[-2:]} - {1}
    return {f"{length} positions": list(map(str, range(length))) for length in lengths}


def _items(name: str, sequence: Any) -> list[Any]:
    if isinstance(sequence, str):
        raise ValueError(f"{name!r} must be a list of strings. Received: the string {sequence!r}")
    items: list[Any] = []
    for part in [sequence] if isinstance(sequence, Patches) else sequence:
        items += [part] * len(part) if isinstance(part, Patches) else [str(part)]
    return items


def _axes(
    path: str,
    weights: np.ndarray,
    sequences: dict[str, list[Any]],
    axes: Mapping[str, tuple[str, str]],
) -> tuple[str, str]:
    """Names of the queries and of the keys; those that nobody named are added to `sequences`."""
    lengths = weights.shape[1:]
    seen = weights.any(axis=(0, 2)), weights.any(axis=(0, 1))  # queries, keys
    used = tuple(int(np.flatnonzero(s)[-1]) + 1 if s.any() else 0 for s in seen)
    for pattern, names in axes.items():
        if scope.is_among(path, [pattern]):
            _check_axes(path, names, sequences, lengths, used)
            return names
    queries, keys = (_fitting(path, sequences, *each) for each in zip(lengths, used, strict=True))
    if queries and keys and lengths[0] == lengths[1] and set(queries) & set(keys):
        pairs = [(name, name) for name in queries if name in keys]  # self-attention
    else:
        pairs = [(query, key) for query in queries for key in keys]
    if len(pairs) != 1:
        given = ", ".join(f"{name!r} of {len(s)}" for name, s in sequences.items())
        problem = "fit in more than one way" if pairs else "do not fit"
        raise ValueError(
            f"{path!r} relates {lengths[0]} queries to {lengths[1]} keys, and the sequences "
            f"{problem}: {given}. "
            + (
                f"Say which: axes={{{path!r}: {pairs[0]}}}."
                if pairs
                else "Name every position, special tokens too; padding may be left out where its "
                "weights are zero, or cut with `weights[..., :T, :S]`."
            )
        )
    return pairs[0]


def _fitting(path: str, sequences: dict[str, list[Any]], length: int, used: int) -> list[str]:
    """The sequences that may be along an axis: as long as it, or else as what is not padding."""
    for wanted in (length, used):
        if found := [name for name, s in sequences.items() if len(s) == wanted]:
            return found
    if length > 1:
        return []
    sequences.setdefault(path, [path.rpartition("/")[2]])  # a layer that pools is its own query
    return [path]


def _check_axes(
    path: str,
    names: tuple[str, str],
    sequences: dict[str, list[Any]],
    lengths: tuple[int, ...],
    used: tuple[int, ...],
) -> None:
    for axis, name, length, needed in zip(("queries", "keys"), names, lengths, used, strict=True):
        if name not in sequences:
            raise ValueError(
                f"`axes` names {name!r}, and `tokens` only {list(sequences)}. Pass "
                "`tokens={name: [...], ...}`."
            )
        if not needed <= len(sequences[name]) <= length:
            raise ValueError(
                f"{name!r} must name the {length} {axis} of {path!r}. Received: "
                f"{len(sequences[name])} tokens"
            )


# How it is written


def _packed(weights: np.ndarray) -> dict[str, str]:
    """Bytes: square roots of the shares of each row's largest weight; and those, in float32.

    Square roots, as small weights matter where many queries share a key.
    """
    largest = weights.max(axis=-1, initial=0)  # (N, T)
    shares = weights / np.where(largest > 0, largest, 1)[..., None]
    levels = np.rint(255 * np.sqrt(shares)).astype(np.uint8)
    return {
        "levels": _base64(zlib.compress(levels.tobytes())),
        "largest": _base64(largest.astype("<f4").tobytes()),
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _parts(items: list[Any]) -> list[dict[str, Any]]:
    """Runs of tokens, and images."""
    parts: list[dict[str, Any]] = []
    position = 0
    while position < len(items):
        item = items[position]
        if isinstance(item, Patches):
            height, width = item.pixels.shape[:2]
            image = "data:image/png;base64," + _base64(_png(item.pixels))
            size = {"rows": item.rows, "columns": item.columns, "width": width, "height": height}
            parts.append({"image": image, **size})
            position += len(item)
            continue
        if not parts or "tokens" not in parts[-1]:
            parts.append({"tokens": []})
        parts[-1]["tokens"].append(item)
        position += 1
    return parts


def _pixels(image: Any) -> np.ndarray:
    """`(H, W, C)` from 0 to 255."""
    pixels = np.asarray(ops.convert_to_numpy(image))
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or pixels.shape[2] not in _CHANNELS or not pixels.size:
        raise ValueError(
            "`image` must have shape (H, W), or (H, W, C) with 1, 3 or 4 channels. Received: "
            f"shape {pixels.shape}"
        )
    low, high = float(pixels.min()), float(pixels.max())
    if not 0 <= low <= high <= 255:
        raise ValueError(
            f"`image` must be from 0 to 255, or from 0 to 1. Received: from {low:.3g} to {high:.3g}"
        )
    if pixels.dtype.kind == "f" and high <= 1:
        pixels = pixels * 255
    return np.rint(pixels).astype(np.uint8)


def _png(pixels: np.ndarray) -> bytes:
    """The file of an image `(H, W, C)` (https://www.w3.org/TR/png-3)."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _CHANNELS[channels], 0, 0, 0)
    rows = np.pad(pixels.reshape(height, -1), ((0, 0), (1, 0)))  # each begins with filter 0: none
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes()))
        + chunk(b"IEND", b"")
    )


def _page(data: dict[str, Any]) -> str:
    style, script, page = (_source(f"page.{kind}") for kind in ("css", "js", "html"))
    # The browser itself refuses whatever is not in the file, and any other script.
    policy = (
        f"default-src 'none'; img-src data:; style-src {_digest(style)}; "
        f"script-src {_digest(script)}"
    )
    return Template(page).substitute(policy=policy, style=style, script=script, data=_json(data))


def _source(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _digest(source: str) -> str:
    return f"'sha256-{_base64(hashlib.sha256(source.encode()).digest())}'"


def _json(data: Any) -> str:
    """In ASCII, without what could end a `<script>` element or begin another."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
