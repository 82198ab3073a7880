"""Money handed over between the bank and those who sell for it: registered, taken back, listed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from functools import partial
from typing import Any
from uuid import UUID

from aiohttp import web

from api.context import RequestContext
from api.fingerprints import fingerprint_of
from api.keys import CACHE, DATABASE, MOVEMENTS
from api.models.movements import (
    MovedOut,
    MovementIn,
    MovementPageOut,
    MovementReversalIn,
    MovementsQuery,
    RegisteredOut,
)
from api.movement_answers import moved_document, movement_document
from api.operations import Key, Operation
from api.pages import cursor_instant, page_of
from api.problems import Problem, ProblemError, refuse
from api.routes.results import whose
from api.rule_access import require_bounds
from api.statement_targets import entity_not_found
from api.ticket_answers import json_response, problem_of_trouble
from api.validation import validation_failed
from core.domain.calendar import costa_rica_date
from core.domain.permissions import Permission, Scope
from core.domain.statements import Dimension
from core.domain.ventana_bounds import VentanaWrite, judge_kind
from core.domain.violations import Violation
from core.movements import Moved, MovementRefusal, NotMoved, Registration, Reversal
from core.queries import sql
from core.till.outcomes import Verdict
from core.till.refusals import SENTENCES
from core.till.sales import TROUBLE

TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
REFUSALS = {
    MovementRefusal.KEY_MISMATCH: Problem(422, *SENTENCES[Verdict.MISMATCH]),
    MovementRefusal.ENTITY_NOT_FOUND: Problem(404, "ENTITY_NOT_FOUND", "There is no such seller, ventana or banca."),
    MovementRefusal.FUTURE_DATE: Problem(400, "FUTURE_DATE", "This day is still to come in Costa Rica."),
    MovementRefusal.FUTURE_TIME: Problem(400, "FUTURE_TIME", "This time of today is still to come in Costa Rica."),
    MovementRefusal.DATE_TOO_OLD: Problem(400, "DATE_TOO_OLD", "The day is more than a year ago."),
    MovementRefusal.STATEMENT_SETTLED: Problem(409, "STATEMENT_SETTLED", "The statement of this day is closed."),
    MovementRefusal.PAYMENT_NOT_FOUND: Problem(404, "PAYMENT_NOT_FOUND", "There is no such movement."),
    MovementRefusal.PAYMENT_ALREADY_REVERSED: Problem(
        409, "PAYMENT_ALREADY_REVERSED", "This movement was taken back before."
    ),
}


async def register_movement(context: RequestContext, body: MovementIn) -> web.StreamResponse:
    """Record that money was handed over: to a seller or a ventana, by it, or between the banca and its owner.

    It changes that one's balance and statement, and nobody else's. `possibleDuplicateOf` names an equal movement of the
    last ten minutes.
    """
    dimension, entity_id = entity_of(context, body)
    await require_movements(context)
    members: dict[str, Any] = {
        "dimension": dimension,
        "entity_id": entity_id,
        "day": body.date,
        "at": time_of(body.time),
        "amount_cents": body.amount,
        "type": body.type,
        "method": body.method,
        "notes": body.notes or None,
        "is_final": body.is_final,
    }
    asked = Registration(**request_members(context, "payment", members), **members)
    return await answered(context, context.app[MOVEMENTS].register(asked), status=201)


async def reverse_movement(context: RequestContext, body: MovementReversalIn) -> web.StreamResponse:
    """Take a movement back: it stays, and says so. Of a closed day, its opposite is posted on today's statement."""
    await require_movements(context)
    members: dict[str, Any] = {"movement_id": body.payment_id, "reason": body.reason}
    asked = Reversal(**request_members(context, "reverse-payment", members), **members)
    return await answered(context, context.app[MOVEMENTS].reverse(asked), status=200)


async def list_movements(context: RequestContext, query: MovementsQuery) -> web.StreamResponse:
    """The movements of a day, the latest first; those taken back among them.

    For a seller its own, for a VENTANA its own and its sellers', for the others the whole banca's.
    """
    day = query.date or costa_rica_date(datetime.now(UTC))
    seller, ventana = whose(context, query.vendedor_id, query.ventana_id)
    async with context.app[DATABASE].tenant(context.banca_id, is_snapshot=True) as connection:
        total = await connection.fetchval(sql("movements/count"), context.banca_id, day, seller, ventana)
        rows = await connection.fetch(
            sql("movements/of_day"),
            context.banca_id,
            day,
            seller,
            ventana,
            *query.after(cursor_instant, UUID),
            query.page_size + 1,
            query.offset,
        )
    shown, meta = page_of(query, rows, keys=("occurred_at", "id"))
    listed = [movement_document(context.banca_id, row["facts"]) for row in shown]
    members = meta.model_dump(by_alias=True)
    return json_response({"data": listed, "meta": {**members, "date": day, "total": total}})


def entity_of(context: RequestContext, body: MovementIn) -> tuple[Dimension, UUID]:
    """Raises ProblemError FORBIDDEN, MISSING_DIMENSION, VALIDATION_FAILED, ENTITY_NOT_FOUND."""
    if context.scope is Scope.VENTANA and body.banca_id is not None:
        raise refuse(403, "FORBIDDEN", "A ventana moves no money of the banca's own.")
    if body.vendedor_id is not None and body.ventana_id is not None:
        message = "A movement is a seller's or a ventana's: send one of vendedorId and ventanaId."
        raise validation_failed([Violation("FIELD_INVALID", message, "ventanaId")])
    if body.banca_id not in (None, context.banca_id):
        raise entity_not_found()
    if body.vendedor_id is not None:
        return Dimension.VENDEDOR, body.vendedor_id
    if body.ventana_id is not None:
        return Dimension.VENTANA, body.ventana_id
    if body.banca_id is not None:
        return Dimension.BANCA, body.banca_id
    raise refuse(400, "MISSING_DIMENSION", "Say whose money it is: vendedorId, ventanaId or bancaId.")


async def require_movements(context: RequestContext) -> None:
    """Whether ventanas may move money, their banca says. Raises ProblemError VENTANA_WRITE_FORBIDDEN."""
    if context.scope is Scope.VENTANA:
        async with context.app[DATABASE].tenant(context.banca_id) as connection:
            await require_bounds(context, connection, lambda bounds: judge_kind(bounds, VentanaWrite.MOVEMENT))


def time_of(text: str) -> time:
    """Raises ProblemError INVALID_TIME_FORMAT."""
    found = TIME.fullmatch(text)
    if found is None:
        raise refuse(400, "INVALID_TIME_FORMAT", "Write the time as HH:MM, from 00:00 to 23:59.")
    return time(int(found[1]), int(found[2]))


def request_members(context: RequestContext, action: str, members: Mapping[str, Any]) -> dict[str, Any]:
    """What every request has: who asks, and what names the request under its key."""
    return {
        "banca_id": context.banca_id,
        "actor_id": context.principal.user_id,
        "key": context.idempotency_key or "",
        "fingerprint": fingerprint_of(f"/accounts/{action}", members),
        "request_id": context.request_id,
    }


async def answered(context: RequestContext, moving: Awaitable[Moved | NotMoved], *, status: int) -> web.StreamResponse:
    """A replay has the first answer's status and bytes."""
    try:
        answer = await moving
    except TROUBLE as error:
        raise ProblemError(problem_of_trouble(error)) from error
    match answer:
        case Moved():
            payment = answer.facts["payment"]
            if payment["dimension"] == Dimension.VENDEDOR:
                await context.app[CACHE].until_hidden(context.banca_id, [UUID(payment["entityId"])])
            document = moved_document(context.banca_id, answer.facts)
            return json_response(document, status=status, replayed=answer.replayed)
        case NotMoved():
            raise ProblemError(problem_of(answer))


def problem_of(answer: NotMoved) -> Problem:
    if answer.settled_through is not None and answer.refusal is MovementRefusal.STATEMENT_SETTLED:
        return settled_problem(answer.settled_through, field="date")
    return REFUSALS[answer.refusal]


def settled_problem(settled_through: date, *, field: str) -> Problem:
    """Says which days are closed."""
    problem = REFUSALS[MovementRefusal.STATEMENT_SETTLED]
    through = {"settledThrough": settled_through}
    return replace(problem, violations=[Violation(problem.code, problem.detail, field, through)])


MOVING = partial(
    Operation,
    method="POST",
    permission=Permission.MOVEMENTS_ADMINISTER,
    tags=("accounts",),
    key=Key.REQUIRED,
)
OPERATIONS = (
    MOVING(
        path="/api/v1/accounts/payment",
        handler=register_movement,
        body=MovementIn,
        responses={201: RegisteredOut},
    ),
    MOVING(
        path="/api/v1/accounts/reverse-payment",
        handler=reverse_movement,
        body=MovementReversalIn,
        responses={200: MovedOut},
    ),
    Operation(
        method="GET",
        path="/api/v1/accounts/payment-history",
        handler=list_movements,
        query=MovementsQuery,
        permission=Permission.MOVEMENTS_READ,
        tags=("accounts",),
        responses={200: MovementPageOut},
    ),
)
