"""A whole month, told the time: draws make themselves, open, are sold, close and are evaluated, sellers pay, wrong results
are corrected, days are settled, and the month is closed; statements, closing and ledger agree to the cent.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest

from core.database import Database, create_pool
from core.domain.calendar import COSTA_RICA
from core.domain.jobs import JobName
from core.rulebooks import RulebookStore
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.evaluating import request_revert
from tests.job_desk import Desk, open_desk, set_clock
from tests.statements.office import Office
from tests.till.tickets import sale, ticket
from workers.scheduler import Scheduler

FIRST, NEXT = date(2030, 1, 1), date(2030, 2, 1)
DAY = timedelta(days=1)
RULES = {
    "digits": 2,
    "autoOpenEnabled": True,
    "autoCreateEnabled": True,
    "drawSchedule": {"frequency": "diario", "times": ["12:00", "19:30"]},
}
OFF_BY_DEFAULT = (
    JobName.SORTEOS_AUTO_OPEN,
    JobName.SORTEOS_AUTO_CREATE,
    JobName.SORTEOS_AUTO_CLOSE,
    JobName.SETTLEMENT,
)
# Of which one day is corrected when it has long been settled.
CORRECTED, CORRECTED_ON = date(2030, 1, 5), date(2030, 1, 20)


@dataclass
class Month:
    """Days pass one after another; each thing that happens says when."""

    office: Office
    desk: Desk
    scheduler: Scheduler
    chance: random.Random = field(default_factory=lambda: random.Random(31))

    async def day(self, day: date) -> None:
        """UTC's: jobs at night and in the morning, the noon draw, movements, the evening draw."""
        arena = self.office.arena
        await self.night(day)
        for hour, minute in ((12, 0), (19, 30)):
            at = datetime.combine(day, time(hour, minute), COSTA_RICA)
            sorteo_id = await arena.owner.fetchval("SELECT id FROM sorteos WHERE scheduled_at = $1", at)
            assert sorteo_id is not None, f"no draw was made for {at}"
            await self.sell(sorteo_id, at - timedelta(hours=2))
            self.scheduler.at = at + timedelta(seconds=30)
            assert await self.scheduler.run_once() == 1
            await self.evaluate(sorteo_id, at + timedelta(minutes=5))
        await self.move(day)
        if day == CORRECTED_ON:
            await self.correct(datetime.combine(CORRECTED, time(12), COSTA_RICA))

    async def night(self, day: date) -> None:
        """Costa Rica's: late in the evening of the day before, and after its midnight."""
        for hour in (4, 8):
            await self.jobs(datetime.combine(day, time(hour, 5), UTC))

    async def jobs(self, at: datetime) -> None:
        self.office.statements.at = at
        await self.office.compute()
        await self.desk.pass_time(at)

    async def sell(self, sorteo_id: UUID, at: datetime) -> None:
        numbers = [f"{self.chance.randrange(20):02d}" for _ in self.office.arena.sellers]
        asked = [
            sale(seller, ticket(sorteo_id, (number, self.chance.randint(100, 99_999))))
            for seller, number in zip(self.office.arena.sellers, numbers, strict=True)
        ]
        outcomes = await self.office.shop.record(asked, at=at)
        assert [outcome.verdict for outcome in outcomes] == ["SOLD"] * len(asked)

    async def evaluate(self, sorteo_id: UUID, at: datetime) -> None:
        outcome = await self.office.arena.owner.fetchval(
            "SELECT outcome FROM request_evaluation($1, $2, '{CLOSED}', '{t}', $3, NULL, NULL, $4, NULL, $5)",
            self.office.arena.banca_id, sorteo_id, f"{self.chance.randrange(20):02d}", self.office.admin.id, at,
        )  # fmt: skip
        assert outcome == "REQUESTED"
        await self.office.evaluator.finish()
        self.office.statements.at = at
        await self.office.compute()

    async def move(self, day: date) -> None:
        """A seller brings what it has, or fetches some of it."""
        seller, kind = self.chance.choice(self.office.arena.sellers), self.chance.choice(("payment", "collection"))
        row = await self.office.move(
            day,
            self.chance.randint(1, 50_000),
            kind=kind,
            entity_id=seller.id,
            at=time(20),
            now=datetime.combine(day, time(21), COSTA_RICA),
        )
        assert row["outcome"] == "REGISTERED"

    async def correct(self, drawn_at: datetime) -> None:
        sorteo_id = await self.office.arena.owner.fetchval("SELECT id FROM sorteos WHERE scheduled_at = $1", drawn_at)
        at = datetime.combine(CORRECTED_ON, time(22), COSTA_RICA)
        assert await request_revert(self.office.arena, sorteo_id=sorteo_id) == "REQUESTED"
        await self.office.evaluator.finish()
        await self.evaluate(sorteo_id, at)


@pytest.fixture
async def month(office: Office, arena: Arena, database: TestDatabase) -> AsyncIterator[Month]:
    await set_clock(arena, born=datetime.combine(FIRST - 2 * DAY, time(12), UTC))
    await arena.owner.execute("DELETE FROM sorteos")
    await arena.owner.execute("UPDATE loterias SET rules = $1", json.dumps(RULES))
    await arena.give_policy("users", arena.seller.id, "7.5")
    await arena.give_policy("ventanas", arena.ventana_id, "12")
    arena.sellers.append(await arena.add_seller(ventana_id=await arena.add_ventana(), credit_limit_cents=10_000_000))
    await arena.owner.execute("UPDATE sessions SET expires_at = 'infinity'")
    pool = await create_pool(database.worker_url, size=2, timeout_s=10, application_name="tests")
    scheduling = Database(pool, acquire_timeout_s=5)
    async with open_desk(arena, database) as desk:
        for job in OFF_BY_DEFAULT:
            await desk.enable(job)
        scheduler = Scheduler(scheduling, RulebookStore(scheduling, age_max_s=0, base_multiplier_default_x=None))
        yield Month(office, desk, scheduler)
        await scheduler.leadership.close()
    await pool.close()


async def test_a_month_of_a_banca_ends_with_books_that_agree(month: Month, arena: Arena) -> None:
    await month.jobs(datetime.combine(FIRST - DAY, time(8, 5), UTC))
    day = FIRST
    while day < NEXT:
        await month.day(day)
        day += DAY
    await month.night(NEXT)
    assert await month.office.findings() == []
    await every_job_ran_once_a_period(arena)
    await closings_are_what_the_accounts_say(arena)
    settled = await arena.owner.fetchrow(
        "SELECT max(business_date) AS through, count(*) FILTER (WHERE corrections_cents <> 0) AS corrected"
        " FROM statements WHERE dimension = 'BANCA' AND (settled_at IS NOT NULL OR corrections_cents <> 0)"
    )
    assert settled is not None and (settled["through"], settled["corrected"]) == (NEXT - 9 * DAY, 1)


async def every_job_ran_once_a_period(arena: Arena) -> None:
    rows = await arena.owner.fetch("SELECT job, period, state::text, trigger::text FROM job_runs")
    assert {(row["state"], row["trigger"]) for row in rows} == {("DONE", "SCHEDULE")}
    periods = Counter((row["job"], row["period"]) for row in rows)
    assert set(periods.values()) == {1}
    runs = Counter(row["job"] for row in rows)
    days = (NEXT - FIRST).days
    assert runs.pop(JobName.MONTHLY_CLOSING) == 2
    assert set(runs) == set(JobName) - {JobName.MONTHLY_CLOSING}
    assert all(days <= count <= days + 2 for count in runs.values()), runs


async def closings_are_what_the_accounts_say(arena: Arena) -> None:
    """Nothing is to be drawn yet, so that what a seller owes is its account's balance."""
    rows = await arena.owner.fetch(
        "SELECT k.closing_cents, -a.balance_cents AS owed, k.ticket_count, k.opening_cents FROM monthly_closings k"
        " JOIN accounts a ON a.id = k.entity_id AND a.kind = 'SELLER' WHERE k.month = $1 AND k.dimension = 'VENDEDOR'",
        FIRST,
    )
    assert len(rows) == len(arena.sellers)
    for row in rows:
        assert (row["closing_cents"], row["opening_cents"]) == (row["owed"], 0)
        assert row["ticket_count"] == 2 * (NEXT - FIRST).days
