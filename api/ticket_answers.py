"""Tickets and refusals as JSON: the same function renders a fresh sale, its replay and its later reading."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import orjson

from api.problems import Problem, database_problem
from api.ready_response import ReadyResponse
from core.database import DatabaseUnavailableError, OutcomeUnknownError
from core.domain.calendar import format_instant
from core.domain.money import format_cents, format_hundredths
from core.domain.numbers import format_number
from core.domain.ticket import PricedJugada
from core.rulebooks import BancaNotFoundError
from core.till.lane import BatchFailedError
from core.till.records import TicketRecord
from core.till.refusals import Refused
from core.till.sales import PriceKeepsChangingError
from core.till.till import TillClosedError, TillFullError

# Of codes that are not the request's form (400).
STATUSES: Mapping[str, int] = MappingProxyType(
    {
        "SESSION_REVOKED": 401,
        "TERMINAL_KEY_REVOKED": 401,
        "USER_INACTIVE": 403,
        "VENTANA_INACTIVE": 403,
        "BANCA_INACTIVE": 403,
        "TERMINAL_DISABLED": 403,
        "TERMINAL_MISMATCH": 403,
        "SELLER_NOT_OWN": 403,
        "SELLER_NOT_FOUND": 404,
        "SORTEO_NOT_FOUND": 404,
        "LOTERIA_NOT_FOUND": 404,
        "IDEMPOTENCY_PAYLOAD_MISMATCH": 422,
        "TICKET_REJECTED": 422,
        "CANCELLED_BEFORE_SALE": 409,
        "SORTEO_NOT_OPEN": 409,
        "OUT_OF_SALES_HOURS": 409,
        "SORTEO_CLOSED": 409,
        "SORTEO_LOCKED": 409,
        "SALES_CUTOFF_REACHED": 409,
        "NUMBER_MAXTOTAL_EXCEEDED": 409,
        "SORTEO_MAXTOTAL_EXCEEDED": 409,
        "NUMBER_PAYOUT_EXCEEDED": 409,
        "INSUFFICIENT_FUNDS": 409,
        "TICKET_ALREADY_CANCELLED": 409,
        "SALE_WAS_REFUSED": 409,
        "LISTA_EXCLUDED": 409,
        "TICKET_EXCLUDED": 409,
        "TICKET_CANCELLED": 409,
        "TICKET_NOT_CANCELLED": 409,
        "TICKET_RESTORED_TOO_OFTEN": 409,
        "DRAW_PASSED": 409,
        "SORTEO_NOT_EVALUATED": 409,
        "TICKET_NOT_WINNER": 409,
        "ALREADY_PAID": 409,
        "PAID_UNDER_EARLIER_RESULT": 409,
        "PAYMENT_NOT_FOUND": 409,
        "TICKET_PAID_TOO_OFTEN": 409,
    }
)
RETRY_AFTER_S = 1
REPLAYED_LINE = "Idempotent-Replayed: true\r\n"


def ticket_document(record: TicketRecord, *, cancelled_at: datetime | None = None) -> dict[str, Any]:
    """The members of api.models.tickets.TicketOut."""
    digits = record.digits
    return {
        "id": record.id,
        "ticketNumber": record.ticket_number,
        "bancaId": record.banca_id,
        "ventanaId": record.ventana_id,
        "vendedorId": record.vendedor_id,
        "loteriaId": record.loteria_id,
        "sorteoId": record.sorteo_id,
        "businessDate": record.business_date,
        "status": "ACTIVE" if cancelled_at is None else "CANCELLED",
        "clienteNombre": record.cliente_nombre,
        "totalAmount": format_cents(record.total_cents),
        "totalCommission": format_cents(record.commission_cents),
        "totalListeroCommission": format_cents(record.listero_commission_cents),
        "createdAt": format_instant(record.created_at),
        "createdBy": record.created_by,
        "createdByRole": record.created_by_role,
        "terminalId": record.terminal_id,
        "rulebookVersion": record.rulebook_version,
        "cancelledAt": None if cancelled_at is None else format_instant(cancelled_at),
        "jugadas": [jugada_document(jugada, digits) for jugada in record.jugadas],
        **({"warnings": record.warnings} if record.warnings else {}),
    }


def jugada_document(jugada: PricedJugada, digits: int) -> dict[str, Any]:
    return {
        "line": jugada.line,
        "type": jugada.type.value,
        "number": format_number(jugada.number, digits),
        "amount": format_cents(jugada.amount_cents),
        "multiplierId": jugada.multiplier_id,
        "finalMultiplierX": format_hundredths(jugada.multiplier_x_hundredths),
        "commissionPercent": format_hundredths(jugada.commission_basis_points),
        "commissionAmount": format_cents(jugada.commission_cents),
        "commissionOrigin": jugada.commission_origin,
        "commissionRuleId": jugada.commission_rule_id,
        "listeroCommissionAmount": format_cents(jugada.listero_commission_cents),
    }


def json_response(document: Mapping[str, Any], *, status: int = 200, replayed: bool = False) -> ReadyResponse:
    return ReadyResponse(
        orjson.dumps(document, default=_uuid_text), status=status, extra=REPLAYED_LINE if replayed else ""
    )


def _uuid_text(value: object) -> str:
    # The driver's UUIDs are a subclass, which orjson does not take for one.
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value)} is no member of an answer")


def problem_of_refusal(refused: Refused) -> Problem:
    """What was recorded must not name the request that asked: its replay has the same bytes."""
    return Problem(
        status=STATUSES.get(refused.code, 400),
        code=refused.code,
        detail=refused.detail,
        violations=refused.violations,
        is_recorded=refused.recorded,
        headers={"Idempotent-Replayed": "true"} if refused.replayed else {},
    )


def problem_of_trouble(error: BaseException) -> Problem:
    """Ours to mend; the caller sends the same key again. A defect passes through."""
    match error:
        case TillFullError():
            return _unavailable("TILL_FULL", "More tickets wait than the till takes; nothing was written.")
        case TillClosedError():
            return _unavailable("SHUTTING_DOWN", "This process is shutting down; nothing was written.")
        case PriceKeepsChangingError():
            return _unavailable("RULES_CHANGING", "The rules changed while this was priced; nothing was written.")
        case DatabaseUnavailableError():
            return database_problem(error)
        case OutcomeUnknownError():
            return _unavailable(
                "OUTCOME_UNKNOWN", "The answer was lost on its way: send the same key again to learn what became of it."
            )
        case BancaNotFoundError():
            return Problem(404, "BANCA_NOT_FOUND", "There is no such banca.")
        case BatchFailedError():
            # A defect of ours, logged where it happened; the neighbours of this ticket have answers of their own.
            return Problem(500, "INTERNAL_ERROR", "Something went wrong here; it was logged under the request's id.")
        case _:
            raise error


def _unavailable(code: str, detail: str) -> Problem:
    return Problem(503, code, detail, retry_after_s=RETRY_AFTER_S)
