"""A TCP proxy between two parts of the stack, and what a bad line does: refuses, hangs, loses answers, breaks off."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from cli.ports import LOOPBACK, free_port

CHUNK_BYTES_MAX = 65_536
SLICES = 16
CONNECT_TIMEOUT_S = 5.0
# A closed socket with this option tells the other side at once, with a reset.
RESET_AT_ONCE = struct.pack("ii", 1, 0)


class Harm(StrEnum):
    """What may happen to what passes.

    ANSWER_DROPPED: the server has done it and says so; the answer never arrives, and the connection is reset.
    BROKEN_OFF: half of a request arrives, then both sides are reset.
    SLICED: everything arrives, in many small pieces.
    """

    ANSWER_DROPPED = "answer dropped"
    BROKEN_OFF = "broken off"
    SLICED = "sliced"


@dataclass(frozen=True, slots=True)
class Line:
    """odds: of each piece that passes in the harm's direction, from 0.0 to 1.0."""

    harm: Harm
    odds: float
    chance: random.Random

    def strikes(self, *, is_answer: bool) -> bool:
        is_its_direction = self.harm is Harm.SLICED or is_answer == (self.harm is Harm.ANSWER_DROPPED)
        return is_its_direction and self.chance.random() < self.odds


Ends = tuple[asyncio.StreamWriter, asyncio.StreamWriter]


class Proxy:
    """async with Proxy(url) as proxy: use proxy.url instead of url."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._lines: set[Ends] = set()
        # Of connections whose near end is gone; None: the far end is told at once.
        self._untold: list[asyncio.StreamWriter] | None = None
        self._tasks: set[asyncio.Task[None] | None] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._line: Line | None = None
        self._delay_s = 0.0
        self.port = 0

    @property
    def url(self) -> str:
        login = self._parts.netloc.rpartition("@")[0]
        place = f"{LOOPBACK}:{self.port}"
        return urlunsplit(self._parts._replace(netloc=f"{login}@{place}" if login else place))

    async def __aenter__(self) -> Self:
        self.port = free_port()
        await self.mend()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._tell()
        await self.cut()

    async def cut(self) -> None:
        """Refuse new connections, reset those that are, and wait until they have ended."""
        self.refuse()
        if tasks := [task for task in self._tasks if task is not None]:
            await asyncio.wait(tasks)

    def refuse(self) -> None:
        """New connections, and reset those that are; one whose far end must not hear of it ends when all is mended."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for ends in list(self._lines):
            self._end(ends)
        self._flows.set()

    def freeze(self) -> None:
        """Keep connections, pass nothing on."""
        self._flows.clear()

    def half_open(self) -> None:
        """Reset every connection at its near end; the far end does not hear of it before all is mended."""
        self._untold = self._untold or []
        for ends in list(self._lines):
            self._end(ends)

    def harm(self, line: Line) -> None:
        self._line = line

    def slow(self, delay_s: float) -> None:
        """Pass each piece on so much later."""
        self._delay_s = delay_s

    async def mend(self) -> None:
        """As if nothing had been, on the same port."""
        self._line = None
        self._delay_s = 0.0
        self._tell()
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            opening = asyncio.open_connection(self._parts.hostname, self._parts.port)
            far_reader, far_writer = await asyncio.wait_for(opening, CONNECT_TIMEOUT_S)
        except (OSError, TimeoutError):
            reset(writer)
        else:
            ends = (writer, far_writer)
            self._lines.add(ends)
            if self._server is None:
                # Cut while the far end was being reached.
                self._end(ends)
            await asyncio.gather(
                self._pass(reader, far_writer, ends, is_answer=False),
                self._pass(far_reader, writer, ends, is_answer=True),
            )
            self._end(ends)
        finally:
            self._tasks.discard(task)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ends: Ends, *, is_answer: bool
    ) -> None:
        try:
            while chunk := await reader.read(CHUNK_BYTES_MAX):
                await asyncio.sleep(self._delay_s)
                await self._flows.wait()
                line = self._line
                if line is None or not line.strikes(is_answer=is_answer):
                    writer.write(chunk)
                elif line.harm is Harm.SLICED:
                    await write_slowly(writer, chunk)
                else:
                    await break_off(writer, chunk if line.harm is Harm.BROKEN_OFF else b"")
                    self._end(ends)
                    return
                await writer.drain()
            # The other direction may still have something to say; unless it was us who ended it.
            if ends in self._lines and writer.can_write_eof():
                writer.write_eof()
        except OSError:
            self._end(ends)

    def _end(self, ends: Ends) -> None:
        """Once, whoever ends it first."""
        if ends in self._lines:
            self._lines.discard(ends)
            near, far = ends
            reset(near)
            if self._untold is None:
                reset(far)
            else:
                self._untold.append(far)

    def _tell(self) -> None:
        for writer in self._untold or ():
            reset(writer)
        self._untold = None


async def write_slowly(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    size = max(1, len(chunk) // SLICES)
    for start in range(0, len(chunk), size):
        writer.write(chunk[start : start + size])
        await writer.drain()
        await asyncio.sleep(0)


async def break_off(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    """Pass on half of it."""
    writer.write(chunk[: len(chunk) // 2])
    await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
    writer.transport.abort()
