"""The parts of a decision as docs/explain.md shows them: decimals as text, instants in UTC."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from core.domain.calendar import format_instant
from core.domain.cutoffs import Cutoff, minutes_left, sales_end
from core.domain.limit_judge import LimitVerdict, strictest_by_number
from core.domain.money import Cents, format_cents, format_hundredths, percent_of
from core.domain.numbers import format_number
from core.domain.price_list import LineTerms
from core.domain.sale_rules import Sale
from core.domain.spans import Span
from core.domain.ticket import ALL_JUGADAS, REVENTADO_KEY, WHOLE_SALES, Draw, JugadaRequest, LimitFact, PricedTicket


def cutoff_document(cutoff: Cutoff, *, draw: Draw, at: datetime) -> dict[str, object]:
    ends_at = sales_end(draw.scheduled_at, cutoff.seconds)
    return {
        "minutes": cutoff.minutes,
        "source": cutoff.source,
        "ruleId": cutoff.rule_id,
        "salesEndAt": format_instant(ends_at),
        "minutesLeft": minutes_left(draw.scheduled_at, at),
        "reached": at >= ends_at,
    }


def span_document(span: Span) -> dict[str, object]:
    return {"from": _instant(span.start), "until": _instant(span.end)}


def jugada_documents(sale: Sale) -> list[dict[str, object]]:
    lines = zip(sale.request.jugadas, sale.terms, strict=True)
    return [_jugada(line, jugada, terms) for line, (jugada, terms) in enumerate(lines, start=1)]


def totals_document(priced: PricedTicket) -> dict[str, str]:
    return {
        "amount": format_cents(priced.total_cents),
        "commission": format_cents(priced.commission_cents),
        "creditedToSeller": format_cents(priced.seller_credit_cents),
        "listeroCommission": format_cents(priced.listero_commission_cents),
        "ventanaGain": format_cents(priced.listero_commission_cents - priced.commission_cents),
    }


def limit_documents(verdicts: Sequence[LimitVerdict], *, digits: int) -> list[dict[str, object]]:
    """One per limit that governs the ticket, passed or not; of a number's limits the strictest is marked."""
    strictest = strictest_by_number(verdicts)
    return [_limit(v, digits=digits, is_strictest=strictest.get(v.fact.number) is v) for v in verdicts]


def _jugada(line: int, jugada: JugadaRequest, terms: LineTerms | None) -> dict[str, object]:
    asked: dict[str, object] = {
        "line": line,
        "type": jugada.type.value,
        "number": jugada.number_text,
        "amount": format_cents(jugada.amount_cents),
    }
    if terms is None:
        return asked | {"multiplier": None, "commission": None, "listeroCommission": None}
    multiplier_id = None if terms.multiplier_id is None else str(terms.multiplier_id)
    amount = jugada.amount_cents
    return asked | {
        "multiplier": {
            "id": multiplier_id,
            "x": format_hundredths(terms.x_hundredths),
            "source": terms.source,
            "overrideId": terms.source_id,
        },
        "commission": _commission(amount, terms.basis_points, terms.origin, terms.rule_id),
        "listeroCommission": _commission(
            amount, terms.listero_basis_points, terms.listero_origin, terms.listero_rule_id
        ),
    }


def _commission(amount: Cents, basis_points: int, origin: str | None, rule_id: str | None) -> dict[str, object]:
    return {
        "percent": format_hundredths(basis_points),
        "amount": format_cents(percent_of(amount, basis_points)),
        "origin": origin,
        "ruleId": rule_id,
    }


def _limit(verdict: LimitVerdict, *, digits: int, is_strictest: bool) -> dict[str, object]:
    fact = verdict.fact
    label: dict[str, object] = json.loads(fact.label)
    return {
        "source": label.pop("source"),
        "ruleId": fact.rule_id,
        "scope": fact.scope,
        "scopeId": str(fact.scope_id),
        "number": None if fact.number == WHOLE_SALES else format_number(fact.number, digits),
        "counts": _counts(fact),
        "perTicket": not fact.accumulates,
        "amount": format_cents(fact.amount_cents),
        "cap": _cents(fact.cap_cents),
        "dynamic": _cents(verdict.dynamic_cents),
        "limit": _cents(verdict.limit_cents),
        "used": format_cents(verdict.used_cents),
        "available": _cents(verdict.available_cents),
        "verdict": "FITS" if verdict.fits else "EXCEEDED",
        "mostRestrictive": is_strictest,
        **{key: value for key, value in label.items() if key != "ruleId"},
    }


def _counts(fact: LimitFact) -> str:
    if fact.multiplier_key == ALL_JUGADAS:
        return "ALL"
    return "REVENTADO" if fact.multiplier_key == REVENTADO_KEY else str(fact.multiplier_key)


def _cents(cents: int | None) -> str | None:
    return None if cents is None else format_cents(cents)


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)
