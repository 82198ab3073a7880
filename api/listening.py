"""Accepting connections on a listening socket, and stopping without losing those that wait in its queue."""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web

from core.listening import BACKLOG
from core.logging import Log

# After so many in a row a process lets the others that listen on the same socket accept. The event loop's own server
# accepts all that wait: of 200 connections that came at once, one of two processes got 165, and kept them.
ACCEPTS_IN_A_ROW = 8
ACCEPT_PAUSE_S = 0.001
# When accepting fails, as it does without file descriptors: it would fail again at once.
FAILED_PAUSE_S = 1.0

log = Log("api")


class Acceptor:
    """Hands the connections of one listening socket to the server. What aiohttp asks of its servers: sockets, close()."""

    def __init__(self, server: web.Server, listener: socket.socket) -> None:
        listener.setblocking(False)
        self.sockets = (listener,)
        self._listener = listener
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._opening: set[asyncio.Task[object]] = set()
        self._loop.add_reader(listener, self._accept_some)

    def close(self) -> None:
        """Stop accepting, but for what waits already."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listener)
        for _ in range(BACKLOG):
            if not self._accept():
                break
        self._listener.close()

    async def wait_opened(self) -> None:
        """Until the server knows of every connection that was accepted."""
        if self._opening:
            await asyncio.wait(self._opening)

    def _accept_some(self) -> None:
        for _ in range(ACCEPTS_IN_A_ROW):
            try:
                if not self._accept():
                    return
            except OSError as error:
                log.error("ACCEPT_FAILED", error=error)
                self._rest(FAILED_PAUSE_S)
                return
        self._rest(ACCEPT_PAUSE_S)

    def _accept(self) -> bool:
        """Whether a connection waited. Raises OSError when the process can take none."""
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionAbortedError:
            return True
        task: asyncio.Task[object] = self._loop.create_task(
            self._loop.connect_accepted_socket(self._server, connection)
        )
        self._opening.add(task)
        task.add_done_callback(self._opened)
        return True

    def _opened(self, task: asyncio.Task[object]) -> None:
        self._opening.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("CONNECTION_LOST_AT_ONCE", reason=str(error))

    def _rest(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(seconds, self._loop.add_reader, self._listener, self._accept_some)


class ListeningSite(web.BaseSite):
    """One listening socket. stop() takes the connections that wait before it closes the socket for this process.

    What reaches a socket of this process's own between the last look and the closing is lost; one that a supervisor
    keeps goes on.
    """

    def __init__(self, runner: web.BaseRunner, listener: socket.socket) -> None:
        super().__init__(runner)
        self._listener = listener
        self._acceptor: Acceptor | None = None

    @property
    def name(self) -> str:
        return str(self._listener.getsockname())

    async def start(self) -> None:
        await super().start()
        server = self._runner.server
        assert server is not None, "the runner is set up"
        self._acceptor = Acceptor(server, self._listener)
        self._server = self._acceptor  # type: ignore[assignment] # it has what aiohttp asks of it: sockets, close()

    async def stop(self) -> None:
        await super().stop()
        if self._acceptor is not None:
            await self._acceptor.wait_opened()
