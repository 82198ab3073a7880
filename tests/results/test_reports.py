"""What draws came to, as the roles see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from api.keys import SUM_TURNS
from core.domain.permissions import Role
from tests.api.ruling import Ruler, ruler
from tests.api.selling import Contract, jugada, sell, ticket
from tests.arena import Arena
from tests.evaluating import Evaluator, draw_now, request, request_revert
from tests.pos import Pos
from tests.running_api import RunningApi

SUMMARY = "/api/v1/sorteos/evaluated-summary"
WINNERS = "/api/v1/reports/winners-list/{sorteoId}"


@dataclass(frozen=True)
class Season:
    """Two evaluated draws: 07 with the extra, then 15 without. Of two sellers the second is in another ventana."""

    arena: Arena
    api: RunningApi
    boss: Ruler
    day: str

    def winners(self, place: int = 0, query: str = "") -> str:
        return WINNERS.replace("{sorteoId}", str(self.arena.sorteo_ids[place])) + query


@pytest.fixture
async def season(api: RunningApi, arena: Arena, evaluator: Evaluator) -> Season:
    arena.sellers[1] = await arena.add_seller(ventana_id=await arena.add_ventana())
    await arena.give_policy("users", arena.seller.id, "10")
    extra = await arena.add_multiplier("Roja", 20_000, kind="REVENTADO")
    arena.sorteo_ids.append(await arena.add_sorteo(minutes=24 * 60 + 9))
    for place, (number, chosen) in enumerate((("07", extra), ("15", None))):
        arena.sorteo_ids[0], arena.sorteo_ids[place] = arena.sorteo_ids[place], arena.sorteo_ids[0]
        for seller in arena.sellers:
            pos = Pos(api, seller)
            await sell(
                pos, ticket(arena, jugada("07", "500.00"), jugada("07", "200.00", "REVENTADO", reventadoNumber="07"))
            )
            await sell(pos, ticket(arena, jugada("15", "100.00"), jugada("99", "1.00")))
        await draw_now(arena.owner, arena.sorteo_id)
        assert await request(arena, number, extra=chosen) == "REQUESTED"
        await evaluator.finish()
        arena.sorteo_ids[0], arena.sorteo_ids[place] = arena.sorteo_ids[place], arena.sorteo_ids[0]
    day = await arena.owner.fetchval("SELECT business_date FROM sorteos WHERE id = $1", arena.sorteo_id)
    return Season(arena, api, await ruler(api, arena), day.isoformat())


async def test_the_summary_adds_up_draw_by_draw(season: Season) -> None:
    answer = await season.boss.send("GET", f"{SUMMARY}?date={season.day}")
    document = (await Contract.of(season.api)).require(answer, "GET", SUMMARY)
    later, earlier = document["data"]
    assert [draw["sorteoId"] for draw in (earlier, later)] == [str(each) for each in season.arena.sorteo_ids]
    assert figures(earlier) == {
        "winningNumber": "07", "isReventado": True, "totalSales": "1602.00", "totalCommission": "80.10",
        "commissionByNumber": "60.10", "commissionByReventado": "20.00", "totalPrizes": "170000.00",
        "subtotal": "-168478.10", "accumulated": "-168478.10", "ticketCount": 4, "winningTicketsCount": 2,
        "paidTicketsCount": 0, "unpaidTicketsCount": 2, "chronologicalIndex": 1,
    }  # fmt: skip
    assert (later["totalPrizes"], later["isReventado"]) == ("18000.00", False)
    assert later["accumulated"] == "-184956.20"
    assert document["meta"] == {
        "fromDate": season.day, "toDate": season.day, "count": 2, "totalSales": "3204.00",
        "totalCommission": "160.20", "totalPrizes": "188000.00", "subtotal": "-184956.20",
    }  # fmt: skip
    lines = {(line["type"], line["multiplierName"]): line for line in earlier["byMultiplier"]}
    assert set(lines) == {("NUMERO", "Base"), ("REVENTADO", "Roja")}
    assert lines[("REVENTADO", "Roja")]["totalPrizes"] == "80000.00"
    assert (lines[("NUMERO", "Base")]["ticketCount"], lines[("NUMERO", "Base")]["multiplierX"]) == (4, "90.00")
    # REVENTADO that lost has no multiplier.
    assert {line["type"]: line["multiplierId"] for line in later["byMultiplier"]}["REVENTADO"] is None


async def test_summaries_wait_for_each_other(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.routes.limits.SUM_WAIT_S", 0.01)
    async with season.api.app[SUM_TURNS]:
        busy = await season.boss.send("GET", f"{SUMMARY}?date={season.day}")
        (await Contract.of(season.api)).require(busy, "GET", SUMMARY)
        assert (busy.status, busy.code, busy.headers["Retry-After"]) == (503, "EXPOSURE_BUSY", "1")
    await season.boss.get(f"{SUMMARY}?date={season.day}")


async def test_everybody_sees_what_is_its_own(season: Season) -> None:
    arena = season.arena
    seller = Pos(season.api, arena.sellers[1])
    own = (await seller.get(f"{SUMMARY}?date={season.day}&summaryOnly=true")).json()
    assert (own["meta"]["totalSales"], own["meta"]["totalCommission"]) == ("1602.00", "0.00")
    assert own["data"][0]["byMultiplier"] is None
    assert (await seller.get(f"{SUMMARY}?date={season.day}&vendedorId={arena.seller.id}")).json()["meta"][
        "totalSales"
    ] == "0.00"
    [won] = (await seller.get(season.winners())).json()["data"]
    assert (won["vendedorId"], won["totalPayout"]) == (str(arena.sellers[1].id), "85000.00")

    listero = await ruler(season.api, arena, Role.VENTANA)
    assert (await listero.get(f"{SUMMARY}?date={season.day}"))["meta"]["totalSales"] == "1602.00"
    elsewhere = arena.sellers[1].ventana_id
    assert (await listero.get(f"{SUMMARY}?date={season.day}&ventanaId={elsewhere}"))["meta"]["totalSales"] == "0.00"
    listed = await listero.get(season.winners())
    assert [each["vendedorId"] for each in listed["data"]] == [str(arena.seller.id)]
    assert listed["totals"]["ticketsCount"] == 1
    assert (await listero.get(season.winners(0, f"?vendedorId={arena.sellers[1].id}")))["data"] == []


async def test_the_winners_are_listed_page_by_page_with_the_totals_of_all(season: Season) -> None:
    answer = await season.boss.send("GET", season.winners(0, "?pageSize=1"))
    first = (await Contract.of(season.api)).require(answer, "GET", WINNERS)
    second = await season.boss.get(season.winners(0, f"?pageSize=1&cursor={first['meta']['nextCursor']}"))
    assert not second["meta"]["hasNextPage"]
    assert [page["data"][0]["vendedorId"] for page in (first, second)] == [
        str(each.id) for each in season.arena.sellers
    ]
    assert first["totals"] == second["totals"] == {
        "ticketsCount": 2, "winningAmount": "1400.00", "payout": "170000.00",
        "numero": {"jugadasCount": 2, "winningAmount": "1000.00", "payout": "90000.00"},
        "reventado": {"jugadasCount": 2, "winningAmount": "400.00", "payout": "80000.00"},
    }  # fmt: skip
    assert (first["sorteo"]["winningNumber"], first["sorteo"]["extraOutcomeCode"]) == ("07", "Roja")
    [numero, reventado] = first["data"][0]["jugadas"]
    assert (numero["number"], numero["amount"], numero["multiplierX"], numero["payout"]) == (
        "07", "500.00", "90.00", "45000.00",
    )  # fmt: skip
    assert (reventado["type"], reventado["multiplierX"], reventado["payout"]) == ("REVENTADO", "200.00", "40000.00")


async def test_a_result_taken_back_has_no_winners(season: Season, evaluator: Evaluator) -> None:
    assert await request_revert(season.arena) == "REQUESTED"
    await evaluator.finish()
    answer = await season.boss.send("GET", season.winners())
    assert (answer.status, answer.code) == (409, "SORTEO_NOT_EVALUATED")
    assert (await season.boss.get(f"{SUMMARY}?date={season.day}"))["meta"]["count"] == 1


async def test_what_was_handed_out_counts_as_paid(season: Season) -> None:
    await season.arena.owner.execute(
        "INSERT INTO ticket_payments (banca_id, business_date, ticket_id, ordinal, sorteo_id, sequence, evaluation,"
        " amount_cents, method, is_final, paid_by, paid_by_role, terminal_id, created_at)"
        " SELECT banca_id, business_date, id, 1, sorteo_id, sequence, 1, CASE sequence WHEN 1 THEN 8500000 ELSE 1 END,"
        " 'cash', false, vendedor_id, 'VENDEDOR', terminal_id, now() FROM tickets"
        " WHERE sorteo_id = $1 AND sequence IN (1, 3)",
        season.arena.sorteo_id,
    )
    _, earlier = (await season.boss.get(f"{SUMMARY}?date={season.day}"))["data"]
    assert (earlier["paidTicketsCount"], earlier["unpaidTicketsCount"]) == (1, 1)
    listed = (await season.boss.get(season.winners()))["data"]
    assert [each["remainingAmount"] for each in listed] == ["0.00", "84999.99"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("date=today", "FIELD_INVALID"),
        ("date=2026-01-15&fromDate=2026-01-15", "FIELD_INVALID"),
        ("fromDate=2026-01-15", "FIELD_REQUIRED"),
        ("fromDate=2026-01-15&toDate=2026-01-14", "FIELD_OUT_OF_RANGE"),
        ("fromDate=2026-01-01&toDate=2026-02-01", "FIELD_OUT_OF_RANGE"),
        ("loteriaId=Tica", "FIELD_INVALID"),
        ("scope=mine", "FIELD_UNKNOWN"),
    ],
)
async def test_days_that_are_none_are_refused(api: RunningApi, arena: Arena, query: str, code: str) -> None:
    answer = await (await ruler(api, arena)).send("GET", f"{SUMMARY}?{query}")
    assert answer.status == 400
    assert [violation["code"] for violation in answer.json()["violations"]] == [code]


async def test_days_without_draws_are_an_empty_list(api: RunningApi, arena: Arena) -> None:
    boss = await ruler(api, arena)
    for query in ("", "?fromDate=2026-01-01&toDate=2026-01-31", "?isActive=false"):
        assert (await boss.get(SUMMARY + query))["data"] == []


def figures(draw: dict[str, Any]) -> dict[str, Any]:
    names = (
        "winningNumber", "isReventado", "totalSales", "totalCommission", "commissionByNumber", "commissionByReventado",
        "totalPrizes", "subtotal", "accumulated", "ticketCount", "winningTicketsCount", "paidTicketsCount",
        "unpaidTicketsCount", "chronologicalIndex",
    )  # fmt: skip
    return {name: draw[name] for name in names}
