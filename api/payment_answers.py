"""Prizes and payments as JSON, of what sql/functions/pay_ticket.sql records of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from core.domain.money import format_cents
from core.domain.ticket_number import ticket_number
from core.till.later_refusals import instant_text


def settled_document(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The members of api.models.payments.SettledTicketOut."""
    number = ticket_number(
        business_date=date.fromisoformat(facts["businessDate"]),
        ordinal=facts["dailyOrdinal"],
        sequence=facts["sequence"],
    )
    return {
        "ticketId": facts["ticketId"],
        "ticketNumber": number,
        "sorteoId": facts["sorteoId"],
        "status": "PAID" if facts["isClosed"] else "EVALUATED",
        **prize_members(facts["prizeCents"], facts["paidCents"], is_closed=facts["isClosed"]),
        "isPartial": facts["paidCents"] < facts["prizeCents"],
        "payment": payment_document(facts["payment"]),
    }


def prize_members(prize_cents: int, paid_cents: int, *, is_closed: bool) -> dict[str, str]:
    """paid_cents: under all results. is_closed: paid in full, or what was left waived."""
    left = max(prize_cents - paid_cents, 0)
    return {
        "totalPayout": format_cents(prize_cents),
        "totalPaid": format_cents(paid_cents),
        "remainingAmount": format_cents(0 if is_closed else left),
        "waivedAmount": format_cents(left if is_closed else 0),
    }


def payment_document(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The members of api.models.payments.PaymentOut."""
    return {
        "ordinal": facts["ordinal"],
        "amountPaid": format_cents(facts["amountCents"]),
        "method": facts["method"],
        "notes": facts["notes"],
        "isFinal": facts["isFinal"],
        "paidAt": instant_text(facts["at"]),
        "paidById": facts["by"],
        "paidByRole": facts["byRole"],
        "finalizedAt": _instant(facts["finalizedAt"]),
        "finalizedById": facts["finalizedBy"],
        "finalizedNotes": facts["finalizedNotes"],
        "isReversed": facts["reversedAt"] is not None,
        "reversedAt": _instant(facts["reversedAt"]),
        "reversedById": facts["reversedBy"],
        "reversedReason": facts["reversedReason"],
    }


def _instant(text: str | None) -> str | None:
    return None if text is None else instant_text(text)
