"""The HTTP server around the application: requests that are not even HTTP get problems too, and stopping has an order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import cast

from aiohttp import web

from api.dispatch import Dispatch
from api.keys import DIRECT, UNEXPECTED
from api.problems import Problem, problem_response
from api.request_id import RequestIds
from core.logging import Log

KEEPALIVE_S = 75.0
# How long requests in flight may take to finish after the server stopped listening. aiohttp waits its time twice:
# for the answer, and once more after it cut off the body that a handler may be waiting for.
DRAIN_S = 8.0
BACKLOG = 1024

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
log = Log("api")


class Protocol(web.RequestHandler):
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
        response = problem_response(problem, request_id=RequestIds().choose(None))
        response.force_close()
        return response


def malformed(status: int, message: str) -> Problem:
    # aiohttp refuses some repeated headers itself, Content-Type among them.
    if "Duplicate" in message:
        return Problem(status, "DUPLICATE_HEADER", "A header that may be sent once was sent twice.")
    return Problem(status, "REQUEST_MALFORMED", "The request is not well-formed HTTP.")


class Server(web.Server):
    def __call__(self) -> Protocol:
        return Protocol(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # None is how aiohttp is told to write none
            keepalive_timeout=KEEPALIVE_S,
            auto_decompress=False,
        )


class Runner(web.AppRunner):
    """cleanup() stops listening, closes idle connections, waits for requests in flight, then closes what the app holds."""

    def __init__(self, app: web.Application) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=DRAIN_S / 2)
        self._direct = app[DIRECT]
        self._unexpected = app[UNEXPECTED]

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        dispatch = Dispatch(self._direct, routed=server.request_handler, unexpected=self._unexpected)
        # The factory makes the application's own requests.
        return Server(cast("Handle", dispatch), request_factory=server.request_factory)


async def start(app: web.Application, *, host: str, port: int, reuse_port: bool = False) -> Runner:
    """A running server; await its cleanup()."""
    runner = Runner(app)
    try:
        await runner.setup()
        await web.TCPSite(runner, host, port, reuse_port=reuse_port or None, backlog=BACKLOG).start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner
