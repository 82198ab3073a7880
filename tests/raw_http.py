"""Requests as bytes on a socket: what no HTTP client would send."""

from __future__ import annotations

import asyncio
from typing import Self
from urllib.parse import urlsplit

READ_TIMEOUT_S = 20.0


class RawClient:
    """One connection at a time, made anew when the server has closed it. `async with RawClient(api.url) as client:`"""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self.address = (parts.hostname, parts.port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()

    async def status(self, request: bytes) -> int:
        """Send the request and return the status of its answer; 0: the connection was closed without one."""
        # A kept connection may have been closed by the server after the answer before: then once more on a new one.
        for is_last in (self._streams is None, True):
            async with asyncio.timeout(READ_TIMEOUT_S):
                status = await self._exchange(request)
            if status or is_last:
                return status
        return 0

    async def _exchange(self, request: bytes) -> int:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self.address)
        reader, writer = self._streams
        try:
            writer.write(request)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            while head.startswith(b"HTTP/1.1 100"):
                head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            status = int(head.split(b" ", 2)[1])
            lengths = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
            is_head = request.startswith(b"HEAD ")
            if lengths and not is_head:
                await reader.readexactly(lengths[0])
            if b"connection: close" in lines or not (lengths or is_head or status in (204, 304)):
                self._close()
        except (OSError, asyncio.IncompleteReadError):
            self._close()
            return 0
        return status

    def _close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def raw_request(method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> bytes:
    """The bytes of a request; Host and Content-Length are added where the headers have none."""
    names = {name.lower() for name, _ in headers}
    lines = [method.encode() + b" " + target + b" HTTP/1.1"]
    if b"host" not in names:
        lines.append(b"Host: banca")
    lines += [name + b": " + value for name, value in headers]
    if body and not names & {b"content-length", b"transfer-encoding"}:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
