"""Rules that change while many sell, through two tills on one database."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest

from core.settings import Settings
from core.till.cancels import CancelAnswer, Cancelled
from core.till.refusals import Refused
from core.till.sales import PriceKeepsChangingError, SaleAnswer, Sold
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.till.crowd import two_shops
from tests.till.rule_changes import Admin, changes_of
from tests.till.shop import Shop
from tests.till.state import findings
from tests.till.test_rules import restrict
from tests.till.tickets import Bet, sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner

SELLERS = 8
SALES_EACH = 40
# A change for so many answers: every few milliseconds, as fast as the machine sells. Somebody who edits rules by hand
# is slower by orders.
ANSWERS_A_CHANGE = 4
# Three rounds of pricing against that: some give up, with nothing written.
GIVEN_UP_SHARE_MAX = 0.25
NUMBERS = ("07", "08", "15")
TOTAL_CODES = {"NUMBER_MAXTOTAL_EXCEEDED", "SORTEO_MAXTOTAL_EXCEEDED"}
CODES = TOTAL_CODES | {"NUMBER_MAXAMOUNT_EXCEEDED", "LOTTERY_MULTIPLIER_RESTRICTED"}


@pytest.fixture
async def shops(database: TestDatabase) -> AsyncIterator[list[Shop]]:
    async with two_shops(database.api_url, batch_tickets_max=4) as opened:
        yield opened


@pytest.fixture
async def admin_connection(database: TestDatabase) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(database.owner_url)
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=json.loads)
    yield connection
    await connection.close()


async def crowd(owner: Owner, settings: Settings) -> Arena:
    async with owner.transaction():
        arena = await Arena.create(owner, settings, sellers=SELLERS // 2, sorteos=2)
        elsewhere = await arena.add_ventana()
        arena.sellers += [await arena.add_seller(ventana_id=elsewhere) for _ in range(SELLERS // 2)]
    return arena


async def test_a_limit_lowered_amid_sales_holds_for_every_batch_that_began_after_the_answer(
    owner: Owner, settings: Settings, shops: list[Shop], admin_connection: asyncpg.Connection[asyncpg.Record]
):
    arena = await crowd(owner, settings)
    rule = await restrict(owner, arena, whole_banca=True, number=7, max_total_cents=1_000_000)
    admin = Admin(admin_connection, arena)
    await admin.look()
    # Half of the sellers wait halfway, so that something is left to sell however slow the admin is.
    lowered = 100 * (SELLERS * SALES_EACH * 3 // 4 + SELLERS)
    answered, enough, is_lowered = 0, asyncio.Event(), asyncio.Event()
    after: list[SaleAnswer] = []

    async def sell_on(place: int) -> list[SaleAnswer]:
        nonlocal answered
        answers = []
        for turn in range(SALES_EACH):
            if place % 4 < 2 and turn == SALES_EACH // 2:
                await is_lowered.wait()
            is_after = is_lowered.is_set()
            request = sale(arena.sellers[place], ticket(arena.sorteo_id, ("07", 100)))
            answers.append(await shops[place % 2].sell(request))
            after.extend(answers[-1:] if is_after else [])
            answered += 1
            if answered == SELLERS * SALES_EACH // 3:
                enough.set()
        return answers

    async def lower() -> None:
        await enough.wait()
        await admin.change("UPDATE restriction_rules SET max_total_cents = $2 WHERE id = $1", rule, lowered)
        is_lowered.set()

    lowering = asyncio.create_task(lower())
    answers = [answer for several in await asyncio.gather(*map(sell_on, range(SELLERS))) for answer in several]
    await lowering
    rows = await owner.fetch("SELECT sequence, rulebook_version, total_cents FROM tickets ORDER BY sequence")
    versions = [row["rulebook_version"] for row in rows]
    assert versions == sorted(versions), "under the draw's lock no batch goes back to older rules"
    assert set(versions) == set(admin.versions), "it came in the middle"
    running = 0
    for row in rows:
        running += row["total_cents"]
        assert row["rulebook_version"] < admin.version or running <= lowered, row
    assert running == lowered, "and all that it allows is sold"
    sold_after = [answer for answer in after if isinstance(answer, Sold)]
    assert {answer.record.rulebook_version for answer in sold_after} <= {admin.version}
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert {answer.code for answer in refused} == {"NUMBER_MAXTOTAL_EXCEEDED"}
    assert {violation.to_json()["limit"] for one in refused for violation in one.violations} == {f"{lowered / 100:.2f}"}
    assert await findings(owner, arena.banca_id) == []


async def test_while_rules_of_every_kind_come_and_go_nobody_is_answered_wrongly(
    owner: Owner, settings: Settings, shops: list[Shop], admin_connection: asyncpg.Connection[asyncpg.Record]
):
    arena = await crowd(owner, settings)
    band = await arena.add_multiplier("Banda 85", 8_500)
    admin = Admin(admin_connection, arena)
    await admin.look()
    selling, told = Selling(arena, shops, admin, band), Told()

    async def change_on() -> None:
        dice, changes = random.Random(5), changes_of(arena, band)
        while True:
            await dice.choice(changes)(admin, dice)
            await told.more(ANSWERS_A_CHANGE)

    changing = asyncio.create_task(change_on())
    await asyncio.gather(*(selling.sell_on(place, told) for place in range(SELLERS)))
    changing.cancel()
    await asyncio.wait([changing])
    assert changing.cancelled(), changing
    assert told.wrong + selling.wrong_refusals() == []
    assert told.sold, "some are sold"
    assert told.cancelled, "and cancelled"
    assert told.refused, "and refused"
    assert admin.begun > told.answers // 10, "the rules changed all the time"
    assert told.given_up <= GIVEN_UP_SHARE_MAX * SELLERS * SALES_EACH
    stored = {row["id"]: row["status"] for row in await owner.fetch("SELECT id, status::text FROM tickets")}
    assert stored == {
        **dict.fromkeys(told.sold, "ACTIVE"), **dict.fromkeys(told.cancelled, "CANCELLED"),
    }  # fmt: skip
    tracked = await owner.fetch("SELECT DISTINCT scope::text, multiplier_key FROM exposure_tracking")
    assert {row["scope"] for row in tracked} == {"BANCA", "VENTANA", "VENDEDOR"}
    assert band in {row["multiplier_key"] for row in tracked}
    assert await findings(owner, arena.banca_id) == []


@dataclass
class Told:
    """What the sellers heard. sold: still standing; given_up: sales and cancels that the rules outran."""

    sold: list[UUID] = field(default_factory=list)
    cancelled: list[UUID] = field(default_factory=list)
    refused: int = 0
    given_up: int = 0
    wrong: list[str] = field(default_factory=list)
    answers: int = 0
    another: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self) -> None:
        self.answers += 1
        self.another.set()

    async def more(self, answers: int) -> None:
        """Until so many more were heard."""
        enough = self.answers + answers
        while self.answers < enough:
            self.another.clear()
            await self.another.wait()


class Selling:
    def __init__(self, arena: Arena, shops: list[Shop], admin: Admin, band: UUID) -> None:
        self.arena, self.shops, self.admin, self.band = arena, shops, admin, band
        # What refusals said, and the places of the first and the last rules that may have been meant.
        self.claims: list[tuple[dict[str, Any], int, int]] = []

    async def sell_on(self, place: int, told: Told) -> None:
        """Every fifth is cancelled again, at the other till."""
        dice = random.Random(place)
        seller, shop = self.arena.sellers[place], self.shops[place % 2]
        for turn in range(SALES_EACH):
            asked = ticket(
                dice.choice(self.arena.sorteo_ids), *_bets(dice), multiplier_id=dice.choice([None, None, self.band])
            )
            since = len(self.admin.versions) - 1
            try:
                answer = await shop.sell(sale(seller, asked))
            except PriceKeepsChangingError:
                told.given_up += 1
                continue
            finally:
                told.hear()
            told.wrong += self._wrong_with(answer, since)
            if isinstance(answer, Refused):
                told.refused += 1
                continue
            told.sold.append(answer.record.id)
            if turn % 5 == 4:
                await self._cancel(place, told)

    async def _cancel(self, place: int, told: Told) -> None:
        ticket_id = told.sold[-1]
        try:
            other = self.shops[(place + 1) % 2]
            answer: CancelAnswer = await other.cancel(self.arena.sellers[place], ticket_id=ticket_id)
        except PriceKeepsChangingError:
            told.given_up += 1
            return
        if isinstance(answer, Cancelled):
            told.sold.remove(ticket_id)
            told.cancelled.append(ticket_id)
        else:
            told.wrong.append(f"cancel: {answer}")

    def _wrong_with(self, answer: SaleAnswer, since: int) -> list[str]:
        """since: the place of the rules that stood when it was asked. No rule before those may decide."""
        if isinstance(answer, Sold):
            version = answer.record.rulebook_version
            is_old = version < self.admin.versions[since]
            return [f"sold by version {version}, {self.admin.versions[since]} stood"] if is_old else []
        self.claims += [(violation.to_json(), since, self.admin.begun) for violation in answer.violations]
        return []

    def wrong_refusals(self) -> list[str]:
        """To be asked when all changes are known."""
        return [wrong for told, since, until in self.claims for wrong in self._wrong_claim(told, since, until)]

    def _wrong_claim(self, told: dict[str, Any], since: int, until: int) -> Iterator[str]:
        known = self.admin.limits[since : until + 1]
        if told["code"] not in CODES:
            yield f"nobody may say so: {told}"
        if "ruleId" in told and not any(told["ruleId"] in limits for limits in known):
            yield f"a rule that was gone: {told}"
        is_static = told["code"] == "NUMBER_MAXTOTAL_EXCEEDED" and told.get("isDynamic") is False
        if is_static and _read_cents(told["limit"]) not in {limits.get(told["ruleId"]) for limits in known}:
            yield f"a limit that never was: {told}"
        if told["code"] in TOTAL_CODES and _read_cents(told["available"]) >= _read_cents(told["amount"]):
            yield f"it would have fitted: {told}"


def _bets(dice: random.Random) -> list[Bet]:
    bets = [(number, dice.choice([100, 250, 500])) for number in dice.sample(NUMBERS, dice.randint(1, 2))]
    number, cents = bets[0]
    return [*bets, (f"R{number}", cents)] if dice.random() < 0.2 else bets


def _read_cents(text: str) -> int:
    return int(text.replace(".", ""))
