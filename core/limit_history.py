"""Judges every sale of a draw again, by the limits that its rulebook version set, in the order of commit.

The counters are built anew from the tickets; nothing that the till counted is believed. The banca's cap of a number is
looked at in SQL as well (sql/queries/books/caps.sql).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import orjson

from core.domain.limit_judge import CounterKey, LimitVerdict, judge_limits, moved_counters
from core.domain.limits import draw_facts, governed, per_ticket_facts, restriction_facts, stakes_of
from core.domain.money import Cents
from core.domain.permissions import Role
from core.domain.pricing import DROPS_USER_RULES
from core.domain.restrictions import restrictions_in_force
from core.domain.rulebook import JugadaType, Rulebook, Seller
from core.domain.rulebook_json import rulebook_from_text
from core.domain.ticket import WHOLE_SALES, Draw, PricedJugada
from core.queries import sql

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

# Versions that a draw was sold under are few, unless somebody changes the rules all day long.
RULEBOOKS_MAX = 256


async def over_limits(connection: Connection, banca_id: UUID | None = None) -> AsyncIterator[tuple[UUID, str]]:
    """(banca, what is wrong) of every sale that a limit of its day should have refused.

    connection: in a transaction, as the owner. banca_id: only this one's.
    """
    for row in await connection.fetch(sql("books/limited_draws"), banca_id):
        facts = dict(row)
        owner_id = facts.pop("banca_id")
        history = _DrawHistory(connection, owner_id, Draw(**facts))
        async for finding in history.findings():
            yield owner_id, finding


class _DrawHistory:
    """draw: without its limits; those come with each version."""

    def __init__(self, connection: Connection, banca_id: UUID, draw: Draw) -> None:
        self._connection = connection
        self._banca_id = banca_id
        self._draw = draw
        self._rulebooks: dict[int, Rulebook | None] = {}
        self._draws: list[tuple[int, Draw]] = []
        self._counters: dict[CounterKey, int] = {}

    async def findings(self) -> AsyncIterator[str]:
        draw = self._draw
        for row in await self._connection.fetch(sql("books/sorteo_limits"), self._banca_id, draw.id):
            self._draws.append((row["version"], _limited(draw, row)))
        movements = self._connection.cursor(
            sql("books/limit_movements"), self._banca_id, draw.business_date, draw.id, prefetch=1_000
        )
        async for row in movements:
            jugadas = _jugadas(row)
            if row["is_judged"]:
                for verdict in await self._broken(row, jugadas):
                    yield _finding(draw, row["sequence"], verdict)
            self._move(row, jugadas)

    async def _broken(self, row: asyncpg.Record, jugadas: Sequence[PricedJugada]) -> list[LimitVerdict]:
        """The limits that the sale should not have passed."""
        version, at = row["rulebook_version"], row["at"]
        rulebook = await self._rulebook(version)
        loteria = None if rulebook is None else rulebook.loterias.get(self._draw.loteria_id)
        if rulebook is None or loteria is None:
            return []
        seller = Seller(row["vendedor_id"], row["ventana_id"])
        is_bound = Role(row["actor_role"]) not in DROPS_USER_RULES
        restrictions = restrictions_in_force(
            rulebook,
            seller=seller,
            loteria=loteria,
            drawn_on=self._draw.business_date,
            at=at,
            with_user_rules=is_bound,
        )
        stakes = stakes_of(jugadas, apart=restrictions.counts_apart)
        pairs = governed(stakes, restrictions)
        facts = [
            *per_ticket_facts(pairs, seller=seller),
            *restriction_facts(pairs, seller=seller),
            *draw_facts(stakes, rulebook=rulebook, draw=self._draw_at(version), each=True),
        ]
        return [verdict for verdict in judge_limits(facts, self._counters) if not verdict.fits]

    def _move(self, row: asyncpg.Record, jugadas: Sequence[PricedJugada]) -> None:
        moved = moved_counters(
            jugadas, banca_id=self._banca_id, ventana_id=row["ventana_id"], vendedor_id=row["vendedor_id"]
        )
        sign = 1 if row["is_live"] else -1
        for counter, cents in moved.items():
            self._counters[counter] = self._counters.get(counter, 0) + sign * cents

    def _draw_at(self, version: int) -> Draw:
        """The draw with the limits that it had at the version."""
        return next((draw for since, draw in reversed(self._draws) if since <= version), self._draw)

    async def _rulebook(self, version: int) -> Rulebook | None:
        if version not in self._rulebooks:
            document = await self._connection.fetchval(sql("books/rulebook_limits"), self._banca_id, version)
            if len(self._rulebooks) >= RULEBOOKS_MAX:
                self._rulebooks.clear()
            self._rulebooks[version] = None if document is None else rulebook_from_text(document)
        return self._rulebooks[version]


def _limited(draw: Draw, row: asyncpg.Record) -> Draw:
    limits = orjson.loads(row["number_limits"] or "{}")
    return Draw(
        id=draw.id,
        loteria_id=draw.loteria_id,
        digits=draw.digits,
        business_date=draw.business_date,
        daily_ordinal=draw.daily_ordinal,
        name=draw.name,
        scheduled_at=draw.scheduled_at,
        global_limit_cents=row["global_limit_cents"],
        number_limits={int(number): Cents(cents) for number, cents in limits.items()},
    )


def _jugadas(row: asyncpg.Record) -> list[PricedJugada]:
    """What limits look at; what the lines earned does not matter here."""
    if row["lines"] is None:
        return []  # Another check's finding.
    columns = zip(row["lines"], row["numbers"], row["reventados"], row["amounts"], row["multiplier_ids"], strict=True)
    return [_jugada(*values) for values in columns]


def _jugada(line: int, number: int, is_reventado: Any, amount_cents: int, multiplier_id: UUID | None) -> PricedJugada:
    kind = JugadaType.REVENTADO if is_reventado else JugadaType.NUMERO
    return PricedJugada(line, kind, number, Cents(amount_cents), multiplier_id, 0, 0, Cents(0), None, None, Cents(0))


def _finding(draw: Draw, sequence: int, verdict: LimitVerdict) -> str:
    fact = verdict.fact
    what = "its sales" if fact.number == WHOLE_SALES else f"number {fact.number}"
    return (
        f"draw {draw.id}, {what}: ticket {sequence} asked for {fact.amount_cents}, {verdict.available_cents} were left"
        f" of {verdict.limit_cents} ({fact.scope} {fact.scope_id}, rule {fact.rule_id})"
    )
