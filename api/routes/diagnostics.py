"""Why the till says what it says: the cutoff as it stands, and a described ticket explained."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from api.context import RequestContext
from api.draw_readings import read_draw, seller_for
from api.models.diagnostics import CutoffAnswer, CutoffQuery, ExplainCase, ExplainDecision
from api.operations import Operation
from api.problems import refuse
from api.ticket_answers import json_response
from core.domain.cutoffs import GRACE_S, cutoff_in_force, sales_end
from core.domain.explain import CaseError, explain
from core.domain.permissions import Permission
from core.domain.sorteo_states import SorteoStatus

TAGS = ("diagnostics",)
# A limit is shown per rule and number of the ticket, and a case of 200 kB could ask for millions of them.
LIMITS_SHOWN_MAX = 10_000


async def read_cutoff(context: RequestContext, query: CutoffQuery) -> CutoffAnswer:
    """When sales of a draw end for a seller.

    The same cutoff as a sale's, and the database's time.
    """
    reading = await read_draw(context, query.sorteo_id, seller_of=seller_for(context, query.vendedor_id))
    terms = reading.terms
    cutoff = cutoff_in_force(terms.rulebook, terms.seller, at=terms.at)
    scheduled_at = terms.draw.scheduled_at
    ends_at = sales_end(scheduled_at, cutoff.seconds)
    return CutoffAnswer(
        sorteo_id=terms.draw.id,
        vendedor_id=terms.seller.id,
        at=terms.at,
        scheduled_at=scheduled_at,
        sorteo_status=SorteoStatus(reading.status),
        cutoff_minutes=cutoff.minutes,
        cutoff_source=cutoff.source,
        cutoff_rule_id=cutoff.rule_id,
        grace_ms=GRACE_S * 1_000,
        limit_time=ends_at - timedelta(seconds=GRACE_S),
        effective_limit_time=ends_at,
        seconds_until_limit=seconds_until(ends_at, terms.at),
        seconds_until_scheduled=seconds_until(scheduled_at, terms.at),
        blocks=terms.at >= ends_at,
    )


def seconds_until(instant: datetime, at: datetime) -> int:
    return max(0, -((at - instant) // timedelta(seconds=1)))


async def explain_case(context: RequestContext, body: dict[str, Any]) -> web.StreamResponse:
    """Why a described ticket is sold or refused.

    The body brings everything that decides; nothing is read from the database. docs/explain.md describes both.
    """
    require_reasonable(body)
    try:
        # It may take its time, and the till's tickets wait for the same loop.
        decision = await asyncio.to_thread(explain, body)
    except CaseError as error:
        raise refuse(400, "EXPLAIN_CASE_INVALID", f"The case is malformed: {error}") from None
    return json_response(decision)


def require_reasonable(case: dict[str, Any]) -> None:
    """What is no list is not counted here; explain says what is wrong with it."""
    ticket = case.get("ticket")
    jugadas = ticket.get("jugadas") if isinstance(ticket, dict) else None
    restrictions = case.get("restrictions")
    if not isinstance(jugadas, list) or not isinstance(restrictions, list):
        return
    rules = sum(rows_of(rule) for rule in restrictions)
    if rules * len(jugadas) > LIMITS_SHOWN_MAX:
        detail = f"The case has {rules} rules for {len(jugadas)} jugadas; their product may be {LIMITS_SHOWN_MAX}."
        raise refuse(400, "EXPLAIN_CASE_TOO_LARGE", detail)


def rows_of(rule: object) -> int:
    """A rule with a list of numbers is one for each."""
    numbers = rule.get("number") if isinstance(rule, dict) else None
    return max(1, len(numbers)) if isinstance(numbers, list) else 1


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/diagnostics/cutoff",
        handler=read_cutoff,
        permission=Permission.CUTOFF_READ,
        tags=TAGS,
        query=CutoffQuery,
        responses={200: CutoffAnswer},
    ),
    Operation(
        method="POST",
        path="/api/v1/diagnostics/explain",
        handler=explain_case,
        permission=Permission.CASES_EXPLAIN,
        tags=TAGS,
        body=ExplainCase,
        raw_body=True,
        responses={200: ExplainDecision},
        tenant=False,
    ),
)
