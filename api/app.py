"""The application, assembled: what it holds, in the order in which it opens and closes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any

from aiohttp import web

from api.admission import Admission
from api.authentication import Authentication
from api.dispatch import Handler
from api.documentation import add_documentation
from api.frame import Frame
from api.health import Health
from api.installation import Installation
from api.keys import (
    ADMISSION,
    AFTER_SALE,
    CACHE,
    CANCELLER,
    COUNTER,
    DATABASE,
    DIRECT,
    HEALTH,
    LOGIN_BUCKETS,
    MASTER_KEYS,
    PASSWORDS,
    RULEBOOKS,
    SESSIONS,
    SETTINGS,
    SIGNATURES,
    SUM_TURNS,
    TERMINALS,
)
from api.operations import Operation
from api.rate_limits import LoginBuckets
from api.routes import OPERATIONS
from api.sessions import Sessions
from api.signed_requests import Signatures
from api.terminals import Terminals
from api.trusted_proxies import TrustedProxies
from core.cache import BalanceCache, Cache
from core.database import Database, create_pool
from core.logging import Log
from core.metrics import show_pool
from core.rulebook_notices import RulebookNotices
from core.rulebooks import RulebookStore
from core.security.passwords import Passwords
from core.security.terminal_secrets import load_master_keys
from core.security.tokens import SECRET_BYTES_MIN
from core.settings import Settings
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
# A sum over a draw's jugadas takes its time; the other connections are the till's.
SUMS_AT_ONCE = 1

log = Log("api")


class SettingsError(Exception):
    """A setting that the API cannot do without is missing or too weak."""


def create_app(settings: Settings, *, operations: tuple[Operation, ...] = OPERATIONS) -> web.Application:
    """Connects to nothing yet: the process starts, and recovers, without PostgreSQL or Valkey. Raises SettingsError."""
    require_secrets(settings)
    # The routes read bodies themselves, each with its own limit; aiohttp's would be one for all.
    frame = frame_of(settings, operations)
    app = web.Application(middlewares=[frame.around], client_max_size=settings.body_batch_bytes_max)
    app[SETTINGS] = settings
    app[MASTER_KEYS] = load_master_keys(settings)
    app.cleanup_ctx.append(hold_database)
    app.cleanup_ctx.append(hold_cache)
    app.cleanup_ctx.append(hold_identity)
    # Opened last and so closed first, before the cache and the pool that it uses.
    app.cleanup_ctx.append(hold_till)
    app[LOGIN_BUCKETS] = login_buckets(settings)
    app[ADMISSION] = admission = Admission(
        app,
        settings,
        authentication=Authentication(secret=settings.jwt_access_secret.get_secret_value()),
        sessions=lambda: app[SESSIONS],
        signatures=lambda: app[SIGNATURES],
    )
    direct: dict[str, Handler] = {}
    for operation in operations:
        endpoint = admission.endpoint(operation)
        if operation.is_direct:
            direct[operation.path] = frame.direct(endpoint, method=operation.method, route=operation.path)
        if operation.method == "GET":
            app.router.add_get(operation.path, endpoint)
        else:
            app.router.add_route(operation.method, operation.path, endpoint)
    app[DIRECT] = direct
    add_documentation(app, operations)
    return app


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
    )
    notices = RulebookNotices(settings.database_url, rulebooks, application_name="banca api rulebooks")
    listening = asyncio.create_task(notices.run(), name="rulebook notices")
    app[COUNTER] = Counter(database=database, rulebooks=rulebooks, till=till)
    app[CANCELLER] = Canceller(caller, database=database, rulebooks=rulebooks, publish_balance=cache.publish)
    app[AFTER_SALE] = AfterSale.over(caller, database=database, rulebooks=rulebooks, publish_balance=cache.publish)
    yield
    await close_within(TILL_CLOSE_S, till.close(), end_rulebooks(listening, rulebooks))


async def hold_database(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    pool: Pool = await create_pool(
        settings.database_url,
        size=settings.db_pool_size,
        timeout_s=settings.db_timeout_s,
        application_name="banca api",
        prepare=prepare_till_connection,
    )
    app[DATABASE] = Database(pool, acquire_timeout_s=ACQUIRE_TIMEOUT_S)
    gauge = asyncio.create_task(gauge_pool(pool), name="pool gauge")
    yield
    gauge.cancel()
    await close_pool(pool)


async def hold_cache(app: web.Application) -> AsyncIterator[None]:
    settings, database = app[SETTINGS], app[DATABASE]
    client = None
    if settings.cache_enabled and settings.redis_url is not None:
        client = Cache(settings.redis_url, timeout_ms=settings.cache_timeout_ms)
    app[CACHE] = cache = BalanceCache(
        client, read_instance=Installation(database).id, ttl_s=settings.cache_balance_ttl_s
    )
    app[HEALTH] = health = Health(database, client, amqp_url=settings.amqp_url, redis_url=settings.redis_url)
    cache.start()
    yield
    await close_within(CACHE_CLOSE_S, health.close(), cache.close())


async def hold_identity(app: web.Application) -> AsyncIterator[None]:
    settings, database = app[SETTINGS], app[DATABASE]
    app[PASSWORDS] = passwords = Passwords()
    app[SESSIONS] = sessions = Sessions(database)
    app[TERMINALS] = terminals = Terminals(database, app[MASTER_KEYS])
    app[SIGNATURES] = Signatures(terminals, window_s=settings.signature_window_s)
    yield
    await close_within(IDENTITY_CLOSE_S, sessions.close(), terminals.close())
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


def login_buckets(settings: Settings) -> LoginBuckets | None:
    if not settings.rate_limit_enabled:
        return None
    return LoginBuckets(per_min=settings.rate_limit_login_per_min)


def frame_of(settings: Settings, operations: tuple[Operation, ...]) -> Frame:
    try:
        proxies = TrustedProxies(settings.trusted_proxies)
    except ValueError as error:
        raise SettingsError(f"TRUSTED_PROXIES: {error}") from None
    return Frame(quiet_routes=quiet_routes(operations), trusted_proxies=proxies)


def quiet_routes(operations: tuple[Operation, ...]) -> frozenset[str]:
    """Too many to log each: what terminals sign, and what machines poll."""
    return frozenset(
        operation.path
        for operation in operations
        if operation.signed or operation.ticket_rate or "health" in operation.tags
    )


def require_secrets(settings: Settings) -> None:
    for name in ("jwt_access_secret", "jwt_refresh_secret", "terminal_master_key"):
        if len(getattr(settings, name).get_secret_value().encode()) < SECRET_BYTES_MIN:
            raise SettingsError(f"{name.upper()} must have at least {SECRET_BYTES_MIN} bytes")
    if settings.jwt_access_secret == settings.jwt_refresh_secret:
        raise SettingsError("JWT_ACCESS_SECRET and JWT_REFRESH_SECRET must differ")
