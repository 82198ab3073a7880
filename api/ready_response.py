"""An answer whose bytes are known: head and body are put together and written at once.

aiohttp's own Response gathers its headers in a dictionary, completes them and serialises them: a twentieth of a sale.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class ReadyResponse(web.StreamResponse):
    """extra: more header lines, each with its CR LF. request_id: set before it is sent."""

    request_id = ""

    def __init__(self, content: bytes, *, status: int, extra: str = "", content_type: str = "application/json") -> None:
        super().__init__(status=status)
        self._content = content
        self._extra = extra
        self._type = content_type
        self._request: web.BaseRequest | None = None

    def add_lines(self, lines: str) -> None:
        """More header lines, each with its CR LF, before it is sent."""
        self._extra += lines

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        self._request = request
        is_kept = self._keep_alive = request.keep_alive and self._keep_alive is not False
        if not is_kept:
            self._extra += "Connection: close\r\n"
        elif request.version < (1, 1):
            self._extra += "Connection: keep-alive\r\n"
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        request = self._request
        assert request is not None, "prepared before it is written"
        assert not data, "the content is known"
        head = (
            f"{_STATUS_LINES[self.status]}{self._entity_lines()}"
            f"Date: {_http_date(int(time.time()))}\r\nX-Request-Id: {self.request_id}\r\n"
            f"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n{self._extra}\r\n"
        ).encode()
        await request.writer.write_eof(head if request.method == "HEAD" else head + self._content)

    def _entity_lines(self) -> str:
        # RFC 9110, 8.6: a 204 has neither content nor its length.
        if self.status == HTTPStatus.NO_CONTENT:
            return ""
        return f"Content-Type: {self._type}\r\nContent-Length: {len(self._content)}\r\n"


@lru_cache(maxsize=1)
def _http_date(now_s: int) -> str:
    return formatdate(now_s, usegmt=True)
