"""Cash memos as JSON, of what sql/functions/cash_memos.sql tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from api.movement_answers import day_document
from core.domain.money import format_cents
from core.domain.statements import Dimension
from core.domain.ticket_number import ticket_number
from core.till.later_refusals import instant_text


def memo_document(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The members of api.models.cash_memos.CashMemoOut."""
    return {
        "ticketId": facts["ticketId"],
        "ticketNumber": ticket_number(
            business_date=date.fromisoformat(facts["businessDate"]),
            ordinal=facts["dailyOrdinal"],
            sequence=facts["sequence"],
        ),
        "sorteoId": facts["sorteoId"],
        "sorteoName": facts["sorteoName"],
        "businessDate": facts["businessDate"],
        "vendedorId": facts["vendedorId"],
        "vendedorName": facts["vendedorName"],
        "ventanaId": facts["ventanaId"],
        "cashAmount": format_cents(facts["cashCents"]),
        "returnedAmount": format_cents(facts["returnedCents"]),
        "prizeAmount": format_cents(facts["prizeCents"]),
        "writtenOffAmount": format_cents(facts["writtenOffCents"]),
        "openAmount": format_cents(facts["openCents"]),
        "createdAt": instant_text(facts["at"]),
        "paidOut": [paid_out_document(payment) for payment in facts["payments"]],
        "entries": [entry_document(entry) for entry in facts["entries"]],
    }


def paid_out_document(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The members of api.models.cash_memos.PaidOut."""
    return {
        "ordinal": facts["ordinal"],
        "amountPaid": format_cents(facts["amountCents"]),
        "method": facts["method"],
        "paidAt": instant_text(facts["at"]),
        "paidById": facts["by"],
        "paidByName": facts["byName"],
        "paidByRole": facts["byRole"],
        "evaluation": facts["evaluation"],
    }


def entry_document(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The members of api.models.cash_memos.MemoEntryOut."""
    return {
        "id": facts["id"],
        "kind": facts["kind"].lower(),
        "amount": format_cents(facts["amountCents"]),
        "reason": facts["reason"],
        "postedOn": facts["postedOn"],
        "createdAt": instant_text(facts["at"]),
        "createdById": facts["by"],
        "createdByName": facts["byName"],
        "createdByRole": facts["byRole"],
        "reversedAt": None if facts["reversedAt"] is None else instant_text(facts["reversedAt"]),
    }


def ended_document(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The members of api.models.cash_memos.EndedMemoOut."""
    memo, day = facts["memo"], facts["statement"]
    return {
        "memo": memo_document(memo),
        "entry": entry_document(facts["entry"]),
        "statement": None if day is None else day_document(Dimension.VENDEDOR, memo["vendedorId"], day),
    }
