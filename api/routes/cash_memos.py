"""Cash that is out over a corrected result: listed, noted as settled, written off."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from aiohttp import web

from api.cash_memo_answers import ended_document, memo_document
from api.context import RequestContext
from api.keys import CACHE, CASH_MEMOS, DATABASE
from api.models.cash_memos import CashMemoPageOut, CashMemosQuery, EndedMemoOut, MemoEndingIn, MemoState
from api.operations import Key, Operation
from api.pages import page_of
from api.problems import Problem, ProblemError
from api.routes.movements import request_members
from api.routes.results import whose
from api.ticket_answers import json_response, problem_of_trouble
from api.validation import validation_failed
from core.cash_memos import Ended, EndingKind, EndingRefusal, EndingRequest, NotEnded
from core.domain.money import format_cents
from core.domain.permissions import Permission
from core.domain.violations import Violation
from core.queries import sql
from core.till.outcomes import Verdict
from core.till.refusals import SENTENCES
from core.till.sales import TROUBLE

REFUSALS = {
    EndingRefusal.KEY_MISMATCH: Problem(422, *SENTENCES[Verdict.MISMATCH]),
    EndingRefusal.MEMO_NOT_FOUND: Problem(404, "CASH_MEMO_NOT_FOUND", "There is no cash memo of such a ticket."),
    EndingRefusal.MEMO_CLOSED: Problem(409, "CASH_MEMO_CLOSED", "Nothing is open of this memo."),
    EndingRefusal.MEMO_EXCEEDED: Problem(400, "CASH_MEMO_EXCEEDED", "Less than that is open of this memo."),
    EndingRefusal.EVALUATION_RUNNING: Problem(409, "EVALUATION_RUNNING", "The draw is being evaluated."),
    EndingRefusal.EVALUATION_REVERTING: Problem(
        409, "EVALUATION_REVERTING", "The draw's evaluation is being taken back."
    ),
    EndingRefusal.SORTEO_NOT_EVALUATED: Problem(
        409, "SORTEO_NOT_EVALUATED", "What is too much is not known: this draw has no result that stands."
    ),
}


async def list_cash_memos(context: RequestContext, query: CashMemosQuery) -> web.StreamResponse:
    """Cash that winners were handed out and that is above the prize that stands, after a correction of the result.

    For a seller of its own tickets, for a VENTANA of its own, for the others the whole banca's; the latest draws first.
    """
    if query.from_date is not None and query.to_date is not None and query.to_date < query.from_date:
        raise validation_failed([Violation("FIELD_OUT_OF_RANGE", "toDate is not before fromDate.", "toDate")])
    seller, ventana = whose(context, query.vendedor_id, query.ventana_id)
    about = (context.banca_id, seller, ventana, query.sorteo_id, query.from_date, query.to_date)
    async with context.app[DATABASE].tenant(context.banca_id, is_snapshot=True) as connection:
        total = await connection.fetchrow(sql("cash_memos/total"), *about)
        rows = await connection.fetch(
            sql("cash_memos/page"),
            *about,
            query.state is MemoState.OPEN,
            *query.after(date.fromisoformat, UUID),
            query.page_size + 1,
            query.offset,
        )
    assert total is not None, "a sum is one row"
    shown, meta = page_of(query, rows, keys=("business_date", "ticket_id"))
    sums = {"openCount": total["count"], "openAmount": format_cents(total["open_cents"])}
    members = {**meta.model_dump(by_alias=True), **sums}
    return json_response({"data": [memo_document(row["facts"]) for row in shown], "meta": members})


async def settle_cash_memo(context: RequestContext, body: MemoEndingIn) -> web.StreamResponse:
    """Note that cash came back, of a ticket that was paid more than the prize that stands. It moves no account."""
    return await end_memo(context, "settle", EndingKind.SETTLEMENT, body)


async def write_off_cash_memo(context: RequestContext, body: MemoEndingIn) -> web.StreamResponse:
    """Let the banca bear cash that is out: the seller is credited with it, on today's statement.

    It stands as long as the result that stands now: when that is taken back, so is the write-off.
    """
    return await end_memo(context, "write-off", EndingKind.WRITE_OFF, body)


async def end_memo(context: RequestContext, action: str, kind: EndingKind, body: MemoEndingIn) -> web.StreamResponse:
    ticket_id = context.path_id("ticketId")
    members: dict[str, Any] = {"amount_cents": body.amount, "reason": body.reason}
    asked = EndingRequest(
        **request_members(context, f"cash-memos/{ticket_id}/{action}", members),
        ticket_id=ticket_id,
        kind=kind,
        **members,
    )
    try:
        answer = await context.app[CASH_MEMOS].end(asked)
    except TROUBLE as error:
        raise ProblemError(problem_of_trouble(error)) from error
    match answer:
        case Ended():
            if kind is EndingKind.WRITE_OFF:
                seller = UUID(answer.facts["memo"]["vendedorId"])
                await context.app[CACHE].until_hidden(context.banca_id, [seller])
            return json_response(ended_document(answer.facts), replayed=answer.replayed)
        case NotEnded():
            raise ProblemError(problem_of(answer))


def problem_of(answer: NotEnded) -> Problem:
    problem = REFUSALS[answer.refusal]
    if answer.refusal is not EndingRefusal.MEMO_EXCEEDED:
        return problem
    left = {"openAmount": format_cents(answer.open_cents or 0)}
    violation = Violation(problem.code, f"Of this memo {left['openAmount']} is open.", "amount", left)
    return Problem(problem.status, problem.code, problem.detail, violations=[violation])


ENDING = partial(
    Operation,
    method="POST",
    body=MemoEndingIn,
    permission=Permission.CASH_MEMOS_ADMINISTER,
    tags=("accounts",),
    key=Key.REQUIRED,
    responses={200: EndedMemoOut},
)
OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/accounts/cash-memos",
        handler=list_cash_memos,
        query=CashMemosQuery,
        permission=Permission.CASH_MEMOS_READ,
        tags=("accounts",),
        responses={200: CashMemoPageOut},
    ),
    ENDING(path="/api/v1/accounts/cash-memos/{ticketId}/settle", handler=settle_cash_memo),
    ENDING(path="/api/v1/accounts/cash-memos/{ticketId}/write-off", handler=write_off_cash_memo),
)
