"""Commission policies and lotteries' rules as they are stored and shown: judged when written, decimals as text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID, uuid4

from core.domain.commission_policy import VERSION, read_commission_policy
from core.domain.document import INVALID_FIELD, Document
from core.domain.loteria_rules import read_loteria_rules
from core.domain.money import AMOUNT_CENTS_MAX, AmountError, format_hundredths, parse_hundredths, read_json_number
from core.domain.rulebook import Rulebook
from core.domain.violations import Violation


def read_policy(document: dict[str, Any], rulebook: Rulebook) -> tuple[dict[str, Any], list[Violation]]:
    """The policy to store, and everything that is wrong with it. Rules without an id get one."""
    x_of_multiplier = {multiplier.id: multiplier.x_hundredths for multiplier in rulebook.multipliers.values()}
    _, violations = read_commission_policy(document, x_of_multiplier=x_of_multiplier)
    violations += _unknown(document, rulebook)
    if violations:
        return {}, violations
    rules = [{**rule, "id": rule.get("id") or str(uuid4())} for rule in document.get("rules") or ()]
    return show_policy({**document, "version": VERSION, "rules": rules}), []


def show_policy(document: Any) -> Any:
    """With its decimals as text; what is malformed stays as it is stored."""
    if not isinstance(document, dict):
        return document
    shown = _with_text(document, "defaultPercent")
    if isinstance(shown.get("rules"), list):
        shown["rules"] = [_show_rule(rule) for rule in shown["rules"]]
    return shown


def policy_of_text(text: str | None) -> dict[str, Any] | None:
    """As it is stored, to show. A policy that is no object shows as none: it counts as absent."""
    document = None if text is None else show_policy(json.loads(text, parse_float=read_json_number))
    return document if isinstance(document, dict) else None


def read_rules(document: dict[str, Any]) -> tuple[dict[str, Any], list[Violation]]:
    """A lottery's rules to store, and everything that is wrong with them."""
    _, violations = read_loteria_rules(document)
    return _with_text(document, "minBetAmount", "maxBetAmount", "baseMultiplierX"), violations


def _unknown(document: Mapping[str, Any], rulebook: Rulebook) -> Iterator[Violation]:
    """Rules that name what the banca does not have: they would be in force and never match."""
    rules = document.get("rules")
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        named = Document(rule, path=f"rules[{index}]")
        loteria_id, multiplier_id = named.uuid("loteriaId"), named.uuid("multiplierId")
        if loteria_id is not None and loteria_id not in rulebook.loterias:
            yield Violation(INVALID_FIELD, "the banca has no such loteria", named.place("loteriaId"))
        if multiplier_id is not None:
            yield from _wrong_multiplier(rulebook, multiplier_id, loteria_id, named.place("multiplierId"))


def _wrong_multiplier(
    rulebook: Rulebook, multiplier_id: UUID, loteria_id: UUID | None, place: str
) -> Iterator[Violation]:
    multiplier = rulebook.multipliers.get(multiplier_id)
    if multiplier is None:
        yield Violation(INVALID_FIELD, "the banca has no such multiplier", place)
    elif loteria_id not in (None, multiplier.loteria_id):
        yield Violation(INVALID_FIELD, "the multiplier belongs to another loteria", place)


def _show_rule(rule: Any) -> Any:
    if not isinstance(rule, dict):
        return rule
    shown = _with_text(rule, "percent")
    if isinstance(shown.get("multiplierRange"), dict):
        shown["multiplierRange"] = _with_text(shown["multiplierRange"], "min", "max")
    return shown


def _with_text(document: Mapping[str, Any], *decimals: str) -> dict[str, Any]:
    return {key: _decimal_text(value) if key in decimals else value for key, value in document.items()}


def _decimal_text(value: Any) -> Any:
    try:
        return format_hundredths(parse_hundredths(value, maximum=AMOUNT_CENTS_MAX))
    except AmountError:
        return value
