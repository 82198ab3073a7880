"""POS terminals: made, given new secrets, disabled."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
from pydantic.alias_generators import to_camel

from api.conditional import IfMatch
from api.context import RequestContext
from api.keys import DATABASE, MASTER_KEYS, SETTINGS, TERMINALS
from api.models.terminals import NewTerminal, Rotation, TerminalAnswer, TerminalQuery, TerminalSecret
from api.operations import Operation
from api.pages import Page, cursor_instant, page_of
from api.problems import ProblemError, refuse
from api.routes.results import whose
from core.activity_events import Action, record_activity
from core.domain.permissions import Permission, Scope
from core.queries import sql

if TYPE_CHECKING:
    from core.database import Connection


async def list_terminals(context: RequestContext, query: TerminalQuery) -> Page[TerminalAnswer]:
    """The terminals of the banca, or of the ventana that asks."""
    vendedor_id, ventana_id = whose(context, query.vendedor_id, query.ventana_id)
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        rows = await connection.fetch(
            sql("terminals/list"),
            context.banca_id,
            ventana_id,
            vendedor_id,
            *query.after(cursor_instant, UUID),
            query.page_size + 1,
            query.offset,
        )
    shown, meta = page_of(query, rows, keys=("created_at", "id"))
    return Page[TerminalAnswer](data=[terminal_answer(row) for row in shown], meta=meta)


async def get_terminal(context: RequestContext) -> TerminalAnswer:
    """One terminal, of the banca, or of the ventana that asks."""
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        return terminal_answer(await terminal(context, connection))


async def create_terminal(context: RequestContext, body: NewTerminal) -> TerminalSecret:
    """Make a terminal and show its secret, this once."""
    async with context.app[DATABASE].tenant(context.banca_id, readonly=False) as connection:
        place = await connection.fetchrow(sql("terminals/place"), context.banca_id, body.ventana_id, body.vendedor_id)
        if place is None:
            raise refuse(404, "VENTANA_NOT_FOUND", "There is no such active ventana.")
        if body.vendedor_id is not None and not place["has_vendedor"]:
            raise refuse(404, "VENDEDOR_NOT_FOUND", "The ventana has no such vendedor.")
        row = await connection.fetchrow(
            sql("terminals/create"),
            context.banca_id,
            uuid4(),
            body.ventana_id,
            body.vendedor_id,
            body.name,
            context.app[SETTINGS].terminal_master_key_id,
        )
        assert row is not None, "an insert returns its row"
        after = {name: row[name] for name in ("ventana_id", "vendedor_id", "name", "is_active", "key_version")}
        await tell(context, connection, Action.TERMINAL_CREATE, row["id"], before=None, after=after)
    return with_secret(context, row)


async def rotate_terminal(context: RequestContext, body: Rotation) -> TerminalSecret:
    """Give a terminal a new secret and show it, this once.

    The previous one works until graceS are over.
    """
    terminal_id = context.path_id("terminalId")
    async with context.app[DATABASE].tenant(context.banca_id, readonly=False) as connection:
        await require_terminal_match(context, connection)
        row = await connection.fetchrow(
            sql("terminals/rotate"),
            context.banca_id,
            terminal_id,
            context.app[SETTINGS].terminal_master_key_id,
            body.grace_s,
        )
        if row is None:
            raise no_terminal()
        before = {"key_version": row["former_key_version"]}
        after = {name: row[name] for name in ("key_version", "previous_valid_until")}
        await tell(context, connection, Action.TERMINAL_ROTATE, terminal_id, before=before, after=after)
    context.app[TERMINALS].forget(terminal_id)
    return with_secret(context, row)


async def disable_terminal(context: RequestContext) -> TerminalAnswer:
    """Disable a terminal: nothing that it signs is accepted from now on."""
    return await set_active(context, is_active=False)


async def enable_terminal(context: RequestContext) -> TerminalAnswer:
    """Enable a terminal again."""
    return await set_active(context, is_active=True)


async def set_active(context: RequestContext, *, is_active: bool) -> TerminalAnswer:
    terminal_id = context.path_id("terminalId")
    async with context.app[DATABASE].tenant(context.banca_id, readonly=False) as connection:
        await require_terminal_match(context, connection)
        row = await connection.fetchrow(sql("terminals/set_active"), context.banca_id, terminal_id, is_active)
        if row is None:
            raise no_terminal()
        action = Action.TERMINAL_ENABLE if is_active else Action.TERMINAL_DISABLE
        before = {"is_active": row["was_active"]}
        await tell(context, connection, action, terminal_id, before=before, after={"is_active": is_active})
    context.app[TERMINALS].forget(terminal_id)
    return terminal_answer(row)


async def require_terminal_match(context: RequestContext, connection: Connection) -> None:
    """Lock the terminal of the path and compare it with If-Match, when the request has one.

    Raises ProblemError: TERMINAL_NOT_FOUND, PRECONDITION_FAILED.
    """
    if context.has_condition:
        await connection.execute(sql("terminals/lock"), context.banca_id, context.path_id("terminalId"))
        context.require_match(terminal_answer(await terminal(context, connection)))


async def terminal(context: RequestContext, connection: Connection) -> asyncpg.Record:
    """The terminal of the path. Raises ProblemError TERMINAL_NOT_FOUND, also when it is another ventana's."""
    ventana_id = context.principal.ventana_id if context.scope is Scope.VENTANA else None
    row: asyncpg.Record | None = await connection.fetchrow(
        sql("terminals/get"), context.banca_id, context.path_id("terminalId"), ventana_id
    )
    if row is None:
        raise no_terminal()
    return row


def no_terminal() -> ProblemError:
    return refuse(404, "TERMINAL_NOT_FOUND", "There is no such terminal.")


async def tell(
    context: RequestContext,
    connection: Connection,
    action: Action,
    terminal_id: UUID,
    *,
    before: dict[str, Any] | None,
    after: dict[str, Any],
) -> None:
    """Into the audit trail. before, after: of the terminal, by the names of its columns; never its secret."""
    await record_activity(
        connection,
        action,
        actor_id=context.principal.user_id,
        target_type="TERMINAL",
        target_id=terminal_id,
        before=before and {to_camel(name): value for name, value in before.items()},
        after={to_camel(name): value for name, value in after.items()},
        request_id=context.request_id,
    )


def terminal_answer(row: asyncpg.Record) -> TerminalAnswer:
    return TerminalAnswer(**{name: row[name] for name in TerminalAnswer.model_fields})


def with_secret(context: RequestContext, row: asyncpg.Record) -> TerminalSecret:
    secret = context.app[MASTER_KEYS].secret_of(
        row["id"], key_version=row["key_version"], master_key_id=row["master_key_id"]
    )
    return TerminalSecret(**{name: row[name] for name in TerminalAnswer.model_fields}, secret=secret)


TAGS = ("terminals",)
ALL = "/api/v1/terminals"
ONE = f"{ALL}/{{terminalId}}"
READING = partial(Operation, method="GET", permission=Permission.TERMINALS_READ, tags=TAGS)
ADMINISTERING = partial(Operation, method="POST", permission=Permission.TERMINALS_ADMINISTER, tags=TAGS, tagged=True)
CHANGING = partial(ADMINISTERING, if_match=IfMatch.OPTIONAL)
OPERATIONS = (
    READING(path=ALL, handler=list_terminals, query=TerminalQuery, responses={200: Page[TerminalAnswer]}),
    READING(path=ONE, handler=get_terminal, responses={200: TerminalAnswer, 304: None}, tagged=True),
    ADMINISTERING(path=ALL, handler=create_terminal, body=NewTerminal, responses={201: TerminalSecret}),
    CHANGING(path=f"{ONE}/rotate", handler=rotate_terminal, body=Rotation, responses={200: TerminalSecret}),
    CHANGING(path=f"{ONE}/disable", handler=disable_terminal, responses={200: TerminalAnswer}),
    CHANGING(path=f"{ONE}/enable", handler=enable_terminal, responses={200: TerminalAnswer}),
)
