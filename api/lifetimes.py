"""What the application holds while it runs: each part opens what it needs, and closes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any

import asyncpg
from aiohttp import web

from api.health import CHECK_TIMEOUT_S, PROBE_CONNECTIONS, Health
from api.keys import (
    AFTER_SALE,
    BALANCE_RESETS,
    CACHE,
    CANCELLER,
    CASH_MEMOS,
    COUNTER,
    DATABASE,
    EXPORT_TURNS,
    HEALTH,
    LOGIN_BUCKETS,
    LOGIN_DECOYS,
    LOGIN_QUEUE,
    MASTER_KEYS,
    MISFIT,
    MOVEMENTS,
    PASSWORDS,
    READINGS,
    RULEBOOKS,
    SESSIONS,
    SETTINGS,
    SIGNATURES,
    SUM_TURNS,
    TERMINALS,
)
from api.login_decoys import LoginDecoys
from api.login_queue import LoginQueue
from api.readings import Readings, replica_of
from api.sessions import Sessions
from api.signed_requests import Signatures
from api.terminals import Terminals
from core.balance_doubts import BalanceDoubts
from core.balance_resets import BalanceResets
from core.cache import HIDDEN_S, BalanceCache, Cache
from core.cash_memos import CashMemos
from core.database import Database, DatabaseUnavailableError, create_pool
from core.installation import Installation, require_fit
from core.logging import Log
from core.loop_lag import watched_loop
from core.metrics import show_pool
from core.movements import Movements
from core.rulebook_notices import RulebookNotices
from core.rulebooks import RulebookStore
from core.security.passwords import Passwords, password_hasher
from core.security.terminal_secrets import MasterKeys
from core.till.after_sale import AfterSale
from core.till.batch import prepare_till_connection
from core.till.caller import Caller
from core.till.cancels import Canceller
from core.till.recorder import Recorder
from core.till.sales import Counter
from core.till.till import Till

if TYPE_CHECKING:
    from core.database import Pool

ACQUIRE_TIMEOUT_S = 3.0
# What each part may take to close. Together with the server's drain it must be less than the supervisor's grace.
TILL_CLOSE_S = 3.0
IDENTITY_CLOSE_S = 1.0
CACHE_CLOSE_S = 2.0
POOL_CLOSE_S = 3.0
POOL_GAUGE_S = 1.0
# How long a start waits for the database to say whether it is the right one, and the pause between two questions.
FIT_TIMEOUT_S = 2.0
FIT_PAUSE_S = 0.5
# A sum over a draw's jugadas takes its time; the other connections are the till's.
SUMS_AT_ONCE = 1
# A file of a statement takes memory, and time that others would have.
EXPORTS_AT_ONCE = 1

log = Log("api")


async def hold_till(app: web.Application) -> AsyncIterator[None]:
    """Where tickets are sold. Requests in flight have ended when it closes; what they left waiting is written."""
    settings, database, cache = app[SETTINGS], app[DATABASE], app[CACHE]
    caller = Caller(
        database.pool,
        acquire_timeout_s=ACQUIRE_TIMEOUT_S,
        max_retries=settings.tx_max_retries,
        backoff_min_ms=settings.tx_backoff_min_ms,
        backoff_max_ms=settings.tx_backoff_max_ms,
    )
    till = Till(
        Recorder(caller),
        queue_tickets_max=settings.till_queue_tickets_max,
        batch_tickets_max=settings.batch_tickets_max,
        batch_jugadas_max=settings.batch_jugadas_max,
        publish_balance=cache.publish,
    )
    app[SUM_TURNS] = asyncio.Semaphore(SUMS_AT_ONCE)
    app[RULEBOOKS] = rulebooks = RulebookStore(
        database,
        # One snapshot holds both, so that the shorter of the two bounds it.
        age_max_s=min(settings.cache_ttl_cutoff, settings.cache_ttl_restrictions) if settings.cache_enabled else 0,
        base_multiplier_default_x=settings.multiplier_base_default_x,
        caps=settings.sale_caps,
    )
    notices = RulebookNotices(settings.session_url, rulebooks, application_name="banca api rulebooks")
    listening = asyncio.create_task(notices.run(), name="rulebook notices")
    app[COUNTER] = Counter(database=database, rulebooks=rulebooks, till=till)
    app[CANCELLER] = Canceller(caller, database=database, rulebooks=rulebooks, publish_balance=cache.publish)
    app[AFTER_SALE] = AfterSale.over(caller, database=database, rulebooks=rulebooks, publish_balance=cache.publish)
    app[MOVEMENTS] = Movements(caller, publish_balance=cache.publish)
    app[CASH_MEMOS] = CashMemos(caller, publish_balance=cache.publish)
    app[BALANCE_RESETS] = BalanceResets(caller)
    yield
    await close_within(TILL_CLOSE_S, till.close(), end_rulebooks(listening, rulebooks))


async def hold_loop_watch(_: web.Application) -> AsyncIterator[None]:
    async with watched_loop():
        yield


async def hold_database(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    pool: Pool = await create_pool(
        settings.database_url,
        size=settings.db_pool_size,
        timeout_s=settings.db_timeout_s,
        application_name="banca api",
        statement_cache_size=settings.database_statement_cache_size,
        prepare=prepare_till_connection,
    )
    app[DATABASE] = Database(pool, acquire_timeout_s=ACQUIRE_TIMEOUT_S)
    gauge = asyncio.create_task(gauge_pool(pool), name="pool gauge")
    yield
    gauge.cancel()
    await close_pool(pool)


async def hold_installation(app: web.Application) -> AsyncIterator[None]:
    """Begins only on a database that this program and its master keys belong to. Raises MisfitError.

    While the database is away the process starts all the same, and finds it out as soon as it is there: app[MISFIT].
    """
    app[MISFIT] = misfit = asyncio.get_running_loop().create_future()
    looking = asyncio.create_task(find_misfit(app[DATABASE], app[MASTER_KEYS]), name="installation")
    await asyncio.wait([looking], timeout=FIT_TIMEOUT_S)
    if looking.done():
        looking.result()
    else:
        looking.add_done_callback(lambda task: tell_misfit(task, misfit))
    yield
    looking.cancel()
    await asyncio.wait([looking])
    if not misfit.cancel():
        misfit.exception()  # seen, or nobody waits for it


async def find_misfit(database: Database, master_keys: MasterKeys) -> None:
    """Returns once a migrated database says that all is well. Raises MisfitError."""
    is_told = False
    while True:
        try:
            async with database.connection() as connection:
                await require_fit(connection, master_keys)
        except (DatabaseUnavailableError, asyncpg.PostgresError) as error:
            if not is_told:
                log.warning("DATABASE_AWAITED", reason=f"{type(error).__name__}: {error}")
                is_told = True
            await asyncio.sleep(FIT_PAUSE_S)
        else:
            return


def tell_misfit(looking: asyncio.Task[None], misfit: asyncio.Future[None]) -> None:
    if not looking.cancelled() and not misfit.done() and (error := looking.exception()) is not None:
        misfit.set_exception(error)


async def hold_readings(app: web.Application) -> AsyncIterator[None]:
    replica = replica_of(app[SETTINGS])
    app[READINGS] = Readings(app[DATABASE], replica)
    app[EXPORT_TURNS] = asyncio.Semaphore(EXPORTS_AT_ONCE)
    watching = None if replica is None else asyncio.create_task(replica.run(), name="replica")
    yield
    if watching is not None:
        watching.cancel()
        await asyncio.wait([watching])


async def hold_cache(app: web.Application) -> AsyncIterator[None]:
    settings, database = app[SETTINGS], app[DATABASE]
    client = None
    if settings.cache_enabled and settings.redis_url is not None:
        client = Cache(settings.redis_url, timeout_ms=settings.cache_timeout_ms)
    app[CACHE] = cache = BalanceCache(
        client,
        read_instance=Installation(database).history,
        ttl_s=settings.cache_balance_ttl_s,
        doubts=BalanceDoubts(database, lasts_s=settings.cache_balance_ttl_s + HIDDEN_S),
    )
    probes: Pool = await create_pool(
        settings.database_url,
        size=PROBE_CONNECTIONS,
        timeout_s=CHECK_TIMEOUT_S,
        application_name="banca api health",
        statement_cache_size=settings.database_statement_cache_size,
    )
    app[HEALTH] = health = Health(
        database,
        Database(probes, acquire_timeout_s=CHECK_TIMEOUT_S),
        has_cache=client is not None,
        replica=app[READINGS].replica,
        amqp_url=settings.amqp_url,
        redis_url=settings.redis_url,
    )
    cache.start()
    yield
    await close_within(CACHE_CLOSE_S, health.close(), cache.close())
    # Nothing that it was doing matters.
    probes.terminate()


async def hold_identity(app: web.Application) -> AsyncIterator[None]:
    settings, database = app[SETTINGS], app[DATABASE]
    hasher = password_hasher(memory_kib=settings.password_memory_kib, time_cost=settings.password_time_cost)
    app[PASSWORDS] = passwords = Passwords(hasher=hasher, threads=settings.password_threads)
    buckets = app[LOGIN_BUCKETS]
    app[LOGIN_QUEUE] = LoginQueue(
        # One more than are hashed at once: while it asks the database, no thread is idle.
        turns=passwords.threads + 1,
        failures=None if buckets is None else buckets.failures,
    )
    app[LOGIN_DECOYS] = decoys = LoginDecoys(database, secret=settings.jwt_access_secret.get_secret_value())
    app[SESSIONS] = sessions = Sessions(database)
    app[TERMINALS] = terminals = Terminals(database, app[MASTER_KEYS])
    app[SIGNATURES] = Signatures(terminals, window_s=settings.signature_window_s)
    yield
    await close_within(IDENTITY_CLOSE_S, sessions.close(), terminals.close(), decoys.close())
    passwords.close()


async def gauge_pool(pool: Pool) -> None:
    """Tell of this process's connections, whichever process is asked for the metrics. Until cancelled."""
    while True:
        show_pool(size=pool.get_size(), idle=pool.get_idle_size())
        await asyncio.sleep(POOL_GAUGE_S)


async def end_rulebooks(listening: asyncio.Task[None], rulebooks: RulebookStore) -> None:
    """The listener first: a notice begins a read."""
    listening.cancel()
    await asyncio.wait([listening])
    await rulebooks.close()


async def close_within(timeout_s: float, *closings: Coroutine[Any, Any, None]) -> None:
    """Let them end side by side; what hangs is left to the end of the process."""
    tasks = [asyncio.create_task(closing, name=getattr(closing, "__qualname__", "")) for closing in closings]
    done, late = await asyncio.wait(tasks, timeout=timeout_s)
    for task in late:
        log.warning("CLOSED_LATE", part=task.get_name())
        task.cancel()
    for task in done:
        task.result()


async def close_pool(pool: Pool) -> None:
    """Waits for what is running, but not for a database that will not answer."""
    try:
        async with asyncio.timeout(POOL_CLOSE_S):
            await pool.close()
    except TimeoutError:
        pool.terminate()
