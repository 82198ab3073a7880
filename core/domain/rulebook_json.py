"""Makes a Rulebook of the document that sql/queries/rulebook/load.sql gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from core.domain.calendar import parse_instant
from core.domain.commission_policy import COMMISSION_RULE_DUPLICATE, read_commission_policy
from core.domain.document import UNKNOWN_FIELD
from core.domain.loteria_rules import read_loteria_rules
from core.domain.money import JsonNumber
from core.domain.rulebook import (
    CommissionPolicy,
    JugadaType,
    Loteria,
    LoteriaRules,
    Multiplier,
    Rulebook,
    Seller,
    Ventana,
)
from core.domain.violations import Violation

# What stops nobody from understanding a document that is already stored.
_TOLERATED = frozenset({UNKNOWN_FIELD, COMMISSION_RULE_DUPLICATE})


def rulebook_from_text(text: str | bytes) -> Rulebook:
    """The rulebook of the document's JSON text; decimals in it never become floats."""
    return rulebook_from_json(json.loads(text, parse_float=JsonNumber))


def rulebook_from_json(document: Mapping[str, object]) -> Rulebook:
    """The rulebook of a decoded document (numbers with a fraction must be JsonNumber, not float).

    A malformed policy counts as absent, and so does a malformed member of a lottery's rules; both are listed in
    the rulebook's defects, so that a bad document never stops a banca from selling. Anything else that is missing
    is load.sql's fault and raises.
    """
    return _Reading(cast("Mapping[str, Any]", document)).rulebook()


class _Reading:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.defects: list[str] = []
        self._ids: dict[str, UUID] = {}
        self._x_of_multiplier: dict[UUID, int] = {}

    def rulebook(self) -> Rulebook:
        document = self.document
        multipliers = sorted(map(self._multiplier, document["multipliers"]), key=lambda m: (m.created_at, m.id))
        self._x_of_multiplier = {m.id: m.x_hundredths for m in multipliers}
        loterias = [self._loteria(row) for row in document["loterias"]]
        ventanas = {v.id: v for v in map(self._ventana, document["ventanas"])}
        sellers = {s.id: s for s in map(self._seller, document["sellers"])}
        for seller in sellers.values():
            if seller.ventana_id not in ventanas:
                self.defects.append(f"seller {seller.id}: there is no ventana {seller.ventana_id}")
        return Rulebook(
            banca_id=self._id(document["bancaId"]),
            version=document["version"],
            default_min_bet_cents=document["defaultMinBetCents"],
            global_max_per_number_cents=document["globalMaxPerNumberCents"],
            cutoff_minutes=document["salesCutoffMinutes"],
            policy=self._policy(document["commissionPolicy"], "banca: commissionPolicy"),
            loterias={loteria.id: loteria for loteria in loterias},
            multipliers={m.id: m for m in multipliers},
            multipliers_of_loteria={
                loteria.id: tuple(m for m in multipliers if m.loteria_id == loteria.id) for loteria in loterias
            },
            ventanas=ventanas,
            sellers=sellers,
            defects=tuple(self.defects),
        )

    def _loteria(self, row: Mapping[str, Any]) -> Loteria:
        rules, violations = LoteriaRules(), list[Violation]()
        if row["rules"] is not None:
            rules, violations = read_loteria_rules(row["rules"])
        self._note(violations, f"loteria {row['id']}: rules")
        return Loteria(self._id(row["id"]), row["name"], rules, row["isActive"])

    def _multiplier(self, row: Mapping[str, Any]) -> Multiplier:
        return Multiplier(
            id=self._id(row["id"]),
            loteria_id=self._id(row["loteriaId"]),
            name=row["name"],
            kind=JugadaType(row["kind"]),
            x_hundredths=row["xHundredths"],
            is_active=row["isActive"],
            created_at=parse_instant(row["createdAt"]),
        )

    def _ventana(self, row: Mapping[str, Any]) -> Ventana:
        place = f"ventana {row['id']}"
        return Ventana(
            id=self._id(row["id"]),
            policy=self._policy(row["policy"], f"{place}: policy"),
            listero_policy=self._policy(row["listeroPolicy"], f"{place}: listeroPolicy"),
        )

    def _seller(self, row: Mapping[str, Any]) -> Seller:
        policy = self._policy(row["policy"], f"seller {row['id']}: policy")
        return Seller(self._id(row["id"]), self._id(row["ventanaId"]), policy)

    def _policy(self, document: object, place: str) -> CommissionPolicy | None:
        if document is None:
            return None
        policy, violations = read_commission_policy(document, x_of_multiplier=self._x_of_multiplier)
        return None if self._note(violations, place) else policy

    def _note(self, violations: list[Violation], place: str) -> bool:
        """Whether there was anything to note."""
        found = [v for v in violations if v.code not in _TOLERATED]
        self.defects += [f"{place}: {v.field + ' ' if v.field else ''}{v.message}" for v in found]
        return bool(found)

    def _id(self, text: str) -> UUID:
        # One object per id: equal ids are then identical, and a lookup need not compare them in Python.
        known = self._ids.get(text)
        if known is None:
            known = self._ids[text] = UUID(text)
        return known
