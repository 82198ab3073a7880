from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from core.domain.calendar import costa_rica_date
from core.domain.permissions import Role
from core.domain.ticket_number import TicketNumber, parse_ticket_number
from tests.api.selling import (
    BALANCE,
    BATCH,
    CANCEL,
    REPLAYED,
    SALE,
    Contract,
    batch,
    jugada,
    read_books,
    sell,
    set_policy,
    stored_balance,
    ticket,
    written,
)
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import RunningApi

ORIGINS = ("users", "ventanas", "bancas")


async def set_own_policy(arena: Arena, table: str, percent: str) -> None:
    rows = {"users": arena.seller.id, "ventanas": arena.ventana_id, "bancas": arena.banca_id}
    await set_policy(arena, table, rows[table], percent)


async def test_a_sold_ticket_tells_everything_that_was_frozen(api: RunningApi, arena: Arena) -> None:
    listero = await arena.add_user(Role.VENTANA)
    for table, row, percent in (
        ("users", arena.seller.id, "12.5"),
        ("users", listero.id, "3"),
        ("ventanas", arena.ventana_id, "10"),
        ("bancas", arena.banca_id, "5"),
    ):
        await set_policy(arena, table, row, percent)
    band = await arena.add_multiplier("Banda 85", 8_550)
    document = ticket(
        arena,
        jugada("07", "500.00", multiplierId=str(band)),
        jugada("07", "200.00", "REVENTADO", reventadoNumber="07"),
        jugada("99", "0.04"),
        clienteNombre="  Doña Ana ",
        loteriaId=str(arena.loteria_id),
        vendedorId=str(arena.seller.id),
        ventanaId=str(arena.ventana_id),
    )
    before = datetime.now(UTC)
    answer = await Pos(api, arena.seller).post(SALE, document, key=new_key())
    assert answer.status == 201, answer.body
    assert REPLAYED not in answer.headers
    sold = answer.json()
    created_at = datetime.fromisoformat(sold.pop("createdAt"))
    assert abs(created_at - before) < timedelta(seconds=10)
    ticket_id, number = UUID(sold.pop("id")), sold.pop("ticketNumber")
    assert ticket_id.version == 7
    day = costa_rica_date(await arena.owner.fetchval("SELECT scheduled_at FROM sorteos"))
    assert parse_ticket_number(number) == TicketNumber(day, ordinal=1, sequence=1)
    assert re.fullmatch(rf"T{day:%y%m%d}-01-00001-[0-9A-Z]", number)
    shared = {"commissionPercent": "12.50", "commissionOrigin": "USER", "commissionRuleId": None}
    assert sold == {
        "bancaId": str(arena.banca_id),
        "ventanaId": str(arena.ventana_id),
        "vendedorId": str(arena.seller.id),
        "loteriaId": str(arena.loteria_id),
        "sorteoId": str(arena.sorteo_id),
        "businessDate": day.isoformat(),
        "status": "ACTIVE",
        "clienteNombre": "Doña Ana",
        "totalAmount": "700.04",
        "totalCommission": "87.51",
        "totalListeroCommission": "21.00",
        "createdBy": str(arena.seller.id),
        "createdByRole": "VENDEDOR",
        "terminalId": str(arena.seller.terminal.id),
        "rulebookVersion": await arena.owner.fetchval("SELECT rulebook_version FROM bancas"),
        "cancelledAt": None,
        "jugadas": [
            {"line": 1, "type": "NUMERO", "number": "07", "amount": "500.00", "multiplierId": str(band),
             "finalMultiplierX": "85.50", "commissionAmount": "62.50", "listeroCommissionAmount": "15.00", **shared},
            {"line": 2, "type": "REVENTADO", "number": "07", "amount": "200.00", "multiplierId": None,
             "finalMultiplierX": "0.00", "commissionAmount": "25.00", "listeroCommissionAmount": "6.00", **shared},
            # None chosen: the lottery's base. 12.5 % of four cents is half a cent: up.
            {"line": 3, "type": "NUMERO", "number": "99", "amount": "0.04", "multiplierId": str(arena.multiplier_id),
             "finalMultiplierX": "90.00", "commissionAmount": "0.01", "listeroCommissionAmount": "0.00", **shared},
        ],
    }  # fmt: skip


async def test_every_answer_is_as_the_openapi_document_says(api: RunningApi, arena: Arena) -> None:
    """Nothing missing, nothing of another form, and no member that is not written down."""
    contract = await Contract.of(api)
    pos, members = Pos(api, arena.seller), contract.members
    sold = contract.require(await pos.post(SALE, ticket(arena), key=(key := new_key())), "POST", SALE)
    assert set(sold) == members("TicketOut") - {"warnings"}
    assert set(sold["jugadas"][0]) == members("JugadaOut")
    many = contract.require(await pos.post(BATCH, batch(ticket(arena), {"jugadas": []})), "POST", BATCH)
    assert [set(result) for result in many["results"]] == [
        members("BatchResultOut") - {"problem"},
        members("BatchResultOut") - {"ticket"},
    ]
    contract.require_model(many["results"][1]["problem"], "ProblemDocument")
    unsold = await pos.post(CANCEL, {"saleKey": new_key()}, key=new_key())
    assert set(contract.require(unsold, "POST", CANCEL)) == members("CancelledUnsoldOut")
    by_key = await pos.post(CANCEL, {"saleKey": key}, key=new_key())
    assert set(contract.require(by_key, "POST", CANCEL)) == members("TicketOut") - {"warnings"}
    other = many["results"][0]["ticket"]
    by_id = await pos.post(f"{SALE}/{other['id']}/cancel", b"", key=new_key())
    assert contract.require(by_id, "POST", SALE + "/{id}/cancel")["status"] == "CANCELLED"
    page = contract.require(await pos.get(SALE), "GET", SALE)
    assert (len(page["data"]), set(page["meta"])) == (2, members("TicketPageMeta"))
    contract.require(await pos.get(f"{SALE}/{sold['id']}"), "GET", SALE + "/{id}")
    contract.require(await pos.get(f"{SALE}/by-number/{sold['ticketNumber']}"), "GET", SALE + "/by-number/{number}")
    refused = contract.require(await pos.post(SALE, {"sorteoId": 1}, key=new_key()), "POST", SALE)
    assert set(refused) == members("ProblemDocument")
    assert refused["type"] == "/problems/validation-failed"


@pytest.mark.parametrize(
    ("tables", "origin", "percent", "credited"),
    [
        (ORIGINS, "USER", "8.00", 4_000),
        (ORIGINS[1:], "VENTANA", "9.00", 0),
        (ORIGINS[2:], "BANCA", "10.00", 0),
        ((), None, "0.00", 0),
    ],
)
async def test_only_a_sellers_own_policy_is_credited_to_the_seller(
    api: RunningApi, arena: Arena, tables: tuple[str, ...], origin: str | None, percent: str, credited: int
) -> None:
    for table, rate in zip(ORIGINS, ("8", "9", "10"), strict=True):
        if table in tables:
            await set_own_policy(arena, table, rate)
    sold = await sell(Pos(api, arena.seller), ticket(arena))
    [line] = sold["jugadas"]
    assert (line["commissionOrigin"], line["commissionPercent"]) == (origin, percent)
    assert await stored_balance(arena, arena.seller.id) == -50_000 + credited


async def test_the_balance_follows_each_sale_and_cancel(api: RunningApi, arena: Arena) -> None:
    await set_own_policy(arena, "users", "10")
    pos = Pos(api, arena.seller)

    async def shown(balance: str) -> None:
        deadline = time.monotonic() + 5
        while (told := (await pos.get(BALANCE)).json())["balance"] != balance:
            assert time.monotonic() < deadline, f"still {told}"

    await shown("0.00")
    first = await sell(pos, ticket(arena))
    await shown("-450.00")
    await sell(pos, ticket(arena, jugada("08", "0.05")))
    # Half a cent of commission is a cent.
    await shown("-450.04")
    await pos.post(f"{SALE}/{first['id']}/cancel", b"", key=new_key())
    await shown("-0.04")


@pytest.mark.parametrize("token", ['"500.50"', '"500.5"', "500.5", "500.50"])
async def test_an_amount_may_be_written_in_several_ways(api: RunningApi, arena: Arena, token: str) -> None:
    body = written(ticket(arena, jugada(amount="@")), token)
    assert (await sell(Pos(api, arena.seller), body))["totalAmount"] == "500.50"


async def test_numbers_of_a_draw_run_without_a_gap_and_each_draw_has_its_ordinal(api: RunningApi, arena: Arena) -> None:
    second = await arena.add_sorteo(minutes=24 * 60 + 1)
    pos = Pos(api, arena.seller)
    for place in range(1, 4):
        for ordinal, sorteo in enumerate((arena.sorteo_id, second), 1):
            sold = await sell(pos, ticket(arena) | {"sorteoId": str(sorteo)})
            number = parse_ticket_number(sold["ticketNumber"])
            assert (number.ordinal, number.sequence) == (ordinal, place)


async def test_a_draw_of_three_digits_sells_three_digits(api: RunningApi, arena: Arena) -> None:
    wide = await Arena.create(arena.owner, arena.settings, digits=3)
    sold = await sell(Pos(api, wide.seller), ticket(wide, jugada("007"), jugada("999")))
    assert [line["number"] for line in sold["jugadas"]] == ["007", "999"]


async def test_a_customer_without_a_name_is_named(api: RunningApi, arena: Arena) -> None:
    pos = Pos(api, arena.seller)
    names = {None: "CLIENTE CONTADO", "": "CLIENTE CONTADO", "  ": "CLIENTE CONTADO", "Ñ" * 100: "Ñ" * 100}
    for sent, kept in names.items():
        assert (await sell(pos, ticket(arena, clienteNombre=sent)))["clienteNombre"] == kept


async def test_a_sale_is_written_once_in_every_book(api: RunningApi, arena: Arena) -> None:
    await set_own_policy(arena, "users", "10")
    before = await read_books(arena.owner)
    await sell(Pos(api, arena.seller), ticket(arena, jugada("07"), jugada("08", "100.00")))
    after = await read_books(arena.owner)
    moved = {name: getattr(after, name) - getattr(before, name) for name in after.__slots__}
    assert moved == {
        "tickets": 1, "jugadas": 2, "transfers": 2, "exposure": 60_000, "events": 1, "last_sequences": 1,
        "balances": -54_000, "balance_versions": 1, "answers": 1,
    }  # fmt: skip


async def test_two_hundred_jugadas_are_one_ticket(api: RunningApi, arena: Arena) -> None:
    lines = [jugada(f"{place % 100:02d}", "1.00") for place in range(200)]
    sold = await sell(Pos(api, arena.seller), ticket(arena, *lines))
    assert [line["line"] for line in sold["jugadas"]] == list(range(1, 201))
    assert sold["totalAmount"] == "200.00"
