"""Movements as JSON, of what sql/functions/register_movement.sql records of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from api.statement_answers import figure_members, statement_id
from core.domain.calendar import COSTA_RICA
from core.domain.money import format_cents
from core.domain.statements import Dimension, Figures
from core.till.later_refusals import instant_text


def moved_document(banca_id: UUID, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The members of api.models.movements.MovedOut."""
    payment, day = facts["payment"], facts["statement"]
    document = {
        "payment": movement_document(banca_id, payment),
        "statement": None if day is None else day_document(Dimension(payment["dimension"]), payment["entityId"], day),
    }
    # Reversals have none, and neither have registrations recorded before it existed: their replays keep their bytes.
    if "possibleDuplicateOf" in facts:
        document["possibleDuplicateOf"] = facts["possibleDuplicateOf"]
    return document


def movement_document(banca_id: UUID, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The members of api.models.movements.MovementOut."""
    dimension = Dimension(facts["dimension"])
    occurred_at = facts["occurredAt"]
    return {
        "id": facts["id"],
        "dimension": dimension.lower(),
        "vendedorId": facts["entityId"] if dimension is Dimension.VENDEDOR else None,
        "ventanaId": facts["entityId"] if dimension is Dimension.VENTANA else facts["ventanaId"],
        "bancaId": banca_id,
        "date": facts["date"],
        "time": f"{datetime.fromisoformat(occurred_at).astimezone(COSTA_RICA):%H:%M}",
        "occurredAt": instant_text(occurred_at),
        "amount": format_cents(facts["amountCents"]),
        "type": facts["type"],
        "method": facts["method"],
        "notes": facts["notes"],
        "isFinal": facts["isFinal"],
        "paidById": facts["by"],
        "paidByRole": facts["byRole"],
        "paidByName": facts["byName"],
        "createdAt": instant_text(facts["at"]),
        "isReversed": facts["reversedAt"] is not None,
        "reversedAt": None if facts["reversedAt"] is None else instant_text(facts["reversedAt"]),
        "reversedById": facts["reversedBy"],
        "reversedReason": facts["reversedReason"],
    }


def day_document(dimension: Dimension, entity_id: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The members of api.models.movements.MovedStatementOut."""
    figures = Figures(
        opening_cents=facts["openingCents"],
        sales_cents=facts["salesCents"],
        payouts_cents=facts["payoutsCents"],
        listero_commission_cents=facts["listeroCommissionCents"],
        vendedor_commission_cents=facts["vendedorCommissionCents"],
        balance_cents=facts["balanceCents"],
        corrections_cents=facts["correctionsCents"],
        paid_cents=facts["paidCents"],
        collected_cents=facts["collectedCents"],
        ticket_count=facts["ticketCount"],
    )
    day = date.fromisoformat(facts["date"])
    return {
        "id": statement_id(dimension, UUID(entity_id), day),
        "date": facts["date"],
        "month": f"{day:%Y-%m}",
        **figure_members(figures),
        "isSettled": facts["settledAt"] is not None or figures.is_paid_off,
    }
