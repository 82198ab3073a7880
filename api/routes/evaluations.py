"""Results of draws: asked for here, paid and taken back by the workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

import asyncpg

from api.conditional import IfMatch
from api.context import RequestContext
from api.draw_readings import sorteo_not_found
from api.keys import DATABASE
from api.models.evaluations import (
    EvaluationAnswer,
    EvaluationIn,
    FailedTicket,
    Failure,
    Progress,
    ResultState,
    Revert,
    RevertIn,
)
from api.operations import Operation
from api.problems import ProblemError, refuse
from api.routes.sorteo_changes import require_sorteo_match
from core.domain.calendar import format_instant
from core.domain.money import format_cents
from core.domain.numbers import format_number
from core.domain.permissions import Permission
from core.domain.sorteo_states import TRANSITIONS, SorteoAction
from core.domain.ticket_number import ticket_number
from core.domain.violations import Violation
from core.queries import sql

if TYPE_CHECKING:
    from core.database import Connection

# Of an answer; more are counted.
FAILED_TICKETS_MAX = 100
FAILED: Mapping[str, ResultState] = MappingProxyType(
    {"RUNNING": ResultState.FAILED, "REVERTING": ResultState.REVERT_FAILED}
)
NUMBER, MULTIPLIER = "winningNumber", "extraMultiplierId"
# What is wrong with the request itself: the field, and why.
FAULTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "NUMBER_INVALID": (NUMBER, "The winning number is written in digits only."),
        "NUMBER_WIDTH_INVALID": (NUMBER, "The winning number has exactly as many digits as the draw."),
        "EXTRA_MULTIPLIER_REQUIRED": ("extraOutcomeCode", "An extra outcome needs its extraMultiplierId."),
        "INVALID_MULTIPLIER": (MULTIPLIER, "There is no such multiplier."),
        "INVALID_MULTIPLIER_LOTERIA": (MULTIPLIER, "The multiplier belongs to another loteria."),
        "INVALID_MULTIPLIER_KIND": (MULTIPLIER, "The multiplier is not one for REVENTADO."),
        "INACTIVE_MULTIPLIER": (MULTIPLIER, "The multiplier is not active, or not for this day."),
    }
)
# What stands against it in the draw.
CONFLICTS: Mapping[str, str] = MappingProxyType(
    {
        "EVALUATION_RUNNING": "The draw is being evaluated.",
        "EVALUATION_REVERTING": "The draw's evaluation is being taken back.",
        "EVALUATION_FAILED": "The draw's evaluation has failed; have it tried again, or take it back.",
        "EVALUATION_NOT_FAILED": "The draw's evaluation has not failed.",
        "SORTEO_ALREADY_EVALUATED": "The draw is evaluated; a wrong result is taken back first.",
        "SORTEO_NOT_EVALUATED": "The draw is not evaluated.",
    }
)


async def evaluate_sorteo(context: RequestContext, body: EvaluationIn) -> EvaluationAnswer:
    """Evaluate a closed draw.

    The prizes are paid after the answer; ask for the evaluation until it is `DONE`.
    """
    async with context.app[DATABASE].tenant(context.banca_id, readonly=False) as connection:
        await require_sorteo_match(context, connection)
        row = await connection.fetchrow(
            sql("evaluations/request"),
            context.banca_id,
            context.path_id("sorteoId"),
            *states_before(SorteoAction.EVALUATE),
            body.winning_number,
            body.extra_multiplier_id,
            body.extra_outcome_code,
            context.principal.user_id,
            context.request_id,
        )
        assert row is not None
        if row["outcome"] != "REQUESTED":
            raise refused(row)
        return await answer_of(context, connection)


async def revert_evaluation(context: RequestContext, body: RevertIn) -> EvaluationAnswer:
    """Take an evaluation back, prizes and all; the draw is closed again.

    Refused while prizes stand that were handed out, unless it is forced. Ask for the evaluation until it is `REVERTED`.
    """
    async with context.app[DATABASE].tenant(context.banca_id, readonly=False) as connection:
        await require_sorteo_match(context, connection)
        row = await connection.fetchrow(
            sql("evaluations/request_revert"),
            context.banca_id,
            context.path_id("sorteoId"),
            *states_before(SorteoAction.REVERT),
            body.reason,
            body.force,
            context.principal.user_id,
            context.request_id,
        )
        assert row is not None
        if row["outcome"] == "PAYMENTS_STAND":
            paid = f"{row['payments']} payments of {format_cents(row['paid_cents'])} in all"
            raise refuse(409, "PAYMENTS_STAND", f"Prizes were handed out: {paid}. Reverse them, or force it.")
        if row["outcome"] != "REQUESTED":
            raise refused(row)
        return await answer_of(context, connection)


async def retry_evaluation(context: RequestContext) -> EvaluationAnswer:
    """Try a failed evaluation again, or a failed revert: the tickets that failed first, then what is left."""
    async with context.app[DATABASE].tenant(context.banca_id, readonly=False) as connection:
        await require_sorteo_match(context, connection)
        row = await connection.fetchrow(
            sql("evaluations/retry"),
            context.banca_id,
            context.path_id("sorteoId"),
            context.principal.user_id,
            context.request_id,
        )
        assert row is not None
        if row["outcome"] != "REQUESTED":
            raise refused(row)
        return await answer_of(context, connection)


async def read_evaluation(context: RequestContext) -> EvaluationAnswer:
    """How far a draw's newest evaluation is, and what came of it."""
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        return await answer_of(context, connection)


def states_before(action: SorteoAction) -> tuple[list[str], list[bool]]:
    states = TRANSITIONS[action]
    return [state.status.value for state in states], [state.is_active for state in states]


def refused(row: asyncpg.Record) -> ProblemError:
    code: str = row["outcome"]
    if code == "SORTEO_NOT_FOUND":
        return sorteo_not_found()
    if code in FAULTS:
        field, message = FAULTS[code]
        return refuse(400, code, message, violations=[Violation(code, message, field)])
    if code == "SORTEO_NOT_CLOSED":
        return refuse(409, code, f"Only a closed draw is evaluated; this one is {row['status']}.")
    if code == "SORTEO_NOT_DRAWN":
        return refuse(409, code, f"The draw is at {format_instant(row['scheduled_at'])}; there is no result before.")
    return refuse(409, code, CONFLICTS[code])


async def answer_of(context: RequestContext, connection: Connection) -> EvaluationAnswer:
    row = await newest(context, connection)
    failures: list[asyncpg.Record] = []
    if row["failed_at"] is not None:
        failures = await connection.fetch(
            sql("evaluations/failures"), context.banca_id, row["sorteo_id"], row["evaluation"], FAILED_TICKETS_MAX
        )
    return evaluation_answer(row, failures)


async def newest(context: RequestContext, connection: Connection) -> asyncpg.Record:
    row = await connection.fetchrow(sql("evaluations/newest"), context.banca_id, context.path_id("sorteoId"))
    if row is None:
        raise sorteo_not_found()
    if row["evaluation"] is None:
        raise refuse(404, "EVALUATION_NOT_FOUND", "The draw was never evaluated.")
    return row


def evaluation_answer(row: asyncpg.Record, failures: Sequence[asyncpg.Record]) -> EvaluationAnswer:
    return EvaluationAnswer(
        sorteo_id=row["sorteo_id"],
        sorteo_status=row["status"],
        evaluation=row["evaluation"],
        state=row["state"] if row["failed_at"] is None else FAILED[row["state"]],
        winning_number=format_number(row["winning_number"], row["digits"]),
        extra_multiplier_id=row["extra_multiplier_id"],
        extra_multiplier_x=row["extra_x_hundredths"],
        extra_outcome_code=row["extra_outcome_code"],
        progress=Progress(done=row["next_sequence"] - 1, of=row["last_sequence"]),
        has_winner=row["has_winner"],
        winning_tickets=row["winning_tickets"],
        total_in=row["total_in_cents"],
        total_out=row["total_out_cents"],
        net_profit=row["net_profit_cents"],
        settled_at=row["settled_at"],
        requested_by=row["requested_by"],
        requested_at=row["requested_at"],
        revert=revert_of(row),
        failure=failure_of(row, failures),
    )


def failure_of(row: asyncpg.Record, failures: Sequence[asyncpg.Record]) -> Failure | None:
    if row["failed_at"] is None:
        return None
    return Failure(
        at=row["failed_at"],
        reason=row["failure"],
        ticket_count=failures[0]["failures"] if failures else 0,
        tickets=[
            FailedTicket(
                ticket_id=failure["ticket_id"],
                ticket_number=ticket_number(
                    business_date=failure["business_date"],
                    ordinal=failure["daily_ordinal"],
                    sequence=failure["sequence"],
                ),
                vendedor_id=failure["vendedor_id"],
                reason=failure["reason"],
                attempts=failure["attempts"],
                failed_at=failure["failed_at"],
            )
            for failure in failures
        ],
    )


def revert_of(row: asyncpg.Record) -> Revert | None:
    if row["revert_requested_at"] is None:
        return None
    return Revert(
        reason=row["revert_reason"],
        forced=row["revert_forced"],
        requested_by=row["revert_requested_by"],
        requested_at=row["revert_requested_at"],
        reverted_at=row["reverted_at"],
    )


SORTEO = "/api/v1/sorteos/{sorteoId}"
EVALUATING = partial(
    Operation,
    permission=Permission.SORTEOS_ADMINISTER,
    tags=("results",),
)
# The condition is on the draw; its evaluation goes on after the answer, which has no tag therefore.
ASKING = partial(
    EVALUATING,
    method="POST",
    responses={202: EvaluationAnswer},
    if_match=IfMatch.OPTIONAL,
)
OPERATIONS = (
    ASKING(path=f"{SORTEO}/evaluate", handler=evaluate_sorteo, body=EvaluationIn),
    ASKING(path=f"{SORTEO}/revert-evaluation", handler=revert_evaluation, body=RevertIn),
    ASKING(path=f"{SORTEO}/evaluation/retry", handler=retry_evaluation),
    EVALUATING(
        method="GET",
        path=f"{SORTEO}/evaluation",
        handler=read_evaluation,
        responses={200: EvaluationAnswer},
    ),
)
