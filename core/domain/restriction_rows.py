"""Restriction rules as they are stored, and what no such rule may say, whoever reads or writes it (§2.11.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from uuid import UUID

from core.domain.document import Document
from core.domain.rulebook import AutoDateOf, Loteria, Multiplier, Restriction
from core.domain.violations import Violation

BASIS_POINTS_MAX = 10_000
CUTOFF_MINUTES_MAX = 30
NUMBER_MAX = 999
MESSAGE_LENGTH_MAX = 255
MULTIPLIER_NOT_FOUND = "MULTIPLIER_NOT_FOUND"
INVALID_FIELD = "INVALID_FIELD"


def restriction_of_row(
    row: Mapping[str, object],
    *,
    banca_id: UUID,
    multipliers: Mapping[UUID, Multiplier],
    loterias: Mapping[UUID, Loteria],
    same_id: Callable[[UUID | None], UUID | None],
) -> tuple[Restriction, list[Violation]]:
    """The rule of a row of load.sql, and everything that is wrong with it.

    same_id: gives equal ids one object, so that look-ups are quick.
    """
    document = Document(row)
    number = document.integer("number", minimum=0, maximum=NUMBER_MAX)
    is_auto_date = document.flag("isAutoDate") is True
    message = document.member("message")
    rule = Restriction(
        id=str(document.member("id")),
        banca_id=same_id(document.uuid("bancaId")),
        ventana_id=same_id(document.uuid("ventanaId")),
        user_id=same_id(document.uuid("userId")),
        # Of an auto-date rule the number is a trace of yesterday at best.
        number=None if is_auto_date else number,
        is_auto_date=is_auto_date,
        auto_date_of=_auto_date_of(document),
        max_amount_cents=document.cents("maxAmountCents"),
        max_total_cents=document.cents("maxTotalCents"),
        base_amount_cents=document.cents("baseAmountCents") or None,
        sales_basis_points=document.integer("salesBasisPoints", minimum=0, maximum=BASIS_POINTS_MAX) or None,
        applies_to_vendedor=document.flag("appliesToVendedor") is True,
        applies_to_date=document.date("appliesToDate"),
        applies_to_hour=document.integer("appliesToHour", minimum=0, maximum=23),
        sales_cutoff_minutes=document.integer("salesCutoffMinutes", minimum=0, maximum=CUTOFF_MINUTES_MAX),
        loteria_id=same_id(document.uuid("loteriaId")),
        multiplier_id=same_id(document.uuid("multiplierId")),
        # A message that nobody can read is no reason to drop a limit.
        message=message if isinstance(message, str) and message else None,
        updated_at=document.instant("updatedAt"),
    )
    if rule.banca_id not in (None, banca_id):
        document.refuse("bancaId", "is another banca")
    return rule, document.violations or list(contradictions(rule, multipliers=multipliers, loterias=loterias))


def _auto_date_of(document: Document) -> AutoDateOf:
    """Absent in rules that were stored before it was there: SALE."""
    return document.one_of("autoDateOf", AutoDateOf) or AutoDateOf.SALE


def contradictions(
    rule: Restriction, *, multipliers: Mapping[UUID, Multiplier], loterias: Mapping[UUID, Loteria]
) -> Iterator[Violation]:
    """What makes no sense together, field by field."""
    if sum(scope is not None for scope in (rule.banca_id, rule.ventana_id, rule.user_id)) > 1:
        yield _wrong("userId", "at most one of bancaId, ventanaId and userId may be set")
    if (rule.loteria_id is None) != (rule.multiplier_id is None):
        yield _wrong("multiplierId", "loteriaId and multiplierId go together")
    elif rule.multiplier_id is not None:
        yield from _wrong_pair(rule, multipliers, loterias)
    if rule.auto_date_of is not AutoDateOf.SALE and not rule.is_auto_date:
        yield _wrong("autoDateOf", "only with isAutoDate")
    if rule.sales_cutoff_minutes is not None:
        yield from _wrong_cutoff(rule)
    elif not rule.has_amounts and rule.multiplier_id is None:
        yield _wrong("maxAmount", "the rule limits nothing")
    elif rule.is_auto_date and not rule.has_amounts:
        yield _wrong("isAutoDate", "needs an amount")


def _wrong_pair(
    rule: Restriction, multipliers: Mapping[UUID, Multiplier], loterias: Mapping[UUID, Loteria]
) -> Iterator[Violation]:
    assert rule.loteria_id is not None, "they go together"
    assert rule.multiplier_id is not None, "they go together"
    multiplier, loteria = multipliers.get(rule.multiplier_id), loterias.get(rule.loteria_id)
    if multiplier is None:
        yield Violation(MULTIPLIER_NOT_FOUND, "there is no such multiplier", "multiplierId")
    elif multiplier.loteria_id != rule.loteria_id:
        yield _wrong("multiplierId", "the multiplier belongs to another loteria")
    if rule.is_auto_date:
        yield _wrong("isAutoDate", "not with loteriaId and multiplierId")
    if rule.number is not None and loteria is not None and rule.number >= 10**loteria.rules.digits:
        yield _wrong("number", f"the loteria has {loteria.rules.digits} digits")


def _wrong_cutoff(rule: Restriction) -> Iterator[Violation]:
    if rule.has_amounts:
        yield _wrong("salesCutoffMinutes", "not with amounts")
    if rule.multiplier_id is not None:
        yield _wrong("salesCutoffMinutes", "not with loteriaId and multiplierId")
    if rule.number is not None or rule.is_auto_date:
        yield _wrong("salesCutoffMinutes", "not for single numbers")
    if rule.scope_id is None:
        yield _wrong("salesCutoffMinutes", "needs bancaId, ventanaId or userId")


def _wrong(field: str, message: str) -> Violation:
    return Violation(INVALID_FIELD, message, field)
