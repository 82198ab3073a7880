"""The bench-only APIs: python -m loadtests.bench.handlers H|W. The API's own parts, with another counter behind them."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator

import uvloop
from aiohttp import web

from api.app import create_app
from api.keys import COUNTER, DATABASE, RULEBOOKS
from api.server import start
from core.database import Database
from core.listening import open_sockets
from core.logging import configure_logging
from core.settings import load_settings
from core.till.sales import Counter
from core.till.till import Till
from loadtests.bench.interactive import InteractiveCounter
from loadtests.bench.without_database import MemoryRecorder

ACQUIRE_TIMEOUT_S = 30.0


async def hold_interactive(app: web.Application) -> AsyncIterator[None]:
    # Whoever waits in front of a locked draw waits for a connection first, and longer than the till lets anybody.
    database = Database(app[DATABASE].pool, acquire_timeout_s=ACQUIRE_TIMEOUT_S)
    app[COUNTER] = InteractiveCounter(database, app[RULEBOOKS])
    yield


async def hold_without_database(app: web.Application) -> AsyncIterator[None]:
    """Prices and answers as ever; what the rules need is read once."""
    till = Till(
        MemoryRecorder(),
        queue_tickets_max=4_000,
        batch_tickets_max=256,
        batch_jugadas_max=2_000,
        publish_balance=lambda *_, **__: None,
    )
    app[COUNTER] = Counter(database=app[DATABASE], rulebooks=app[RULEBOOKS], till=till)
    yield
    await till.close()


COUNTERS = {"H": hold_interactive, "W": hold_without_database}


async def serve(name: str) -> None:
    """Until SIGTERM or SIGINT."""
    settings = load_settings()
    configure_logging(settings.log_level)
    app = create_app(settings)
    # Opened after the till's own context, whose counter it replaces.
    app.cleanup_ctx.append(COUNTERS[name])
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = await start(app, open_sockets(settings.host, settings.port, reuse_port=False))
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
