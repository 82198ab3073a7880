"""Makes a Rulebook of the document that sql/queries/rulebook/load.sql gives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast
from uuid import UUID

import msgspec

from core.domain.calendar import parse_instant
from core.domain.commission_policy import COMMISSION_RULE_DUPLICATE, MULTIPLIER_X_MAX, read_commission_policy
from core.domain.cutoffs import DEFAULT_CUTOFF_MINUTES
from core.domain.document import UNKNOWN_FIELD, Document
from core.domain.loteria_rules import read_loteria_rules
from core.domain.money import read_json_number
from core.domain.restriction_rows import restriction_of_row
from core.domain.restrictions import LimitRule, prepare_limits
from core.domain.rulebook import (
    CommissionPolicy,
    JugadaType,
    Loteria,
    LoteriaRules,
    LoteriaSetting,
    Multiplier,
    MultiplierOverride,
    Restriction,
    Rulebook,
    Seller,
    Ventana,
)
from core.domain.steps import at_once
from core.domain.text import TEXT_INVALID
from core.domain.violations import Violation

# Of rows' text read in a step: a hundred rules, or half a policy of a thousand; some thousandths of a second. What is taken
# over takes a twentieth of that.
BYTES_PER_STEP = 50_000
TAKEN_OVER_FASTER = 20
# Those that may be long; their rows are read one by one.
LONG_LISTS = frozenset({"restrictions", "overrides", "sellers", "ventanas"})
_PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ROWS = msgspec.json.Decoder(list[msgspec.Raw] | None)

Row = TypeVar("Row")

# What stops nobody from understanding a document that is already stored.
_TOLERATED = frozenset({UNKNOWN_FIELD, COMMISSION_RULE_DUPLICATE, TEXT_INVALID})


def rulebook_from_text(text: str | bytes, *, base_multiplier_default_x: int | None = None) -> Rulebook:
    """The rulebook of the document's JSON text; decimals in it never become floats."""
    return at_once(RulebookReader(base_multiplier_default_x=base_multiplier_default_x).read(text))


def rulebook_from_json(document: Mapping[str, object], *, base_multiplier_default_x: int | None = None) -> Rulebook:
    """The rulebook of a decoded document (numbers with a fraction must be JsonNumber, not float).

    A malformed policy, restriction, override or setting counts as absent, and so does a malformed member of a
    lottery's rules; all are listed in the rulebook's defects, so that a bad document never stops a banca from
    selling. Anything else that is missing is load.sql's fault and raises; "overrides", "bancaLoteriaSettings" and
    "restrictions" may be left out. base_multiplier_default_x: hundredths, MULTIPLIER_BASE_DEFAULT_X.
    """
    return at_once(_Reading(cast("Mapping[str, Any]", document), base_multiplier_default_x, Memory()).rulebook())


@dataclass(slots=True)
class Memory:
    """What was read of one version of a rulebook. terms: what rows were read with, as text. rows: by the digest of their text
    what each became, and the defects noted of it.
    """

    terms: bytes = b""
    rows: dict[bytes, tuple[Any, tuple[str, ...]]] = field(default_factory=dict)
    ids: dict[str, UUID] = field(default_factory=dict)
    limit_rules: dict[str, LimitRule] = field(default_factory=dict)


class RulebookReader:
    """Reads one version of a banca's rulebook after the other: a row in the same words is taken over from the last one.

    An edit changes one rule of thousands; reading all of them again would take the sales' time. base_multiplier_default_x:
    hundredths, MULTIPLIER_BASE_DEFAULT_X.
    """

    def __init__(self, *, base_multiplier_default_x: int | None = None) -> None:
        self._base_multiplier_default_x = base_multiplier_default_x
        self._memory = Memory()

    def read(self, text: str | bytes) -> Generator[None, None, Rulebook]:
        """The rulebook of the document's JSON text, in steps of some thousandths of a second: yields between them.

        Two may be read at the same time. Decimals never become floats.
        """
        parts = _PARTS.decode(text)
        document: dict[str, Any] = {}
        for name, raw in parts.items():
            document[name] = _ROWS.decode(raw) if name in LONG_LISTS else _value(raw)
            yield
        memory = self._memory
        terms = b"".join(bytes(parts[name]) for name in ("bancaId", "multipliers", "loterias"))
        if memory.terms != terms:
            # Rows are judged by them.
            memory = Memory(terms)
        reading = _Reading(document, self._base_multiplier_default_x, memory)
        rulebook = yield from reading.rulebook()
        yield from prepare_limits(rulebook)
        limit_rules = memory.limit_rules if len(memory.limit_rules) <= 2 * len(reading.rows) else {}
        self._memory = Memory(terms, reading.rows, memory.ids, limit_rules)
        return rulebook


def _value(raw: msgspec.Raw) -> Any:
    return json.loads(bytes(raw), parse_float=read_json_number)


class _Reading:
    """memory: of the version before, as far as it may be taken over. rows: what was read, for the next one."""

    def __init__(self, document: Mapping[str, Any], base_multiplier_default_x: int | None, memory: Memory) -> None:
        self.document = document
        self.base_multiplier_default_x = base_multiplier_default_x
        self.defects: list[str] = []
        self.rows: dict[bytes, tuple[Any, tuple[str, ...]]] = {}
        self._memory = memory
        self._ids = memory.ids
        self._x_of_multiplier: dict[UUID, int] = {}

    def rulebook(self) -> Generator[None, None, Rulebook]:
        document = self.document
        multipliers = sorted(map(self._multiplier, document["multipliers"]), key=lambda m: (m.created_at, m.id))
        self._x_of_multiplier = {m.id: m.x_hundredths for m in multipliers}
        loterias = [self._loteria(row) for row in document["loterias"]]
        ventanas = {v.id: v for v in (yield from self._each(document["ventanas"], self._ventana))}
        sellers = {s.id: s for s in (yield from self._each(document["sellers"], self._seller))}
        for seller in sellers.values():
            if seller.ventana_id not in ventanas:
                self.defects.append(f"seller {seller.id}: there is no ventana {seller.ventana_id}")
        by_id = {m.id: m for m in multipliers}
        of_loteria: dict[UUID, list[Multiplier]] = {loteria.id: [] for loteria in loterias}
        for multiplier in multipliers:
            of_loteria.get(multiplier.loteria_id, []).append(multiplier)
        overrides = yield from self._overrides()
        restrictions = yield from self._restrictions(by_id, {loteria.id: loteria for loteria in loterias})
        cutoff_minutes = document["salesCutoffMinutes"]
        return Rulebook(
            banca_id=self._id(document["bancaId"]),
            version=document["version"],
            default_min_bet_cents=document["defaultMinBetCents"],
            global_max_per_number_cents=document["globalMaxPerNumberCents"],
            cutoff_minutes=DEFAULT_CUTOFF_MINUTES if cutoff_minutes is None else cutoff_minutes,
            policy=self._policy(document["commissionPolicy"], "banca: commissionPolicy"),
            loterias={loteria.id: loteria for loteria in loterias},
            multipliers=by_id,
            multipliers_of_loteria={loteria_id: tuple(found) for loteria_id, found in of_loteria.items()},
            ventanas=ventanas,
            sellers=sellers,
            overrides=overrides,
            loteria_settings=self._settings(),
            restrictions=restrictions,
            limit_rules=self._memory.limit_rules,
            base_multiplier_default_x=self.base_multiplier_default_x,
            is_cutoff_set=cutoff_minutes is not None,
            # Read last: what was wrong with all that stands above.
            defects=tuple(self.defects),
        )

    def _loteria(self, row: Mapping[str, Any]) -> Loteria:
        rules, violations = LoteriaRules(), list[Violation]()
        if row["rules"] is not None:
            rules, violations = read_loteria_rules(row["rules"])
        self._note(violations, f"loteria {row['id']}: rules")
        return Loteria(self._id(row["id"]), row["name"], rules, row["isActive"])

    def _multiplier(self, row: Mapping[str, Any]) -> Multiplier:
        dated = Document(row)
        applies_to_date = dated.date("appliesToDate")
        is_known_day = not self._note(dated.violations, f"multiplier {row['id']}")
        return Multiplier(
            id=self._id(row["id"]),
            loteria_id=self._id(row["loteriaId"]),
            name=row["name"],
            kind=JugadaType(row["kind"]),
            x_hundredths=row["xHundredths"],
            is_active=row["isActive"] and is_known_day,
            created_at=parse_instant(row["createdAt"]),
            applies_to_date=applies_to_date,
        )

    def _overrides(self) -> Generator[None, None, dict[tuple[UUID, UUID], MultiplierOverride]]:
        """Of several for one seller or ventana, which storage does not allow, the one with the least id."""
        found: dict[tuple[UUID, UUID], MultiplierOverride] = {}

        def read(row: Mapping[str, Any]) -> MultiplierOverride | None:
            if row.get("multiplierType") != JugadaType.NUMERO or row.get("isActive") is False:
                return None
            return self._override(Document(row), f"override {row.get('id')}")

        for override in (yield from self._each(self.document.get("overrides"), read)):
            if override is not None:
                owner_id = override.user_id or override.ventana_id
                assert owner_id is not None, "an override belongs to somebody"
                known = found.setdefault((owner_id, override.loteria_id), override)
                if override.id < known.id:
                    found[owner_id, override.loteria_id] = override
        return found

    def _override(self, row: Document, place: str) -> MultiplierOverride | None:
        user_id, ventana_id, loteria_id = row.uuid("userId"), row.uuid("ventanaId"), row.uuid("loteriaId")
        owner_id = {"USER": user_id, "VENTANA": ventana_id}.get(str(row.member("scope")))
        if owner_id is None or (user_id is not None and ventana_id is not None):
            row.refuse("scope", "must be USER with userId, or VENTANA with ventanaId")
        row.require("loteriaId")
        x_hundredths = row.integer("xHundredths", minimum=1, maximum=MULTIPLIER_X_MAX)
        if x_hundredths is None:
            row.require("baseMultiplierX")
            x_hundredths = row.hundredths("baseMultiplierX", minimum=1, maximum=MULTIPLIER_X_MAX)
        if self._note(row.violations, place) or loteria_id is None or x_hundredths is None:
            return None
        loteria_id = self._id(str(loteria_id))
        return MultiplierOverride(str(row.member("id")), user_id, ventana_id, loteria_id, x_hundredths)

    def _settings(self) -> dict[UUID, LoteriaSetting]:
        found: dict[UUID, LoteriaSetting] = {}
        for row in self.document.get("bancaLoteriaSettings") or ():
            if row.get("isActive") is False:
                continue
            setting = Document(row)
            loteria_id = setting.uuid("loteriaId")
            setting.require("loteriaId")
            x_hundredths = setting.integer("xHundredths", minimum=1, maximum=MULTIPLIER_X_MAX)
            max_total = setting.cents("maxTotalPerSorteoCents")
            is_malformed = self._note(setting.violations, f"setting of loteria {row.get('loteriaId')}")
            if loteria_id is not None and not is_malformed:
                found[loteria_id] = LoteriaSetting(x_hundredths, max_total)
        return found

    def _restrictions(
        self, multipliers: Mapping[UUID, Multiplier], loterias: Mapping[UUID, Loteria]
    ) -> Generator[None, None, dict[UUID | None, tuple[Restriction, ...]]]:
        found: dict[UUID | None, list[Restriction]] = {}
        banca_id = self._id(self.document["bancaId"])

        def read(row: Mapping[str, Any]) -> Restriction | None:
            if row.get("isActive") is False:
                return None
            rule, violations = restriction_of_row(
                row, banca_id=banca_id, multipliers=multipliers, loterias=loterias, same_id=self._same
            )
            return None if self._note(violations, f"restriction {row.get('id')}") else rule

        for rule in (yield from self._each(self.document.get("restrictions"), read)):
            if rule is not None:
                found.setdefault(rule.scope_id, []).append(rule)
        return {scope_id: tuple(rules) for scope_id, rules in found.items()}

    def _each(
        self, rows: Iterable[Any] | None, read: Callable[[Mapping[str, Any]], Row]
    ) -> Generator[None, None, list[Row]]:
        """What read makes of each row. A row that comes as text is taken over from the version before if it was there."""
        found: list[Row] = []
        read_bytes = 0.0
        for row in rows or ():
            if read_bytes >= BYTES_PER_STEP:
                read_bytes = 0
                yield
            if not isinstance(row, msgspec.Raw):
                found.append(read(row))
                continue
            length = len(memoryview(row))
            digest = hashlib.blake2b(row, digest_size=16).digest()
            known = self._memory.rows.get(digest)
            if known is None:
                noted = len(self.defects)
                known = (read(_value(row)), tuple(self.defects[noted:]))
                read_bytes += length
            else:
                self.defects += known[1]
                read_bytes += length / TAKEN_OVER_FASTER
            self.rows[digest] = known
            found.append(known[0])
        return found

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

    def _same(self, value: UUID | None) -> UUID | None:
        return None if value is None else self._id(str(value))
