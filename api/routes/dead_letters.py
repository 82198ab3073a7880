"""Dead letters: what no worker could do, seen and decided by an ADMIN."""

from __future__ import annotations

from uuid import UUID

from api.context import RequestContext
from api.keys import DATABASE
from api.models.dead_letters import DeadLetterAnswer, DeadLetterQuery, LetterState
from api.operations import Operation
from api.pages import Page, cursor_instant, page_of
from api.problems import refuse
from core.activity_events import LAYER_API
from core.domain.permissions import Permission
from core.queries import sql


async def list_dead_letters(context: RequestContext, query: DeadLetterQuery) -> Page[DeadLetterAnswer]:
    """Dead letters of every banca, the newest first."""
    async with context.app[DATABASE].connection() as connection:
        rows = await connection.fetch(
            sql("dead_letters/page"),
            query.state,
            query.queue,
            *query.after(cursor_instant, UUID),
            query.page_size + 1,
            query.offset,
        )
    shown, meta = page_of(query, rows, keys=("first_seen_at", "id"))
    return Page[DeadLetterAnswer](data=[DeadLetterAnswer(**dict(row)) for row in shown], meta=meta)


async def replay_dead_letter(context: RequestContext) -> None:
    """Send a parked letter again, once and by itself.

    What was done meanwhile is not done a second time; what dies again is parked again.
    """
    await decide(context, LetterState.REPLAYED)


async def drop_dead_letter(context: RequestContext) -> None:
    """Give a parked letter up: nobody sends its event again."""
    await decide(context, LetterState.DROPPED)


async def decide(context: RequestContext, decision: LetterState) -> None:
    user_id = context.principal.user_id
    async with context.app[DATABASE].connection() as connection:
        outcome = await connection.fetchval(
            sql("dead_letters/decide"),
            context.path_id("letterId"),
            decision,
            f"user:{user_id}",
            user_id,
            LAYER_API,
            context.request_id,
        )
    if outcome == "NOT_FOUND":
        raise refuse(404, "DEAD_LETTER_NOT_FOUND", "There is no such dead letter.")
    if outcome == "NOT_PARKED":
        raise refuse(409, "DEAD_LETTER_NOT_PARKED", "The letter was replayed or dropped already.")


TAGS = ("admin",)
OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/admin/dead-letters",
        handler=list_dead_letters,
        permission=Permission.DEAD_LETTERS_READ,
        tags=TAGS,
        query=DeadLetterQuery,
        responses={200: Page[DeadLetterAnswer]},
        tenant=False,
    ),
    Operation(
        method="POST",
        path="/api/v1/admin/dead-letters/{letterId}/replay",
        handler=replay_dead_letter,
        permission=Permission.DEAD_LETTERS_ADMINISTER,
        tags=TAGS,
        responses={204: None},
        tenant=False,
    ),
    Operation(
        method="POST",
        path="/api/v1/admin/dead-letters/{letterId}/drop",
        handler=drop_dead_letter,
        permission=Permission.DEAD_LETTERS_ADMINISTER,
        tags=TAGS,
        responses={204: None},
        tenant=False,
    ),
)
