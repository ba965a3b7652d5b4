"""The weights of a page: those that are shown, and how they are stored."""

import base64
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_attention.explain.maps.attention_maps import to_numpy

_MOST_FINE = 400_000  # weights of a page in 16 bits; more of them would take more than 1 MB
_NOTHING = 2**16 - 1  # the code of no weight
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


def count_weights(maps: Mapping[str, Any], heads: Mapping[str, list[int]]) -> int:
    """Returns how many weights these heads have."""
    return sum(len(heads[p]) * w.shape[-2] * w.shape[-1] for p, w in maps.items())


def check_size(maps: Mapping[str, Any], heads: Mapping[str, list[int]]) -> None:
    """Raises `ValueError` if the weights of these heads are too many for a page."""
    total = count_weights(maps, heads)
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


def choose_bits(count: int) -> int:
    """Returns the bits that each of so many weights of a page is stored in: 16, or 8 where a page
    would become large."""
    return 16 if count <= _MOST_FINE else 8


def pack(weights: np.ndarray, bits: int) -> dict[str, Any]:
    """Returns weights `(N, T, S)` in 16 or 8 bits each, and the largest of each row in float32.

    What is stored is each weight's share of the largest of its row. In 16 bits that is its
    logarithm, in steps of 1 / 256 of a power of 2, so that softmax at another temperature can be
    computed from it: no share is off by more than 0.14 %. In 8 bits it is its root: small weights
    matter where many queries share a key.
    """
    largest = weights.max(axis=-1, initial=0)  # (N, T)
    shares = weights / np.where(largest > 0, largest, 1)[..., None]
    codes = _logarithms(shares) if bits == 16 else _roots(shares)
    return {
        "bits": bits,
        "levels": _to_base64(zlib.compress(codes.tobytes(), 9)),
        "largest": _to_base64(largest.astype("<f4").tobytes()),
    }


def _roots(shares: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.sqrt(shares)).astype(np.uint8)


def _logarithms(shares: np.ndarray) -> np.ndarray:
    """Returns all low bytes of the codes and then all high ones, which are alike and pack well."""
    with np.errstate(divide="ignore"):
        steps = np.rint(-256 * np.log2(shares.astype(np.float64)))
    codes = np.where(shares > 0, np.minimum(steps, _NOTHING - 1), _NOTHING).astype("<u2")
    return codes.ravel().view(np.uint8).reshape(-1, 2).T


def _to_base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
