from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from core.settings import Settings
from tests.api.selling import BATCH, CANCEL, REPLAYED, SALE, batch, jugada, read_books, sell, ticket
from tests.arena import Arena, Seller
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi

# A ticket whose every part a later change could touch.
LINES = (jugada("07", "500.00"), jugada("07", "200.00", "REVENTADO"), jugada("99", "0.05"))
REFUSED_TODAY = {
    "the bet is too small": "UPDATE bancas SET default_min_bet_cents = 1000000",
    "the number is blocked": "UPDATE bancas SET global_max_per_number_cents = 0",
    "the loteria is inactive": "UPDATE loterias SET is_active = false",
    "REVENTADO is disabled": """UPDATE loterias SET rules = '{"digits": 2, "reventadoConfig": {"enabled": false}}'""",
    "the number is out of range": """UPDATE loterias SET rules = '{"digits": 2, "numberRange": {"min": 50}}'""",
    "there is no multiplier": "UPDATE loteria_multipliers SET is_active = false",
    "the draw is closed": "UPDATE sorteos SET status = 'CLOSED'",
    "the draw is not open": "UPDATE sorteos SET status = 'SCHEDULED'",
    "the draw is inactive": "UPDATE sorteos SET is_active = false",
    "the commission changed": """UPDATE bancas SET commission_policy = '{"version": 1, "defaultPercent": 9, "rules": []}'""",
    "the multiplier pays less": "UPDATE loteria_multipliers SET value_x_hundredths = 100",
    "the seller has no credit": "UPDATE accounts SET credit_limit_cents = 0, allowed_overdraft_cents = 70005 WHERE kind = 'SELLER'",
}


def require_replay(answer: Answer, first: Answer) -> None:
    assert answer.headers.get(REPLAYED) == "true"
    assert (answer.status, answer.body) == (first.status, first.body)
    assert answer.headers["Content-Type"] == first.headers["Content-Type"]


async def first_and_key(pos: Pos, document: dict[str, Any]) -> tuple[Answer, str]:
    key = new_key()
    answer = await pos.post(SALE, document, key=key)
    assert REPLAYED not in answer.headers
    return answer, key


async def one_of_batch(pos: Pos, document: dict[str, Any], key: str) -> dict[str, Any]:
    answer = await pos.post(BATCH, batch({**document, "idempotencyKey": key}))
    assert answer.status == 200, answer.body
    [result] = answer.json()["results"]
    assert result["idempotencyKey"] == key
    return dict(result)


async def test_the_same_sale_again_gets_the_same_bytes(api: RunningApi, arena: Arena) -> None:
    pos = Pos(api, arena.seller)
    first, key = await first_and_key(pos, ticket(arena, *LINES))
    books = await read_books(arena.owner)
    for _ in range(3):
        require_replay(await pos.post(SALE, ticket(arena, *LINES), key=key), first)
    assert await read_books(arena.owner) == books


async def test_the_same_sale_may_be_spelled_otherwise(api: RunningApi, arena: Arena) -> None:
    pos = Pos(api, arena.seller)
    first, key = await first_and_key(pos, ticket(arena, *LINES))
    again = {
        "clienteNombre": " CLIENTE CONTADO ",
        "ventanaId": str(arena.ventana_id),
        "jugadas": [{**line, "amount": line["amount"].removesuffix(".00")} for line in LINES],
        "sorteoId": str(arena.sorteo_id).upper(),
    }
    require_replay(await pos.post(SALE, json.dumps(again, indent=2).encode(), key=key), first)


async def test_a_single_sale_may_be_sent_again_in_a_batch_and_the_other_way_round(
    api: RunningApi, arena: Arena
) -> None:
    pos = Pos(api, arena.seller)
    first, key = await first_and_key(pos, ticket(arena, *LINES))
    result = await one_of_batch(pos, ticket(arena, *LINES), key)
    assert (result["status"], result["replayed"], result["ticket"]) == (201, True, first.json())
    other = new_key()
    result = await one_of_batch(pos, ticket(arena, *LINES), other)
    assert (result["status"], result["replayed"]) == (201, False)
    single = await pos.post(SALE, ticket(arena, *LINES), key=other)
    assert (single.status, single.headers.get(REPLAYED), single.json()) == (201, "true", result["ticket"])
    require_replay(await pos.post(SALE, ticket(arena, *LINES), key=other), single)
    assert {**await one_of_batch(pos, ticket(arena, *LINES), other), "replayed": False} == result


async def test_a_replay_after_the_cancel_is_still_the_sales_answer(api: RunningApi, arena: Arena) -> None:
    pos = Pos(api, arena.seller)
    first, key = await first_and_key(pos, ticket(arena, *LINES))
    cancelled = await pos.post(f"{SALE}/{first.json()['id']}/cancel", b"", key=new_key())
    assert cancelled.json()["status"] == "CANCELLED"
    require_replay(await pos.post(SALE, ticket(arena, *LINES), key=key), first)
    assert (await one_of_batch(pos, ticket(arena, *LINES), key))["ticket"] == first.json()


@pytest.mark.parametrize("change", REFUSED_TODAY.values(), ids=REFUSED_TODAY)
async def test_a_replay_does_not_care_what_todays_rules_say(api: RunningApi, arena: Arena, change: str) -> None:
    pos = Pos(api, arena.seller)
    first, key = await first_and_key(pos, ticket(arena, *LINES))
    await arena.owner.execute(change)
    require_replay(await pos.post(SALE, ticket(arena, *LINES), key=key), first)
    fresh = await pos.post(SALE, ticket(arena, *LINES), key=new_key())
    assert fresh.status >= 400 or fresh.json()["jugadas"] != first.json()["jugadas"], "the change changes nothing"
    # Since that one, the process knows today's rules: they come before the key.
    require_replay(await pos.post(SALE, ticket(arena, *LINES), key=key), first)
    assert (await one_of_batch(pos, ticket(arena, *LINES), key))["ticket"] == first.json()


async def test_another_process_replays_the_same_bytes(arena: Arena, settings: Settings) -> None:
    async with RunningApi(settings) as one, RunningApi(settings) as other:
        first, key = await first_and_key(Pos(one, arena.seller), ticket(arena, *LINES))
        require_replay(await Pos(other, arena.seller).post(SALE, ticket(arena, *LINES), key=key), first)
        result = await one_of_batch(Pos(other, arena.seller), ticket(arena, *LINES), key)
        assert (result["replayed"], result["ticket"]) == (True, first.json())


async def test_a_replay_from_another_terminal_names_the_one_that_sold(api: RunningApi, arena: Arena) -> None:
    first, key = await first_and_key(Pos(api, arena.seller), ticket(arena))
    other = Pos(api, arena.seller, await arena.add_terminal())
    require_replay(await other.post(SALE, ticket(arena), key=key), first)


async def sold_out(arena: Arena) -> tuple[Seller, str]:
    await arena.owner.execute("UPDATE bancas SET global_max_per_number_cents = 10000")
    return arena.seller, "UPDATE bancas SET global_max_per_number_cents = NULL"


async def no_funds(arena: Arena) -> tuple[Seller, str]:
    return await arena.add_seller(credit_limit_cents=100), "UPDATE accounts SET credit_limit_cents = NULL"


async def closed(arena: Arena) -> tuple[Seller, str]:
    await arena.owner.execute("UPDATE sorteos SET status = 'CLOSED'")
    return arena.seller, "UPDATE sorteos SET status = 'OPEN'"


async def after_cutoff(arena: Arena) -> tuple[Seller, str]:
    await arena.owner.execute("UPDATE sorteos SET scheduled_at = now() + interval '5 minutes'")
    await arena.owner.execute("UPDATE bancas SET sales_cutoff_minutes = 10")
    return arena.seller, "UPDATE bancas SET sales_cutoff_minutes = 0"


@pytest.mark.parametrize(
    ("arrange", "code"),
    [
        (sold_out, "NUMBER_MAXTOTAL_EXCEEDED"),
        (no_funds, "INSUFFICIENT_FUNDS"),
        (closed, "SORTEO_CLOSED"),
        (after_cutoff, "SALES_CUTOFF_REACHED"),
    ],
)
async def test_a_recorded_refusal_stands_for_its_key(
    api: RunningApi, arena: Arena, settings: Settings, arrange: Any, code: str
) -> None:
    seller, mend = await arrange(arena)
    pos = Pos(api, seller)
    before = await read_books(arena.owner)
    first, key = await first_and_key(pos, ticket(arena))
    assert (first.status, first.code) == (409, code)
    assert "instance" not in first.json(), "a replay could not name the same request"
    assert "use a new one" in first.json()["detail"]
    require_replay(await pos.post(SALE, ticket(arena), key=key), first)
    await arena.owner.execute(mend)
    require_replay(await pos.post(SALE, ticket(arena), key=key), first)
    async with RunningApi(settings) as other:
        require_replay(await Pos(other, seller).post(SALE, ticket(arena), key=key), first)
    result = await one_of_batch(pos, ticket(arena), key)
    assert (result["status"], result["replayed"], result["problem"]) == (409, True, first.json())
    after = await read_books(arena.owner)
    assert (after.answers, after.tickets, after.transfers) == (before.answers + 1, 0, 0)
    await sell(pos, ticket(arena))


@pytest.mark.parametrize("arrange", [None, sold_out, closed])
async def test_the_same_key_with_other_content_is_refused(api: RunningApi, arena: Arena, arrange: Any) -> None:
    if arrange is not None:
        await arrange(arena)
    pos = Pos(api, arena.seller)
    _, key = await first_and_key(pos, ticket(arena, *LINES))
    books = await read_books(arena.owner)
    others = [
        ticket(arena, *LINES[:2]),
        ticket(arena, *reversed(LINES)),
        ticket(arena, LINES[0], LINES[1], jugada("99", "0.06")),
        ticket(arena, *LINES, clienteNombre="Ana"),
        ticket(arena, *LINES, loteriaId=str(arena.loteria_id)),
        {**ticket(arena, *LINES), "sorteoId": str(await arena.add_sorteo(minutes=2_000))},
    ]
    for other in others:
        answer = await pos.post(SALE, other, key=key)
        assert (answer.status, answer.code) == (422, "IDEMPOTENCY_PAYLOAD_MISMATCH")
        result = await one_of_batch(pos, other, key)
        assert (result["status"], result["problem"]["code"]) == (422, "IDEMPOTENCY_PAYLOAD_MISMATCH")
    # A key is a key, whatever it was for.
    answer = await pos.post(CANCEL, {"saleKey": new_key()}, key=key)
    assert (answer.status, answer.code) == (422, "IDEMPOTENCY_PAYLOAD_MISMATCH")
    assert await read_books(arena.owner) == books


async def test_a_refusal_that_was_not_recorded_leaves_its_key_free(api: RunningApi, arena: Arena) -> None:
    pos, key = Pos(api, arena.seller), new_key()
    sorteo = await arena.add_sorteo(minutes=2_000, status="SCHEDULED")
    document = ticket(arena) | {"sorteoId": str(sorteo)}
    for sent, code in ((ticket(arena, jugada("007")), "NUMBER_WIDTH_INVALID"), (document, "SORTEO_NOT_OPEN")):
        answer = await pos.post(SALE, sent, key=key)
        assert (answer.code, answer.json()["instance"]) == (code, answer.headers["X-Request-Id"])
    await arena.owner.execute("UPDATE sorteos SET status = 'OPEN'")
    await sell(pos, document, key=key)


async def test_another_sellers_key_is_another_key(api: RunningApi, arena: Arena) -> None:
    key = new_key()
    tickets = [await sell(Pos(api, seller), ticket(arena), key=key) for seller in arena.sellers]
    assert len({sold["id"] for sold in tickets}) == 2


async def test_a_sale_sent_many_times_at_once_is_sold_once_for_all(arena: Arena, settings: Settings) -> None:
    settings = settings.model_copy(update={"rate_limit_enabled": False})
    async with RunningApi(settings) as one, RunningApi(settings) as other:
        key = new_key()
        answers = await asyncio.gather(
            *(Pos(api, arena.seller).post(SALE, ticket(arena, *LINES), key=key) for api in (one, other) * 30)
        )
    assert {(answer.status, answer.body) for answer in answers} == {(201, answers[0].body)}
    assert Counter(answer.headers.get(REPLAYED) for answer in answers) == {None: 1, "true": 59}
    assert (await read_books(arena.owner)).tickets == 1


async def test_the_terminals_next_seller_gets_the_same_bytes(api: RunningApi, arena: Arena, settings: Settings) -> None:
    """Whether the ticket was sold alone or in a batch, and is asked for alone or in a batch."""
    first_pos, next_pos = Pos(api, arena.seller), Pos(api, arena.sellers[1], arena.seller.terminal)
    first, key = await first_and_key(first_pos, ticket(arena, *LINES))
    batched = new_key()
    result = await one_of_batch(first_pos, ticket(arena, *LINES), batched)
    books = await read_books(arena.owner)
    async with RunningApi(settings) as other:
        for pos in (next_pos, Pos(other, arena.sellers[1], arena.seller.terminal)):
            require_replay(await pos.post(SALE, ticket(arena, *LINES), key=key), first)
            again = await one_of_batch(pos, ticket(arena, *LINES), key)
            assert (again["status"], again["replayed"], again["ticket"]) == (201, True, first.json())
            assert {**await one_of_batch(pos, ticket(arena, *LINES), batched), "replayed": False} == result
            single = await pos.post(SALE, ticket(arena, *LINES), key=batched)
            assert (single.status, single.headers.get(REPLAYED), single.json()) == (201, "true", result["ticket"])
            differs = await pos.post(SALE, ticket(arena), key=key)
            assert (differs.status, differs.code) == (422, "IDEMPOTENCY_PAYLOAD_MISMATCH")
    assert await read_books(arena.owner) == books


async def test_two_sellers_of_one_terminal_that_send_the_same_at_once_get_one_ticket(
    arena: Arena, settings: Settings
) -> None:
    settings = settings.model_copy(update={"rate_limit_enabled": False})
    async with RunningApi(settings) as one, RunningApi(settings) as other:
        key, alone = new_key(), ticket(arena, *LINES)
        twins = batch(*[{**alone, "idempotencyKey": key}] * 2)
        sellers = [Pos(api, seller, arena.seller.terminal) for api in (one, other) for seller in arena.sellers]
        answers = await asyncio.gather(
            *(pos.post(SALE, alone, key=key) for pos in sellers * 8), *(pos.post(BATCH, twins) for pos in sellers)
        )
    tickets = [answer.json() for answer in answers[:32]]
    tickets += [result["ticket"] for answer in answers[32:] for result in answer.json()["results"]]
    assert len(tickets) == 40
    assert all(sold == tickets[0] for sold in tickets)
    assert len({answer.body for answer in answers[:32]}) == 1
    assert (await read_books(arena.owner)).tickets == 1
