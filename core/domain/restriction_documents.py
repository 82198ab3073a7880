"""Restriction rules as somebody writes them: read strictly, one rule per number (§2.11.7)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from uuid import UUID

from core.domain.document import Document
from core.domain.impersonation import SELLER_NOT_FOUND, ActingUser, owns_seller
from core.domain.money import AMOUNT_CENTS_MAX, Cents
from core.domain.permissions import Role
from core.domain.restriction_rows import (
    BASIS_POINTS_MAX,
    CUTOFF_MINUTES_MAX,
    INVALID_FIELD,
    MESSAGE_LENGTH_MAX,
    contradictions,
)
from core.domain.rulebook import AutoDateOf, Restriction, Rulebook
from core.domain.violations import Violation

NUMBERS_MAX = 1_000
RESTRICTION_EXISTS = "RESTRICTION_EXISTS"
RESTRICTION_SCOPE_FORBIDDEN = "RESTRICTION_SCOPE_FORBIDDEN"
VENTANA_NOT_FOUND = "VENTANA_NOT_FOUND"
_KEYS = frozenset(
    {
        *(
            "bancaId",
            "ventanaId",
            "userId",
            "number",
            "isAutoDate",
            "autoDateOf",
            "maxAmount",
            "maxTotal",
            "baseAmount",
        ),
        *("salesPercentage", "appliesToVendedor", "appliesToDate", "appliesToHour", "salesCutoffMinutes"),
        *("loteriaId", "multiplierId", "message", "isActive"),
    }
)
_NUMBER = re.compile(r"[0-9]{1,3}")


def validate_restriction(
    document: object, *, rulebook: Rulebook, acting: ActingUser | None = None, replaced_id: str | None = None
) -> list[Violation]:
    """Everything that is wrong with a rule that somebody wants to write; empty when nothing is.

    acting: who writes it; None: whoever may write all. replaced_id: of the stored rule that it takes the place of.
    Codes: INVALID_FIELD, UNKNOWN_FIELD (400); MULTIPLIER_NOT_FOUND, SELLER_NOT_FOUND, VENTANA_NOT_FOUND (404);
    RESTRICTION_SCOPE_FORBIDDEN (403); RESTRICTION_EXISTS (409).
    """
    return read_restriction(document, rulebook=rulebook, acting=acting, replaced_id=replaced_id)[1]


def read_restriction(
    document: object, *, rulebook: Rulebook, acting: ActingUser | None = None, replaced_id: str | None = None
) -> tuple[tuple[Restriction, ...], list[Violation]]:
    """The rules to be stored, one per number and without an id yet, and everything that is wrong with them."""
    written = Document(document)
    written.allow_only(_KEYS)
    numbers: list[int | None] = [*_numbers(written)] or [None]
    rule = _rule(written, acting)
    if written.violations:
        return (), written.violations
    rules = tuple(replace(rule, number=number) for number in numbers)
    # The rules differ in their number alone: what is the same of all is judged of one. What is wrong is said once.
    wrongs = [*_judge(rules[0], rulebook, acting)]
    wrongs += (
        wrong
        for one in rules[1:]
        for wrong in contradictions(one, multipliers=rulebook.multipliers, loterias=rulebook.loterias)
    )
    if _has_any(rules, rulebook, replaced_id):
        wrongs.append(Violation(RESTRICTION_EXISTS, "there is an active rule like this one", None))
    found = {(wrong.code, wrong.field, wrong.message): wrong for wrong in wrongs}
    return rules, list(found.values())


def author_violations(rule: Restriction, *, rulebook: Rulebook, acting: ActingUser) -> list[Violation]:
    """Why acting may not touch a rule that is stored, whatever it says; empty when it may."""
    return list(_judge_author(rule, rulebook, acting))


def identity_of(rule: Restriction) -> tuple[object, ...]:
    """Two active rules that share it are the same rule twice; the table's unique index says the same."""
    return (
        *(rule.banca_id, rule.ventana_id, rule.user_id, rule.number, rule.is_auto_date),
        *(
            rule.auto_date_of,
            rule.loteria_id,
            rule.multiplier_id,
            rule.applies_to_vendedor,
            rule.applies_to_date,
            rule.applies_to_hour,
        ),
        rule.sales_cutoff_minutes is not None,
    )


def _rule(written: Document, acting: ActingUser | None) -> Restriction:
    banca_id, ventana_id, user_id = (written.uuid(key) for key in ("bancaId", "ventanaId", "userId"))
    if acting is not None and acting.role is Role.VENTANA and not (banca_id or ventana_id or user_id):
        ventana_id = acting.ventana_id
    max_amount, max_total = _amount(written, "maxAmount", minimum=1), _amount(written, "maxTotal", minimum=1)
    base, percentage = _amount(written, "baseAmount"), written.hundredths("salesPercentage", maximum=BASIS_POINTS_MAX)
    if percentage and not base:
        written.refuse("salesPercentage", "needs a baseAmount: without sales, the first bet would be too much")
    is_auto_date = written.flag("isAutoDate") is True
    if is_auto_date and written.member("number") is not None:
        written.refuse("number", "not with isAutoDate, which is the day of the month")
    auto_date_of = written.one_of("autoDateOf", AutoDateOf)
    if auto_date_of is not None and not is_auto_date:
        written.refuse("autoDateOf", "only with isAutoDate: it says whose day of the month is the number")
    message = written.text("message", length_max=MESSAGE_LENGTH_MAX)
    written.flag("isActive")
    return Restriction(
        id="",
        banca_id=banca_id,
        ventana_id=ventana_id,
        user_id=user_id,
        is_auto_date=is_auto_date,
        auto_date_of=auto_date_of or AutoDateOf.SALE,
        max_amount_cents=max_amount,
        max_total_cents=max_total,
        base_amount_cents=base or None,
        sales_basis_points=percentage or None,
        applies_to_vendedor=written.flag("appliesToVendedor") is True,
        applies_to_date=written.date("appliesToDate"),
        applies_to_hour=written.integer("appliesToHour", minimum=0, maximum=23),
        sales_cutoff_minutes=written.integer("salesCutoffMinutes", minimum=0, maximum=CUTOFF_MINUTES_MAX),
        loteria_id=written.uuid("loteriaId"),
        multiplier_id=written.uuid("multiplierId"),
        message=message,
    )


def _amount(written: Document, key: str, *, minimum: int = 0) -> Cents | None:
    value = written.hundredths(key, maximum=AMOUNT_CENTS_MAX, minimum=minimum)
    return None if value is None else Cents(value)


def _numbers(written: Document) -> list[int]:
    """One to three digits, or a list of them; an integer will do."""
    value = written.member("number")
    if value is None:
        return []
    numbers = [_number(one) for one in (value if isinstance(value, (list, tuple)) else (value,))]
    found = [number for number in numbers if number is not None]
    if not found or len(found) < len(numbers) or len(found) > NUMBERS_MAX:
        written.refuse("number", f"must be 0 to 999 in one to three digits, or a list of at most {NUMBERS_MAX}")
    elif len(set(found)) < len(found):
        written.refuse("number", "names a number twice")
    return found


def _number(value: object) -> int | None:
    if type(value) is int and 0 <= value <= 999:  # not a bool
        return value
    return int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None


def _judge(rule: Restriction, rulebook: Rulebook, acting: ActingUser | None) -> Iterator[Violation]:
    yield from contradictions(rule, multipliers=rulebook.multipliers, loterias=rulebook.loterias)
    multiplier = None if rule.multiplier_id is None else rulebook.multipliers.get(rule.multiplier_id)
    if multiplier is not None and not multiplier.is_active:
        yield Violation(INVALID_FIELD, "the multiplier is not active", "multiplierId")
    if rule.scope_id is None and rule.multiplier_id is None and rule.sales_cutoff_minutes is None:
        yield Violation(INVALID_FIELD, "one of bancaId, ventanaId and userId is required", "bancaId")
    yield from _judge_scope(rule, rulebook)
    if acting is not None:
        yield from _judge_author(rule, rulebook, acting)


def _judge_scope(rule: Restriction, rulebook: Rulebook) -> Iterator[Violation]:
    if rule.banca_id not in (None, rulebook.banca_id):
        yield Violation(RESTRICTION_SCOPE_FORBIDDEN, "this is another banca", "bancaId")
    if rule.ventana_id is not None and rule.ventana_id not in rulebook.ventanas:
        yield Violation(VENTANA_NOT_FOUND, "this banca has no such ventana", "ventanaId")
    if rule.user_id is not None and rule.user_id not in rulebook.sellers:
        yield Violation(SELLER_NOT_FOUND, "this banca has no such seller", "userId")


def _judge_author(rule: Restriction, rulebook: Rulebook, acting: ActingUser) -> Iterator[Violation]:
    """ADMIN anything; BANCA its own bancas; VENTANA its own ventana and sellers, and no cutoffs; VENDEDOR nothing."""
    seller = None if rule.user_id is None else rulebook.sellers.get(rule.user_id)
    is_own = acting.role is Role.ADMIN or (acting.role is Role.BANCA and rulebook.banca_id in acting.banca_ids)
    if acting.role is Role.VENTANA and rule.banca_id is None:
        is_own = rule.ventana_id == acting.ventana_id if rule.ventana_id is not None else False
        if seller is not None:
            is_own = owns_seller(acting, seller, banca_id=rulebook.banca_id)
        if rule.sales_cutoff_minutes is not None:
            yield _forbidden("salesCutoffMinutes", "a ventana sets no cutoff")
    if not is_own:
        yield _forbidden(_scope_field(rule), "the rule is for somebody who is not yours")


def _scope_field(rule: Restriction) -> str:
    fields: dict[str, UUID | None] = {"userId": rule.user_id, "ventanaId": rule.ventana_id, "bancaId": rule.banca_id}
    return next((field for field, value in fields.items() if value is not None), "bancaId")


def _has_any(rules: Sequence[Restriction], rulebook: Rulebook, replaced_id: str | None) -> bool:
    """Whether one of the rules is there already. rules: of one scope; each stored rule is looked at once."""
    wanted = {identity_of(rule) for rule in rules}
    stored = rulebook.restrictions.get(rules[0].scope_id, ())
    return any(identity_of(one) in wanted for one in stored if one.id != replaced_id)


def _forbidden(field: str, message: str) -> Violation:
    return Violation(RESTRICTION_SCOPE_FORBIDDEN, message, field)
