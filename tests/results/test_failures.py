"""Evaluations that fail: they say so, everybody else is paid, and they can be tried again or taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from tests.api.ruling import Ruler, ruler
from tests.api.selling import Contract
from tests.arena import Arena
from tests.evaluating import Evaluator, balances, draw_now, prizes, request, request_revert, result
from tests.running_api import RunningApi
from tests.till.shop import Shop, sold
from tests.till.state import findings
from tests.till.tickets import sale, ticket
from workers.evaluations import FAILURES_MAX, Evaluations

if TYPE_CHECKING:
    from tests.arena import Owner

FULL = 2**63 - 1
# A prize of that ticket can be neither paid (RUNNING) nor, where it was paid, taken back (REVERTING).
BAD_TICKETS = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{}'; END $$;
CREATE TRIGGER refuse_prize BEFORE INSERT ON transfers FOR EACH ROW
    WHEN (NEW.kind IN ('PRIZE', 'PRIZE_REVERSAL') AND NEW.amount_cents {}) EXECUTE FUNCTION refuse()
"""
MENDED = "DROP TRIGGER refuse_prize ON transfers"
EVALUATION = "/api/v1/sorteos/{sorteoId}/evaluation"
RETRY = "/api/v1/sorteos/{sorteoId}/evaluation/retry"


async def tickets_drawn(arena: Arena, shop: Shop, *stakes: int) -> None:
    """One winner per stake, of the two sellers in turn; then the draw has its result, and nothing is paid yet."""
    for n, cents in enumerate(stakes):
        sold(await shop.sell(sale(arena.sellers[n % 2], ticket(arena.sorteo_id, ("07", cents)))))
    await draw_now(arena.owner, arena.sorteo_id)
    assert await request(arena, "07") == "REQUESTED"


async def failed(owner: Owner, sorteo_id: UUID) -> list[tuple[int, int, bool]]:
    """(sequence, attempts, whether it was done in the end)."""
    rows = await owner.fetch(
        "SELECT sequence, attempts, resolved_at IS NOT NULL FROM evaluation_failures WHERE sorteo_id = $1 ORDER BY 1",
        sorteo_id,
    )
    return [tuple(row) for row in rows]


async def retry(arena: Arena) -> str:
    outcome: str = await arena.owner.fetchval(
        "SELECT retry_evaluation($1, $2, $3, 'request')", arena.banca_id, arena.sorteo_id, arena.seller.id
    )
    return outcome


@pytest.mark.parametrize("step_tickets", [1, 4, 100])
async def test_a_ticket_that_cannot_be_paid_is_set_aside_and_all_others_are_paid(
    arena: Arena, shop: Shop, evaluator: Evaluator, step_tickets: int
) -> None:
    evaluator.evaluations.step_tickets = step_tickets
    await tickets_drawn(arena, shop, 100, 100, 313, 100, 313, 100)
    before = await balances(arena.owner)
    await arena.owner.execute(BAD_TICKETS.format("22003", "= 28170"))
    await evaluator.finish()
    row = await result(arena.owner, arena.sorteo_id)
    assert (row["state"], row["failed_at"] is not None, row["failure"]) == ("RUNNING", True, "2 tickets failed")
    assert [sequence for sequence, _, _ in await prizes(arena.owner, arena.sorteo_id)] == [1, 2, 4, 6]
    assert (row["winning_tickets"], row["total_out_cents"]) == (4, 36_000)
    assert sum((await balances(arena.owner)).values()) == sum(before.values()) + 36_000
    assert await failed(arena.owner, arena.sorteo_id) == [(3, 1, False), (5, 1, False)]
    [(check, text)] = await findings(arena.owner, arena.banca_id)
    assert check == "evaluations"
    assert "2 tickets failed" in text

    # Tried again too early it fails again, and pays nobody twice.
    assert await retry(arena) == "REQUESTED"
    await evaluator.finish()
    assert await failed(arena.owner, arena.sorteo_id) == [(3, 2, False), (5, 2, False)]
    assert (await result(arena.owner, arena.sorteo_id))["total_out_cents"] == 36_000

    await arena.owner.execute(MENDED)
    assert await retry(arena) == "REQUESTED"
    await evaluator.finish()
    row = await result(arena.owner, arena.sorteo_id)
    assert (row["state"], row["failure"], row["winning_tickets"]) == ("DONE", None, 6)
    assert await failed(arena.owner, arena.sorteo_id) == [(3, 2, True), (5, 2, True)]
    assert await retry(arena) == "EVALUATION_NOT_FAILED"
    assert await findings(arena.owner, arena.banca_id) == []


async def test_a_seller_whose_balance_is_full_keeps_no_other_from_its_prize(
    arena: Arena, shop: Shop, evaluator: Evaluator
) -> None:
    await tickets_drawn(arena, shop, 100, 100, 100)
    await arena.owner.execute("UPDATE accounts SET balance_cents = $2 WHERE id = $1", arena.seller.id, FULL - 9_000)
    await evaluator.finish()
    # The first of its two prizes fits to the cent; the second would be a cent too many even alone.
    assert await failed(arena.owner, arena.sorteo_id) == [(3, 1, False)]
    now = await balances(arena.owner)
    assert (now[arena.seller.id], now[arena.sellers[1].id]) == (FULL, 8_900)


async def test_what_failed_while_it_was_paid_can_be_taken_back_and_evaluated_again(
    arena: Arena, shop: Shop, evaluator: Evaluator
) -> None:
    await tickets_drawn(arena, shop, 100, 313, 100)
    before = await balances(arena.owner)
    await arena.owner.execute(BAD_TICKETS.format("23514", "= 28170"))
    await evaluator.finish()
    assert await request(arena, "07") == "EVALUATION_FAILED"
    assert await request_revert(arena) == "REQUESTED"
    await evaluator.finish()
    assert (await result(arena.owner, arena.sorteo_id))["state"] == "REVERTED"
    assert await balances(arena.owner) == before
    assert await findings(arena.owner, arena.banca_id) == []
    # The draw was closed all the time: its history has nothing to tell.
    assert await arena.owner.fetchval("SELECT count(*) FROM sorteo_states") == 0
    await arena.owner.execute(MENDED)
    assert await request(arena, "07") == "REQUESTED"
    await evaluator.finish()
    assert (await result(arena.owner, arena.sorteo_id))["state"] == "DONE"
    assert await findings(arena.owner, arena.banca_id) == []


async def test_a_prize_that_cannot_be_taken_back_is_set_aside_as_well(
    arena: Arena, shop: Shop, evaluator: Evaluator
) -> None:
    await tickets_drawn(arena, shop, 100, 313, 100)
    before = await balances(arena.owner)
    await evaluator.finish()
    await arena.owner.execute(BAD_TICKETS.format("22003", "= 28170"))
    assert await request_revert(arena) == "REQUESTED"
    await evaluator.finish()
    row = await result(arena.owner, arena.sorteo_id)
    assert (row["state"], row["failure"]) == ("REVERTING", "1 tickets failed")
    assert [check for check, _ in await findings(arena.owner, arena.banca_id)] == ["evaluations"]
    # There is no way back but forward.
    assert await request_revert(arena) == await request(arena, "07") == "EVALUATION_FAILED"
    await arena.owner.execute(MENDED)
    assert await retry(arena) == "REQUESTED"
    await evaluator.finish()
    assert (await result(arena.owner, arena.sorteo_id))["state"] == "REVERTED"
    after = await balances(arena.owner)
    assert after == {**before, arena.seller.id: before[arena.seller.id]}
    assert await findings(arena.owner, arena.banca_id) == []


async def test_what_is_no_tickets_fault_stops_the_evaluation_after_some_failures(
    arena: Arena, shop: Shop, evaluator: Evaluator
) -> None:
    await tickets_drawn(arena, shop, 100, 100)
    await arena.owner.execute(BAD_TICKETS.format("P0001", "> 0"))
    for n in range(FAILURES_MAX):
        assert (await result(arena.owner, arena.sorteo_id))["failed_at"] is None, n
        await try_now(evaluator.evaluations, arena.sorteo_id)
    row = await result(arena.owner, arena.sorteo_id)
    assert (row["state"], row["failure"]) == ("RUNNING", "RaiseError: refused")
    assert await evaluator.evaluations.run_once() == 0
    await arena.owner.execute(MENDED)
    assert await retry(arena) == "REQUESTED"
    await evaluator.finish()
    assert (await result(arena.owner, arena.sorteo_id))["state"] == "DONE"
    assert await findings(arena.owner, arena.banca_id) == []


@pytest.mark.parametrize("passing", ["40001", "53100", "55P03", "57014"])
async def test_what_passes_by_itself_never_stops_it(
    arena: Arena, shop: Shop, evaluator: Evaluator, passing: str
) -> None:
    await tickets_drawn(arena, shop, 100, 100)
    await arena.owner.execute(BAD_TICKETS.format(passing, "> 0"))
    for _ in range(FAILURES_MAX + 1):
        await try_now(evaluator.evaluations, arena.sorteo_id)
    assert (await result(arena.owner, arena.sorteo_id))["failed_at"] is None
    await arena.owner.execute(MENDED)
    await try_now(evaluator.evaluations, arena.sorteo_id)
    await evaluator.finish()
    assert (await result(arena.owner, arena.sorteo_id))["state"] == "DONE"


async def test_when_a_hundred_tickets_have_failed_no_other_is_tried(
    arena: Arena, shop: Shop, evaluator: Evaluator
) -> None:
    orders = [sale(arena.seller, ticket(arena.sorteo_id, ("07", 100))) for _ in range(103)]
    assert {outcome.verdict for outcome in await shop.record(orders)} == {"SOLD"}
    await draw_now(arena.owner, arena.sorteo_id)
    assert await request(arena, "07") == "REQUESTED"
    await arena.owner.execute(BAD_TICKETS.format("22003", "> 0"))
    await evaluator.finish()
    row = await result(arena.owner, arena.sorteo_id)
    assert (row["failure"], row["next_sequence"]) == ("100 tickets failed", 101)
    await arena.owner.execute(MENDED)
    assert await retry(arena) == "REQUESTED"
    await evaluator.finish()
    row = await result(arena.owner, arena.sorteo_id)
    assert (row["state"], row["winning_tickets"]) == ("DONE", 103)
    assert await findings(arena.owner, arena.banca_id) == []


async def test_an_evaluation_that_stands_still_is_a_finding(arena: Arena, shop: Shop) -> None:
    await tickets_drawn(arena, shop, 100)
    assert await findings(arena.owner, arena.banca_id) == []
    await arena.owner.execute("UPDATE sorteo_results SET progressed_at = now() - interval '11 minutes'")
    assert [check for check, _ in await findings(arena.owner, arena.banca_id)] == ["evaluations"]


async def test_a_failure_is_told_over_http_and_mended_there(
    api: RunningApi, arena: Arena, shop: Shop, evaluator: Evaluator
) -> None:
    boss, contract = await ruler(api, arena), await Contract.of(api)
    await tickets_drawn(arena, shop, 100, 313)
    early = await boss.send("POST", at(RETRY, arena))
    assert (early.status, early.code) == (409, "EVALUATION_NOT_FAILED")
    await arena.owner.execute(BAD_TICKETS.format("22003", "= 28170"))
    await evaluator.finish()
    told = contract.require(await boss.send("GET", at(EVALUATION, arena)), "GET", EVALUATION)
    failure = told["failure"]
    assert (told["state"], told["totalOut"]) == ("FAILED", "90.00")
    assert (failure["reason"], failure["ticketCount"]) == ("1 tickets failed", 1)
    [one] = failure["tickets"]
    assert (one["vendedorId"], one["reason"], one["attempts"]) == (str(arena.sellers[1].id), "refused", 1)

    health = (await boss.send("GET", "/health")).json()
    assert health["checks"]["evaluations"]["status"] == "late"
    assert health["checks"]["evaluations"]["detail"]["failed"] == 1
    assert "banca_evaluations_failed 1.0" in (await boss.send("GET", "/metrics")).body.decode()
    for path, body in (("evaluate", {"winningNumber": "07"}), ("force-open", None), ("deactivate", None)):
        answer = await boss.send("POST", at(f"/api/v1/sorteos/{{sorteoId}}/{path}", arena), body)
        assert (answer.status, answer.code) == (409, "EVALUATION_FAILED"), path

    await arena.owner.execute(MENDED)
    asked = contract.require(await boss.send("POST", at(RETRY, arena)), "POST", RETRY)
    assert (asked["state"], asked["failure"]) == ("RUNNING", None)
    await evaluator.finish()
    assert (await boss.get(at(EVALUATION, arena)))["state"] == "DONE"


async def test_a_failed_draw_is_taken_back_and_opened_over_http(
    api: RunningApi, arena: Arena, shop: Shop, evaluator: Evaluator
) -> None:
    boss: Ruler = await ruler(api, arena)
    await tickets_drawn(arena, shop, 100, 313)
    await arena.owner.execute(BAD_TICKETS.format("22003", "= 28170"))
    await evaluator.finish()
    back = await boss.send("POST", at("/api/v1/sorteos/{sorteoId}/revert-evaluation", arena), {"reason": "it failed"})
    assert back.status == 202, back.body
    running = await boss.send("POST", at("/api/v1/sorteos/{sorteoId}/force-open", arena))
    assert (running.status, running.code) == (409, "EVALUATION_RUNNING")
    await evaluator.finish()
    opened = await boss.send("POST", at("/api/v1/sorteos/{sorteoId}/force-open", arena))
    assert (opened.status, opened.json()["status"]) == (200, "OPEN")


def at(path: str, arena: Arena) -> str:
    return path.replace("{sorteoId}", str(arena.sorteo_id))


async def try_now(evaluations: Evaluations, sorteo_id: UUID) -> None:
    """One round, without the pause after the last failure."""
    known = evaluations.troubles.known.get(sorteo_id)
    if known is not None:
        known.rests_until_s = 0
    await evaluations.run_once()
