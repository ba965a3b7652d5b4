"""Beam search in a compiled loop."""

from typing import Any

from keras import ops

from keras_attention import kernels, scope
from keras_attention.decoding.loop import ban
from keras_attention.decoding.parts import Parts
from keras_attention.decoding.samplers import BeamSearch, History, Sampler
from keras_attention.decoding.steps import Cached, Recomputed
from keras_attention.types import Bool, Int, Tensor

_NEVER = -float("inf")
_LOWEST = -1e9  # of a sum of log probabilities that is impossible, and yet a number


class BeamLoop:
    """Beam search for one model, search and room. B prompts with K beams are B * K rows.

    Args:
        parts: of the model.
        steps: how logits are computed.
        search: how to search.
        samplers: which change the log probabilities first.
        room: positions of prompt and continuation.
        banned: ids that must not come.
    """

    def __init__(
        self,
        parts: Parts,
        steps: Cached | Recomputed,
        search: BeamSearch,
        samplers: tuple[Sampler, ...],
        room: int,
        banned: tuple[int, ...],
    ) -> None:
        if search.coverage_penalty and not parts.cross_attention:
            raise ValueError(
                "A penalty on coverage needs a model with cross-attention. Received: "
                f"coverage_penalty={search.coverage_penalty}"
            )
        if search.coverage_penalty and not isinstance(steps, Cached):
            raise ValueError(
                "A penalty on coverage needs a model that a cache continues. Received: "
                f"coverage_penalty={search.coverage_penalty} and the model {parts.name!r}"
            )
        self._parts = parts
        self._steps = steps
        self._search = search
        self._samplers = samplers
        self.room = room
        self._banned = banned
        self._graphs: dict = {}
        self.begin = kernels.trace_with(self._begin, parts.variables)
        self._continued = kernels.compile_with(self._go_on, parts.variables)

    def go_on(self, carry: dict, end: Tensor) -> dict:
        """Returns `carry` when all beams have ended, or as many positions are filled as `begin` was
        told.

        Its sequences are `"ended"` `(B, K, R)`, the best first, with `"ended_scores"` `(B, K)`;
        where `"has_ended"` is false there are no more.
        """
        others = {name: value for name, value in carry.items() if name != "weights"}
        return {**carry, **self._continued(others, carry["weights"])}

    def _begin(
        self,
        sources: list[Tensor],
        token_ids: Int[Tensor, "B T"],
        present: Bool[Tensor, "B T"] | None,
        stops: Int[Tensor, " stops"],
        end: Int[Tensor, ""],
    ) -> dict:
        """Returns what a step starts from, with the first new token of each beam chosen.

        Args:
            sources, token_ids, present, stops: as in `Loop`.
            end: how many positions may be filled.
        """
        search, beams = self._search, self._search.num_beams
        batch, length = token_ids.shape
        memory = self._parts.memory(sources)
        maps, ((logits, state), weights) = self._capture(
            lambda: kernels.lay_out_weights(
                lambda: self._steps.begin(token_ids, present, memory, self.room),
                self._parts.variables,
                rows=self._steps.rows(batch * beams),
            )
        )
        tokens = ops.maximum(token_ids, 0)  # samplers count ids from 0 on
        tokens = ops.pad(tokens, [[0, 0], [0, self.room - length]])
        if present is None:
            present = ops.ones((batch, length), "bool")
        present = ops.pad(present, [[0, 0], [0, self.room - length]], constant_values=True)
        # The prompt is read once; from here on each of its beams is a row.
        repeated = {"logits": logits, "state": state, "memory": memory, "present": present}
        repeated = _map(lambda tensor: ops.repeat(tensor, beams, axis=0), repeated)
        first = ops.arange(beams)[None] == 0  # the others would be its copies
        running = ops.repeat(tokens[:, None], beams, axis=1)
        carry = {
            "memory": repeated["memory"],
            "weights": weights,
            "present": repeated["present"],
            "stops": stops,
            "start": ops.convert_to_tensor(length, "int32"),
            "end": end,
            "tokens": running,
            "scores": ops.repeat(ops.where(first, 0.0, _LOWEST), batch, axis=0),
            "ended": running,
            "ended_scores": ops.full((batch, beams), _NEVER, "float32"),
            "has_ended": ops.zeros((batch, beams), "bool"),
            "open": ops.ones((batch,), "bool"),
            "state": repeated["state"],
            "index": ops.convert_to_tensor(length, "int32"),
        }
        if search.coverage_penalty:
            carry["coverage"] = ops.repeat(
                self._coverage(maps, state, present[:, :length]), beams, axis=1
            )
        return self._extend(carry, repeated["logits"], None)

    def _go_on(self, carry: dict, weights: dict) -> dict:
        """Returns what `go_on` changes of `carry`."""

        def unfinished(carry: dict) -> Tensor:
            return ops.logical_and(carry["index"] < carry["end"], ops.any(carry["open"]))

        def step(carry: dict) -> dict:
            maps, (logits, state, written) = self._capture(
                lambda: self._steps.step(
                    carry["token"], carry["memory"], carry["state"], carry["index"] - 1
                )
            )
            carry = {**carry, "state": state}
            if self._search.coverage_penalty:
                read = ops.reshape(self._read(maps), ops.shape(carry["coverage"]))
                carry["coverage"] = carry["coverage"] + read
            return self._extend(carry, logits, written)

        return kernels.while_loop(
            unfinished,
            step,
            carry,
            variables=self._parts.variables,
            weights=weights,
            graphs=self._graphs,
        )

    def _extend(self, carry: dict, logits: Tensor, written: list | None) -> dict:
        """Returns `carry` with each beam one token longer, and those that end put aside."""
        search, beams = self._search, self._search.num_beams
        batch, _, room = carry["tokens"].shape
        index, end, start = carry["index"], carry["end"], carry["start"]
        history = History(ops.reshape(carry["tokens"], (-1, room)), carry["present"], index)
        scores = ban(ops.log_softmax(logits, axis=-1), self._banned)  # (B * K, V)
        for sampler in self._samplers:
            scores = sampler(scores, history)
        size = scores.shape[-1]
        scores = ops.reshape(scores, (batch, beams, size)) + carry["scores"][:, :, None]
        scores = ops.maximum(scores, 2 * _LOWEST)  # finite, so that no product is NaN

        # As many candidates as leave `beams` to go on with, should all others end.
        keep = min((1 + max(1, carry["stops"].shape[0])) * beams, beams * size)
        scores, flat = ops.top_k(ops.reshape(scores, (batch, beams * size)), keep)
        parent = ops.cast(flat // size, "int32")
        token = ops.cast(flat % size, "int32")  # (B, C)
        candidates = _rows(carry["tokens"], parent)
        candidates = kernels.store(candidates, token[:, :, None], index, axis=2)
        full = index + 1 >= end
        ends = ops.any(ops.equal(token[:, :, None], carry["stops"][None, None]), axis=-1)
        ends = ops.logical_or(ends, full)

        # Ended ones: only those among the best `beams` candidates count.
        length = ops.cast(index + 1 - start, "float32")
        final = scores / length**search.length_penalty
        if search.coverage_penalty:
            coverage = _rows(carry["coverage"], parent)
            final = final + search.coverage_penalty * ops.sum(
                ops.log(ops.clip(coverage, 1e-9, 1.0)), axis=-1
            )
        counts = ops.logical_and(ends, ops.arange(keep)[None] < beams)
        counts = ops.logical_and(counts, scores > _LOWEST / 2)  # those that are possible
        closed = ~carry["open"]
        if search.early_stopping is True:
            closed = ops.logical_or(closed, ops.all(carry["has_ended"], axis=-1))
        counts = ops.logical_and(counts, ~closed[:, None])
        final = ops.where(counts, final, _NEVER)
        ended_scores, best = ops.top_k(
            ops.concatenate([carry["ended_scores"], final], axis=1), beams
        )
        ended = _rows(ops.concatenate([carry["ended"], candidates], axis=1), best)
        has_ended = _rows(ops.concatenate([carry["has_ended"], counts], axis=1), best)

        # The others go on.
        scores, best = ops.top_k(ops.where(ends, scores + _LOWEST, scores), beams)
        rows = ops.take_along_axis(parent, ops.cast(best, "int32"), axis=1)  # (B, K)
        flat_rows = ops.reshape(rows + beams * ops.arange(batch, dtype="int32")[:, None], (-1,))
        state = carry["state"]
        if written is not None:  # before the first step all beams are alike
            state = {
                key: _map(lambda tensor: ops.take(tensor, flat_rows, axis=0), entry)
                if key in written
                else entry
                for key, entry in state.items()
            }
        token = ops.take_along_axis(token, ops.cast(best, "int32"), axis=1)
        new = {
            **carry,
            "logits": logits,
            "tokens": _rows(candidates, best),
            "token": ops.reshape(token, (-1,)),
            "scores": scores,
            "ended": ended,
            "ended_scores": ended_scores,
            "has_ended": has_ended,
            "state": state,
            "index": index + 1,
        }
        if search.coverage_penalty:
            new["coverage"] = _rows(carry["coverage"], rows)
        # Could an unfinished one still become better than the worst of the finished ones?
        if search.early_stopping == "never" and search.length_penalty > 0:
            length = ops.cast(end - start, "float32")
        possible = scores[:, 0] / length**search.length_penalty
        worst = ops.min(ended_scores, axis=1)
        better = ops.logical_or(possible > worst, ~ops.all(has_ended, axis=1))
        if search.early_stopping is True:
            better = ~ops.all(has_ended, axis=1)
        new["open"] = ops.logical_and(carry["open"], better)
        return new

    def _capture(self, call: Any) -> tuple[dict, Any]:
        """Returns the attention maps of a call, where the score needs them, and its result."""
        if not self._search.coverage_penalty:
            return {}, call()
        with scope.capture() as maps:
            return maps, call()

    def _read(self, maps: dict) -> Tensor:
        """Returns `(B, T, S)`: how much each token read of each source position at last."""
        (*_, last) = [path for path in maps if path in self._parts.cross_attention]
        return ops.mean(ops.cast(maps[last], "float32"), axis=1)

    def _coverage(self, maps: dict, state: dict, present: Tensor) -> Tensor:
        """Returns `(B, 1, S)`: how much the prompt read of the source; 1 where there is none."""
        (*_, last) = [path for path in maps if path in self._parts.cross_attention]
        read = self._read(maps) * ops.cast(present, "float32")[..., None]
        read, mask = ops.sum(read, axis=1), state[last].get("mask")
        return (read if mask is None else ops.where(mask, read, 1.0))[:, None]


def _rows(tensor: Tensor, index: Tensor) -> Tensor:
    """Returns `tensor` `(B, K, ...)` at `index` `(B, C)` of the axis 1."""
    index = ops.reshape(index, (*index.shape, *[1] * (len(tensor.shape) - 2)))
    return ops.take_along_axis(tensor, ops.cast(index, "int32"), axis=1)


def _map(function: Any, tree: Any) -> Any:
    """Returns a dict of dicts of tensors, each tensor replaced by `function` of it."""
    if isinstance(tree, dict):
        return {key: _map(function, value) for key, value in tree.items()}
    return function(tree)
