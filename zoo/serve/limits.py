"""How much a stranger may ask for, and what is said to one who asks for more."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of a server.

    Attributes:
        body_bytes: of a request.
        held_bytes: of all requests that are being read together.
        requests: that are read, wait or are computed at a time.
        inputs: of a request.
        batch: inputs that are computed together, of one request or of several.
        characters: of a text, or of a field of a table.
        values: numbers, strings, lists and objects of a request; numbers of an answer.
        pixels: of an image, height times width.
        samples: of a recording, over all of its channels.
        new_tokens: that a model writes to an input.
        beams: of a beam search.
        explained: positions of a sequence, or nodes of a graph, whose attention is shown.
        body_seconds: that a request may take to arrive.
        queue_seconds: that it waits for others.
        compute_seconds: that it is computed.
    """

    body_bytes: int = 2**24
    held_bytes: int = 2**28
    requests: int = 128
    inputs: int = 256
    batch: int = 64
    characters: int = 20_000
    values: int = 2**20
    pixels: int = 25_000_000
    samples: int = 2**23
    new_tokens: int = 512
    beams: int = 8
    explained: int = 1024
    body_seconds: float = 30.0
    queue_seconds: float = 30.0
    compute_seconds: float = 120.0


class Refusal(Exception):
    """What a request gets in place of an answer.

    Args:
        status: of HTTP.
        message: what was received, and the remedy.
        headers: of the response.
    """

    def __init__(
        self, status: int, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})

    @classmethod
    def busy(cls, message: str) -> "Refusal":
        """Returns that of a server which has too much to do: it may be asked again."""
        return cls(503, message, headers={"Retry-After": "1"})


def bad(message: str) -> Refusal:
    """Returns the refusal of a request that is wrong in itself."""
    return Refusal(400, message)


def too_large(message: str) -> Refusal:
    """Returns the refusal of a request that is right but above a limit."""
    return Refusal(413, message)
