"""Statements as JSON: days of one entity, or of several together, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from api.statement_readings import Reading
from core.domain.calendar import format_instant
from core.domain.money import format_cents
from core.domain.statements import Correction, Day, Dimension, Figures, summed

# Where the days of the single entities stand inside a day of several.
BREAKDOWNS = {Dimension.VENDEDOR: "byVendedor", Dimension.VENTANA: "byVentana"}


def statement_id(dimension: Dimension, entity_id: UUID, day: date) -> str:
    """Names a day of an entity, whether anything happened on it or not: vendedor:<uuid>:2026-01-15."""
    return f"{dimension.lower()}:{entity_id}:{day}"


def day_documents(reading: Reading, *, first: date, last: date) -> list[dict[str, Any]]:
    """The members of api.models.statements.StatementDayOut, of each day in order."""
    days = days_together(reading, first=first, last=last)
    if reading.target.entity_id is not None:
        return [entity_document(reading, each) | {"bySorteo": None} for _, [each] in days]
    return [group_document(reading, day, found) for day, found in days]


def days_together(reading: Reading, *, first: date, last: date) -> list[tuple[date, list[Day]]]:
    """Each day with all who have one; of several, those who say something on it, in the order of their names."""
    found: dict[date, list[Day]] = {}
    for entity_id in reading.entities:
        for each in reading.by_entity.get(entity_id, ()):
            if first <= each.day <= last:
                found.setdefault(each.day, []).append(each)
    return sorted(found.items())


def entity_document(reading: Reading, each: Day) -> dict[str, Any]:
    """The members of api.models.statements.EntityDayOut."""
    return {
        "id": statement_id(reading.target.dimension, each.entity_id, each.day),
        **place_members(reading, each.entity_id),
        **day_members(each.day, each.figures),
        "corrections": [correction_document(correction) for correction in each.corrections],
        "isSettled": each.is_settled,
        "canEdit": each.can_edit,
        "settledAt": instant_or_none(each.settled_at),
        "createdAt": instant_or_none(each.created_at),
        "updatedAt": instant_or_none(each.updated_at),
    }


def group_document(reading: Reading, day: date, found: Sequence[Day]) -> dict[str, Any]:
    """Of several together: settled when all are, editable when one is."""
    telling = [each for each in found if each.says_something]
    return {
        "id": None,
        **place_members(reading, None),
        **day_members(day, summed(each.figures for each in found)),
        "corrections": [],
        "isSettled": bool(telling) and all(each.is_settled for each in telling),
        "canEdit": any(each.can_edit for each in found),
        "settledAt": None,
        "createdAt": instant_or_none(min(_instants(each.created_at for each in telling), default=None)),
        "updatedAt": instant_or_none(max(_instants(each.updated_at for each in telling), default=None)),
        BREAKDOWNS[reading.target.dimension]: [entity_document(reading, each) for each in telling],
        "bySorteo": None,
    }


def _instants(instants: Iterator[datetime | None]) -> Iterator[datetime]:
    return (instant for instant in instants if instant is not None)


def place_members(reading: Reading, entity_id: UUID | None) -> dict[str, Any]:
    """Who it is, and where it belongs now."""
    entity = None if entity_id is None else reading.entities[entity_id]
    is_seller = entity is not None and reading.target.dimension is Dimension.VENDEDOR
    seller = entity if is_seller else None
    return {
        "bancaId": str(reading.banca.id),
        "bancaName": reading.banca.name,
        "bancaCode": reading.banca.code,
        "ventanaId": None if entity is None or entity.ventana_id is None else str(entity.ventana_id),
        "ventanaName": None if entity is None else entity.ventana_name,
        "ventanaCode": None if entity is None else entity.ventana_code,
        "vendedorId": None if seller is None else str(seller.id),
        "vendedorName": None if seller is None else seller.name,
        "vendedorCode": None if seller is None else seller.code,
    }


def day_members(day: date, figures: Figures) -> dict[str, Any]:
    return {
        "date": str(day),
        "month": f"{day:%Y-%m}",
        **figure_members(figures),
        "totalWrittenOff": format_cents(figures.written_off_cents),
        "openCashMemos": format_cents(figures.cash_memos_cents),
        "hasSorteos": figures.ticket_count > 0,
    }


def figure_members(figures: Figures) -> dict[str, Any]:
    """The members of api.models.statements.StatementFigures."""
    closing = format_cents(figures.closing_cents)
    return {
        "openingBalance": format_cents(figures.opening_cents),
        "totalSales": format_cents(figures.sales_cents),
        "totalPayouts": format_cents(figures.payouts_cents),
        "listeroCommission": format_cents(figures.listero_commission_cents),
        "vendedorCommission": format_cents(figures.vendedor_commission_cents),
        "balance": format_cents(figures.balance_cents),
        "totalCorrections": format_cents(figures.corrections_cents),
        "totalPaid": format_cents(figures.paid_cents),
        "totalCollected": format_cents(figures.collected_cents),
        "totalPaymentsCollections": format_cents(figures.paid_cents + figures.collected_cents),
        "remainingBalance": closing,
        "accumulatedBalance": closing,
        "ticketCount": figures.ticket_count,
    }


def correction_document(correction: Correction) -> dict[str, Any]:
    """The members of api.models.statements.CorrectionOut."""
    figures = correction.figures
    return {
        "date": str(correction.day),
        "totalSales": format_cents(figures.sales_cents),
        "totalPayouts": format_cents(figures.payouts_cents),
        "listeroCommission": format_cents(figures.listero_commission_cents),
        "vendedorCommission": format_cents(figures.vendedor_commission_cents),
        "balance": format_cents(figures.balance_cents),
        "totalPaid": format_cents(figures.paid_cents),
        "totalCollected": format_cents(figures.collected_cents),
        "amount": format_cents(figures.closing_cents),
        "ticketCount": figures.ticket_count,
        "createdAt": format_instant(correction.at),
    }


def totals_document(reading: Reading, *, first: date, last: date) -> dict[str, Any]:
    """The members of api.models.statements.StatementTotals."""
    days = days_together(reading, first=first, last=last)
    by_day = [summed(each.figures for each in found) for _, found in days]
    together, opening, closing = summed(by_day), by_day[:1], by_day[-1:]
    settled = sum(
        any(each.says_something for each in found) and all(each.is_settled for each in found if each.says_something)
        for _, found in days
    )
    return {
        "openingBalance": format_cents(sum(each.opening_cents for each in opening)),
        "totalSales": format_cents(together.sales_cents),
        "totalPayouts": format_cents(together.payouts_cents),
        "totalListeroCommission": format_cents(together.listero_commission_cents),
        "totalVendedorCommission": format_cents(together.vendedor_commission_cents),
        "totalBalance": format_cents(together.balance_cents),
        "totalCorrections": format_cents(together.corrections_cents),
        "totalPaid": format_cents(together.paid_cents),
        "totalCollected": format_cents(together.collected_cents),
        "totalRemainingBalance": format_cents(sum(each.closing_cents for each in closing)),
        "ticketCount": together.ticket_count,
        "totalWrittenOff": format_cents(together.written_off_cents),
        "openCashMemos": format_cents(together.cash_memos_cents),
        "settledDays": settled,
        "pendingDays": len(days) - settled,
    }


def instant_or_none(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)
