"""One API process: python -m api. Several may share a listening socket, or a port."""

from __future__ import annotations

import asyncio
import signal
import sys

import uvloop

from api.app import SettingsError, create_app
from api.keys import MISFIT
from api.server import start
from core import garbage
from core.installation import MisfitError
from core.listening import inherited_sockets, open_sockets
from core.logging import Log, configure_logging
from core.settings import Settings, load_settings

log = Log("api")


def main() -> None:
    settings = load_settings()
    configure_logging(settings.log_level)
    try:
        uvloop.run(serve(settings))
    except (SettingsError, MisfitError) as error:
        sys.exit(str(error))


async def serve(settings: Settings) -> None:
    """Until SIGTERM or SIGINT; then stop listening, finish what was begun, close. Raises MisfitError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = create_app(settings)
    inherited = inherited_sockets()
    listeners = inherited or open_sockets(settings.host, settings.port, reuse_port=settings.reuse_port)
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


if __name__ == "__main__":
    main()
