"""Cross-origin requests of browsers (the Fetch standard's CORS protocol), for the origins that CORS_ORIGINS names.

aiohttp-cors is not used: it adds its headers through aiohttp's response signal, which answers of known bytes
(ready_response.py) do not send, and knows only routes, so that problems of the frame around them would lack them.
"""

from __future__ import annotations

from aiohttp import web

from api.problems import Problem, problem_response
from api.ready_response import ReadyResponse
from core.setting_values import origins_of

# What a page may send besides the headers that need no permission.
ALLOWED_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Active-Banca-Id, X-Request-Id, "
    "X-Signature, X-Terminal, X-Timestamp"
)
# What a page may read of an answer besides the headers that need no permission.
EXPOSED_HEADERS = (
    "Allow, Content-Disposition, Date, ETag, Idempotent-Replayed, Location, Retry-After, WWW-Authenticate, X-Request-Id"
)
# Chromium keeps a preflight's answer for two hours at most.
PREFLIGHT_AGE_S = 7200


class CorsOrigins:
    """The allowed origins. Credentials in the sense of CORS (cookies) are never allowed: tokens are headers."""

    def __init__(self, origins: str) -> None:
        """origins: exact ones, separated by commas: "https://pos.example.com, http://localhost:5173".

        Raises ValueError for what is no origin; "*" and "null" are none that could be trusted.
        """
        self._origins = origins_of(origins)

    def preflight(self, request: web.Request) -> ReadyResponse | None:
        """The answer to a preflight, which needs no token and counts against no limit; None for other requests.

        An unknown address is left to the router.
        """
        headers = request.headers
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in headers or "Origin" not in headers:
            return None
        error = request.match_info.http_exception
        if not isinstance(error, web.HTTPMethodNotAllowed):
            return None
        if headers["Origin"] not in self._origins:
            problem = Problem(403, "ORIGIN_NOT_ALLOWED", "Pages of this origin may not use the API (CORS_ORIGINS).")
            return problem_response(problem, request_id="")
        answer = ReadyResponse(b"", status=204)
        answer.add_lines(
            f"Access-Control-Allow-Methods: {', '.join(sorted(error.allowed_methods))}\r\n"
            f"Access-Control-Allow-Headers: {ALLOWED_HEADERS}\r\n"
            f"Access-Control-Max-Age: {PREFLIGHT_AGE_S}\r\n"
        )
        return answer

    def mark(self, request: web.Request, response: web.StreamResponse) -> None:
        """Let a page of an allowed origin read the answer, and let no cache give it to a page of another."""
        if not self._origins:
            return
        origin = request.headers.get("Origin")
        is_allowed = origin in self._origins
        if isinstance(response, ReadyResponse):
            # Never stored, so without an origin nothing has to be said.
            if origin is not None:
                response.add_lines(
                    "Vary: Origin\r\n"
                    + (
                        f"Access-Control-Allow-Origin: {origin}\r\nAccess-Control-Expose-Headers: {EXPOSED_HEADERS}\r\n"
                        if is_allowed
                        else ""
                    )
                )
            return
        headers = response.headers
        headers["Vary"] = f"{headers['Vary']}, Origin" if "Vary" in headers else "Origin"
        if is_allowed and origin is not None:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
