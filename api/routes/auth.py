"""Login, tokens, and who one is."""

from __future__ import annotations

import time
from contextlib import nullcontext
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
from aiohttp import web

from api.context import PublicContext, RequestContext
from api.keys import DATABASE, LOGIN_BUCKETS, LOGIN_DECOYS, LOGIN_QUEUE, PASSWORDS, SESSIONS, SETTINGS
from api.models.auth import (
    LoginAnswer,
    LoginRequest,
    LoginUser,
    ProfileAnswer,
    RefreshRequest,
    TokenAnswer,
)
from api.operations import PUBLIC, Operation
from api.problems import ProblemError, refuse
from core.domain.permissions import Permission, Role
from core.domain.text import shown
from core.logging import Log
from core.metrics import LOGIN_FAILURES
from core.queries import sql
from core.security.passwords import Verdict
from core.security.tokens import (
    AccessClaims,
    RefreshClaims,
    TokenError,
    issue_access,
    issue_refresh,
    token_hash,
    verify_refresh,
)
from core.settings import Settings

# A client that lost the answer, or has several tabs, may use a token this long after it was replaced.
REFRESH_GRACE_S = 30
USER_AGENT_LENGTH_MAX = 300

log = Log("auth")

_LOGIN_REFUSALS = {
    "USER_INACTIVE": (403, "The user, its ventana or its banca is not active."),
    "TERMINAL_UNKNOWN": (403, "There is no such terminal."),
    "TERMINAL_DISABLED": (403, "The terminal is disabled."),
    "TERMINAL_MISMATCH": (403, "The terminal belongs to somebody else."),
}


async def login(context: PublicContext, body: LoginRequest) -> LoginAnswer:
    """Log in and open a session.

    A seller has a limited number of sessions; the oldest gives way.
    """
    buckets, address = context.app[LOGIN_BUCKETS], context.request.remote
    with nullcontext() if buckets is None else buckets.name(username=body.username, address=address):
        user, verdict = await verify(context, body)
    user_id = None if user is None else user["id"]
    if not verdict.is_right or user is None:
        await tell_failure(context, "INVALID_CREDENTIALS", user_id=user_id)
        raise refuse(401, "INVALID_CREDENTIALS", "The user name or the password is wrong.")
    if verdict.rehashed is not None:
        await replace_hash(context, user, verdict.rehashed)
    if not user["is_active"]:
        await tell_failure(context, "USER_INACTIVE", user_id=user_id)
        raise login_refused("USER_INACTIVE")
    settings = context.app[SETTINGS]
    claims = RefreshClaims(uuid4(), 1, int(time.time()) + settings.jwt_refresh_expires_s)
    refresh_token = issue_refresh(claims, secret=settings.jwt_refresh_secret.get_secret_value())
    await open_session(context, body, user_id=user["id"], claims=claims, refresh_token=refresh_token)
    access_token = new_access_token(settings, user, claims.session_id, body.terminal_id, user_id=user["id"])
    return LoginAnswer(
        access_token=access_token,
        refresh_token=refresh_token,
        expires_in=settings.jwt_access_expires_s,
        user=LoginUser(**{name: user[name] for name in LoginUser.model_fields}),
    )


async def verify(context: PublicContext, body: LoginRequest) -> tuple[asyncpg.Record | None, Verdict]:
    """The user of that name, if there is one, and whether the password is the user's.

    Raises PasswordsBusyError, ProblemError RATE_LIMITED.
    """
    app, request = context.app, context.request
    async with app[LOGIN_QUEUE].turn(
        name=body.username, address=request.remote, is_gone=lambda: request.transport is None
    ) as turn:
        parameters = await app[LOGIN_DECOYS].parameters(body.username)
        async with app[DATABASE].connection() as connection:
            user = await connection.fetchrow(sql("auth/find_login"), body.username)
        encoded = None if user is None else user["password_hash"]
        verdict = await app[PASSWORDS].verify(encoded, body.password, parameters=parameters)
        if not verdict.is_right:
            turn.failed()
        return user, verdict


async def replace_hash(context: PublicContext, user: asyncpg.Record, rehashed: str) -> None:
    """Keep the password's hash with today's parameters; another login may have done it meanwhile."""
    async with context.app[DATABASE].connection() as connection:
        await connection.fetchval(sql("auth/replace_password_hash"), user["id"], user["password_hash"], rehashed)


async def refresh(context: PublicContext, body: RefreshRequest) -> TokenAnswer:
    """Exchange a refresh token for the next pair.

    Each is good once. For 30 seconds after it was replaced, it gets the session's newest pair, however often the
    session was refreshed since; used later than that, it ends the session.
    """
    settings = context.app[SETTINGS]
    secret = settings.jwt_refresh_secret.get_secret_value()
    try:
        presented = verify_refresh(body.refresh_token, secret=secret)
    except TokenError:
        raise refresh_refused("INVALID") from None
    expires_at_s = int(time.time()) + settings.jwt_refresh_expires_s
    following = RefreshClaims(presented.session_id, presented.generation + 1, expires_at_s)
    async with context.app[DATABASE].connection() as connection:
        row = await connection.fetchrow(
            sql("auth/rotate_session"),
            presented.session_id,
            presented.generation,
            token_hash(body.refresh_token),
            token_hash(issue_refresh(following, secret=secret)),
            instant(expires_at_s),
            REFRESH_GRACE_S,
            context.request_id,
        )
    assert row is not None, "rotate_session answers one row"
    if row["outcome"] not in ("ROTATED", "NEWEST"):
        context.app[SESSIONS].forget(presented.session_id)
        raise refresh_refused(row["outcome"])
    newest = RefreshClaims(presented.session_id, row["generation"], int(row["expires_at"].timestamp()))
    return TokenAnswer(
        access_token=new_access_token(settings, row, presented.session_id, row["terminal_id"], user_id=row["user_id"]),
        refresh_token=issue_refresh(newest, secret=secret),
        expires_in=settings.jwt_access_expires_s,
    )


async def get_profile(context: RequestContext) -> ProfileAnswer:
    """Who am I."""
    async with context.app[DATABASE].connection() as connection:
        profile = await connection.fetchval(sql("auth/profile"), context.principal.user_id)
    return ProfileAnswer.model_validate(profile | {"activeBancaId": context.active_banca_id})


async def open_session(
    context: PublicContext, body: LoginRequest, *, user_id: UUID, claims: RefreshClaims, refresh_token: str
) -> None:
    """Raises ProblemError: the user or the terminal may not."""
    request = context.request
    async with context.app[DATABASE].connection() as connection:
        outcome = await connection.fetchval(
            sql("auth/open_session"),
            claims.session_id,
            user_id,
            body.terminal_id,
            token_hash(refresh_token),
            instant(claims.expires_at_s),
            body.device_id,
            body.device_name,
            body.platform,
            body.app_version,
            user_agent_of(request),
            request.remote,
            context.request_id,
        )
    if outcome != "OPENED":
        await tell_failure(context, outcome, user_id=user_id)
        raise login_refused(outcome)


async def tell_failure(context: PublicContext, code: str, *, user_id: UUID | None) -> None:
    """Into the trail of the user's banca. A name that nobody has, has none: it is logged and counted only.

    The database is asked in either case, so that the time that an answer takes does not tell names from inventions.
    """
    LOGIN_FAILURES.labels(code).inc()
    address = context.request.remote
    log.warning("LOGIN_FAILED", request_id=context.request_id, code=code, userId=user_id, remote=address)
    async with context.app[DATABASE].connection() as connection:
        await connection.execute(sql("auth/failed_login"), user_id, code, address, context.request_id)


def new_access_token(
    settings: Settings, user: asyncpg.Record, session_id: UUID, terminal_id: UUID | None, *, user_id: UUID
) -> str:
    now_s = int(time.time())
    claims = AccessClaims(
        user_id=user_id,
        role=Role(user["role"]),
        ventana_id=user["ventana_id"],
        banca_id=user["banca_id"],
        session_id=session_id,
        terminal_id=terminal_id,
        expires_at_s=now_s + settings.jwt_access_expires_s,
        rate_limited=user["rate_limited"],
    )
    return issue_access(claims, secret=settings.jwt_access_secret.get_secret_value(), issued_at_s=now_s)


def user_agent_of(request: web.Request) -> str | None:
    """A header may hold stray bytes and controls; the list of sessions shows it."""
    sent = request.headers.get("User-Agent")
    return sent and shown(sent.encode("utf-8", "replace").decode())[:USER_AGENT_LENGTH_MAX]


def instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def login_refused(code: str) -> ProblemError:
    status, detail = _LOGIN_REFUSALS[code]
    return refuse(status, code, detail)


def refresh_refused(outcome: str) -> ProblemError:
    match outcome:
        case "REUSED":
            return refuse(401, "REFRESH_REUSED", "The token was used before; its session has been ended.")
        case "USER_INACTIVE":
            return login_refused("USER_INACTIVE")
        case _:
            return refuse(401, "REFRESH_INVALID", "The refresh token is not valid any more; log in again.")


TAGS = ("auth",)
OPERATIONS = (
    Operation(
        method="POST",
        path="/api/v1/auth/login",
        handler=login,
        permission=PUBLIC,
        tags=TAGS,
        body=LoginRequest,
        responses={200: LoginAnswer},
    ),
    Operation(
        method="POST",
        path="/api/v1/auth/refresh",
        handler=refresh,
        permission=PUBLIC,
        tags=TAGS,
        body=RefreshRequest,
        responses={200: TokenAnswer},
    ),
    Operation(
        method="GET",
        path="/api/v1/auth/me",
        handler=get_profile,
        permission=Permission.PROFILE_READ,
        tags=TAGS,
        responses={200: ProfileAnswer},
        tenant=False,
    ),
)
