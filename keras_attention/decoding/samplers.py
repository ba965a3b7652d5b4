"""How the next token is chosen: small immutable values, which compose as a sequence."""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

from keras import ops

from keras_attention import kernels
from keras_attention.ops import checks
from keras_attention.types import Bool, Float, Int, Tensor

_NEVER = -float("inf")


@dataclass(frozen=True)
class History:
    """The tokens that were read and generated so far.

    Attributes:
        tokens: `(B, R)` int32, prompt and continuation; what is beyond `length` is undefined.
        present: `(B, R)` boolean, false where the prompt is padded.
        length: how many of the R positions are filled, a scalar.
    """

    tokens: Int[Tensor, "B R"]
    present: Bool[Tensor, "B R"]
    length: Int[Tensor, ""]


class Sampler:
    """Base: a value that turns logits `(B, V)` into others, float32.

    Several are applied in the order of a sequence: `(RepetitionPenalty(1.2), TopP(0.9))`. If any
    is `random`, the token is drawn from the softmax of what comes out; else it is the largest.
    """

    random: ClassVar[bool] = False

    def __call__(self, logits: Float[Tensor, "B V"], history: History) -> Float[Tensor, "B V"]:
        """Returns the logits to choose from; -inf for what must not come."""
        raise NotImplementedError


@dataclass(frozen=True)
class Greedy(Sampler):
    """The most probable token."""

    def __call__(self, logits: Float[Tensor, "B V"], history: History) -> Float[Tensor, "B V"]:
        return logits


@dataclass(frozen=True)
class Temperature(Sampler):
    """A draw from all tokens, of logits divided by `temperature`."""

    temperature: float = 1.0
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_positive(temperature=self.temperature)

    def __call__(self, logits: Float[Tensor, "B V"], history: History) -> Float[Tensor, "B V"]:
        return _cool(logits, self.temperature)


@dataclass(frozen=True)
class TopK(Sampler):
    """A draw from the k most probable tokens (Fan et al., 2018, https://arxiv.org/abs/1805.04833).

    Args:
        k: how many; all if there are fewer. Those as probable as the last one are kept too.
        temperature: divides the logits.
    """

    k: int
    temperature: float = 1.0
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.positive_int(k=self.k)
        _check_positive(temperature=self.temperature)

    def __call__(self, logits: Float[Tensor, "B V"], history: History) -> Float[Tensor, "B V"]:
        largest, _ = ops.top_k(logits, min(self.k, logits.shape[-1]))
        kept = ops.where(logits >= largest[:, -1:], logits, _NEVER)
        return _cool(kept, self.temperature)


@dataclass(frozen=True)
class TopP(Sampler):
    """A draw from the nucleus: the fewest most probable tokens that have the probability p together
    (Holtzman et al., 2020, https://arxiv.org/abs/1904.09751).

    Args:
        p: above 0, at most 1, which keeps all. Tokens as probable as the last one are kept too.
        temperature: divides the logits, before the nucleus is cut off.
    """

    p: float
    temperature: float = 1.0
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_share(p=self.p)
        _check_positive(temperature=self.temperature)

    def __call__(self, logits: Float[Tensor, "B V"], history: History) -> Float[Tensor, "B V"]:
        logits = _cool(logits, self.temperature)
        if self.p == 1:  # whatever the sum of rounded probabilities
            return logits
        ordered = ops.flip(ops.sort(logits, axis=-1), axis=-1)  # (B, V), the largest first
        probabilities = ops.softmax(ordered, axis=-1)
        before = ops.cumsum(probabilities, axis=-1) - probabilities
        inside = before < _clip(self.p)  # the first one always is
        least = ops.min(ops.where(inside, ordered, float("inf")), axis=-1, keepdims=True)
        return ops.where(logits >= least, logits, _NEVER)


@dataclass(frozen=True)
class MinP(Sampler):
    """A draw from the tokens at least `p` times as probable as the most probable one (Nguyen et
    al., 2024, https://arxiv.org/abs/2407.01082).

    Args:
        p: above 0, at most 1.
        temperature: divides the logits, before those are chosen.
    """

    p: float
    temperature: float = 1.0
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_share(p=self.p)
        _check_positive(temperature=self.temperature)

    def __call__(self, logits: Float[Tensor, "B V"], history: History) -> Float[Tensor, "B V"]:
        logits = _cool(logits, self.temperature)
        probabilities = ops.softmax(logits, axis=-1)
        least = self.p * ops.max(probabilities, axis=-1, keepdims=True)
        return ops.where(probabilities >= least, logits, _NEVER)


@dataclass(frozen=True)
class RepetitionPenalty(Sampler):
    """Divides the logits of tokens that occurred, or multiplies negative ones (Keskar et al., 2019,
    https://arxiv.org/abs/1909.05858, section 4.1), prompt included.

    Args:
        penalty: above 1 to discourage repetition, below 1 to encourage it.
    """

    penalty: float

    def __post_init__(self) -> None:
        _check_positive(penalty=self.penalty)

    def __call__(self, logits: Float[Tensor, "B V"], history: History) -> Float[Tensor, "B V"]:
        size = logits.shape[-1]
        filled = ops.arange(history.tokens.shape[1])[None] < history.length
        seen = _mark_occurring(history.tokens, ops.logical_and(filled, history.present), size)
        penalty = _clip(self.penalty)
        punished = ops.where(logits < 0, logits * penalty, logits / penalty)
        return ops.where(seen, punished, logits)


@dataclass(frozen=True)
class NoRepeatNGrams(Sampler):
    """Forbids tokens that would complete a sequence of n tokens for the second time (Paulus et al.,
    2017, https://arxiv.org/abs/1705.04304, section 2.5), prompt included.

    Args:
        n: length of the sequences, at least 1.
    """

    n: int

    def __post_init__(self) -> None:
        checks.positive_int(n=self.n)

    def __call__(self, logits: Float[Tensor, "B V"], history: History) -> Float[Tensor, "B V"]:
        tokens, length, n = history.tokens, history.length, self.n
        room = tokens.shape[1]
        if room < n:
            return logits
        # Position i + n - 1 follows the n - 1 tokens from i on. Are those the last ones?
        count = room - n + 1
        same = ops.arange(count)[None] + n - 1 < length  # (1, count)
        same = ops.logical_and(same, history.present[:, :count])
        for j in range(n - 1):
            last = ops.take(tokens, ops.maximum(length - (n - 1) + j, 0), axis=1)[:, None]
            same = ops.logical_and(same, ops.equal(tokens[:, j : j + count], last))
        if n > 1:  # a row of fewer tokens has no end of this length
            first = ops.maximum(length - (n - 1), 0)
            same = ops.logical_and(same, ops.take(history.present, first, axis=1)[:, None])
            same = ops.logical_and(same, length >= n)
        banned = _mark_occurring(tokens[:, n - 1 :], same, logits.shape[-1])
        return ops.where(banned, _NEVER, logits)


@dataclass(frozen=True)
class BeamSearch:
    """The most probable sequence, by keeping the `num_beams` best beginnings at each step.

    A sequence that ends is scored once, by its log probability / length ** length_penalty, the end
    included; it is kept, with its score, unless `num_beams` better ones come. Unfinished ones are
    scored so when there is no more room. Samplers before it in a sequence change the log
    probabilities: `(NoRepeatNGrams(3), BeamSearch(5))`.

    Args:
        num_beams: beams of each prompt.
        length_penalty: 0 for the log probability itself; larger values favour longer sequences.
            Between -8 and 8, where float32 can tell them apart.
        coverage_penalty: beta of Wu et al., 2016 (https://arxiv.org/abs/1609.08144), equation 14:
            `beta * sum_s log(min(sum_t a_ts, 1))`, a being the last cross-attention's weights,
            mean over heads, is added to the score: a source left unread costs. For models with
            cross-attention.
        early_stopping: `True` stops when there are `num_beams` finished sequences; `False` when
            the best unfinished one, if it ended now, would score less than all of them; `"never"`
            when it could not get better than them within the room.
        num_results: how many of the finished sequences are returned at most, with scores; there are
            fewer where no more exist. `None` for the best one alone, without.
    """

    num_beams: int
    length_penalty: float = 1.0
    coverage_penalty: float = 0.0
    early_stopping: bool | str = False
    num_results: int | None = None

    def __post_init__(self) -> None:
        checks.positive_int(num_beams=self.num_beams)
        if not isinstance(self.early_stopping, bool) and self.early_stopping != "never":
            raise ValueError(
                "`early_stopping` must be True, False or 'never'. Received: "
                f"early_stopping={self.early_stopping!r}"
            )
        _check_between(-8, 8, length_penalty=self.length_penalty)
        _check_between(0, 1e6, coverage_penalty=self.coverage_penalty)
        if self.num_results is not None:
            checks.positive_int(num_results=self.num_results)
            checks.at_most(
                "num_results",
                self.num_results,
                "num_beams",
                self.num_beams,
                "Search with more beams.",
            )


def _mark_occurring(
    tokens: Int[Tensor, "B L"], where: Bool[Tensor, "B L"], size: int
) -> Bool[Tensor, "B size"]:
    """Returns which ids below `size` are among the tokens, at the places of `where`."""
    batch = ops.shape(tokens)[0]
    rows = ops.arange(batch, dtype=kernels.INDEX_DTYPE)[:, None] * size
    ids = ops.reshape(ops.cast(tokens, kernels.INDEX_DTYPE) + rows, (-1,))
    counts = kernels.segment_sum(ops.reshape(ops.cast(where, "float32"), (-1,)), ids, batch * size)
    return ops.reshape(counts, (batch, size)) > 0


def _cool(logits: Float[Tensor, "B V"], temperature: float) -> Float[Tensor, "B V"]:
    return logits / _clip(temperature)


def _clip(number: float) -> float:
    """Returns a positive number that float32 can multiply by and divide by.

    A number beyond these limits makes no difference to which tokens are drawn.
    """
    return min(max(float(number), 1e-12), 1e12)


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not _is_number(value) or value <= 0:
            raise ValueError(
                f"`{name}` must be a positive number. Received: {name}={value!r}"
                + (". For the most probable token, use Greedy()." if name == "temperature" else "")
            )


def _check_share(**values: float) -> None:
    for name, value in values.items():
        if not _is_number(value) or not 0 < value <= 1:
            raise ValueError(f"`{name}` must be above 0 and at most 1. Received: {name}={value!r}")


def _check_between(least: float, most: float, **values: float) -> None:
    for name, value in values.items():
        if not _is_number(value) or not least <= value <= most:
            raise ValueError(
                f"`{name}` must be between {least} and {most:g}. Received: {name}={value!r}"
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
