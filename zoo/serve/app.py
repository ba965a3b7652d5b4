"""The application: addresses, and a response for whatever is asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import keras
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from zoo.serve.batching import Batcher, Job
from zoo.serve.bodies import Receiver, parse
from zoo.serve.limits import Limits, Refusal, bad
from zoo.serve.page import make_page
from zoo.serve.served import Served

_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")


def make_app(
    model: keras.Model,
    *,
    limits: Limits | None = None,
    name: str | None = None,
    card: str = "",
    hosts: tuple[str, ...] | None = LOCAL_HOSTS,
) -> Starlette:
    """Returns the application that serves a model, for any server of ASGI.

    Args:
        model: functional, as `ka.predict` or `ka.generate` takes it.
        limits: of sizes and times; the defaults if `None`.
        name: of the model; its own if `None`.
        card: Markdown about it.
        hosts: names that the header `Host` may have, so that no other site's name can be made to
            lead to a server that is for this machine alone; `None` for any.

    """
    return Application(Served(model, limits or Limits(), name=name, card=card), limits, hosts).app


class Application:
    """The endpoints of a served model, and what they share."""

    def __init__(
        self, served: Served, limits: Limits | None, hosts: tuple[str, ...] | None
    ) -> None:
        self._served = served
        self._limits = limits or Limits()
        self._hosts = hosts
        self._receiver = Receiver(self._limits)
        self._open = 0
        self._batcher: Batcher
        self._readers: ThreadPoolExecutor
        describe = served.describe
        page, policy = make_page(served.name)

        async def show(request: Request) -> Response:
            return _html(page, policy)

        async def tell(request: Request) -> Response:
            return _json({**describe(), "limits": vars(self._limits)})

        async def health(request: Request) -> Response:
            return _json({"status": "ok", "waiting": len(self._batcher)})

        def answer(make_job: Callable[[Mapping[str, Any]], Job]) -> Any:
            async def endpoint(request: Request) -> Response:
                return await self._answer(request, make_job)

            return endpoint

        endpoints: dict[str, tuple[str, Any]] = {
            "/": ("GET", show),
            "/model": ("GET", tell),
            "/health": ("GET", health),
            "/predict": ("POST", answer(served.predict)),
            "/generate": ("POST", answer(served.generate)),
            "/explain": ("POST", answer(served.explain)),
        }
        self.app = Starlette(
            routes=[
                Route(path, self._guard(endpoint), methods=[method])
                for path, (method, endpoint) in endpoints.items()
            ],
            exception_handlers={HTTPException: _refuse_route, Exception: _fail},
            lifespan=self._live,
        )
        self.app.router.redirect_slashes = False

    @asynccontextmanager
    async def _live(self, app: Starlette) -> AsyncIterator[None]:
        self._batcher = Batcher(self._limits)
        # One at a time, so that no more than one request is unpacked to many times its size.
        self._readers = ThreadPoolExecutor(1, "read")
        try:
            yield
        finally:
            self._batcher.close()
            self._readers.shutdown(cancel_futures=True)

    def _guard(self, endpoint: Callable[[Request], Awaitable[Response]]) -> Any:
        """Returns an endpoint that refuses what it must, and never more at a time than it may."""

        async def guarded(request: Request) -> Response:
            self._open += 1
            try:
                self._check_host(request)
                if self._open > self._limits.requests and request.url.path != "/health":
                    raise Refusal.busy("Too many requests at a time. Try again later.")
                return await endpoint(request)
            except Refusal as refusal:
                return _refuse(refusal)
            except ClientDisconnect:
                return Response(status_code=499)  # which nobody reads
            finally:
                self._open -= 1

        return guarded

    def _check_host(self, request: Request) -> None:
        host = request.headers.get("host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if self._hosts is not None and name.lower() not in self._hosts:
            raise Refusal(
                421,
                f"This server answers for {', '.join(self._hosts)}. Received: Host: {host[:100]}",
            )

    async def _answer(
        self, request: Request, make_job: Callable[[Mapping[str, Any]], Job]
    ) -> Response:
        """Returns the answers to a request, or refuses it."""
        async with self._receiver.receive(request) as body:
            job = await self._read(body, make_job)
        answers = await self._compute(request, job)
        if isinstance(answers[0], str) and answers[0].startswith("<!doctype html>"):
            return _html(answers[0], "sandbox allow-scripts")
        is_explained = isinstance(answers[0], dict) and set(answers[0]) == {"weights"}
        return _json(answers[0] if is_explained else {"answers": answers})

    async def _read(self, body: bytes, make_job: Callable[[Mapping[str, Any]], Job]) -> Job:
        """Returns what is to be computed, read by a thread while others are answered."""

        def read() -> Job:
            try:
                return make_job(parse(body, self._limits))
            except RecursionError:
                raise bad("The body is nested too deep.") from None

        return await asyncio.get_running_loop().run_in_executor(self._readers, read)

    async def _compute(self, request: Request, job: Job) -> list[Any]:
        """Returns the answers of a job.

        Raises:
            ClientDisconnect: nobody waits for them any more.
            Refusal: they take too long, or the job fails.
        """
        waiting = asyncio.wrap_future(self._batcher.submit(job))
        leaving = asyncio.ensure_future(_wait_for_leaving(request))
        try:
            for seconds in (self._limits.queue_seconds, self._limits.compute_seconds):
                await asyncio.wait(
                    {waiting, leaving}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
                )
                if waiting.done():
                    return waiting.result()
                if leaving.done():
                    raise ClientDisconnect
                if not job.answers.running():
                    raise Refusal.busy(
                        f"The request waited for {self._limits.queue_seconds:g} seconds. Try again "
                        "later."
                    )
            raise Refusal(
                504,
                f"Computing took longer than {self._limits.compute_seconds:g} seconds. Send fewer "
                "or shorter inputs.",
            )
        finally:
            job.given_up = True
            waiting.cancel()  # unless it is being computed
            leaving.cancel()


async def _wait_for_leaving(request: Request) -> None:
    """Returns when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    # In ASCII, which half a character in a message cannot break.
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return Response(text, status, {**_HEADERS, **(headers or {})}, "application/json")


def _html(page: str, policy: str) -> Response:
    headers = {**_HEADERS, "Content-Security-Policy": policy}
    return Response(page, 200, headers, "text/html; charset=utf-8")


def _refuse(refusal: Refusal) -> Response:
    content = {"error": {"status": refusal.status, "message": str(refusal)}}
    return _json(content, refusal.status, refusal.headers)


async def _refuse_route(request: Request, error: Exception) -> Response:
    """Returns the refusal of an address or a method that there is not."""
    assert isinstance(error, HTTPException)
    known = "GET /, /model, /health; POST /predict, /generate, /explain"
    message = f"There are {known}. Received: {request.method} {request.url.path[:100]}"
    return _refuse(Refusal(error.status_code, message, headers=error.headers))


async def _fail(request: Request, error: Exception) -> Response:
    return _refuse(Refusal(500, "The server failed at this request. Its log says why."))
