from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID, uuid4

from core.domain.permissions import Role
from core.domain.ticket_number import ticket_number
from tests.api.selling import BATCH, SALE, batch, jugada, sell, ticket
from tests.arena import Arena, Person
from tests.pos import Pos, new_key
from tests.running_api import RunningApi


async def read(api: RunningApi, person: Person, target: str) -> tuple[int, str | None]:
    answer = await api.get(target, token=person.token)
    return answer.status, answer.code


async def listed(api: RunningApi, person: Person, query: str = "") -> list[str]:
    """The ids of one page."""
    answer = await api.get(f"{SALE}?{query}", token=person.token)
    assert answer.status == 200, answer.body
    return [found["id"] for found in answer.json()["data"]]


async def test_a_ticket_is_read_as_it_was_sold(api: RunningApi, arena: Arena) -> None:
    pos = Pos(api, arena.seller)
    sold = await sell(pos, ticket(arena, jugada("07"), jugada("07", "1.00", "REVENTADO"), clienteNombre="Ana"))
    for target in (sold["id"], sold["id"].upper(), f"by-number/{sold['ticketNumber']}"):
        assert (await pos.get(f"{SALE}/{target}")).json() == sold
    assert (await pos.get(SALE)).json() == {"data": [sold], "meta": {"pageSize": 20, "nextCursor": None}}


async def test_everyone_sees_as_far_as_the_role_reaches(api: RunningApi, arena: Arena) -> None:
    """By id, by number and in the list: the same tickets, whoever asks."""
    far_ventana = await arena.add_ventana()
    far = await arena.add_seller(ventana_id=far_ventana)
    stranger = await Arena.create(arena.owner, arena.settings)
    mine, colleagues, far_sold = [
        await sell(Pos(api, seller), ticket(arena)) for seller in (arena.seller, arena.sellers[1], far)
    ]
    foreign = await sell(Pos(api, stranger.seller), ticket(stranger))
    everything = (mine, colleagues, far_sold, foreign)
    table: list[tuple[Person, tuple[dict[str, Any], ...]]] = [
        (arena.seller, (mine,)),
        (arena.sellers[1], (colleagues,)),
        (far, (far_sold,)),
        (await arena.add_user(Role.VENTANA), (mine, colleagues)),
        (await arena.add_user(Role.VENTANA, ventana_id=far_ventana), (far_sold,)),
        (await arena.add_user(Role.BANCA), (mine, colleagues, far_sold)),
        (await arena.add_user(Role.ADMIN), (mine, colleagues, far_sold)),
        (stranger.seller, (foreign,)),
        (await stranger.add_user(Role.BANCA), (foreign,)),
    ]
    for person, seen in table:
        expected = [(200, None) if sold in seen else (404, "TICKET_NOT_FOUND") for sold in everything]
        assert [await read(api, person, f"{SALE}/{sold['id']}") for sold in everything] == expected
        assert sorted(await listed(api, person)) == sorted(sold["id"] for sold in seen)
        # The number names the day and the draw's ordinal: the same of every banca, so the stranger's is its own.
        numbers = {sold["ticketNumber"] for sold in seen}
        for sold in everything:
            target = f"{SALE}/by-number/{sold['ticketNumber']}"
            assert (await read(api, person, target))[0] == (200 if sold["ticketNumber"] in numbers else 404)


async def test_an_admin_reads_the_banca_it_names(api: RunningApi, arena: Arena) -> None:
    sold = await sell(Pos(api, arena.seller), ticket(arena))
    admin = await arena.add_user(Role.ADMIN, has_banca=False)
    nowhere = await api.get(f"{SALE}/{sold['id']}", token=admin.token)
    assert (nowhere.status, nowhere.code) == (400, "BANCA_CONTEXT_REQUIRED")
    here = await api.get(f"{SALE}/{sold['id']}", token=admin.token, X_Active_Banca_Id=str(arena.banca_id))
    assert here.json() == sold
    # A seller's header changes nothing.
    stranger = await Arena.create(arena.owner, arena.settings)
    own = await api.get(SALE, token=arena.seller.token, X_Active_Banca_Id=str(stranger.banca_id))
    assert [found["id"] for found in own.json()["data"]] == [sold["id"]]


MISREAD: dict[str, Callable[[str], str]] = {
    "another check character": lambda number: number[:-1] + ("A" if number[-1] != "A" else "B"),
    "another digit": lambda number: number.replace("-00001-", "-00007-"),
    "another day": lambda number: number[:6] + str((int(number[6]) + 1) % 10) + number[7:],
    "swapped digits": lambda number: number.replace("-00001-", "-00010-"),
    "no check character": lambda number: number[:-2],
    "no hyphens": lambda number: number.replace("-", ""),
    "nothing like it": lambda _: "ticket",
    "a quote": lambda number: number + "'",
    "an encoded NUL": lambda number: number + "%00",
    "no such day": lambda _: ticket_number(business_date=date(2026, 1, 31), ordinal=1, sequence=1).replace(
        "T260131", "T260231"
    ),
}


async def test_a_number_that_was_misread_is_no_number(api: RunningApi, arena: Arena) -> None:
    pos = Pos(api, arena.seller)
    sold = await sell(pos, ticket(arena))
    for name, misread in MISREAD.items():
        answer = await pos.get(f"{SALE}/by-number/{misread(sold['ticketNumber'])}")
        assert (answer.status, answer.code) == (400, "TICKET_NUMBER_INVALID"), name
    assert (await pos.get(f"{SALE}/by-number/{sold['ticketNumber'].lower()}")).json() == sold


async def test_what_nobody_sold_is_not_found(api: RunningApi, arena: Arena) -> None:
    day = date(2026, 11, 21)
    numbers = [
        ticket_number(business_date=day, ordinal=ordinal, sequence=sequence)
        for ordinal, sequence in ((1, 1), (99, 1), (32_767, 1), (32_768, 1), (99_999, 1), (1, 10**18 - 1))
    ]
    ids = [
        uuid4(),
        UUID(int=0),
        UUID("ffffffff-ffff-7fff-bfff-ffffffffffff"),
        UUID("00000000-0000-7000-8000-000000000000"),
    ]
    for target in (*(f"by-number/{number}" for number in numbers), *ids):
        assert await read(api, arena.seller, f"{SALE}/{target}") == (404, "TICKET_NOT_FOUND")
    assert await read(api, arena.seller, f"{SALE}/abc") == (400, "VALIDATION_FAILED")


async def test_filters_narrow_the_list_and_can_be_joined(api: RunningApi, arena: Arena) -> None:
    second = await arena.add_sorteo(minutes=4 * 24 * 60)
    here, there = Pos(api, arena.seller), Pos(api, arena.sellers[1])
    near, late, other = [
        await sell(pos, ticket(arena) | {"sorteoId": str(sorteo)})
        for pos, sorteo in ((here, arena.sorteo_id), (here, second), (there, second))
    ]
    await here.post(f"{SALE}/{late['id']}/cancel", b"", key=new_key())
    boss = await arena.add_user(Role.BANCA)
    table = {
        "": [other, late, near],
        f"sorteoId={second}": [other, late],
        f"vendedorId={arena.seller.id}": [late, near],
        "status=ACTIVE": [other, near],
        "status=CANCELLED": [late],
        f"date={near['businessDate']}": [near],
        f"date={late['businessDate']}&status=ACTIVE": [other],
        f"vendedorId={arena.seller.id}&sorteoId={second}&status=CANCELLED": [late],
        f"vendedorId={uuid4()}": [],
        "date=2001-01-01": [],
        "pageSize=2&page=2": [near],
        "pageSize=1&page=9": [],
    }
    for query, expected in table.items():
        assert await listed(api, boss, query) == [found["id"] for found in expected], query
    # A filter never reaches beyond one's own.
    assert await listed(api, arena.seller, f"vendedorId={arena.sellers[1].id}") == []
    assert await listed(api, arena.seller, f"vendedorId={arena.seller.id}") == [late["id"], near["id"]]


BAD_QUERIES = [
    "status=active", "status=", "date=2026-13-01", "date=1728000000", "date=21-11-2026", "date=", "cursor=x", "pageSize=0",
    "pageSize=101", "pageSize=1.5", "pageSize=1e1", "page=0", "page=-1", "page=1001", "page=9999999999999999999999",
    "sorteoId=1", "vendedorId=%00", "unknown=1", "pageSize=5&pageSize=6", "cursor=%ff",
]  # fmt: skip


async def test_a_query_is_taken_as_it_is_documented_or_not_at_all(api: RunningApi, arena: Arena) -> None:
    for query in BAD_QUERIES:
        assert await read(api, arena.seller, f"{SALE}?{query}") == (400, "VALIDATION_FAILED"), query


async def test_a_cursor_neither_skips_nor_repeats_while_selling_goes_on(api: RunningApi, arena: Arena) -> None:
    """What was there at the start is seen once each; what is sold meanwhile is newer than the first page."""
    pos = Pos(api, arena.seller)
    results = (await pos.post(BATCH, batch(*[ticket(arena)] * 60))).json()["results"]
    there = {result["ticket"]["id"] for result in results}
    is_over = asyncio.Event()

    async def go_on_selling() -> int:
        count = 0
        while not is_over.is_set():
            await sell(pos, ticket(arena))
            count += 1
        return count

    selling = asyncio.create_task(go_on_selling())
    seen: list[str] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        page = (await pos.get(f"{SALE}?pageSize=7{cursor and f'&cursor={cursor}'}")).json()
        seen += [found["id"] for found in page["data"]]
        cursor, pages = page["meta"]["nextCursor"], pages + 1
        assert pages < 50
    is_over.set()
    assert await selling > 0
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen))
    assert there <= set(seen)
    assert pages >= 60 // 7


async def test_a_page_that_ends_exactly_has_no_next(api: RunningApi, arena: Arena) -> None:
    pos = Pos(api, arena.seller)
    tickets = [(await sell(pos, ticket(arena)))["id"] for _ in range(4)]
    first = (await pos.get(f"{SALE}?pageSize=2")).json()
    second = (await pos.get(f"{SALE}?pageSize=2&cursor={first['meta']['nextCursor']}")).json()
    assert [found["id"] for found in first["data"] + second["data"]] == tickets[::-1]
    assert second["meta"]["nextCursor"] is None


async def test_reading_needs_no_signature_but_a_session(api: RunningApi, arena: Arena) -> None:
    sold = await sell(Pos(api, arena.seller), ticket(arena))
    target = f"{SALE}/{sold['id']}"
    assert (await api.get(target)).code == "AUTHENTICATION_REQUIRED"
    await arena.owner.execute("UPDATE sessions SET revoked_at = now(), revoked_reason = 'x'")
    assert await read(api, arena.seller, target) == (401, "SESSION_REVOKED")
