"""Around every request: its id, its metrics, its log line, security headers, and errors turned into problems."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import asyncpg
from aiohttp import web

from api.cors import CorsOrigins
from api.dispatch import Handler
from api.problems import PASSING_TROUBLES, Problem, ProblemError, database_problem, problem_response
from api.ready_response import ReadyResponse
from api.request_id import REQUEST_ID, RequestIds
from api.trusted_proxies import TrustedProxies
from core.database import DatabaseUnavailableError, OutcomeUnknownError, SumOutOfRangeError, trouble_of, unavailable
from core.logging import Log
from core.metrics import HTTP_REQUEST_SECONDS, HTTP_REQUESTS
from core.security.passwords import PasswordsBusyError

RETRY_AFTER_S = 1
# Worth a line on quiet routes too. Not 503: what is short was logged where it was found, or is overload, when a line
# for each request would cost as much as the refusal.
LOGGED_STATUSES = frozenset(range(500, 600)) - {503}
_NOT_JSON_CODES = {
    404: ("ROUTE_NOT_FOUND", "There is no such address."),
    405: ("METHOD_NOT_ALLOWED", "The address does not take this method."),
    413: ("BODY_TOO_LARGE", "The body is too large."),
    417: ("EXPECTATION_FAILED", "Only Expect: 100-continue is understood."),
}

# The route, in metrics, of all preflights.
PREFLIGHT = "preflight"

log = Log("api")


class Frame:
    """quiet_routes: their requests are logged only when they fail, or at level debug.

    origins: whose pages may use the API from a browser.
    """

    def __init__(self, *, quiet_routes: frozenset[str], trusted_proxies: TrustedProxies, origins: CorsOrigins) -> None:
        self._proxies = trusted_proxies
        self._quiet_routes = quiet_routes | {PREFLIGHT}
        self._origins = origins
        self._ids = RequestIds()
        # Looking a metric up by its labels takes a lock; by a tuple it does not.
        self._counters: dict[tuple[str, str, int], Any] = {}
        self._seconds: dict[tuple[str, str], Any] = {}

    @web.middleware
    async def around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if resource is None:
            preflight = self._origins.preflight(request)
            if preflight is not None:
                return await self._answer(request, _known(preflight), method="OPTIONS", route=PREFLIGHT)
            # An invented method must not become a label of its own.
            return await self._answer(request, handler, method="ANY", route="unmatched")
        return await self._answer(request, handler, method=request.method, route=resource.canonical)

    def direct(self, handler: Handler, *, method: str, route: str) -> Handler:
        """The same around a handler whose route is known."""
        return partial(self._answer, handler=handler, method=method, route=route)

    async def _answer(self, request: web.Request, handler: Handler, *, method: str, route: str) -> web.StreamResponse:
        started = time.perf_counter()
        request = self._proxies.seen_through(request)
        request_id = self._ids.choose(request.headers.get("X-Request-Id"))
        request[REQUEST_ID] = request_id
        try:
            response = await handler(request)
        except ProblemError as error:
            response = problem_response(error.problem, request_id=request_id)
        except Exception as error:
            response = problem_response(problem_of(error, request_id), request_id=request_id)
        if isinstance(response, ReadyResponse):
            response.request_id = request_id
        else:
            add_headers(response, request_id)
        self._origins.mark(request, response)
        status, seconds = response.status, time.perf_counter() - started
        self._count(method, route, status, seconds)
        if route not in self._quiet_routes or status in LOGGED_STATUSES or log.is_verbose:
            log.info(
                "REQUEST",
                request_id=request_id,
                method=request.method,
                path=request.path,
                route=route,
                status=status,
                ms=round(seconds * 1000, 2),
                remote=request.remote,
            )
        return response

    def _count(self, method: str, route: str, status: int, seconds: float) -> None:
        counter = self._counters.get((route, method, status))
        if counter is None:
            counter = self._counters[route, method, status] = HTTP_REQUESTS.labels(route, method, str(status))
        counter.inc()
        histogram = self._seconds.get((route, method))
        if histogram is None:
            histogram = self._seconds[route, method] = HTTP_REQUEST_SECONDS.labels(route, method)
        histogram.observe(seconds)


def _known(response: web.StreamResponse) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return response

    return handler


def add_headers(response: web.StreamResponse, request_id: str) -> None:
    headers = response.headers
    headers["X-Request-Id"] = request_id
    headers["X-Content-Type-Options"] = "nosniff"
    if "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store"


def problem_of(error: Exception, request_id: str) -> Problem:
    """What the client is told of an error that is not a refusal."""
    if isinstance(error, asyncpg.PostgresError) and trouble_of(error) is not None:
        error = unavailable(error)
    match error:
        case DatabaseUnavailableError():
            tell = log.warning if error.trouble in PASSING_TROUBLES else log.error
            tell("DATABASE_UNAVAILABLE", request_id=request_id, trouble=error.trouble.value, reason=str(error))
            return database_problem(error)
        case OutcomeUnknownError():
            log.warning("OUTCOME_UNKNOWN", request_id=request_id, reason=str(error))
            return Problem(
                503,
                "OUTCOME_UNKNOWN",
                "It is not known whether this was done; send the same request with the same key again.",
                retry_after_s=RETRY_AFTER_S,
            )
        case SumOutOfRangeError():
            log.warning("SUM_OUT_OF_RANGE", request_id=request_id, reason=str(error))
            return Problem(
                409, "SUM_OUT_OF_RANGE", "A sum would be larger than the books can hold; nothing was written."
            )
        case PasswordsBusyError(retry_after_s=retry_after_s):
            return Problem(503, "LOGIN_BUSY", "Too many logins at once; try again.", retry_after_s=retry_after_s)
        case web.HTTPException():
            return http_problem(error)
        case _:
            log.error("INTERNAL_ERROR", request_id=request_id, error=error)
            return Problem(500, "INTERNAL_ERROR", "Something went wrong here; it was logged under the request's id.")


def http_problem(error: web.HTTPException) -> Problem:
    code, detail = _NOT_JSON_CODES.get(error.status, (f"HTTP_{error.status}", error.reason))
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return Problem(error.status, code, detail, headers=headers)
