"""Sessions: one's own, seen and ended."""

from __future__ import annotations

from uuid import UUID

from api.context import RequestContext
from api.keys import DATABASE, SESSIONS
from api.models.auth import SessionAnswer, SessionList
from api.operations import Operation
from api.problems import refuse
from core.domain.permissions import Permission, Scope
from core.queries import sql


async def logout(context: RequestContext) -> None:
    """End this session."""
    principal = context.principal
    await close_session(context, principal.session_id, owner_id=principal.user_id, reason="logout")


async def logout_all(context: RequestContext) -> None:
    """End all of one's own sessions."""
    user_id = context.principal.user_id
    async with context.app[DATABASE].connection() as connection:
        closed = await connection.fetch(sql("auth/close_sessions"), user_id, user_id, "logout_all", context.request_id)
    for row in closed:
        context.app[SESSIONS].forget(row[0])


async def list_sessions(context: RequestContext) -> SessionList:
    """One's own live sessions, the last used first."""
    async with context.app[DATABASE].connection() as connection:
        rows = await connection.fetch(sql("auth/list_sessions"), context.principal.user_id)
    current = context.principal.session_id
    return SessionList(data=[SessionAnswer(**dict(row), is_current=row["id"] == current) for row in rows])


async def revoke_session(context: RequestContext) -> None:
    """End a session: one's own; an ADMIN anybody's."""
    owner_id = None if context.scope is Scope.PLATFORM else context.principal.user_id
    if not await close_session(context, context.path_id("sessionId"), owner_id=owner_id, reason="revoked"):
        raise refuse(404, "SESSION_NOT_FOUND", "There is no such live session.")


async def close_session(context: RequestContext, session_id: UUID, *, owner_id: UUID | None, reason: str) -> bool:
    actor_id = context.principal.user_id
    async with context.app[DATABASE].connection() as connection:
        closed = await connection.fetchval(
            sql("auth/close_session"), session_id, owner_id, actor_id, reason, context.request_id
        )
    context.app[SESSIONS].forget(session_id)
    return bool(closed)


TAGS = ("auth",)
OPERATIONS = (
    Operation(
        method="POST",
        path="/api/v1/auth/logout",
        handler=logout,
        permission=Permission.SESSIONS_REVOKE,
        tags=TAGS,
        responses={204: None},
        tenant=False,
    ),
    Operation(
        method="POST",
        path="/api/v1/auth/logout/all",
        handler=logout_all,
        permission=Permission.SESSIONS_REVOKE,
        tags=TAGS,
        responses={204: None},
        tenant=False,
    ),
    Operation(
        method="GET",
        path="/api/v1/auth/sessions",
        handler=list_sessions,
        permission=Permission.SESSIONS_READ,
        tags=TAGS,
        responses={200: SessionList},
        tenant=False,
    ),
    Operation(
        method="DELETE",
        path="/api/v1/auth/sessions/{sessionId}",
        handler=revoke_session,
        permission=Permission.SESSIONS_REVOKE,
        tags=TAGS,
        responses={204: None},
        tenant=False,
    ),
)
