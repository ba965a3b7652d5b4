"""The server: connections that are slow or silent are closed, and requests end before it does."""

import asyncio
import socket
from typing import Any

import keras
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from zoo.serve.app import LOCAL_HOSTS, make_app
from zoo.serve.limits import Limits

_LOCAL = ("127.0.0.1", "localhost", "::1")
_HEAD_SECONDS = 10.0
_CONNECTIONS = 512


class Protocol(H11Protocol):
    """HTTP, of a client that sends the head of each request within some seconds.

    uvicorn's own limit is for the time between two requests, and one byte ends it.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        asked = self.cycle
        super().data_received(data)
        if self.cycle is not asked:  # a request has begun
            self._forget()
        elif self.cycle is None or self.cycle.response_complete:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(_HEAD_SECONDS, self.transport.close)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def make_server(
    model: keras.Model,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits | None = None,
    name: str | None = None,
    card: str = "",
) -> uvicorn.Server:
    """Returns a server that is ready to run: `server.run()`, or in a thread.

    Args:
        model: functional.
        host: the address that it listens at.
        port: likewise; 0 for one that is free.
        limits: of sizes and times; the defaults if `None`.
        name: of the model.
        card: Markdown about it.
    """
    hosts = LOCAL_HOSTS if host in _LOCAL else None
    app = make_app(model, limits=limits, name=name, card=card, hosts=hosts)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Protocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=30,
        h11_max_incomplete_event_size=2**15,
    )
    return uvicorn.Server(config)


def serve(
    model: keras.Model,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits | None = None,
    name: str | None = None,
    card: str = "",
) -> None:
    """Serves a model until it is interrupted; requests that are being computed are answered.

    Args:
        model: functional, as `ka.predict` or `ka.generate` takes it.
        host: the address to listen at: this machine alone by default. There is neither a password
            nor encryption: put a proxy before it that has them, where others may reach it.
        port: to listen at; 0 for one that is free.
        limits: of sizes and times; the defaults if `None`.
        name: of the model, for those who ask; its own if `None`.
        card: Markdown about it.

    Raises:
        OSError: the port is in use, or not allowed.
    """
    listener = listen(host, port)
    server = make_server(model, host=host, port=port, limits=limits, name=name, card=card)
    print(f"Serving {name or model.name} at {address(listener)} (Ctrl+C ends it).", flush=True)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:  # which uvicorn raises again when it is done
        pass
    finally:
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """Returns a socket that is bound.

    Raises:
        OSError: the port is in use, or not allowed.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_CONNECTIONS)
    except (OSError, OverflowError) as error:
        raise OSError(
            f"Nothing can listen at {host}, port {port}: {error}. Choose another one: --port 0 "
            "takes any that is free."
        ) from error


def address(listener: socket.socket) -> str:
    """Returns the address of a page at a socket."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
