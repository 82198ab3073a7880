"""GET /tickets/validation/balances: under which rules, in whose name, and of whose draw."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, tzinfo
from uuid import UUID, uuid4

import pytest

from api import draw_readings
from api.keys import RULEBOOKS
from core.domain.calendar import costa_rica_minute
from core.domain.permissions import Role
from tests.api.limiting import (
    BALANCES,
    ask_balances,
    balances,
    bet,
    cents_of,
    colones,
    limit_banca,
    limit_whole_sales,
    restrict,
)
from tests.api.selling import SALE, Contract, jugada, sell, ticket
from tests.arena import Arena, Person
from tests.pos import Pos, new_key
from tests.running_api import RunningApi


async def test_a_rule_holds_for_the_reading_that_begins_after_it(api: RunningApi, arena: Arena) -> None:
    """The process knows a rulebook already, and hears of no change: the reading itself notices."""
    await balances(api, arena, arena.seller)
    store = api.app[RULEBOOKS]
    for cents in (9_000, 8_000, 7_000):
        store.notice = lambda *_: None  # type: ignore[method-assign] # a notice that was lost
        await limit_banca(arena, cents)
        read = await balances(api, arena, arena.seller)
        assert cents_of(read["numbers"]["15"]["limit"]) == cents
        assert read["rulebookVersion"] == await arena.owner.fetchval(
            "SELECT rulebook_version FROM bancas WHERE id = $1", arena.banca_id
        )


async def test_the_databases_hour_decides_which_rules_hold(
    api: RunningApi, arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LateClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> LateClock:
            return super().now(tz) - timedelta(hours=3)

    assert (await bet(Pos(api, arena.seller), arena, "15", 1_000)).status == 201
    minute = costa_rica_minute(await arena.owner.fetchval("SELECT clock_timestamp()"))
    for hour in (minute // 60, (minute // 60 + 1) % 24):  # it may be over in a moment
        await restrict(arena, ventana_id=arena.ventana_id, applies_to_hour=hour, max_total_cents=5_000)
    monkeypatch.setattr(draw_readings, "datetime", LateClock)
    assert (await balances(api, arena, arena.seller))["numbers"]["15"]["remaining"] == "40.00"


async def test_a_seller_of_a_newer_rulebook_is_found(api: RunningApi, arena: Arena) -> None:
    await balances(api, arena, arena.seller)
    newcomer = await arena.add_seller()
    assert (await ask_balances(api, arena, newcomer)).status == 200


async def test_rules_that_change_all_the_time_are_told_in_time(api: RunningApi, arena: Arena) -> None:
    """Whoever reads meanwhile gets one whole rulebook, or is told to come back."""
    await limit_banca(arena, 1_000)
    is_over = asyncio.Event()

    async def change() -> None:
        cents = 1_000
        while not is_over.is_set():
            cents += 1
            await limit_banca(arena, cents)

    changes = asyncio.create_task(change())
    answers = [await ask_balances(api, arena, arena.seller) for _ in range(50)]
    is_over.set()
    await changes
    for answer in answers:
        if answer.status == 503:
            assert answer.code == "RULES_CHANGING"
        else:
            read = answer.json()
            cap = await arena.owner.fetchval(
                "SELECT (limits ->> 'globalMaxPerNumberCents')::bigint FROM rulebook_versions"
                " WHERE banca_id = $1 AND version = $2",
                arena.banca_id, read["rulebookVersion"],
            )  # fmt: skip
            assert cents_of(read["numbers"]["15"]["limit"]) == cap


class TestWhoMayAsk:
    async def test_in_whose_name(self, api: RunningApi, arena: Arena) -> None:
        far_ventana = await arena.add_ventana()
        far = await arena.add_seller(ventana_id=far_ventana)
        stranger = await Arena.create(arena.owner, arena.settings)
        admin, banca = await arena.add_user(Role.ADMIN, has_banca=False), await arena.add_user(Role.BANCA)
        ventana = await arena.add_user(Role.VENTANA)
        near = arena.sellers[1]
        table: list[tuple[Person, UUID | None, tuple[int, str | None]]] = [
            (arena.seller, None, (200, None)),
            (arena.seller, arena.seller.id, (200, None)),
            (arena.seller, near.id, (403, "SELLER_NOT_OWN")),
            (arena.seller, stranger.seller.id, (403, "SELLER_NOT_OWN")),
            (ventana, None, (400, "VENDEDOR_ID_REQUIRED")),
            (ventana, near.id, (200, None)),
            (ventana, far.id, (403, "SELLER_NOT_OWN")),
            (ventana, stranger.seller.id, (404, "SELLER_NOT_FOUND")),
            (banca, None, (400, "VENDEDOR_ID_REQUIRED")),
            (banca, far.id, (200, None)),
            (banca, stranger.seller.id, (404, "SELLER_NOT_FOUND")),
            (admin, near.id, (200, None)),
            (admin, stranger.seller.id, (404, "SELLER_NOT_FOUND")),
            (admin, uuid4(), (404, "SELLER_NOT_FOUND")),
            (admin, ventana.id, (404, "SELLER_NOT_FOUND")),
        ]
        for person, vendedor_id, expected in table:
            answer = await ask_balances(api, arena, person, vendedor_id=vendedor_id)
            assert (answer.status, answer.code) == expected, f"{person.role} for {vendedor_id}"

    async def test_the_sellers_own_rules_bind_the_seller_and_the_banca_only(
        self, api: RunningApi, arena: Arena
    ) -> None:
        await restrict(arena, user_id=arena.seller.id, max_total_cents=100)
        await restrict(arena, ventana_id=arena.ventana_id, applies_to_vendedor=True, max_total_cents=900)
        expected = {Role.VENDEDOR: "1.00", Role.BANCA: "1.00", Role.VENTANA: "9.00", Role.ADMIN: "9.00"}
        for role, remaining in expected.items():
            person = arena.seller if role is Role.VENDEDOR else await arena.add_user(role)
            read = await balances(api, arena, person, vendedor_id=arena.seller.id)
            assert read["numbers"]["15"]["remaining"] == remaining, role
            assert read["vendedorId"] == str(arena.seller.id)

    async def test_what_is_left_in_a_sellers_name_is_what_is_sold_in_it(self, api: RunningApi, arena: Arena) -> None:
        await restrict(arena, user_id=arena.seller.id, max_total_cents=100)
        await restrict(arena, ventana_id=arena.ventana_id, applies_to_vendedor=True, max_total_cents=900)
        await restrict(arena, whole_banca=True, max_total_cents=1_000)
        name = {"vendedorId": str(arena.seller.id)}
        for role, left in ((Role.BANCA, 100), (Role.VENTANA, 800), (Role.ADMIN, 0)):
            person = await arena.add_user(role)
            shown = (await balances(api, arena, person, vendedor_id=arena.seller.id))["numbers"]["15"]
            assert cents_of(shown["remaining"]) == left, role
            pos = Pos(api, person, arena.seller.terminal)
            over = ticket(arena, jugada("15", colones(left + 1)), **name)
            assert (await pos.post(SALE, over, key=new_key())).code == "NUMBER_MAXTOTAL_EXCEEDED"
            if left:
                await sell(pos, ticket(arena, jugada("15", colones(left)), **name))

    async def test_another_tenants_draw_is_not_there(self, api: RunningApi, arena: Arena) -> None:
        stranger = await Arena.create(arena.owner, arena.settings)
        for sorteo_id in (stranger.sorteo_id, uuid4()):
            answer = await ask_balances(api, arena, arena.seller, sorteo_id=sorteo_id)
            assert (answer.status, answer.code) == (404, "SORTEO_NOT_FOUND")

    async def test_another_tenants_sales_count_for_nothing(self, api: RunningApi, arena: Arena) -> None:
        stranger = await Arena.create(arena.owner, arena.settings, number_cap_cents=5_000)
        await restrict(arena, ventana_id=arena.ventana_id, max_total_cents=5_000)
        assert (await bet(Pos(api, stranger.seller), stranger, "15", 1_000)).status == 201
        assert (await balances(api, arena, arena.seller))["numbers"]["15"]["remaining"] == "50.00"


@pytest.mark.parametrize(
    "query",
    ["", "sorteoId=7", "sorteoId=", "vendedorId={seller}", "sorteoId={sorteo}&vendedorId=me",
     "sorteoId={sorteo}&sorteoId={sorteo}", "sorteoId={sorteo}&number=07", "sorteoId={sorteo}%00"],
)  # fmt: skip
async def test_a_malformed_question_is_refused(api: RunningApi, arena: Arena, query: str) -> None:
    asked = query.format(sorteo=arena.sorteo_id, seller=arena.seller.id)
    answer = await api.get(f"{BALANCES}?{asked}", token=arena.seller.token)
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")


async def test_the_answers_are_as_documented(api: RunningApi, arena: Arena) -> None:
    contract = await Contract.of(api)
    await restrict(arena, whole_banca=True, max_total_cents=100)
    await limit_whole_sales(arena, 100)
    for vendedor_id in (None, uuid4()):
        answer = await ask_balances(api, arena, arena.seller, vendedor_id=vendedor_id)
        contract.require(answer, "GET", BALANCES)
