"""The HTTP server around the application: requests that are not even HTTP get problems too, and stopping has an order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from http import HTTPStatus
from typing import Any, cast

from aiohttp import StreamReader, web

from api.dispatch import Dispatch
from api.keys import DIRECT, SETTINGS, UNEXPECTED
from api.listening import ListeningSite
from api.problems import Problem, problem_response
from api.request_id import RequestIds
from api.slow_lines import Discarding, Patience, discarding
from core.logging import Log

KEEPALIVE_S = 75.0
# How long requests in flight may take to finish after the server stopped listening. aiohttp waits its time twice:
# for the answer, and once more after it cut off the body that a handler may be waiting for.
DRAIN_S = 8.0
# How long a connection whose first request has not arrived yet may still send it after the server was told to stop, and
# how long one that was kept open may: its client may have begun another request before it learnt of the end.
FIRST_REQUEST_WAIT_S = 1.0
NEXT_REQUEST_WAIT_S = 0.3
# How long a refused body is still read after the server was told to stop.
DISCARD_STOP_S = 1.0

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
log = Log("api")


class Protocol(web.RequestHandler):
    """One connection. Of what it refuses before all of it has arrived, it reads the rest before it closes."""

    def __init__(self, manager: web.Server, *, discarding: Discarding, **options: Any) -> None:
        # aiohttp's own lingering has one limit of time, however slow the line is.
        super().__init__(manager, lingering_time=0.0, **options)
        self._discarding = discarding
        self._discard_limit: asyncio.Timeout | None = None
        # Set once something was not HTTP: nothing behind that can be parsed.
        self._malformed: Patience | None = None
        self._gone = self._loop.create_future()
        self._is_last = False

    def data_received(self, data: bytes) -> None:
        if self._malformed is None:
            super().data_received(data)
            return
        self._malformed.count(len(data))
        if self._discard_limit is not None:
            self._discard_limit.reschedule(self._loop.time() + self._malformed.left_s())

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if not self._gone.done():
            self._gone.set_result(None)

    def take_last(self) -> asyncio.Future[None] | None:
        """Close after the next answer, and say so in it.

        Returns what is done when the connection has gone; None while a request is under way: it is the last one.
        """
        self._is_last = True
        # A server that stops does not wait for what is only discarded.
        if self._discard_limit is not None:
            self._discard_limit.reschedule(self._loop.time() + DISCARD_STOP_S)
        return None if self._request_in_progress else self._gone

    @property
    def is_new(self) -> bool:
        """Whether no request has come yet."""
        return self._request_count == 0

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """Send the answer; then, where not all of the request has arrived yet, read and forget the rest.

        Not a coroutine itself: one more around each answer would cost each request a microsecond.
        """
        if self._is_last:
            resp.force_close()
        if self._malformed is None and request.content.is_eof():
            return super().finish_response(request, resp, start_time)
        return self._finish_and_discard(request, resp, start_time)

    async def _finish_and_discard(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        malformed = self._malformed
        resp.force_close()
        answered, is_lost = await super().finish_response(request, resp, start_time)
        if not is_lost:
            with suppress(TimeoutError, ConnectionError, web.RequestPayloadError):
                await (self._discard(request.content) if malformed is None else self._discard_all(malformed))
            self._discard_limit = None
        return answered, is_lost

    async def _discard(self, content: StreamReader) -> None:
        """Until the body has ended. Raises TimeoutError when it is too slow or takes too long."""
        left = self._discarding.bytes_max
        async with (
            asyncio.timeout(self._discarding.time_max_s) as self._discard_limit,
            aclosing(self._discarding.rate.chunks(content)) as arriving,
        ):
            async for chunk in arriving:
                left -= len(chunk)
                if left < 0:
                    return

    async def _discard_all(self, patience: Patience) -> None:
        """Until the client has closed the connection: it knows of the end, but we do not know where the request ends."""
        if self.transport is not None and self.transport.can_write_eof():
            self.transport.write_eof()
        async with asyncio.timeout(self._discarding.time_max_s):
            async with asyncio.timeout(patience.left_s()) as self._discard_limit:
                await self._gone

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Called by aiohttp for what it could not parse, and for its own failures; closes the connection."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("SERVER_ERROR", error=exc)
            problem = Problem(status, "INTERNAL_ERROR", "Something went wrong here; it was logged.")
        else:
            log.debug("REQUEST_MALFORMED", reason=message)
            problem = malformed(status, message or "")
            self._malformed = Patience(self._discarding.rate)
        response = problem_response(problem, request_id=RequestIds().choose(None))
        response.force_close()
        return response


def malformed(status: int, message: str) -> Problem:
    # aiohttp refuses some repeated headers itself, Content-Type among them.
    if "Duplicate" in message:
        return Problem(status, "DUPLICATE_HEADER", "A header that may be sent once was sent twice.")
    return Problem(status, "REQUEST_MALFORMED", "The request is not well-formed HTTP.")


class Server(web.Server):
    def __init__(self, handler: Handle, *, request_factory: Any, discarding: Discarding) -> None:
        super().__init__(handler, request_factory=request_factory)
        self._discarding = discarding

    def __call__(self) -> Protocol:
        return Protocol(
            self,
            discarding=self._discarding,
            loop=asyncio.get_running_loop(),
            access_log=None,  # none is written
            keepalive_timeout=KEEPALIVE_S,
            auto_decompress=False,
        )

    def pre_shutdown(self) -> None:
        """Nothing yet: a connection that is idle may have a request on its way."""

    async def take_last_requests(self) -> None:
        """Answer what comes in the next moment on the open connections, then close those on which nothing came."""
        new: list[asyncio.Future[None]] = []
        kept: list[asyncio.Future[None]] = []
        for connection in cast("list[Protocol]", self.connections):
            gone = connection.take_last()
            if gone is not None:
                (new if connection.is_new else kept).append(gone)
        waits = [(new, FIRST_REQUEST_WAIT_S), (kept, NEXT_REQUEST_WAIT_S)]
        await asyncio.gather(*(asyncio.wait(gone, timeout=wait_s) for gone, wait_s in waits if gone))
        super().pre_shutdown()


class Runner(web.AppRunner):
    """cleanup() stops listening, takes the last requests, waits for those in flight, then closes what the app holds."""

    def __init__(self, app: web.Application) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=DRAIN_S / 2)
        self._direct = app[DIRECT]
        self._unexpected = app[UNEXPECTED]
        self._discarding = discarding(app[SETTINGS])

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        dispatch = Dispatch(self._direct, routed=server.request_handler, unexpected=self._unexpected)
        # The factory makes the application's own requests.
        return Server(cast("Handle", dispatch), request_factory=server.request_factory, discarding=self._discarding)

    async def shutdown(self) -> None:
        await cast("Server", self.server).take_last_requests()
        await super().shutdown()


async def start(app: web.Application, listeners: Sequence[socket.socket]) -> Runner:
    """A running server on the listening sockets, which it closes; await its cleanup()."""
    runner = Runner(app)
    try:
        await runner.setup()
        for listener in listeners:
            await ListeningSite(runner, listener).start()
    except BaseException:
        await runner.cleanup()
        for listener in listeners:
            listener.close()
        raise
    return runner
