"""A tap on the wire to PostgreSQL: which messages a client sends, by their protocol letters."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit, urlunsplit

SSL_REQUEST = 80_877_103


class WireTap:
    """async with WireTap(url) as tap: use tap.url instead of url, read tap.sent.

    sent: how many messages of each type came by; B binds, E executes, S ends a round trip, Q is a plain query.
    """

    def __init__(self, url: str) -> None:
        self.sent: Counter[str] = Counter()
        self._parts = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None, "enter the context first"
        port = self._server.sockets[0].getsockname()[1]
        login = self._parts.netloc.rpartition("@")[0]
        return urlunsplit(self._parts._replace(netloc=f"{login}@127.0.0.1:{port}"))

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await asyncio.gather(*self._serving)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        far_reader, far_writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        await asyncio.gather(self._count(reader, far_writer), _pass(far_reader, writer))

    async def _count(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Message by message: the first ones have no letter, all others a letter and their length."""
        with suppress(asyncio.IncompleteReadError, OSError):
            code = SSL_REQUEST
            while code == SSL_REQUEST:
                length = await reader.readexactly(4)
                body = await reader.readexactly(int.from_bytes(length) - 4)
                code = int.from_bytes(body[:4])
                writer.write(length + body)
            while True:
                head = await reader.readexactly(5)
                body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
                self.sent[chr(head[0])] += 1
                writer.write(head + body)
        writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    writer.close()
