"""A ticket as it is read: what its sale recorded, and what became of it since."""

from __future__ import annotations

from typing import Any

from api.cash_memo_answers import memo_document
from api.payment_answers import payment_document, prize_members
from api.ticket_answers import ticket_document
from core.domain.calendar import format_instant
from core.domain.money import format_cents, format_hundredths
from core.till.records import TicketRecord
from core.till.standings import TicketStanding


def read_document(record: TicketRecord, standing: TicketStanding) -> dict[str, Any]:
    """The members of api.models.tickets.ReadTicketOut: of a ticket that nothing happened to, those of its sale."""
    document = ticket_document(record, cancelled_at=standing.cancelled_at)
    document["status"] = standing.status
    if standing.restored_at is not None:
        document["restoredAt"] = format_instant(standing.restored_at)
    for jugada in document["jugadas"]:
        if jugada["line"] in standing.excluded:
            jugada["isExcluded"] = True
    if standing.prizes is not None and standing.stored_status == "ACTIVE":
        add_prizes(document, standing)
    elif standing.payments:
        document["paymentHistory"] = payment_history(standing)
    if standing.memo is not None and standing.has_memo:
        document["cashMemo"] = memo_document(standing.memo)
    return document


def payment_history(standing: TicketStanding) -> list[dict[str, Any]]:
    """Those of a result that does not stand say so."""
    return [
        payment_document(payment)
        | ({"isOfEarlierResult": True} if payment["evaluation"] != standing.evaluation else {})
        for payment in standing.payments
    ]


def add_prizes(document: dict[str, Any], standing: TicketStanding) -> None:
    won = {prize.line: prize for prize in standing.prizes or ()}
    for jugada in document["jugadas"]:
        prize = won.get(jugada["line"])
        jugada["isWinner"] = prize is not None
        jugada["payout"] = format_cents(0 if prize is None else prize.cents)
        if prize is not None:
            jugada["finalMultiplierX"] = format_hundredths(prize.x_hundredths)
    standing_payments = [payment_document(payment) for payment in standing.standing_payments]
    last = standing_payments[-1] if standing_payments else None
    document |= {
        "isWinner": bool(won),
        **prize_members(standing.prize_cents, standing.paid_cents, is_closed=standing.is_closed),
        "lastPaymentAt": None if last is None else last["paidAt"],
        "paidById": None if last is None else last["paidById"],
        "paymentMethod": None if last is None else last["method"],
        "paymentNotes": None if last is None else last["notes"],
        "paymentHistory": payment_history(standing),
    }
