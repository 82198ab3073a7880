"""The end of every amount: what may be written, what a sale may be, what the books hold, and what reports then tell."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from api.operations import PUBLIC
from api.routes import OPERATIONS
from core.domain.permissions import Role
from tests.api.ruling import OVERRIDES, RESTRICTIONS, Ruler, limits, offered, places, ruler, stored_rules
from tests.api.selling import CANCEL, SALE, jugada, require_no_insides, sell, ticket
from tests.arena import RULES, Arena
from tests.databases import TestDatabase
from tests.evaluating import Evaluator, draw_now, request
from tests.pos import Pos, new_key
from tests.running_api import RunningApi, api_settings
from tests.statements.clerk import Clerk, days_ago

# What a column of cents can hold.
FULL = 2**63 - 1
MOST, TOO_MUCH = "1000000000.00", "1000000000.01"
DEBT_MAX = 10**18
Document = Callable[[Arena, str], dict[str, Any]]
WRITES: dict[str, tuple[str, str, Document, str, str]] = {
    "globalMaxPerNumber": ("PATCH", "settings", lambda _, x: {"globalMaxPerNumber": x}, MOST, TOO_MUCH),
    "defaultMinBet": ("PATCH", "settings", lambda _, x: {"defaultMinBet": x}, MOST, TOO_MUCH),
    "maxPayoutPerNumber": (
        "PATCH", "settings", lambda _, x: {"maxPayoutPerNumber": x}, "1000000000000.00", "1000000000000.01",
    ),
    "least maxPayoutPerNumber": ("PATCH", "settings", lambda _, x: {"maxPayoutPerNumber": x}, "0.01", "0.00"),
    "maxTotalPerSorteo": (
        "PUT", "loteria setting", lambda _, x: {"baseMultiplierX": None, "maxTotalPerSorteo": x}, MOST, TOO_MUCH,
    ),
    "baseMultiplierX": (
        "PUT", "loteria setting", lambda _, x: {"baseMultiplierX": x, "maxTotalPerSorteo": None}, "9999.00", "9999.01",
    ),
    "globalLimit": ("PUT", "limits", lambda _, x: limits(x), MOST, TOO_MUCH),
    "numberLimits": ("PUT", "limits", lambda _, x: limits(None, n07=x), MOST, TOO_MUCH),
    "valueX": (
        "POST", "multipliers", lambda _, x: {"name": "Dear", "kind": "REVENTADO", "valueX": x}, "9999.00", "9999.01",
    ),
    "changed valueX": ("PATCH", "multiplier", lambda _, x: {"valueX": x}, "9999.00", "9999.01"),
    "maxBetAmount": (
        "PATCH", "loteria", lambda _, x: {"rulesJson": {**RULES, "maxBetAmount": x}}, MOST, TOO_MUCH,
    ),
    "rulesJson.baseMultiplierX": (
        "PATCH", "loteria", lambda _, x: {"rulesJson": {**RULES, "baseMultiplierX": x}}, "9999.00", "9999.01",
    ),
    "maxAmount": ("POST", RESTRICTIONS, lambda a, x: {"bancaId": str(a.banca_id), "maxAmount": x}, MOST, TOO_MUCH),
    "maxTotal": ("POST", RESTRICTIONS, lambda a, x: {"bancaId": str(a.banca_id), "maxTotal": x}, MOST, TOO_MUCH),
    "baseAmount": ("POST", RESTRICTIONS, lambda a, x: {"bancaId": str(a.banca_id), "baseAmount": x}, MOST, TOO_MUCH),
    "salesPercentage": (
        "POST", RESTRICTIONS, lambda a, x: {"bancaId": str(a.banca_id), "baseAmount": "1.00", "salesPercentage": x},
        "100.00", "100.01",
    ),
    "override": (
        "POST",
        OVERRIDES,
        lambda a, x: {
            "scope": "VENTANA", "scopeId": str(a.ventana_id), "loteriaId": str(a.loteria_id), "baseMultiplierX": x,
        },
        "9999.00",
        "9999.01",
    ),
}  # fmt: skip


@pytest.fixture
async def boss(api: RunningApi, arena: Arena) -> Ruler:
    return await ruler(api, arena)


@pytest.mark.parametrize("name", WRITES)
async def test_a_rules_amount_is_taken_up_to_its_end_and_sold_under(
    api: RunningApi, arena: Arena, boss: Ruler, name: str
) -> None:
    method, place, document, end, beyond = WRITES[name]
    path = places(arena).get(place, place)
    before = await stored_rules(arena.owner)
    refused = await boss.send(method, path, document(arena, beyond))
    assert (refused.status, await stored_rules(arena.owner)) == (400, before), refused.body
    await boss.write(method, path, document(arena, end))
    answer = await offered(api, arena, "1.00")
    assert answer in {"SOLD", "BET_MIN_VIOLATION", "NUMBER_PAYOUT_EXCEEDED", "NUMBER_MAXTOTAL_EXCEEDED"}


@pytest.mark.parametrize(
    ("lines", "others", "code"),
    [
        (["200.00"], {}, "SOLD"),
        (["200.01"], {}, "JUGADA_AMOUNT_EXCEEDED"),
        (["200.00", "100.00"], {}, "SOLD"),
        (["200.00", "100.01"], {}, "TICKET_AMOUNT_EXCEEDED"),
        (["1.00"], {"multiplierId": "@dear"}, "MULTIPLIER_EXCEEDED"),
        ([TOO_MUCH], {}, "VALIDATION_FAILED"),
    ],
)
async def test_a_sale_is_at_most_what_the_installation_takes(
    database: TestDatabase, arena: Arena, lines: list[str], others: dict[str, str], code: str
) -> None:
    dear = await arena.add_multiplier("Dear", 9_001)
    chosen = {name: str(dear) for name in others}
    settings = api_settings(
        database_url=database.api_url, jugada_amount_max="200.00", ticket_amount_max="300.00", multiplier_max="90.00"
    )
    async with RunningApi(settings) as strict:
        bets = [jugada(f"{n:02d}", amount, **chosen) for n, amount in enumerate(lines)]
        answer = await Pos(strict, arena.seller).post(SALE, ticket(arena, *bets), key=new_key())
        assert ("SOLD" if answer.status == 201 else answer.code) == code, answer.body
        assert answer.status in (201, 400)


async def test_a_sale_from_before_a_lower_cap_is_replayed(
    database: TestDatabase, api: RunningApi, arena: Arena
) -> None:
    key = new_key()
    first = await Pos(api, arena.seller).post(SALE, ticket(arena, jugada("07", "500.00")), key=key)
    async with RunningApi(api_settings(database_url=database.api_url, jugada_amount_max="200.00")) as strict:
        again = await Pos(strict, arena.seller).post(SALE, ticket(arena, jugada("07", "500.00")), key=key)
    assert (first.status, again.status, again.body) == (201, 201, first.body)


async def test_no_multiplier_is_written_above_the_installations(database: TestDatabase, arena: Arena) -> None:
    async with RunningApi(api_settings(database_url=database.api_url, multiplier_max="100.00")) as strict:
        boss = await ruler(strict, arena)
        for name in ("baseMultiplierX", "valueX", "changed valueX", "rulesJson.baseMultiplierX", "override"):
            method, place, document, _, _ = WRITES[name]
            path = places(arena).get(place, place)
            refused = await boss.send(method, path, document(arena, "100.01"))
            assert (refused.status, refused.code) == (400, "MULTIPLIER_EXCEEDED"), name
            await boss.write(method, path, document(arena, "100.00"))


async def test_a_seller_without_a_credit_limit_owes_no_more_than_the_books_hold(
    api: RunningApi, arena: Arena, boss: Ruler
) -> None:
    await set_balance(arena, 100 - DEBT_MAX)
    assert await offered(api, arena, "1.01") == "INSUFFICIENT_FUNDS"
    assert await offered(api, arena, "1.00") == "SOLD"
    assert await offered(api, arena, "0.01") == "INSUFFICIENT_FUNDS"


async def test_money_by_hand_stops_where_a_balance_ends(api: RunningApi, arena: Arena) -> None:
    clerk = await Clerk.of(api, arena)
    await set_balance(arena, FULL - 100)
    refused = await clerk.move("1.01", vendedorId=arena.seller.id)
    assert (refused.status, refused.code) == (409, "SUM_OUT_OF_RANGE")
    assert (await clerk.move("1.00", vendedorId=arena.seller.id)).status == 201
    await set_balance(arena, 99 - FULL)
    refused = await clerk.move("1.01", vendedorId=arena.seller.id, type="payment")
    assert (refused.status, refused.code) == (409, "SUM_OUT_OF_RANGE")
    assert (await clerk.move("1.00", vendedorId=arena.seller.id, type="payment")).status == 201
    for amount, status in ((MOST, 201), (TOO_MUCH, 400)):
        assert (await clerk.move(amount, ventanaId=arena.ventana_id)).status == status


async def test_money_by_hand_stops_where_a_days_sum_ends(api: RunningApi, arena: Arena) -> None:
    clerk = await Clerk.of(api, arena)
    await clerk.moved("1.00", ventanaId=arena.ventana_id, day=days_ago(1))
    await write(arena, f"UPDATE movements SET amount_cents = {FULL - 100}")
    refused = await clerk.move("1.01", ventanaId=arena.ventana_id, day=days_ago(1))
    assert (refused.status, refused.code) == (409, "SUM_OUT_OF_RANGE")
    assert await arena.owner.fetchval("SELECT count(*) FROM movements") == 1
    assert (await clerk.move("1.00", ventanaId=arena.ventana_id, day=days_ago(1))).status == 201


async def test_a_cancel_stops_where_a_balance_ends(api: RunningApi, arena: Arena) -> None:
    pos, key = Pos(api, arena.seller), new_key()
    await sell(pos, ticket(arena, jugada("07", "1.01")), key=key)
    for balance, status, code in ((FULL - 100, 409, "SUM_OUT_OF_RANGE"), (FULL - 101, 200, None)):
        await set_balance(arena, balance)
        answer = await pos.post(CANCEL, {"saleKey": key}, key=new_key())
        assert (answer.status, answer.code) == (status, code), answer.body


async def test_no_reading_overflows_whatever_is_stored(
    api: RunningApi, arena: Arena, boss: Ruler, evaluator: Evaluator
) -> None:
    """Every GET there is, over rows that hold as much as their columns can."""
    pos, clerk = Pos(api, arena.seller), await Clerk.of(api, arena)
    extra = await arena.add_multiplier("Extra", 999_900, kind="REVENTADO")
    arena.sorteo_ids.append(await arena.add_sorteo(minutes=24 * 60 + 9))
    for _ in range(2):
        bets = (jugada("07", "5.00"), jugada("07", "5.00", "REVENTADO"))
        sold = await sell(pos, ticket(arena, *bets))
        await sell(pos, {**ticket(arena, *bets), "sorteoId": str(arena.sorteo_ids[1])})
        await clerk.moved("1.00", vendedorId=arena.seller.id)
        await clerk.moved("1.00", vendedorId=arena.seller.id, day=days_ago(2))
    await draw_now(arena.owner, arena.sorteo_id)
    assert await request(arena, "07", extra=extra) == "REQUESTED"
    await evaluator.finish()
    await write(arena, *(
        f"UPDATE {table} SET {', '.join(f'{column} = {most}' for column in columns)}"
        for table, (most, columns) in (await columns_of_cents(arena)).items()
    ), "UPDATE jugadas SET multiplier_x_hundredths = 999900 WHERE type = 'NUMERO'")  # fmt: skip

    day = await arena.owner.fetchval("SELECT business_date FROM sorteos WHERE id = $1", arena.sorteo_id)
    ids = {
        "loteriaId": arena.loteria_id, "bancaId": arena.banca_id, "ventanaId": arena.ventana_id,
        "vendedorId": arena.seller.id, "id": sold["id"], "number": sold["ticketNumber"], "date": days_ago(2),
    }  # fmt: skip
    asked = [
        operation.path for operation in OPERATIONS if operation.method == "GET" and operation.permission is not PUBLIC
    ]
    asked += [
        f"/api/v1/sorteos/evaluated-summary?date={day}",
        f"/api/v1/sorteos/evaluated-summary?date={day}&vendedorId={arena.seller.id}",
        f"/api/v1/tickets/validation/balances?sorteoId={arena.sorteo_ids[1]}&vendedorId={arena.seller.id}",
        "/api/v1/sorteos/{sorteoId}/exposure?payouts=true",
        *(
            f"/api/v1/accounts/{report}?fromDate={days_ago(5)}&toDate={days_ago(0)}&dimension={dimension}"
            for report in ("statement", "export")
            for dimension in ("banca", "ventana", "vendedor")
        ),
        f"/api/v1/accounts/statement/{days_ago(2)}/bySorteo?vendedorId={arena.seller.id}",
        f"/api/v1/accounts/statement/{day}/bySorteo?dimension=banca",
        f"/api/v1/accounts/payment-history?date={days_ago(2)}",
        f"/api/v1/accounts/balance/current?vendedorId={arena.seller.id}",
    ]
    broken = {}
    admin = Ruler(api, await arena.add_user(Role.ADMIN, has_banca=False), banca_id=arena.banca_id)
    seller = Ruler(api, arena.seller)
    for path in asked:
        for sorteo_id in arena.sorteo_ids if "{sorteoId}" in path else (arena.sorteo_id,):
            target = path
            for member in re.findall(r"\{(\w+)\}", path):
                value = sorteo_id if member == "sorteoId" else ids.get(member, arena.seller.id)
                target = target.replace(f"{{{member}}}", str(value))
            for asker in (boss, admin, seller):
                answer = await asker.send("GET", target)
                if answer.status >= 500:
                    broken[target] = (answer.status, answer.body)
                else:
                    require_no_insides(answer)
    assert broken == {}


async def columns_of_cents(arena: Arena) -> dict[str, tuple[int, list[str]]]:
    """By table the most that they can all hold, and their names; what is computed, and what is a setting, stays."""
    rows = await arena.owner.fetch(
        "SELECT c.table_name, array_agg(c.column_name::text) AS columns,"
        " EXISTS (SELECT FROM information_schema.columns g WHERE g.table_schema = 'public'"
        " AND g.table_name = c.table_name AND g.is_generated = 'ALWAYS' AND g.column_name LIKE '%\\_cents') AS adds_up"
        " FROM information_schema.columns c"
        " JOIN information_schema.tables t USING (table_schema, table_name)"
        " WHERE c.table_schema = 'public' AND c.column_name LIKE '%\\_cents' AND c.is_generated = 'NEVER'"
        " AND t.table_type = 'BASE TABLE' AND c.data_type IN ('bigint', 'numeric') AND c.table_name <> 'bancas'"
        " AND c.table_name !~ '_[0-9]{4}_[0-9]{2}$' GROUP BY c.table_name"
    )
    return {row["table_name"]: (FULL // 4 if row["adds_up"] else FULL, row["columns"]) for row in rows}


async def set_balance(arena: Arena, cents: int) -> None:
    await arena.owner.execute("UPDATE accounts SET balance_cents = $2 WHERE id = $1", arena.seller.id, cents)


async def write(arena: Arena, *statements: str) -> None:
    """As the superuser, past every trigger and check."""
    async with arena.owner.transaction():
        await arena.owner.execute("SET LOCAL session_replication_role = replica")
        checks = await arena.owner.fetch(
            "SELECT conrelid::regclass::text AS name, conname FROM pg_constraint"
            " WHERE contype = 'c' AND connamespace = 'public'::regnamespace AND conparentid = 0 AND coninhcount = 0"
            " AND conrelid <> 0"
        )
        for check in checks:
            await arena.owner.execute(f'ALTER TABLE {check["name"]} DROP CONSTRAINT "{check["conname"]}"')
        for statement in statements:
            await arena.owner.execute(statement)
