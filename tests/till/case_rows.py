"""A case of docs/examples/explain as rows of the database: its names are uuids by then, as explain makes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from core.domain.calendar import parse_date, parse_instant
from core.domain.money import parse_hundredths

if TYPE_CHECKING:
    from tests.arena import Owner

Row = Mapping[str, Any]

HUNDREDTHS_MAX = 10**15
MASTER_KEY_ID = "k1"
# Older than any case; what has no time of its own is as old as it stands in its list.
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
HOUSE = ("SALES", "PRIZES", "COMMISSIONS", "CASH")


class CaseRows:
    """Sessions and terminals are made for it: session_ids by user, terminal_ids by ventana."""

    def __init__(self, owner: Owner, case: Row) -> None:
        self.owner, self.case = owner, case
        self.banca_id = UUID(case["banca"]["id"])
        self.sorteo_id = UUID(case["sorteo"].get("id", str(uuid4())))
        self.session_ids: dict[UUID, UUID] = {}
        self.terminal_ids: dict[UUID, UUID] = {}

    async def write_world(self) -> None:
        """People, products and the draw, of which nothing is limited yet."""
        banca = self.case["banca"]
        cutoff = {"sales_cutoff_minutes": banca["salesCutoffMinutes"]} if "salesCutoffMinutes" in banca else {}
        minimum = {"default_min_bet_cents": hundredths(banca["defaultMinBet"])} if "defaultMinBet" in banca else {}
        names = {"name": "Banca", "code": "B1"}
        policy = {"commission_policy": _json(banca.get("commissionPolicyJson"))}
        await self._insert("bancas", id=self.banca_id, **names, **cutoff, **minimum, **policy)
        for kind in HOUSE:
            await self._insert("accounts", banca_id=self.banca_id, id=uuid4(), kind=kind)
        for ventana in self.case.get("ventanas", ()):
            await self.add_ventana(UUID(ventana["id"]), policy=ventana.get("commissionPolicyJson"))
        for user in self.case.get("users", ()):
            ids = UUID(user["id"]), UUID(user["ventanaId"])
            await self.add_user(*ids, role=user["role"], policy=user.get("commissionPolicyJson"))
        for loteria in self.case["loterias"]:
            await self._of_banca(
                "loterias", id=loteria["id"], name=loteria["name"], rules=_json(loteria.get("rulesJson") or {}),
                is_active=loteria.get("isActive", True),
            )  # fmt: skip
        for place, multiplier in enumerate(self.case.get("multipliers", ())):
            await self._add_multiplier(multiplier, place)
        for override in self.case.get("multiplierOverrides", ()):
            await self._of_banca(
                "multiplier_overrides", id=override["id"], user_id=override.get("userId"),
                ventana_id=override.get("ventanaId"), loteria_id=override["loteriaId"],
                x_hundredths=hundredths(override["baseMultiplierX"]), is_active=override.get("isActive", True),
            )  # fmt: skip
        sorteo = self.case["sorteo"]
        await self._of_banca(
            "sorteos", id=self.sorteo_id, loteria_id=sorteo["loteriaId"], name="draw", digits=sorteo.get("digits", 2),
            status=sorteo.get("status", "OPEN"), is_active=sorteo.get("isActive", True),
            scheduled_at=instant(sorteo["scheduledAt"]),
        )  # fmt: skip

    async def write_limits(self) -> None:
        """All that limits what may be sold."""
        banca, sorteo = self.case["banca"], self.case["sorteo"]
        await self.owner.execute(
            "UPDATE bancas SET global_max_per_number_cents = $2 WHERE id = $1", self.banca_id,
            hundredths(banca.get("globalMaxPerNumber")),
        )  # fmt: skip
        await self.owner.execute(
            "UPDATE sorteos SET global_limit_cents = $2 WHERE id = $1", self.sorteo_id,
            hundredths(sorteo.get("globalLimit")),
        )  # fmt: skip
        for text, cents in sorteo.get("numberLimits", {}).items():
            limit = {"number": int(text), "max_amount_cents": hundredths(cents)}
            await self._of_banca("sorteo_number_limits", sorteo_id=self.sorteo_id, **limit)
        for setting in self.case.get("bancaLoteriaSettings", ()):
            await self._of_banca(
                "banca_loteria_settings", loteria_id=setting["loteriaId"],
                base_multiplier_x_hundredths=hundredths(setting.get("baseMultiplierX")),
                max_total_per_sorteo_cents=hundredths(setting.get("maxTotalPerSorteo")),
                is_active=setting.get("isActive", True),
            )  # fmt: skip
        for rule in self.case.get("restrictions", ()):
            await self._add_restriction(rule)

    async def add_ventana(self, ventana_id: UUID, *, policy: Any = None) -> None:
        """With an account and a terminal."""
        code = ventana_id.hex[:8]
        names = {"id": ventana_id, "name": "Ventana", "code": code}
        await self._of_banca("ventanas", **names, commission_policy=_json(policy))
        await self._of_banca("accounts", id=ventana_id, kind="VENTANA")
        terminal_id = self.terminal_ids[ventana_id] = uuid4()
        await self._of_banca("terminals", id=terminal_id, ventana_id=ventana_id, master_key_id=MASTER_KEY_ID)

    async def add_user(self, user_id: UUID, ventana_id: UUID | None, *, role: str, policy: Any = None) -> None:
        """With a session that never ends; a seller with an account."""
        await self._of_banca(
            "users", id=user_id, ventana_id=ventana_id, role=role, username=user_id.hex, password_hash="-",
            commission_policy=_json(policy),
        )  # fmt: skip
        session_id = self.session_ids[user_id] = uuid4()
        await self._of_banca(
            "sessions", id=session_id, user_id=user_id, refresh_hash=bytes(32),
            expires_at=datetime.now(UTC) + timedelta(days=7),
        )  # fmt: skip
        if role == "VENDEDOR":
            await self._of_banca("accounts", id=user_id, kind="SELLER", balance_cents=0)

    async def _add_multiplier(self, multiplier: Row, place: int) -> None:
        day, made_at = multiplier.get("appliesToDate"), multiplier.get("createdAt")
        await self._of_banca(
            "loteria_multipliers", id=multiplier["id"], loteria_id=multiplier["loteriaId"], name=multiplier["name"],
            kind=multiplier.get("kind", "NUMERO"), value_x_hundredths=hundredths(multiplier["valueX"]),
            is_active=multiplier.get("isActive", True), applies_to_date=None if day is None else parse_date(day),
            created_at=instant(made_at) if made_at else LONG_AGO + timedelta(seconds=place),
        )  # fmt: skip

    async def _add_restriction(self, rule: Row) -> None:
        day, changed_at, number = rule.get("appliesToDate"), rule.get("updatedAt"), rule.get("number")
        await self._of_banca(
            "restriction_rules", id=rule["id"], whole_banca="bancaId" in rule, ventana_id=rule.get("ventanaId"),
            user_id=rule.get("userId"), number=None if number is None else int(number),
            is_auto_date=rule.get("isAutoDate", False), auto_date_of=rule.get("autoDateOf", "SALE"), max_amount_cents=hundredths(rule.get("maxAmount")),
            max_total_cents=hundredths(rule.get("maxTotal")), base_amount_cents=hundredths(rule.get("baseAmount")),
            sales_basis_points=hundredths(rule.get("salesPercentage")),
            applies_to_vendedor=rule.get("appliesToVendedor", False),
            applies_to_date=None if day is None else parse_date(day), applies_to_hour=rule.get("appliesToHour"),
            sales_cutoff_minutes=rule.get("salesCutoffMinutes"), loteria_id=rule.get("loteriaId"),
            multiplier_id=rule.get("multiplierId"), message=rule.get("message"),
            is_active=rule.get("isActive", True), updated_at=instant(changed_at) if changed_at else LONG_AGO,
        )  # fmt: skip

    async def _of_banca(self, table: str, **columns: Any) -> None:
        await self._insert(table, banca_id=self.banca_id, **columns)

    async def _insert(self, table: str, **columns: Any) -> None:
        places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
        await self.owner.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", *columns.values())


def hundredths(value: object) -> int | None:
    return None if value is None else parse_hundredths(value, maximum=HUNDREDTHS_MAX)


def instant(text: str) -> datetime:
    return parse_instant(text)


def _json(document: object) -> str | None:
    return None if document is None else json.dumps(document)
