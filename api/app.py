"""The application, assembled: its operations, and what it holds, in the order in which that opens and closes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from api.admission import Admission
from api.authentication import Authentication
from api.cors import CorsOrigins
from api.dispatch import Handler
from api.documentation import add_documentation
from api.frame import Frame
from api.keys import (
    ADMISSION,
    DIRECT,
    LOGIN_BUCKETS,
    MASTER_KEYS,
    READINGS,
    SESSIONS,
    SETTINGS,
    SIGNATURES,
    UNEXPECTED,
)
from api.lifetimes import (
    hold_cache,
    hold_database,
    hold_identity,
    hold_installation,
    hold_loop_watch,
    hold_readings,
    hold_till,
)
from api.operations import Operation
from api.rate_limits import LoginBuckets
from api.routes import OPERATIONS
from api.trusted_proxies import TrustedProxies
from core.security.terminal_secrets import load_master_keys
from core.security.tokens import SECRET_BYTES_MIN
from core.settings import Settings

if TYPE_CHECKING:
    pass


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
    app.cleanup_ctx.append(hold_loop_watch)
    app.cleanup_ctx.append(hold_database)
    app.cleanup_ctx.append(hold_installation)
    app.cleanup_ctx.append(hold_readings)
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
        readings=lambda: app[READINGS],
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
    app[UNEXPECTED] = frame.direct(refuse_expectation, method="ANY", route="unmatched")
    add_documentation(app, operations)
    return app


async def refuse_expectation(_: web.Request) -> web.StreamResponse:
    raise web.HTTPExpectationFailed


def login_buckets(settings: Settings) -> LoginBuckets | None:
    if not settings.rate_limit_enabled:
        return None
    return LoginBuckets(per_min=settings.rate_limit_login_per_min)


def frame_of(settings: Settings, operations: tuple[Operation, ...]) -> Frame:
    try:
        proxies = TrustedProxies(settings.trusted_proxies)
    except ValueError as error:
        raise SettingsError(f"TRUSTED_PROXIES: {error}") from None
    try:
        origins = CorsOrigins(settings.cors_origins)
    except ValueError as error:
        raise SettingsError(f"CORS_ORIGINS: {error}") from None
    return Frame(quiet_routes=quiet_routes(operations), trusted_proxies=proxies, origins=origins)


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
