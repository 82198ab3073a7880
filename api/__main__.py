"""One API process: python -m api. Several may share a listening socket, or a port."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

import uvloop

from api.app import create_app
from api.keys import MISFIT
from api.server import start
from core import garbage
from core.listening import inherited_sockets, open_sockets
from core.logging import Log
from core.processes import ProcessError, run_process
from core.settings import Settings

log = Log("api")


def main() -> int:
    return run_process("api", run)


def run(settings: Settings) -> int:
    uvloop.run(serve(settings))
    return 0


async def serve(settings: Settings) -> None:
    """Until SIGTERM or SIGINT; then stop listening, finish what was begun, close. Raises MisfitError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = create_app(settings)
    inherited = inherited_sockets()
    listeners = inherited or listen(settings)
    runner = await start(app, listeners)
    garbage.tame()
    host, port = runner.addresses[0][:2]
    log.info("SERVER_LISTEN", host=host, port=port, inherited=len(inherited))
    misfit = app[MISFIT]
    misfit.add_done_callback(lambda _: stop.set())
    try:
        await stop.wait()
        if misfit.done():
            misfit.result()
    finally:
        log.info("SERVER_STOP")
        await runner.cleanup()


def listen(settings: Settings) -> list[socket.socket]:
    """Raises ProcessError."""
    try:
        return open_sockets(settings.host, settings.port, reuse_port=settings.reuse_port)
    except OSError as error:
        reason = error.strerror or error
        raise ProcessError(f"cannot listen on HOST {settings.host}, PORT {settings.port}: {reason}") from error


if __name__ == "__main__":
    sys.exit(main())
