"""From a request to its endpoint: straight where terminals sell, through aiohttp's router everywhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Dispatch:
    """direct: by the address of a POST that has no parts to find, exactly as it is sent. routed: for all others.

    The router makes a match of every request, with its application, its handler and its middlewares: a fifteenth of
    a sale, and nothing of it is asked for there.

    unexpected: for what a client expects of us that is not "100-continue". aiohttp would answer it past our problems,
    and fail at bytes that are no text.
    """

    def __init__(self, direct: Mapping[str, Handler], *, routed: Handler, unexpected: Handler) -> None:
        self._direct = direct
        self._routed = routed
        self._unexpected = unexpected

    def __call__(self, request: web.Request) -> Awaitable[web.StreamResponse]:
        expectation = request.headers.get("Expect")
        if expectation is not None:
            return (self._routed if expectation.lower() == "100-continue" else self._unexpected)(request)
        handler = self._direct.get(request.raw_path)
        if handler is None or request.method != "POST":
            return self._routed(request)
        return handler(request)
