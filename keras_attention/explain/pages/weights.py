"""The weights of a page: those that are shown, and how they are stored."""

import base64
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_attention.explain.maps.attention_maps import to_numpy

_MOST_WEIGHTS = 2**26  # of a page; browsers open 12 layers x 12 heads x 512 x 512 with ease


def choose_heads(path: str, weights: Any, heads: Sequence[int] | None) -> list[int]:
    """Returns the indices of the heads of a layer that are shown: those named, or all.

    Raises:
        ValueError: there is no such head, or the weights have another rank or none at all.
    """
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
    indices = np.atleast_1d(heads)
    if not indices.size or not ((-count <= indices) & (indices < count)).all():
        raise ValueError(
            f"`heads` must be indices of the {count} heads of {path!r}. Received: heads={heads}"
        )
    return [int(head) % count for head in indices]


def check_size(maps: Mapping[str, Any], heads: Mapping[str, list[int]]) -> None:
    """Raises `ValueError` if the weights of these heads are too many for a page."""
    total = sum(len(heads[p]) * w.shape[-2] * w.shape[-1] for p, w in maps.items())
    if total > _MOST_WEIGHTS:
        raise ValueError(
            f"A page can hold {_MOST_WEIGHTS:,} weights. Received: {total:,}. Choose with "
            "`layers=[...]` or `heads=[...]`, or record fewer: `ka.capture(queries=[...])`."
        )


def take_example(path: str, weights: Any, example: int) -> np.ndarray:
    """Returns the weights `(N, T, S)` of one example of a batch, if it is one.

    Raises:
        ValueError: there is no such example, or its weights are negative or not finite.
    """
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


def pack(weights: np.ndarray) -> dict[str, str]:
    """Returns weights `(N, T, S)` in 8 bits each, and the largest of each row in float32.

    A byte is the square root of the share of the row's largest weight: small weights matter where
    many queries share a key.
    """
    largest = weights.max(axis=-1, initial=0)  # (N, T)
    shares = weights / np.where(largest > 0, largest, 1)[..., None]
    levels = np.rint(255 * np.sqrt(shares)).astype(np.uint8)
    return {
        "levels": _to_base64(zlib.compress(levels.tobytes())),
        "largest": _to_base64(largest.astype("<f4").tobytes()),
    }


def _to_base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
