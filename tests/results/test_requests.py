"""What speaks against evaluating a draw, and against taking it back; nothing is written then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.arena import Arena
from tests.evaluating import Evaluator, draw_now, request, request_revert
from tests.till.shop import Shop, sold
from tests.till.state import everything
from tests.till.tickets import sale, ticket

Extra = Callable[[Arena], Awaitable[UUID | None]]


async def none(_: Arena) -> UUID | None:
    return None


async def unknown(_: Arena) -> UUID | None:
    return uuid4()


async def numero(arena: Arena) -> UUID | None:
    return arena.multiplier_id


async def reventado(arena: Arena) -> UUID | None:
    return await arena.add_multiplier("Roja", 20_000, kind="REVENTADO")


async def inactive(arena: Arena) -> UUID | None:
    extra = await reventado(arena)
    await arena.owner.execute("UPDATE loteria_multipliers SET is_active = false WHERE id = $1", extra)
    return extra


async def of_another_day(arena: Arena) -> UUID | None:
    extra = await reventado(arena)
    await arena.owner.execute("UPDATE loteria_multipliers SET applies_to_date = '2020-01-01' WHERE id = $1", extra)
    return extra


async def of_another_loteria(arena: Arena) -> UUID | None:
    mine, arena.loteria_id = arena.loteria_id, uuid4()
    await arena.owner.execute(
        "INSERT INTO loterias (banca_id, id, name) VALUES ($1, $2, 'Nica')", arena.banca_id, arena.loteria_id
    )
    extra = await reventado(arena)
    arena.loteria_id = mine
    return extra


async def of_another_banca(arena: Arena) -> UUID | None:
    return await reventado(await Arena.create(arena.owner, arena.settings))


@pytest.mark.parametrize(
    ("number", "extra", "outcome", "refusal"),
    [
        ("7", none, None, "NUMBER_WIDTH_INVALID"),
        ("007", none, None, "NUMBER_WIDTH_INVALID"),
        ("a7", none, None, "NUMBER_INVALID"),
        ("-7", none, None, "NUMBER_INVALID"),
        ("٠٧", none, None, "NUMBER_INVALID"),
        ("07\n", none, None, "NUMBER_INVALID"),
        ("07", none, "ROJA", "EXTRA_MULTIPLIER_REQUIRED"),
        ("07", unknown, None, "INVALID_MULTIPLIER"),
        ("07", of_another_banca, None, "INVALID_MULTIPLIER"),
        ("07", of_another_loteria, None, "INVALID_MULTIPLIER_LOTERIA"),
        ("07", numero, None, "INVALID_MULTIPLIER_KIND"),
        ("07", inactive, None, "INACTIVE_MULTIPLIER"),
        ("07", of_another_day, None, "INACTIVE_MULTIPLIER"),
    ],
)
async def test_a_bad_result_is_refused_and_writes_nothing(
    arena: Arena, number: str, extra: Extra, outcome: str | None, refusal: str
) -> None:
    await draw_now(arena.owner, arena.sorteo_id)
    multiplier_id = await extra(arena)
    before = await everything(arena.owner)
    assert await request(arena, number, extra=multiplier_id, outcome=outcome) == refusal
    assert await everything(arena.owner) == before


@pytest.mark.parametrize(
    ("status", "evaluating", "reverting"),
    [
        ("SCHEDULED", "SORTEO_NOT_CLOSED", "SORTEO_NOT_EVALUATED"),
        ("OPEN", "SORTEO_NOT_CLOSED", "SORTEO_NOT_EVALUATED"),
        ("CLOSED", "REQUESTED", "SORTEO_NOT_EVALUATED"),
        # By hand: there is no result to take back.
        ("EVALUATED", "SORTEO_ALREADY_EVALUATED", "SORTEO_NOT_EVALUATED"),
    ],
)
async def test_only_a_closed_draw_is_evaluated_and_only_a_result_taken_back(
    arena: Arena, status: str, evaluating: str, reverting: str
) -> None:
    await draw_now(arena.owner, arena.sorteo_id, status=status)
    before = await everything(arena.owner)
    assert await request_revert(arena) == reverting
    assert await everything(arena.owner) == before
    assert await request(arena, "07") == evaluating


async def test_there_is_no_result_before_the_draw(arena: Arena) -> None:
    await arena.owner.execute("UPDATE sorteos SET status = 'CLOSED'")
    before = await everything(arena.owner)
    assert await request(arena, "07") == "SORTEO_NOT_DRAWN"
    assert await everything(arena.owner) == before


@pytest.mark.parametrize(
    ("later", "outcome"), [(timedelta(milliseconds=-1), "SORTEO_NOT_DRAWN"), (timedelta(), "REQUESTED")]
)
async def test_there_is_a_result_from_the_instant_of_the_draw_on(arena: Arena, later: timedelta, outcome: str) -> None:
    owner = arena.owner
    await owner.execute("UPDATE instance SET test_clock = true")
    drawn_at = await owner.fetchval(
        "UPDATE sorteos SET status = 'CLOSED', scheduled_at = date_trunc('second', scheduled_at) RETURNING scheduled_at"
    )
    answer = await owner.fetchval(
        "SELECT outcome FROM request_evaluation($1, $2, '{CLOSED}', '{true}', '07', NULL, NULL, $3, 'request', $4)",
        arena.banca_id, arena.sorteo_id, arena.seller.id, drawn_at + later,
    )  # fmt: skip
    assert answer == outcome


async def test_a_draw_of_another_banca_does_not_exist(arena: Arena, evaluator: Evaluator) -> None:
    other = await Arena.create(arena.owner, arena.settings)
    await draw_now(arena.owner, arena.sorteo_id)
    for sorteo_id in (arena.sorteo_id, uuid4()):
        assert await request(other, "07", sorteo_id=sorteo_id) == "SORTEO_NOT_FOUND"
        assert await request_revert(other, sorteo_id=sorteo_id) == "SORTEO_NOT_FOUND"
    assert await evaluator.finish() == 0


async def test_each_state_of_a_result_says_why_not(arena: Arena, shop: Shop, evaluator: Evaluator) -> None:
    sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 100)))))
    await draw_now(arena.owner, arena.sorteo_id)
    assert await request(arena, "07") == "REQUESTED"
    assert await request(arena, "08") == "EVALUATION_RUNNING"
    assert await request_revert(arena) == "EVALUATION_RUNNING"
    await evaluator.finish()
    # EVL-7.
    assert await request(arena, "07") == "SORTEO_ALREADY_EVALUATED"
    assert await request_revert(arena) == "REQUESTED"
    assert await request_revert(arena) == "EVALUATION_REVERTING"
    assert await request(arena, "07") == "EVALUATION_REVERTING"
    await evaluator.finish()
    assert await request_revert(arena) == "SORTEO_NOT_EVALUATED"
    assert await request(arena, "08") == "REQUESTED"


async def test_three_digits_take_three(arena: Arena) -> None:
    sorteo_id = await arena.add_sorteo(digits=3, minutes=24 * 60 + 5)
    await draw_now(arena.owner, sorteo_id)
    assert await request(arena, "07", sorteo_id=sorteo_id) == "NUMBER_WIDTH_INVALID"
    assert await request(arena, "007", sorteo_id=sorteo_id) == "REQUESTED"
