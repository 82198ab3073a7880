"""A draw's way from one state to another, and what it was so far."""

from __future__ import annotations

from functools import partial
from typing import Any

from api.conditional import IfMatch
from api.context import RequestContext
from api.draw_readings import sorteo_not_found
from api.keys import DATABASE
from api.models.sorteo_changes import ReasonIn, SorteoState
from api.models.sorteos import SorteoAnswer
from api.operations import Operation
from api.pages import Page, PageQuery, page_of
from api.problems import ProblemError, refuse
from api.routes.sorteo_changes import require_sorteo_match, sorteo
from api.routes.sorteos import TAGS
from core.activity_events import LAYER_API
from core.domain.permissions import Permission
from core.domain.sorteo_states import TRANSITIONS, SorteoAction, SorteoStatus, State, sources
from core.queries import sql


async def open_sorteo(context: RequestContext, body: ReasonIn) -> SorteoAnswer:
    """Open a scheduled draw: from now on it is sold."""
    return await act(context, SorteoAction.OPEN, body.reason)


async def close_sorteo(context: RequestContext, body: ReasonIn) -> SorteoAnswer:
    """Close an open draw.

    Tickets that are being sold are finished first; none is sold after the answer.
    """
    return await act(context, SorteoAction.CLOSE, body.reason)


async def force_open_sorteo(context: RequestContext, body: ReasonIn) -> SorteoAnswer:
    """Open a draw that is not evaluated, also one that was closed or switched off.

    Once its sales are over it closes again by itself.
    """
    return await act(context, SorteoAction.FORCE_OPEN, body.reason)


async def deactivate_sorteo(context: RequestContext, body: ReasonIn) -> SorteoAnswer:
    """Switch a draw off: nothing is sold of it, and it does not open. Its tickets stay."""
    return await act(context, SorteoAction.DEACTIVATE, body.reason)


async def restore_sorteo(context: RequestContext, body: ReasonIn) -> SorteoAnswer:
    """Switch a draw on again, in the state in which it is."""
    return await act(context, SorteoAction.RESTORE, body.reason)


async def act(context: RequestContext, action: SorteoAction, reason: str | None) -> SorteoAnswer:
    sorteo_id, states = context.path_id("sorteoId"), TRANSITIONS[action]
    async with context.app[DATABASE].tenant(context.banca_id, readonly=False) as connection:
        await require_sorteo_match(context, connection)
        row = await connection.fetchrow(
            sql("sorteos/act"),
            context.banca_id,
            sorteo_id,
            action,
            *zip(*states.keys(), strict=True),
            *zip(*states.values(), strict=True),
            context.principal.user_id,
            LAYER_API,
            reason,
            context.request_id,
            *(None, None, None, None),
        )
        assert row is not None, "act_on_sorteo gives one row"
        if row["outcome"] == "NOT_FOUND":
            raise sorteo_not_found()
        if row["outcome"] == "EVALUATION_RUNNING":
            raise refuse(409, "EVALUATION_RUNNING", "The draw is being evaluated.")
        if row["outcome"] == "EVALUATION_FAILED":
            message = "The draw's evaluation has failed; have it tried again, or take it back."
            raise refuse(409, "EVALUATION_FAILED", message)
        if row["outcome"] == "WRONG_STATE":
            raise wrong_state(action, State(SorteoStatus(row["status"]), row["is_active"]))
        return await sorteo(context, connection, sorteo_id)


def wrong_state(action: SorteoAction, state: State) -> ProblemError:
    switched = "" if state.is_active else " and switched off"
    return refuse(
        409,
        "SORTEO_STATE_INVALID",
        f"The draw is {state.status}{switched}; {action} takes a draw that is {sources(action)}.",
    )


async def list_states(context: RequestContext, query: PageQuery) -> Page[SorteoState]:
    """Every change of a draw's state, the latest first."""
    sorteo_id = context.path_id("sorteoId")
    async with context.readings.tenant(context.banca_id) as connection:
        await sorteo(context, connection, sorteo_id)
        rows = await connection.fetch(
            sql("sorteos/states"),
            context.banca_id,
            sorteo_id,
            *query.after(ordinal),
            query.page_size + 1,
            query.offset,
        )
    shown, meta = page_of(query, rows, keys=("ordinal",))
    return Page[SorteoState](data=[SorteoState(**dict(row)) for row in shown], meta=meta)


def ordinal(key: Any) -> int:
    """Of a cursor. Raises ValueError or TypeError."""
    if not 0 < (place := int(key)) < 1 << 31:
        raise ValueError("no ordinal")
    return place


ONE = "/api/v1/sorteos/{sorteoId}"
ADMINISTERING = partial(Operation, permission=Permission.SORTEOS_ADMINISTER, tags=TAGS)
ACTING = partial(
    ADMINISTERING,
    method="POST",
    body=ReasonIn,
    body_optional=True,
    responses={200: SorteoAnswer},
    tagged=True,
    if_match=IfMatch.OPTIONAL,
)
OPERATIONS = (
    ADMINISTERING(
        method="GET",
        path=f"{ONE}/states",
        handler=list_states,
        query=PageQuery,
        responses={200: Page[SorteoState]},
        may_lag=True,
    ),
    ACTING(path=f"{ONE}/open", handler=open_sorteo),
    ACTING(path=f"{ONE}/close", handler=close_sorteo),
    ACTING(path=f"{ONE}/force-open", handler=force_open_sorteo),
    ACTING(path=f"{ONE}/deactivate", handler=deactivate_sorteo),
    ACTING(path=f"{ONE}/restore", handler=restore_sorteo),
)
