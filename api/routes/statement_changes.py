"""What is done to statements by hand: a seller's begins at 0 again, and a day on which nothing happened is deleted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from aiohttp import web

from api.context import RequestContext
from api.keys import BALANCE_RESETS, DATABASE
from api.models.statement_changes import BalanceResetIn, BalanceResetOut
from api.movement_answers import day_document
from api.operations import Key, Operation
from api.problems import Problem, ProblemError
from api.routes.movements import request_members, settled_problem
from api.ticket_answers import json_response, problem_of_trouble
from core.balance_resets import BalanceReset, NotReset, ResetRefusal, ResetRequest
from core.domain.calendar import parse_date
from core.domain.permissions import Permission
from core.domain.statements import Dimension
from core.queries import sql
from core.till.later_refusals import instant_text
from core.till.outcomes import Verdict
from core.till.refusals import SENTENCES
from core.till.sales import TROUBLE

REFUSALS = {
    ResetRefusal.KEY_MISMATCH: Problem(422, *SENTENCES[Verdict.MISMATCH]),
    ResetRefusal.ENTITY_NOT_FOUND: Problem(404, "ENTITY_NOT_FOUND", "There is no such seller."),
    ResetRefusal.NOT_RESET: Problem(409, "NOT_RESET", "There is no reset to take back."),
    ResetRefusal.STATEMENT_SETTLED: Problem(409, "STATEMENT_SETTLED", "The statement of this day is closed."),
    ResetRefusal.FUTURE_DATE: Problem(400, "FUTURE_DATE", "The instant is still to come."),
    ResetRefusal.DATE_TOO_OLD: Problem(400, "DATE_TOO_OLD", "The instant is more than a year ago."),
    ResetRefusal.ALREADY_RESET: Problem(409, "ALREADY_RESET", "The statement was reset at this instant, or later."),
}
NOT_DELETED = {
    "STATEMENT_NOT_FOUND": Problem(404, "STATEMENT_NOT_FOUND", "There is no such statement."),
    "STATEMENT_SETTLED": Problem(409, "STATEMENT_SETTLED", "The statement of this day is closed."),
    "STATEMENT_HAS_TICKETS": Problem(409, "STATEMENT_HAS_TICKETS", "Tickets count on this day."),
    "STATEMENT_HAS_PAYMENTS": Problem(409, "STATEMENT_HAS_PAYMENTS", "Money was handed over on this day."),
    "STATEMENT_HAS_WRITE_OFFS": Problem(409, "STATEMENT_HAS_WRITE_OFFS", "Cash was written off on this day."),
    "STATEMENT_HAS_CORRECTIONS": Problem(409, "STATEMENT_HAS_CORRECTIONS", "Corrections of earlier days stand here."),
    "STATEMENT_IS_RESET": Problem(409, "STATEMENT_IS_RESET", "The seller's statement begins anew on this day."),
}
STATEMENT_ID = re.compile(r"(banca|ventana|vendedor):([0-9a-f-]{36}):([0-9-]{10})")


async def reset_balance(context: RequestContext, body: BalanceResetIn) -> web.StreamResponse:
    """Let a seller's statement begin at 0 again, from an instant on; or no more.

    What it owes stays on its account: a reset is a line in the statement, and moves no money.
    """
    members: dict[str, Any] = {
        "vendedor_id": body.vendedor_id,
        "reset_at": body.reset_at,
        "is_revert": body.revert,
    }
    asked = ResetRequest(**request_members(context, "reset-balance", members), **members)
    try:
        answer = await context.app[BALANCE_RESETS].reset(asked)
    except TROUBLE as error:
        raise ProblemError(problem_of_trouble(error)) from error
    match answer:
        case BalanceReset():
            return json_response(reset_document(answer.facts), replayed=answer.replayed)
        case NotReset():
            raise ProblemError(problem_of(answer))


def reset_document(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The members of api.models.statement_changes.BalanceResetOut."""
    day, reverted_at = facts["statement"], facts["revertedAt"]
    return {
        "vendedorId": facts["vendedorId"],
        "resetAt": instant_text(facts["at"]),
        "revertedAt": None if reverted_at is None else instant_text(reverted_at),
        "statement": None if day is None else day_document(Dimension.VENDEDOR, facts["vendedorId"], day),
    }


def problem_of(answer: NotReset) -> Problem:
    if answer.settled_through is not None and answer.refusal is ResetRefusal.STATEMENT_SETTLED:
        return settled_problem(answer.settled_through, field="resetAt")
    return REFUSALS[answer.refusal]


async def delete_statement(context: RequestContext) -> None:
    """Delete the stored row of a day on which nothing happened after all: `vendedor:<uuid>:2026-01-15`."""
    dimension, entity_id, day = statement_named(context.request.match_info["id"])
    async with context.app[DATABASE].tenant(context.banca_id, readonly=False) as connection:
        outcome = await connection.fetchval(
            sql("statements/delete"),
            context.banca_id,
            context.principal.user_id,
            dimension.value,
            entity_id,
            day,
            context.request_id,
        )
    if outcome != "DELETED":
        raise ProblemError(NOT_DELETED[outcome])


def statement_named(text: str) -> tuple[Dimension, UUID, date]:
    """Raises ProblemError STATEMENT_NOT_FOUND."""
    found = STATEMENT_ID.fullmatch(text)
    if found is None:
        raise ProblemError(NOT_DELETED["STATEMENT_NOT_FOUND"])
    try:
        return Dimension(found[1].upper()), UUID(found[2]), parse_date(found[3])
    except ValueError:
        raise ProblemError(NOT_DELETED["STATEMENT_NOT_FOUND"]) from None


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/v1/accounts/reset-balance",
        handler=reset_balance,
        body=BalanceResetIn,
        permission=Permission.STATEMENTS_RESET,
        tags=("accounts",),
        key=Key.REQUIRED,
        responses={200: BalanceResetOut},
    ),
    Operation(
        method="DELETE",
        path="/api/v1/accounts/statement/{id}",
        handler=delete_statement,
        permission=Permission.STATEMENTS_DELETE,
        tags=("accounts",),
        responses={204: None},
    ),
)
