"""From a request to its endpoint: straight where terminals sell, through aiohttp's router everywhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Dispatch:
    """direct: by the address of a POST that has no parts to find, exactly as it is sent. routed: for all others.

    The router makes a match of every request, with its application, its handler and its middlewares: a fifteenth of
    a sale, and nothing of it is asked for there.
    """

    def __init__(self, direct: Mapping[str, Handler], *, routed: Handler) -> None:
        self._direct = direct
        self._routed = routed

    def __call__(self, request: web.Request) -> Awaitable[web.StreamResponse]:
        handler = self._direct.get(request.raw_path)
        if handler is None or request.method != "POST" or "Expect" in request.headers:
            return self._routed(request)
        return handler(request)
