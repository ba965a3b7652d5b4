"""Bodies of requests: received within limits, and read as JSON."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import Request

from zoo.serve.limits import Limits, Refusal, bad, too_large

_DRAINED = 8  # times the limit of a body: so much is thrown away, so that the client hears why


class Receiver:
    """Receives bodies, and knows how much all of them hold.

    Args:
        limits: of the server.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @asynccontextmanager
    async def receive(self, request: Request) -> AsyncIterator[bytes]:
        """A block that has the body of a request, which counts as held until the block ends.

        Raises:
            Refusal: it is no JSON by its header, too large or too slow; or all together are too
                large.
        """
        _check_headers(request)
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > _DRAINED * self._limits.body_bytes:
                        break
                    if size > self._limits.body_bytes:
                        self._held -= sum(map(len, chunks))
                        chunks.clear()
                        continue
                    if self._held + len(chunk) > self._limits.held_bytes:
                        raise Refusal.busy("Too many large requests at a time. Try again later.")
                    self._held += len(chunk)
                    chunks.append(chunk)
            if size > self._limits.body_bytes:
                raise too_large(
                    f"A request may have {self._limits.body_bytes:,} bytes. Received: {size:,} or "
                    "more. Send fewer inputs at a time, or smaller images."
                )
            yield b"".join(chunks)
        except TimeoutError:
            raise Refusal(
                408,
                f"A request must arrive within {self._limits.body_seconds:g} seconds. Received: "
                f"{size:,} bytes.",
                headers={"Connection": "close"},
            ) from None
        finally:
            self._held -= sum(map(len, chunks))


def _check_headers(request: Request) -> None:
    """Raises `Refusal` if a body is not JSON by its header.

    A page of another site can send none that is without asking first, which is refused. So it
    cannot use a server that is for this machine alone.
    """
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise Refusal(
            415,
            "The body must be JSON, with the header Content-Type: application/json. Received: "
            f"Content-Type: {kind[:100] or 'none'}",
        )
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise Refusal(
            415, f"The body must not be compressed. Received: Content-Encoding: {encoding[:100]}"
        )


def parse(body: bytes, limits: Limits) -> Mapping[str, Any]:
    """Returns the object that a body is.

    Raises:
        RecursionError: it is nested too deep.
        Refusal: it is none, or has more values than a request may have.
    """
    # Before they are made: an empty list takes 2 bytes of a body and 56 in memory.
    values = sum(map(body.count, (b",", b"[", b"{", b":")))
    if values > limits.values:
        raise too_large(
            f"A request may have {limits.values:,} values. Received: about {values:,}. Send fewer "
            "inputs at a time."
        )
    try:
        content = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise bad(f"The body is not UTF-8: byte {error.start} is no character's.") from None
    except json.JSONDecodeError as error:
        raise bad(
            f"The body is no JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except ValueError as error:  # a number of thousands of digits
        raise bad(f"The body has a number that cannot be read: {str(error)[:100]}.") from None
    if not isinstance(content, dict):
        raise bad(
            'The body must be an object: {"inputs": [...]}. Received: '
            f"{_NAMES.get(type(content), 'null')}"
        )
    return content


def check_names(content: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Raises `Refusal` if an object has other entries than these."""
    for name in content:
        if name not in names:
            raise bad(f"The body may have {', '.join(names)}. Received: {name[:100]!a}")


_NAMES = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "a boolean"}


def _refuse_constant(name: str) -> Any:
    raise bad(f"JSON has no {name}. A missing number of a table is null.")
