"""Evaluating and taking back as an administration does it, over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from core.domain.permissions import Role
from tests.api.ruling import Ruler, ruler
from tests.api.selling import Contract, jugada, require_no_insides, sell, ticket
from tests.arena import Arena
from tests.evaluating import Evaluator, draw_now
from tests.pos import Pos
from tests.running_api import RunningApi
from tests.till.state import everything

EVALUATE = "/api/v1/sorteos/{sorteoId}/evaluate"
REVERT = "/api/v1/sorteos/{sorteoId}/revert-evaluation"
EVALUATION = "/api/v1/sorteos/{sorteoId}/evaluation"


def at(path: str, arena: Arena) -> str:
    return path.replace("{sorteoId}", str(arena.sorteo_id))


@pytest.fixture
async def boss(api: RunningApi, arena: Arena) -> Ruler:
    return await ruler(api, arena)


@pytest.fixture
async def contract(api: RunningApi) -> Contract:
    return await Contract.of(api)


async def test_a_result_is_asked_for_polled_corrected_and_stands(
    api: RunningApi, arena: Arena, boss: Ruler, evaluator: Evaluator, contract: Contract
) -> None:
    extra = await arena.add_multiplier("Roja", 20_000, kind="REVENTADO")
    pos = Pos(api, arena.seller)
    await sell(pos, ticket(arena, jugada("07", "500.00"), jugada("07", "200.00", "REVENTADO", reventadoNumber="07")))
    await draw_now(arena.owner, arena.sorteo_id)
    body = {"winningNumber": "07", "extraMultiplierId": str(extra), "extraOutcomeCode": " ROJA "}
    asked = await boss.send("POST", at(EVALUATE, arena), body)
    assert asked.status == 202, asked.body
    document = contract.require(asked, "POST", EVALUATE)
    assert (document["state"], document["sorteoStatus"], document["evaluation"]) == ("RUNNING", "CLOSED", 1)
    assert (document["extraOutcomeCode"], document["extraMultiplierX"]) == ("ROJA", "200.00")
    assert document["progress"] == {"done": 0, "of": 1}

    await evaluator.finish()
    polled = contract.require(await boss.send("GET", at(EVALUATION, arena)), "GET", EVALUATION)
    assert (polled["state"], polled["sorteoStatus"], polled["progress"]) == ("DONE", "EVALUATED", {"done": 1, "of": 1})
    ledger = {name: polled[name] for name in ("totalIn", "totalOut", "netProfit", "hasWinner", "winningTickets")}
    assert ledger == {
        "totalIn": "700.00", "totalOut": "85000.00", "netProfit": "-84300.00", "hasWinner": True, "winningTickets": 1,
    }  # fmt: skip
    assert polled["settledAt"] is not None

    back = await boss.send("POST", at(REVERT, arena), {"reason": "typed wrong"})
    assert back.status == 202, back.body
    assert contract.require(back, "POST", REVERT)["revert"]["forced"] is False
    await evaluator.finish()
    reverted = contract.require(await boss.send("GET", at(EVALUATION, arena)), "GET", EVALUATION)
    assert (reverted["state"], reverted["sorteoStatus"]) == ("REVERTED", "CLOSED")
    assert reverted["revert"]["reason"] == "typed wrong"

    asked = await boss.send("POST", at(EVALUATE, arena), {"winningNumber": "08"})
    assert asked.json()["evaluation"] == 2
    await evaluator.finish()
    assert (await boss.get(at(EVALUATION, arena)))["hasWinner"] is False
    assert (await pos.get("/api/v1/accounts/me/balance")).json()["balance"] == "-700.00"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "VALIDATION_FAILED"),
        ({"winningNumber": 7}, "VALIDATION_FAILED"),
        ({"winningNumber": None}, "VALIDATION_FAILED"),
        ({"winningNumber": "0007"}, "VALIDATION_FAILED"),
        ({"winningNumber": "07", "number": "07"}, "VALIDATION_FAILED"),
        ({"winningNumber": "07", "extraMultiplierId": "roja"}, "VALIDATION_FAILED"),
        ({"winningNumber": "07", "extraOutcomeCode": "  "}, "VALIDATION_FAILED"),
        ({"winningNumber": "07", "extraOutcomeCode": "x" * 33}, "VALIDATION_FAILED"),
        ({"winningNumber": "07\u0000"}, "TEXT_INVALID"),
        (b"{", "JSON_MALFORMED"),
        # EVL-5.
        ({"winningNumber": "7"}, "NUMBER_WIDTH_INVALID"),
        ({"winningNumber": "٠٧"}, "NUMBER_INVALID"),
        ({"winningNumber": "07", "extraOutcomeCode": "ROJA"}, "EXTRA_MULTIPLIER_REQUIRED"),
        ({"winningNumber": "07", "extraMultiplierId": str(uuid4())}, "INVALID_MULTIPLIER"),
    ],
)
async def test_a_bad_result_is_a_problem_and_changes_nothing(
    arena: Arena, boss: Ruler, contract: Contract, body: Any, code: str
) -> None:
    await draw_now(arena.owner, arena.sorteo_id)
    before = await everything(arena.owner)
    answer = await boss.send("POST", at(EVALUATE, arena), body)
    assert (answer.status, answer.code) == (400, code), answer.body
    contract.require(answer, "POST", EVALUATE)
    require_no_insides(answer)
    assert await everything(arena.owner) == before


@pytest.mark.parametrize(
    "body",
    [{}, {"reason": "ab"}, {"reason": " " * 9}, {"reason": "x" * 201}, {"reason": "wrong", "force": "true"}],
)
async def test_a_revert_gives_its_reason(arena: Arena, boss: Ruler, body: Any) -> None:
    await draw_now(arena.owner, arena.sorteo_id)
    answer = await boss.send("POST", at(REVERT, arena), body)
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED"), answer.body


async def test_each_wrong_moment_has_its_code(
    arena: Arena, boss: Ruler, evaluator: Evaluator, contract: Contract
) -> None:
    async def codes() -> tuple[str, str]:
        evaluated = await boss.send("POST", at(EVALUATE, arena), {"winningNumber": "07"})
        reverted = await boss.send("POST", at(REVERT, arena), {"reason": "typed wrong"})
        assert {evaluated.status, reverted.status} <= {202, 409}
        contract.require(evaluated, "POST", EVALUATE)
        contract.require(reverted, "POST", REVERT)
        return evaluated.code or "", reverted.code or ""

    assert await codes() == ("SORTEO_NOT_CLOSED", "SORTEO_NOT_EVALUATED")
    await arena.owner.execute("UPDATE sorteos SET status = 'CLOSED'")
    assert await codes() == ("SORTEO_NOT_DRAWN", "SORTEO_NOT_EVALUATED")
    missing = await boss.send("GET", at(EVALUATION, arena))
    assert (missing.status, missing.code) == (404, "EVALUATION_NOT_FOUND")
    await draw_now(arena.owner, arena.sorteo_id)
    assert await codes() == ("", "EVALUATION_RUNNING")
    assert await codes() == ("EVALUATION_RUNNING", "EVALUATION_RUNNING")
    await evaluator.finish()
    assert await codes() == ("SORTEO_ALREADY_EVALUATED", "")
    assert await codes() == ("EVALUATION_REVERTING", "EVALUATION_REVERTING")


async def test_a_draw_of_another_banca_is_not_there(api: RunningApi, arena: Arena) -> None:
    stranger = await ruler(api, await Arena.create(arena.owner, arena.settings))
    await draw_now(arena.owner, arena.sorteo_id)
    for method, path, body in (
        ("POST", EVALUATE, {"winningNumber": "07"}),
        ("POST", REVERT, {"reason": "typed wrong"}),
        ("GET", EVALUATION, None),
        ("GET", "/api/v1/reports/winners-list/{sorteoId}", None),
    ):
        answer = await stranger.send(method, at(path, arena), body)
        assert (answer.status, answer.code) == (404, "SORTEO_NOT_FOUND"), path


@pytest.mark.parametrize("role", [Role.VENTANA, Role.VENDEDOR])
async def test_only_an_administration_evaluates(api: RunningApi, arena: Arena, role: Role) -> None:
    somebody = await ruler(api, arena, role)
    await draw_now(arena.owner, arena.sorteo_id)
    answer = await somebody.send("POST", at(EVALUATE, arena), {"winningNumber": "07"})
    assert (answer.status, answer.code) == (403, "FORBIDDEN")


async def test_of_fifty_administrators_one_evaluates(arena: Arena, boss: Ruler) -> None:
    await draw_now(arena.owner, arena.sorteo_id)
    answers = await asyncio.gather(
        *(boss.send("POST", at(EVALUATE, arena), {"winningNumber": f"{n:02d}"}) for n in range(50))
    )
    assert sorted(answer.status for answer in answers) == [202] + [409] * 49
    assert {answer.code for answer in answers if answer.status == 409} == {"EVALUATION_RUNNING"}


async def test_nobody_opens_a_draw_whose_prizes_are_being_paid(arena: Arena, boss: Ruler, evaluator: Evaluator) -> None:
    await draw_now(arena.owner, arena.sorteo_id)
    assert (await boss.send("POST", at(EVALUATE, arena), {"winningNumber": "07"})).status == 202
    answer = await boss.send("POST", at("/api/v1/sorteos/{sorteoId}/force-open", arena))
    assert (answer.status, answer.code) == (409, "EVALUATION_RUNNING"), answer.body
    await evaluator.finish()
    assert (await boss.get(at(EVALUATION, arena)))["sorteoStatus"] == "EVALUATED"


async def test_prizes_handed_out_are_named_in_the_refusal(
    api: RunningApi, arena: Arena, boss: Ruler, evaluator: Evaluator
) -> None:
    await sell(Pos(api, arena.seller), ticket(arena, jugada("07", "500.00")))
    await draw_now(arena.owner, arena.sorteo_id)
    await boss.send("POST", at(EVALUATE, arena), {"winningNumber": "07"})
    await evaluator.finish()
    await arena.owner.execute(
        "INSERT INTO ticket_payments (banca_id, business_date, ticket_id, ordinal, sorteo_id, sequence, evaluation,"
        " amount_cents, method, is_final, paid_by, paid_by_role, terminal_id, created_at)"
        " SELECT banca_id, business_date, id, 1, sorteo_id, sequence, 1, 2000000, 'cash', false, vendedor_id,"
        " 'VENDEDOR', terminal_id, now() FROM tickets"
    )
    # EVL-11.
    refused = await boss.send("POST", at(REVERT, arena), {"reason": "typed wrong"})
    assert (refused.status, refused.code) == (409, "PAYMENTS_STAND")
    assert "1 payments of 20000.00" in refused.json()["detail"]
    forced = await boss.send("POST", at(REVERT, arena), {"reason": "typed wrong", "force": True})
    assert forced.status == 202
    assert forced.json()["revert"]["forced"] is True
