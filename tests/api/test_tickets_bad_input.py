from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tests.api.bad_tickets import AMOUNT, CASES, FORM, Case, World, make_world
from tests.api.selling import BATCH, SALE, batch, jugada, open_shop, read_books, require_no_insides, written
from tests.pos import Pos, new_key


@pytest.fixture(scope="module")
async def world(server_url: str, template_database: str) -> AsyncIterator[World]:
    async with open_shop(server_url, template_database) as shop:
        yield await make_world(shop)


def violations_of(problem: dict[str, Any]) -> tuple[tuple[str, str | None], ...]:
    return tuple((violation["code"], violation.get("field")) for violation in problem.get("violations", ()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_bad_ticket_is_told_what_is_wrong_and_nothing_is_written(world: World, case: Case) -> None:
    pos = Pos(world.shop.api, world.prepaid if case.prepaid else world.arena.seller)
    before = await read_books(world.arena.owner)
    answer = await pos.post(SALE, case.sent(world), key=new_key())
    problem = world.shop.contract.require(answer, "POST", SALE)
    assert (answer.status, problem["code"]) == (case.status, case.code), problem
    assert violations_of(problem) == case.violations
    require_no_insides(answer)
    assert await read_books(world.arena.owner) == replace(before, answers=before.answers + case.recorded)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_bad_ticket_of_a_batch_is_that_tickets_problem_only(world: World, case: Case) -> None:
    pos = Pos(world.shop.api, world.prepaid if case.prepaid else world.arena.seller)
    good = world.of_draw("CLOSED") if case.prepaid else world.ticket(jugada("12", "0.03"))
    before = await read_books(world.arena.owner)
    answer = await pos.post(BATCH, batch(good, case.sent(world), good))
    first, bad, last = world.shop.contract.require(answer, "POST", BATCH)["results"]
    assert (bad["status"], bad["problem"]["code"]) == (case.status, case.code), bad
    assert violations_of(bad["problem"]) == case.violations
    require_no_insides(answer)
    after = await read_books(world.arena.owner)
    sold = 0 if case.prepaid else 2
    assert [result["status"] for result in (first, last)] == [409 if case.prepaid else 201] * 2
    assert after.tickets - before.tickets == after.jugadas - before.jugadas == sold
    assert before.balances - after.balances == after.exposure - before.exposure == 3 * sold
    assert after.answers - before.answers == 2 + case.recorded


# As they stand in the JSON: what a float would have swallowed.
TOKENS = {
    "500.005": "AMOUNT_TOO_PRECISE", "0.1000000000000000055511151231257827": "AMOUNT_TOO_PRECISE",
    "1e-3": "AMOUNT_TOO_PRECISE", "5.00005E+2": "AMOUNT_TOO_PRECISE", "1e400": "AMOUNT_TOO_LARGE",
    "1.1e9": "AMOUNT_TOO_LARGE", "-5e2": "AMOUNT_NOT_POSITIVE", "0e3": "AMOUNT_NOT_POSITIVE", '"1e3"': "AMOUNT_INVALID",
    '"1.2E7"': "AMOUNT_INVALID", "e3": "JSON_MALFORMED", "1e": "JSON_MALFORMED",
    "0.0": "AMOUNT_NOT_POSITIVE", "-0.0": "AMOUNT_NOT_POSITIVE", "-500.00": "AMOUNT_NOT_POSITIVE",
    "1000000000.01": "AMOUNT_TOO_LARGE", "9" * 30: "AMOUNT_TOO_LARGE", "9" * 30 + ".9": "AMOUNT_TOO_LARGE",
    "true": "AMOUNT_INVALID", "NaN": "JSON_MALFORMED", "Infinity": "JSON_MALFORMED", "0x10": "JSON_MALFORMED",
    "0500": "JSON_MALFORMED", "500.": "JSON_MALFORMED", "+5": "JSON_MALFORMED", "9" * 5_000: "JSON_MALFORMED",
}  # fmt: skip


@pytest.mark.parametrize(("token", "code"), TOKENS.items(), ids=[f"{token:.30}" for token in TOKENS])
async def test_a_number_of_json_is_an_amount_only_when_it_is_exact(world: World, token: str, code: str) -> None:
    before = await read_books(world.arena.owner)
    answer = await world.shop.pos.post(SALE, written(world.ticket(jugada("11", "@")), token), key=new_key())
    problem = world.shop.contract.require(answer, "POST", SALE)
    expected = ("JSON_MALFORMED", ()) if code == "JSON_MALFORMED" else (FORM, ((code, AMOUNT),))
    assert (answer.status, problem["code"], violations_of(problem)) == (400, *expected)
    require_no_insides(answer)
    assert await read_books(world.arena.owner) == before
