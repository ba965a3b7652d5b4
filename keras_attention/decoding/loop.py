"""The compiled loop: a prompt is read, then one token after the other is chosen."""

from keras import ops

from keras_attention import kernels
from keras_attention.decoding.noise import gumbel
from keras_attention.decoding.parts import Parts
from keras_attention.decoding.samplers import History, Sampler
from keras_attention.decoding.steps import Cached, Recomputed
from keras_attention.types import Bool, Float, Int, Tensor


class Loop:
    """Generation of one token per row and step, for one model, sampler and room.

    Args:
        parts: of the model.
        steps: how logits are computed.
        samplers: applied in order.
        room: positions of prompt and continuation.
        banned: ids that must not come.
    """

    def __init__(
        self,
        parts: Parts,
        steps: Cached | Recomputed,
        samplers: tuple[Sampler, ...],
        room: int,
        banned: tuple[int, ...],
    ) -> None:
        self._parts = parts
        self._steps = steps
        self._samplers = samplers
        self._random = any(sampler.random for sampler in samplers)
        self.room = room
        self._banned = banned
        self._graphs: dict = {}
        self.begin = kernels.trace_with(self._begin, parts.variables)
        self._continued = kernels.compile_with(self._go_on, parts.variables)

    def go_on(self, carry: dict, end: Tensor) -> dict:
        """Returns `carry` when `end` positions are filled, or all rows have ended."""
        others = {name: value for name, value in carry.items() if name != "weights"}
        return {**carry, **self._continued(others, carry["weights"], end)}

    def _begin(
        self,
        sources: list[Tensor],
        token_ids: Int[Tensor, "B T"],
        present: Bool[Tensor, "B T"] | None,
        stops: Int[Tensor, " stops"],
        seed: Int[Tensor, ""],
    ) -> dict:
        """Returns what a step starts from, with the first new token chosen.

        Args:
            sources: arrays of the encoder's inputs.
            token_ids: `(B, T)`, the prompts, padded on the left.
            present: `(B, T)` boolean, false where they are; `None` if nowhere.
            stops: ids that end a row.
            seed: an integer.
        """
        memory = self._parts.memory(sources)
        batch, length = token_ids.shape
        (logits, state), weights = kernels.lay_out_weights(
            lambda: self._steps.begin(token_ids, present, memory, self.room),
            self._parts.variables,
            rows=self._steps.rows(batch),
        )
        room = [[0, 0], [0, self.room - length]]
        if present is None:
            present = ops.ones((batch, length), "bool")
        carry = {
            "memory": memory,
            "weights": weights,
            "present": ops.pad(present, room, constant_values=True),
            "stops": stops,
            "seed": seed,
            "tokens": ops.pad(ops.maximum(token_ids, 0), room),  # samplers count ids from 0 on
            "state": state,
            "finished": ops.zeros((batch,), "bool"),
            "until": ops.full((batch,), length, "int32"),
            "index": ops.convert_to_tensor(length, "int32"),
        }
        return self._choose(carry, logits)

    def _go_on(self, carry: dict, weights: dict, end: Tensor) -> dict:
        """Returns what `go_on` changes of `carry`."""

        def unfinished(carry: dict) -> Tensor:
            return ops.logical_and(carry["index"] < carry["end"], ops.any(~carry["finished"]))

        def step(carry: dict) -> dict:
            logits, state, _ = self._steps.step(
                carry["token"], carry["memory"], carry["state"], carry["index"] - 1
            )
            return self._choose({**carry, "state": state}, logits)

        return kernels.while_loop(
            unfinished,
            step,
            {**carry, "end": end},
            variables=self._parts.variables,
            weights=weights,
            graphs=self._graphs,
        )

    def _choose(self, carry: dict, logits: Tensor) -> dict:
        """Returns `carry` with the next token of each row; 0 for rows that have ended.

        A row where no token may come ends without one: `until` tells how many positions it has.
        """
        index = carry["index"]
        history = History(carry["tokens"], carry["present"], index)
        scores = ban(logits, self._banned)
        for sampler in self._samplers:
            scores = sampler(scores, history)
        if self._random:
            scores = scores + gumbel(carry["seed"], index, *scores.shape)
        token = ops.cast(ops.argmax(scores, axis=-1), "int32")
        possible = ops.max(scores, axis=-1) > -float("inf")  # and no NaN
        finished = ops.logical_or(carry["finished"], ~possible)
        token = ops.where(finished, 0, token)
        ends = ops.any(ops.equal(token[:, None], carry["stops"][None]), axis=-1)
        return {
            **carry,
            "logits": logits,
            "tokens": kernels.store(carry["tokens"], token[:, None], index, axis=1, in_place=True),
            "token": token,
            "until": ops.where(finished, carry["until"], index + 1),
            "finished": ops.logical_or(finished, ends),
            "index": index + 1,
        }


def ban(logits: Float[Tensor, "B V"], ids: tuple[int, ...]) -> Float[Tensor, "B V"]:
    """Returns logits with -inf at `ids`."""
    for i in ids:
        logits = ops.where(ops.arange(logits.shape[-1])[None] == i, -float("inf"), logits)
    return logits
