"""Cash over a corrected result as it is told: on statements, on the ticket, in lists; and what write-offs do to days and months."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.domain.permissions import Role
from tests.after_sale.desk import settled
from tests.api.selling import Contract, require_no_insides
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi
from tests.statements.clerk import ACCOUNTS, REPLAYED, Clerk, days_ago, money, today
from tests.statements.office import DIMENSIONS, Office, noon
from tests.statements.test_statement_events import events_of
from tests.statements.test_statement_exports import export, lines_of_csv

MEMOS = f"{ACCOUNTS}/cash-memos"
DAY = timedelta(days=1)
PRIZE = 4_500_000


@pytest.fixture
async def boss(api: RunningApi, arena: Arena) -> Clerk:
    return await Clerk.of(api, arena)


@pytest.fixture
async def out(office: Office) -> UUID:
    """A ticket of 500.00 on 07 that was paid 45,000.00 by 07; then the draw's result became 42."""
    ticket_id = await office.sell(("07", 50_000))
    await office.evaluate("07")
    settled(await office.desk.pay(ticket_id, PRIZE))
    await office.revert()
    await office.evaluate("42")
    await office.compute()
    return ticket_id


async def end(clerk: Clerk, ticket_id: object, action: str, *, key: str | None = None, **body: Any) -> Answer:
    document = {"reason": "nobody knows where", **body}
    return await clerk.send("POST", f"/cash-memos/{ticket_id}/{action}", document, key=key or new_key())


async def test_cash_that_is_out_is_told_beside_the_seller_with_who_paid_it(
    api: RunningApi, arena: Arena, boss: Clerk, office: Office, out: UUID
) -> None:
    contract, day = await Contract.of(api), await office.day_of_draw()
    listed = contract.require(await boss.send("GET", "/cash-memos"), "GET", MEMOS)
    [memo] = listed["data"]
    figures = ("cashAmount", "returnedAmount", "prizeAmount", "writtenOffAmount", "openAmount")
    assert [memo[name] for name in figures] == ["45000.00", "0.00", "0.00", "0.00", "45000.00"]
    assert (memo["ticketId"], memo["vendedorId"], memo["businessDate"]) == (str(out), str(arena.seller.id), str(day))
    [payment] = memo["paidOut"]
    assert (payment["paidById"], payment["paidByName"], payment["evaluation"]) == (
        str(arena.seller.id), arena.seller.username, 1,
    )  # fmt: skip
    assert (listed["meta"]["openCount"], listed["meta"]["openAmount"]) == (1, "45000.00")

    for query in (
        f"vendedorId={arena.seller.id}",
        "dimension=vendedor",
        f"ventanaId={arena.ventana_id}",
        "dimension=ventana",
        "dimension=banca",
    ):
        statement = contract.require(
            await boss.send("GET", f"/statement?date={day}&{query}"), "GET", f"{ACCOUNTS}/statement"
        )
        [told] = statement["statements"]
        # It moves no account: the sale of 500.00 is all that is owed.
        assert (told["openCashMemos"], told["totalWrittenOff"], told["remainingBalance"]) == (
            "45000.00",
            "0.00",
            "500.00",
        )
        assert statement["totals"]["openCashMemos"] == "45000.00"
        event = next(
            event for event in (await events_of(api, boss, day, query))["bySorteo"] if event["type"] == "cash_memo"
        )
        assert (event["balance"], event["amount"], event["cashMemo"]) == ("0.00", "45000.00", memo)
        assert (await boss.get(f"/balance/current?{query}"))["openCashMemos"] == "45000.00"
    lines = lines_of_csv(await export(boss, f"date={day}&dimension=vendedor"))
    assert {line["openCashMemos"] for line in lines if line["kind"] == "day"} == {"45000.00"}

    pos = Pos(api, arena.seller)
    read = contract.require(await pos.get(f"/api/v1/tickets/{out}"), "GET", "/api/v1/tickets/{id}")
    assert (read["isWinner"], read["totalPaid"], read["remainingAmount"]) == (False, "45000.00", "0.00")
    assert read["cashMemo"] == memo
    assert [payment["isOfEarlierResult"] for payment in read["paymentHistory"]] == [True]
    assert [payment["isReversed"] for payment in read["paymentHistory"]] == [False]


async def test_who_may_see_and_end_memos(api: RunningApi, arena: Arena, boss: Clerk, office: Office, out: UUID) -> None:
    elsewhere = await arena.add_ventana()
    stranger = await Arena.create(arena.owner, arena.settings)
    seller = Clerk(api, arena.seller)
    listero = await Clerk.of(api, arena, Role.VENTANA)
    far_listero = await Clerk.of(api, arena, Role.VENTANA, ventana_id=elsewhere)
    other = await Clerk.of(api, stranger)
    colleague = Clerk(api, arena.sellers[1])
    for clerk, count in ((seller, 1), (listero, 1), (boss, 1), (colleague, 0), (far_listero, 0), (other, 0)):
        assert len((await clerk.get("/cash-memos"))["data"]) == count, clerk.person.role
    for query, count in (
        (f"vendedorId={arena.seller.id}", 1), (f"vendedorId={colleague.person.id}", 0), (f"ventanaId={elsewhere}", 0),
        (f"sorteoId={arena.sorteo_id}", 1), (f"sorteoId={uuid4()}", 0), (f"toDate={days_ago(1)}", 0),
        (f"fromDate={today()}", 1), ("state=all", 1), ("pageSize=1&page=2", 0),
    ):  # fmt: skip
        assert len((await boss.get(f"/cash-memos?{query}"))["data"]) == count, query
    before = await money(arena)
    for clerk, status, code in (
        (seller, 403, "FORBIDDEN"), (listero, 403, "FORBIDDEN"), (other, 404, "CASH_MEMO_NOT_FOUND"),
    ):  # fmt: skip
        for action in ("settle", "write-off"):
            answer = await end(clerk, out, action)
            assert (answer.status, answer.code) == (status, code)
    for ticket_id, body, status, code in (
        (uuid4(), {}, 404, "CASH_MEMO_NOT_FOUND"),
        (out, {"reason": " no "}, 400, "VALIDATION_FAILED"),
        (out, {"reason": None}, 400, "VALIDATION_FAILED"),
        (out, {"amount": "45000.01"}, 400, "CASH_MEMO_EXCEEDED"),
        (out, {"amount": 0}, 400, "VALIDATION_FAILED"),
        (out, {"more": 1}, 400, "VALIDATION_FAILED"),
        (out, {"key": "short"}, 400, "IDEMPOTENCY_KEY_INVALID"),
    ):
        for action in ("settle", "write-off"):
            answer = await end(boss, ticket_id, action, **body)
            assert (answer.status, answer.code) == (status, code), body
            require_no_insides(answer)
            if code == "CASH_MEMO_EXCEEDED":
                assert answer.json()["violations"][0]["openAmount"] == "45000.00"
    answer = await boss.send("POST", f"/cash-memos/{out}/settle", {"reason": "came back"})
    assert answer.code == "IDEMPOTENCY_KEY_REQUIRED"
    assert await money(arena) == before
    assert await office.findings() == []


async def test_a_memo_ends_in_parts_and_each_answer_is_replayed(
    api: RunningApi, arena: Arena, boss: Clerk, office: Office, out: UUID
) -> None:
    contract, keys = await Contract.of(api), (new_key(), new_key())
    first = await end(boss, out, "settle", amount="1000.00", key=keys[0])
    document = contract.require(first, "POST", f"{MEMOS}/{{ticketId}}/settle")
    assert (document["entry"]["kind"], document["entry"]["amount"], document["statement"]) == (
        "settlement", "1000.00", None,
    )  # fmt: skip
    second = await end(boss, out, "write-off", key=keys[1])
    document = contract.require(second, "POST", f"{MEMOS}/{{ticketId}}/write-off")
    assert (document["memo"]["openAmount"], document["memo"]["writtenOffAmount"]) == ("0.00", "44000.00")
    assert document["statement"]["totalPayouts"] == "44000.00"
    await arena.owner.execute("UPDATE users SET name = 'Somebody else'")
    await office.revert()
    before = await money(arena)
    again = await end(boss, out, "settle", amount=1000, key=keys[0])
    assert (again.status, again.body, again.headers[REPLAYED]) == (200, first.body, "true")
    again = await end(boss, out, "write-off", key=keys[1])
    assert (again.status, again.body, again.headers[REPLAYED]) == (200, second.body, "true")
    others = (
        await end(boss, out, "write-off", amount="1000.00", key=keys[0]),
        await end(boss, out, "settle", amount="1000.00", key=keys[0], reason="another one"),
        await end(boss, out, "settle", key=keys[0]),
    )
    assert [(answer.status, answer.code) for answer in others] == [(422, "IDEMPOTENCY_PAYLOAD_MISMATCH")] * 3
    assert await money(arena) == before
    listed = await boss.get("/cash-memos?state=all")
    assert [entry["kind"] for entry in listed["data"][0]["entries"]] == ["settlement", "write_off"]
    assert listed["data"][0]["entries"][1]["reversedAt"] is not None


async def test_a_write_off_is_a_prize_of_the_day_that_it_was_made_on(
    api: RunningApi, arena: Arena, boss: Clerk, office: Office, out: UUID
) -> None:
    day = await office.day_of_draw()
    # The draw's day is closed and its month; the write-off comes weeks later.
    await arena.owner.execute("UPDATE instance SET test_clock = true")
    await office.settle(day + DAY)
    for month in (day, day + 40 * DAY):
        await office.close_month(month.replace(day=1))
    later = noon(day + 40 * DAY)
    before = {dimension: await day_of(office, dimension, day) for dimension in DIMENSIONS}
    assert (await office.end_memo(out, "WRITE_OFF", now=later))["outcome"] == "WRITTEN_OFF"
    await office.compute_on(later.date())
    for dimension in DIMENSIONS:
        assert await day_of(office, dimension, day) == before[dimension], "a settled day is not rewritten"
        posted = await day_of(office, dimension, later.date())
        assert (posted["payouts_cents"], posted["corrections_cents"]) == (PRIZE, 0)
        closing = await arena.owner.fetchrow(
            "SELECT payouts_cents, closing_cents FROM monthly_closings WHERE dimension = $1 AND month = $2",
            dimension, later.date().replace(day=1),
        )  # fmt: skip
        assert closing is not None
        assert tuple(closing) == (PRIZE, 50_000 - PRIZE)
    assert await office.findings() == []

    # Closed as well, it is undone as a correction of the day on which its result was taken back.
    await arena.owner.execute("UPDATE statements SET settled_at = now() WHERE business_date = $1", later.date())
    await office.revert()
    await office.compute_on(later.date() + DAY)
    posted = await day_of(office, "VENDEDOR", later.date() + DAY)
    # The draw's own day is closed, too: without a result its sale counts no more.
    assert posted["corrections_cents"] == PRIZE - 50_000
    assert await office.findings() == []


async def day_of(office: Office, dimension: str, day: date) -> dict[str, Any]:
    arena = office.arena
    entity = {"VENDEDOR": arena.seller.id, "VENTANA": arena.ventana_id, "BANCA": arena.banca_id}[dimension]
    return await office.day(day, dimension=dimension, entity_id=entity)


async def test_a_write_off_is_told_event_by_event_and_its_undoing_too(
    api: RunningApi, arena: Arena, boss: Clerk, office: Office, out: UUID
) -> None:
    number = (await boss.get("/cash-memos"))["data"][0]["ticketNumber"]
    assert (await end(boss, out, "write-off")).status == 200
    await office.compute()
    for query in (f"vendedorId={arena.seller.id}", f"ventanaId={arena.ventana_id}", "dimension=banca"):
        document = await events_of(api, boss, today(), query)
        event = next(event for event in document["bySorteo"] if event["type"] == "write_off")
        assert (event["balance"], event["amount"], event["ticketNumber"], event["isReversed"]) == (
            "-45000.00", "45000.00", number, False,
        )  # fmt: skip
        assert event["notes"] == "nobody knows where"
        [told] = (await boss.get(f"/statement?date={today()}&{query}"))["statements"]
        assert told["totalWrittenOff"] == "45000.00"
        assert document["closingBalance"] == told["remainingBalance"]
    summary = await api.get(
        f"/api/v1/sorteos/evaluated-summary?date={today()}&vendedorId={arena.seller.id}", token=boss.person.token
    )
    kinds = [event["type"] for event in summary.json()["data"]]
    assert "write_off" in kinds
    assert (await boss.send("DELETE", f"/statement/ventana:{arena.ventana_id}:{today()}")).status in (403, 409)
    await office.revert()
    await office.compute()
    document = await events_of(api, boss, today(), f"vendedorId={arena.seller.id}")
    event = next(event for event in document["bySorteo"] if event["type"] == "write_off")
    assert (event["isReversed"], event["balance"]) == (True, "0.00")
    assert await office.findings() == []


async def test_a_day_with_a_write_off_is_not_deleted(api: RunningApi, arena: Arena, office: Office, out: UUID) -> None:
    await arena.owner.execute("UPDATE instance SET test_clock = true")
    later = noon(await office.day_of_draw() + 40 * DAY)
    await office.end_memo(out, "WRITE_OFF", now=later)
    await office.compute_on(later.date())
    admin = Clerk(api, await arena.add_user(Role.ADMIN, has_banca=False), arena.banca_id)
    for name in (f"vendedor:{arena.seller.id}", f"ventana:{arena.ventana_id}", f"banca:{arena.banca_id}"):
        answer = await admin.send("DELETE", f"/statement/{name}:{later.date()}")
        assert (answer.status, answer.code) == (409, "STATEMENT_HAS_WRITE_OFFS"), name


async def test_a_reset_leaves_out_what_was_written_off_before_it(
    arena: Arena, boss: Clerk, office: Office, out: UUID
) -> None:
    assert (await end(boss, out, "write-off", amount="100.00")).status == 200
    assert await office.reset(datetime.now(UTC)) == "DONE"
    assert (await end(boss, out, "write-off", amount="3.00")).status == 200
    # The draw's day may be tomorrow, and is then not computed by a reset today.
    await arena.owner.execute(
        "INSERT INTO statement_work (banca_id, dimension, entity_id, business_date)"
        " SELECT banca_id, dimension, entity_id, business_date FROM statements"
    )
    await office.compute()
    query = f"date={today()}&vendedorId={arena.seller.id}"
    [cut] = (await boss.get(f"/statement?{query}"))["statements"]
    [uncut] = (await boss.get(f"/statement?{query}&ignoreReset=true"))["statements"]
    assert (cut["totalWrittenOff"], uncut["totalWrittenOff"]) == ("3.00", "103.00")
    assert cut["totalPayouts"] == "3.00"
    assert await office.findings() == []
