"""Movements over HTTP: who may move whose money, the answers, their replays, and bad input."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from core.domain.calendar import COSTA_RICA
from core.domain.permissions import Role
from core.settings import Settings
from tests.api.selling import Contract, require_no_insides
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.pos import new_key
from tests.running_api import RunningApi, api_settings
from tests.statements.clerk import ACCOUNTS, REPLAYED, Clerk, days_ago, money, today
from tests.statements.office import Office
from tests.workers.pipeline import eventually


@pytest.fixture
def settings(database: TestDatabase, valkey_url: str) -> Settings:
    """With the cache that tells readers of balances."""
    return api_settings(database_url=database.api_url, redis_url=valkey_url)


@pytest.fixture
async def boss(api: RunningApi, arena: Arena) -> Clerk:
    return await Clerk.of(api, arena)


async def test_a_movement_is_answered_with_its_day(api: RunningApi, arena: Arena, boss: Clerk, office: Office) -> None:
    contract, day = await Contract.of(api), days_ago(1)
    answer = await boss.move(
        "1234.5",
        vendedorId=arena.seller.id,
        bancaId=arena.banca_id,
        time="18:30",
        notes=" Ana ",
        isFinal=True,
        day=day,
    )
    document = contract.require(answer, "POST", f"{ACCOUNTS}/payment")
    payment, statement = document["payment"], document["statement"]
    assert payment | {
        "dimension": "vendedor", "vendedorId": str(arena.seller.id), "ventanaId": str(arena.ventana_id),
        "bancaId": str(arena.banca_id), "date": str(day), "time": "18:30", "amount": "1234.50", "notes": "Ana",
        "isFinal": True, "paidById": str(boss.person.id), "paidByName": boss.person.username, "isReversed": False,
        "occurredAt": f"{day + timedelta(days=1)}T00:30:00.000Z",
    } == payment  # fmt: skip
    assert statement["id"] == f"vendedor:{arena.seller.id}:{day}"
    figures = ("openingBalance", "totalPaid", "totalCollected", "totalPaymentsCollections", "remainingBalance")
    assert [statement[name] for name in figures] == ["0.00", "0.00", "1234.50", "1234.50", "-1234.50"]

    answer = await boss.reverse(payment["id"], reason="no such money")
    document = contract.require(answer, "POST", f"{ACCOUNTS}/reverse-payment")
    reversal = {name: document["payment"][name] for name in ("isReversed", "reversedById", "reversedReason")}
    assert reversal == {"isReversed": True, "reversedById": str(boss.person.id), "reversedReason": "no such money"}
    assert document["statement"]["remainingBalance"] == "0.00"
    assert await office.findings() == []


async def test_readers_of_the_balance_are_told(api: RunningApi, arena: Arena, boss: Clerk) -> None:
    async def balance() -> Any:
        return (await api.get(f"{ACCOUNTS}/me/balance", token=arena.seller.token)).json()["balance"]

    assert await balance() == "0.00"
    await boss.moved("70.00", vendedorId=arena.seller.id)

    async def is_told() -> bool:
        return bool(await balance() == "70.00")

    await eventually(is_told)


async def test_who_may_move_whose_money(api: RunningApi, arena: Arena, boss: Clerk) -> None:
    elsewhere = await arena.add_ventana()
    foreign_seller = await arena.add_seller(ventana_id=elsewhere)
    stranger = await Arena.create(arena.owner, arena.settings)
    admin = Clerk(api, await arena.add_user(Role.ADMIN, has_banca=False), arena.banca_id)
    listero, seller = await Clerk.of(api, arena, Role.VENTANA), Clerk(api, arena.seller)
    own = {"vendedorId": arena.seller.id}
    table: list[tuple[Clerk, dict[str, Any], int, str | None]] = [
        (admin, own, 201, None),
        (admin, {"ventanaId": elsewhere}, 201, None),
        (admin, {"bancaId": arena.banca_id}, 201, None),
        # Two whose money it could be, and a banca that is not the one.
        (admin, {**own, "ventanaId": arena.ventana_id}, 400, "VALIDATION_FAILED"),
        (admin, {**own, "bancaId": uuid4()}, 404, "ENTITY_NOT_FOUND"),
        (admin, {"ventanaId": arena.ventana_id, "bancaId": uuid4()}, 404, "ENTITY_NOT_FOUND"),
        (admin, {**own, "bancaId": arena.banca_id}, 201, None),
        (admin, {}, 400, "MISSING_DIMENSION"),
        (admin, {"bancaId": stranger.banca_id}, 404, "ENTITY_NOT_FOUND"),
        (boss, own, 201, None),
        (boss, {"bancaId": arena.banca_id}, 201, None),
        (boss, {"vendedorId": stranger.seller.id}, 404, "ENTITY_NOT_FOUND"),
        (boss, {"ventanaId": stranger.ventana_id}, 404, "ENTITY_NOT_FOUND"),
        (boss, {"vendedorId": boss.person.id}, 404, "ENTITY_NOT_FOUND"),
        (listero, own, 201, None),
        (listero, {"ventanaId": arena.ventana_id}, 201, None),
        (listero, {}, 400, "MISSING_DIMENSION"),
        (listero, {"vendedorId": foreign_seller.id}, 404, "ENTITY_NOT_FOUND"),
        (listero, {"ventanaId": elsewhere}, 404, "ENTITY_NOT_FOUND"),
        (listero, {"bancaId": arena.banca_id}, 403, "FORBIDDEN"),
        (listero, {**own, "bancaId": arena.banca_id}, 403, "FORBIDDEN"),
        (seller, own, 403, "FORBIDDEN"),
        (seller, {"bancaId": "nonsense"}, 403, "FORBIDDEN"),
    ]  # fmt: skip
    for clerk, ids, status, code in table:
        before = await money(arena)
        answer = await clerk.move(**ids)
        assert (answer.status, answer.code) == (status, code), (clerk.person.role, ids)
        assert (await money(arena) == before) == (code is not None)
    theirs = (await boss.moved(vendedorId=foreign_seller.id))["id"]
    before = await money(arena)
    other = await Clerk.of(api, stranger)
    for clerk, code in ((listero, "PAYMENT_NOT_FOUND"), (seller, "FORBIDDEN"), (other, "PAYMENT_NOT_FOUND")):
        assert (await clerk.reverse(theirs)).code == code
    assert await money(arena) == before


async def test_bad_movements_are_refused_and_change_nothing(arena: Arena, boss: Clerk, office: Office) -> None:
    done = (await boss.moved(vendedorId=arena.seller.id, day=days_ago(20)))["id"]
    reversed_ = (await boss.moved(vendedorId=arena.seller.id, day=days_ago(2)))["id"]
    assert (await boss.reverse(reversed_)).status == 200
    # Tickets on a row make the settlement take it.
    await arena.owner.execute("UPDATE statements SET settled_at = now() WHERE business_date = $1", days_ago(20))
    now = datetime.now(COSTA_RICA)
    before, own = await money(arena), {"vendedorId": arena.seller.id}
    table: list[tuple[dict[str, Any], int, str]] = [
        ({**own, "day": today() + timedelta(days=1)}, 400, "FUTURE_DATE"),
        ({**own, "day": days_ago(367)}, 400, "DATE_TOO_OLD"),
        ({**own, "day": days_ago(20)}, 409, "STATEMENT_SETTLED"),
        ({**own, "day": days_ago(30)}, 409, "STATEMENT_SETTLED"),
        *(({**own, "time": time}, 400, "INVALID_TIME_FORMAT") for time in ("24:00", "7:30", "12:60", "", "12:30:00", "noon")),
        *(({**own, "amount": amount}, 400, "VALIDATION_FAILED") for amount in (0, "-1.00", "1.001", "NaN", True, None, 1e12)),
        ({**own, "type": "loan"}, 400, "VALIDATION_FAILED"),
        ({**own, "method": "gold"}, 400, "VALIDATION_FAILED"),
        ({**own, "notes": "x" * 501}, 400, "VALIDATION_FAILED"),
        ({**own, "day": "2026-02-30"}, 400, "VALIDATION_FAILED"),
        ({**own, "more": "1"}, 400, "VALIDATION_FAILED"),
        ({"vendedorId": "nonsense"}, 400, "VALIDATION_FAILED"),
        ({**own, "key": "short"}, 400, "IDEMPOTENCY_KEY_INVALID"),
    ]  # fmt: skip
    if now.hour < 23:
        late = f"{now + timedelta(hours=1):%H:%M}"
        table.append(({**own, "day": today(), "time": late}, 400, "FUTURE_TIME"))
    for members, status, code in table:
        answer = await boss.move(**members)
        assert (answer.status, answer.code) == (status, code), members
        require_no_insides(answer)
        if code == "STATEMENT_SETTLED":
            assert answer.json()["violations"][0]["settledThrough"] == str(days_ago(20))
    for movement_id, others, status, code in (
        (uuid4(), {}, 404, "PAYMENT_NOT_FOUND"),
        (reversed_, {}, 409, "PAYMENT_ALREADY_REVERSED"),
        (done, {"reason": "no"}, 400, "VALIDATION_FAILED"),
        ("nonsense", {}, 400, "VALIDATION_FAILED"),
    ):
        answer = await boss.reverse(movement_id, **others)
        assert (answer.status, answer.code) == (status, code), others
    document = {
        "date": str(days_ago(1)),
        "amount": 1,
        "type": "payment",
        "method": "cash",
        "bancaId": str(arena.banca_id),
    }
    assert (await boss.send("POST", "/payment", document)).code == "IDEMPOTENCY_KEY_REQUIRED"
    assert await money(arena) == before
    assert await office.findings() == []


async def test_replays_have_the_same_bytes(arena: Arena, boss: Clerk) -> None:
    key, reversal_key = new_key(), new_key()
    own: dict[str, Any] = {"vendedorId": arena.seller.id}
    first = await boss.move(100, key=key, **own)
    back = await boss.reverse(first.json()["payment"]["id"], key=reversal_key)
    await boss.moved("3.00", **own)
    await arena.owner.execute("UPDATE users SET name = 'Somebody else'")
    before = await money(arena)
    # 100 and "100.00" are one amount, and midnight is the time unless told.
    again = await boss.move("100.00", key=key, time="00:00", **own)
    assert (again.status, again.body, again.headers[REPLAYED]) == (201, first.body, "true")
    again = await boss.reverse(first.json()["payment"]["id"], key=reversal_key)
    assert (again.status, again.body, again.headers[REPLAYED]) == (200, back.body, "true")
    assert REPLAYED not in first.headers
    others = (
        await boss.move("100.01", key=key, **own),
        await boss.move(100, key=key, **own, time="00:01"),
        await boss.move(100, key=reversal_key, **own),
        await boss.reverse(first.json()["payment"]["id"], key=key),
        await boss.reverse(first.json()["payment"]["id"], key=reversal_key, reason="another one"),
    )
    assert [(answer.status, answer.code) for answer in others] == [(422, "IDEMPOTENCY_PAYLOAD_MISMATCH")] * 5
    assert await money(arena) == before


async def test_the_same_key_at_once_is_one_movement(arena: Arena, boss: Clerk, office: Office) -> None:
    key = new_key()
    answers = await asyncio.gather(*(boss.move("9.99", key=key, vendedorId=arena.seller.id) for _ in range(20)))
    assert {(answer.status, answer.body) for answer in answers} == {(201, answers[0].body)}
    assert sum(REPLAYED not in answer.headers for answer in answers) == 1
    assert await arena.owner.fetchval("SELECT count(*) FROM movements") == 1
    assert await office.findings() == []


async def test_an_equal_movement_of_the_last_ten_minutes_is_named(api: RunningApi, arena: Arena, boss: Clerk) -> None:
    contract, seller = await Contract.of(api), arena.seller.id

    async def named(amount: str = "50.00", *, key: str | None = None, **others: Any) -> tuple[str, str | None]:
        """The movement's id, and which it may repeat."""
        answer = await boss.move(amount, key=key, **{"vendedorId": seller, **others})
        document = contract.require(answer, "POST", f"{ACCOUNTS}/payment")
        return document["payment"]["id"], document["possibleDuplicateOf"]

    key = new_key()
    first, of_first = await named(key=key)
    assert of_first is None
    for other in (
        {"amount": "50.01"},
        {"day": days_ago(2)},
        {"type": "payment"},
        {"vendedorId": (await arena.add_seller()).id},
    ):
        assert (await named(**other))[1] is None, other
    # Method, time and notes differ between the two people who book the same money.
    second, of_second = await named(method="transfer", time="11:00", notes="again")
    assert of_second == first
    # It is booked all the same, and its replay has the bytes of the first answer, whatever came after.
    replayed = await boss.move("50.00", key=key, vendedorId=seller)
    assert (replayed.headers[REPLAYED], replayed.json()["possibleDuplicateOf"]) == ("true", None)
    assert (await named())[1] == second, "the latest"
    await boss.reverse(second)
    third = await arena.owner.fetchval("SELECT id FROM movements ORDER BY created_at DESC LIMIT 1")
    await boss.reverse(third)
    assert (await named())[1] == first, "what was taken back is no duplicate"
    await arena.owner.execute("UPDATE movements SET created_at = created_at - interval '601 seconds'")
    assert (await named())[1] is None


async def test_of_equal_movements_at_once_each_names_one_before_it(arena: Arena, boss: Clerk) -> None:
    answers = await asyncio.gather(*(boss.move(vendedorId=arena.seller.id) for _ in range(8)))
    named = [answer.json()["possibleDuplicateOf"] for answer in answers]
    assert named.count(None) == 1
    assert set(named) - {None} <= {answer.json()["payment"]["id"] for answer in answers}


async def test_a_registration_recorded_without_the_duplicate_is_replayed_without_it(arena: Arena, boss: Clerk) -> None:
    key = new_key()
    first = await boss.move(key=key, vendedorId=arena.seller.id)
    await arena.owner.execute("UPDATE idempotency SET answer = answer - 'possibleDuplicateOf'")
    again = await boss.move(key=key, vendedorId=arena.seller.id)
    expected = first.json()
    del expected["possibleDuplicateOf"]
    assert again.json() == expected


async def test_movements_and_their_reversals_and_computations_at_once_leave_clean_books(
    arena: Arena, boss: Clerk, office: Office
) -> None:
    seller = arena.seller.id
    ids: list[dict[str, Any]] = [{"vendedorId": seller}, {"ventanaId": arena.ventana_id}, {"bancaId": arena.banca_id}]
    await office.sell(("07", 5_000))
    await office.evaluate("07")
    there = [(await boss.moved("1.00", vendedorId=seller, day=days_ago(days)))["id"] for days in (1, 2, 40)]
    moves = [boss.move(f"{step}.00", day=days_ago(step), **ids[step % 3]) for step in range(1, 10)]
    # Each taken back twice at once: one of the two is told so.
    moves += [boss.reverse(movement_id) for movement_id in there * 2]
    answers, _ = await asyncio.gather(
        asyncio.gather(*moves), asyncio.gather(*(office.statements.run_once() for _ in range(3)))
    )
    codes = [answer.code for answer in answers]
    assert (codes.count(None), codes.count("PAYMENT_ALREADY_REVERSED")) == (12, 3)
    await office.compute()
    assert await office.findings() == []
