"""A list that was not handed in does not count: its money, its limits, its bets; and comes back whole."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from core.domain.permissions import Role
from core.till.cancels import Cancelled
from core.till.listas import ListaMoved, ListaRefused
from core.till.refusals import Refused
from tests.after_sale.desk import Desk, code, draw, moved
from tests.arena import Arena
from tests.evaluating import Evaluator, balances, request, request_revert
from tests.pos import new_key
from tests.till.shop import counts_of
from tests.till.state import everything, exposure, findings
from tests.till.test_rules import restrict
from tests.till.tickets import sale, ticket


def refused(answer: object) -> str:
    assert isinstance(answer, ListaRefused), answer
    return answer.code


async def statuses(arena: Arena) -> list[str]:
    """Of all tickets, in the order of their sale."""
    rows = await arena.owner.fetch("SELECT status::text FROM tickets WHERE banca_id = $1 ORDER BY id", arena.banca_id)
    return [row["status"] for row in rows]


async def excluded_lines(arena: Arena) -> list[tuple[int, int]]:
    rows = await arena.owner.fetch(
        "SELECT sequence, line FROM jugadas WHERE exclusion_id IS NOT NULL ORDER BY sequence, line"
    )
    return [(row["sequence"], row["line"]) for row in rows]


async def give_commissions(arena: Arena) -> None:
    await arena.give_policy("users", arena.seller.id, "12.5")
    await arena.give_policy("ventanas", arena.ventana_id, "15")


async def test_an_excluded_list_leaves_nothing_behind_and_comes_back_whole(desk: Desk) -> None:
    arena = desk.arena
    await give_commissions(arena)
    far = await arena.add_seller(ventana_id=await arena.add_ventana())
    for seller in (arena.seller, arena.sellers[1], far):
        await desk.sell(("07", 1_001), ("R07", 333), ("15", 7), seller=seller)
    before = await balances(arena.owner)
    facts = moved(await desk.exclude()).facts
    assert (facts["tickets"], facts["jugadas"], facts["amountCents"]) == (2, 6, 2_682)
    assert await statuses(arena) == ["EXCLUDED", "EXCLUDED", "ACTIVE"]
    assert await balances(arena.owner) == {arena.seller.id: 0, arena.sellers[1].id: 0, far.id: before[far.id]}
    assert await exposure(arena.owner, arena.sorteo_id) == {7: 1_334, 15: 7}
    assert {account for account, _, _ in desk.balances} == {arena.seller.id, arena.sellers[1].id}
    assert await findings(arena.owner, arena.banca_id) == []

    facts = moved(await desk.include()).facts
    assert (facts["tickets"], facts["jugadas"], facts["amountCents"]) == (2, 6, 2_682)
    assert await statuses(arena) == ["ACTIVE"] * 3
    assert await balances(arena.owner) == before
    assert await exposure(arena.owner, arena.sorteo_id) == {7: 4_002, 15: 21}
    assert await findings(arena.owner, arena.banca_id) == []


async def test_one_multiplier_takes_its_numbers_reventado_with_it(desk: Desk) -> None:
    arena = desk.arena
    await give_commissions(arena)
    other = await arena.add_multiplier("Otra", 8_500)
    await desk.sell(("07", 1_000), ("R07", 500), ("15", 100), multiplier_id=arena.multiplier_id)
    await desk.sell(("07", 999), ("R07", 1), multiplier_id=other)
    facts = moved(await desk.exclude(multiplier_id=other)).facts
    assert (facts["tickets"], facts["jugadas"], facts["amountCents"]) == (1, 2, 1_000)
    assert await statuses(arena) == ["ACTIVE", "EXCLUDED"]
    moved(await desk.exclude(multiplier_id=arena.multiplier_id))
    assert await excluded_lines(arena) == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]
    assert await findings(arena.owner, arena.banca_id) == []
    moved(await desk.include(multiplier_id=other))
    assert await statuses(arena) == ["EXCLUDED", "ACTIVE"]
    assert await findings(arena.owner, arena.banca_id) == []


async def test_of_a_ticket_in_part_only_the_difference_moves(desk: Desk) -> None:
    arena = desk.arena
    await give_commissions(arena)
    other = await arena.add_multiplier("Otra", 8_500)
    asked = ticket(arena.sorteo_id, ("07", 1_001), ("R07", 3))
    both = ticket(arena.sorteo_id, ("15", 333), multiplier_id=other)
    mixed = sale(arena.seller, asked.__class__(arena.sorteo_id, None, None, "Ana", (*asked.jugadas, *both.jugadas)))
    [outcome] = await desk.shop.record([mixed])
    assert outcome.place is not None
    whole = await balances(arena.owner)
    moved(await desk.exclude(vendedor_id=arena.seller.id, multiplier_id=other))
    assert (await statuses(arena), await excluded_lines(arena)) == (["ACTIVE"], [(1, 3)])
    # 12.5 % of 3.33 is 0.42.
    assert (await balances(arena.owner))[arena.seller.id] == whole[arena.seller.id] + 333 - 42
    assert await findings(arena.owner, arena.banca_id) == []

    ticket_id = await arena.owner.fetchval("SELECT id FROM tickets")
    assert isinstance(await desk.shop.cancel(arena.seller, ticket_id=ticket_id), Cancelled)
    assert (await balances(arena.owner))[arena.seller.id] == 0
    assert await findings(arena.owner, arena.banca_id) == []
    assert code(await desk.restore(ticket_id)) == "LISTA_EXCLUDED"
    # The ticket was cancelled meanwhile: nothing moves.
    facts = moved(await desk.include(vendedor_id=arena.seller.id, multiplier_id=other)).facts
    assert facts["jugadas"] == 0
    assert await excluded_lines(arena) == []
    assert await findings(arena.owner, arena.banca_id) == []


async def test_what_one_exclusion_took_of_a_ticket_another_does_not_take_again(desk: Desk) -> None:
    arena = desk.arena
    other = await arena.add_multiplier("Otra", 8_500)
    lines = [ticket(arena.sorteo_id, ("07", 1_000)), ticket(arena.sorteo_id, ("15", 300), multiplier_id=other)]
    mixed = lines[0].__class__(arena.sorteo_id, None, None, "Ana", (*lines[0].jugadas, *lines[1].jugadas))
    await desk.shop.record([sale(arena.seller, mixed)])
    taken = [moved(await desk.exclude(**scope)).facts["jugadas"] for scope in ({"multiplier_id": other}, {})]
    assert taken == [1, 1]
    assert (await balances(arena.owner))[arena.seller.id] == 0
    assert await findings(arena.owner, arena.banca_id) == []
    back = [moved(await desk.include(**scope)).facts["jugadas"] for scope in ({}, {"multiplier_id": other})]
    assert back == [1, 1]
    assert (await balances(arena.owner))[arena.seller.id] == -1_300
    assert await findings(arena.owner, arena.banca_id) == []


async def test_a_jugada_that_two_exclusions_cover_comes_back_with_the_last(desk: Desk) -> None:
    arena = desk.arena
    await desk.sell(("07", 100), multiplier_id=arena.multiplier_id)
    await desk.sell(("07", 100), seller=arena.sellers[1], multiplier_id=arena.multiplier_id)
    scopes: list[dict[str, UUID]] = [
        {"vendedor_id": arena.seller.id},
        {},
        {"multiplier_id": arena.multiplier_id},
    ]
    tickets = [moved(await desk.exclude(**scope)).facts["tickets"] for scope in scopes]
    assert tickets == [1, 1, 0]
    assert await findings(arena.owner, arena.banca_id) == []
    back = []
    for scope in scopes:
        back.append(moved(await desk.include(**scope)).facts["tickets"])
        assert await findings(arena.owner, arena.banca_id) == []
    assert back == [0, 0, 2]
    assert await statuses(arena) == ["ACTIVE", "ACTIVE"]


async def test_nothing_is_sold_past_an_exclusion(desk: Desk) -> None:
    arena = desk.arena
    other = await arena.add_multiplier("Otra", 8_500)
    moved(await desk.exclude(vendedor_id=arena.seller.id, multiplier_id=other))

    async def sell(seller: int, *bets: tuple[str, int], multiplier: UUID = other) -> str:
        asked = ticket(arena.sorteo_id, *bets, multiplier_id=multiplier)
        answer = await desk.shop.sell(sale(arena.sellers[seller], asked))
        return answer.code if isinstance(answer, Refused) else "SOLD"

    assert await sell(0, ("07", 100)) == "LISTA_EXCLUDED"
    assert await sell(0, ("07", 100), ("R07", 50)) == "LISTA_EXCLUDED"
    assert await sell(0, ("07", 100), multiplier=arena.multiplier_id) == "SOLD"
    assert await sell(1, ("07", 100)) == "SOLD"
    # In a batch with others: only those that it covers.
    requests = [
        sale(arena.sellers[n % 2], ticket(arena.sorteo_id, ("07", 100), multiplier_id=multiplier))
        for n, multiplier in enumerate((other, other, arena.multiplier_id, arena.multiplier_id))
    ]
    outcomes = await desk.shop.record(requests)
    assert [outcome.verdict.value for outcome in outcomes] == ["LISTA_EXCLUDED", "SOLD", "SOLD", "SOLD"]
    assert await findings(arena.owner, arena.banca_id) == []
    # Not recorded: the same key sells once the list is back.
    key = new_key()
    asked = sale(arena.seller, ticket(arena.sorteo_id, multiplier_id=other), key=key)
    assert isinstance(await desk.shop.sell(asked), Refused)
    moved(await desk.include(vendedor_id=arena.seller.id, multiplier_id=other))
    assert not isinstance(await desk.shop.sell(asked), Refused)
    assert await arena.owner.fetchval("SELECT has_exclusions FROM sorteos WHERE id = $1", arena.sorteo_id) is False


async def test_an_excluded_ticket_is_not_cancelled(desk: Desk) -> None:
    ticket_id = await desk.sell()
    moved(await desk.exclude())
    assert code(await desk.shop.cancel(desk.arena.seller, ticket_id=ticket_id)) == "TICKET_EXCLUDED"


async def test_sales_and_exclusions_at_once_leave_nothing_that_counts_of_the_list(desk: Desk) -> None:
    arena = desk.arena
    sales = [desk.shop.sell(sale(arena.sellers[n % 2], ticket(arena.sorteo_id, ("07", 100)))) for n in range(50)]
    _, answer, *_ = await asyncio.gather(*sales[:1], desk.exclude(vendedor_id=arena.seller.id), *sales[1:])
    assert isinstance(answer, ListaMoved)
    live = await arena.owner.fetchval(
        "SELECT count(*) FROM tickets WHERE vendedor_id = $1 AND status = 'ACTIVE'", arena.seller.id
    )
    assert live == 0
    assert await findings(arena.owner, arena.banca_id) == []


async def test_of_fifty_at_once_one_exclusion_is_made_and_each_key_is_answered_once(desk: Desk) -> None:
    arena, key = desk.arena, new_key()
    await desk.sell()
    answers = await asyncio.gather(*(desk.exclude(key) for _ in range(25)), *(desk.exclude() for _ in range(25)))
    facts = [moved(answer).facts for answer in answers]
    assert len({fact["exclusionId"] for fact in facts}) == 1
    assert counts_of([moved(answer).replayed for answer in answers[:25]]) == {False: 1, True: 24}
    assert all(fact == facts[0] for fact in facts[:25])
    # What was excluded already takes nothing out a second time.
    assert (
        sum(fact["tickets"] for fact in {str(facts[0]): facts[0]}.values())
        + sum(fact["tickets"] for fact in facts[25:])
        == 1
    )
    assert await arena.owner.fetchval("SELECT count(*) FROM outbox WHERE type = 'listas.excluded'") == 1
    assert refused(await desk.include(key)) == "MISMATCH"
    assert await findings(arena.owner, arena.banca_id) == []


async def test_what_cannot_be_excluded_changes_nothing(desk: Desk, evaluator: Evaluator) -> None:
    arena, owner = desk.arena, desk.arena.owner
    await desk.sell()
    stranger = await Arena.create(owner, arena.settings)
    far_ventana = await arena.add_ventana()
    foreign = await stranger.add_multiplier("Ajena", 100)
    before = await everything(owner)
    assert refused(await desk.exclude(sorteo_id=stranger.sorteo_id)) == "SORTEO_NOT_FOUND"
    assert refused(await desk.exclude(ventana_id=stranger.ventana_id)) == "VENTANA_NOT_FOUND"
    assert refused(await desk.exclude(vendedor_id=stranger.seller.id)) == "VENDEDOR_NOT_FOUND"
    assert refused(await desk.exclude(ventana_id=far_ventana, vendedor_id=arena.seller.id)) == "VENDEDOR_NOT_IN_VENTANA"
    assert refused(await desk.exclude(multiplier_id=foreign)) == "MULTIPLIER_NOT_FOUND"
    assert refused(await desk.exclude(multiplier_id=uuid4())) == "MULTIPLIER_NOT_FOUND"
    assert refused(await desk.include()) == "EXCLUSION_NOT_FOUND"
    assert await everything(owner) == before
    await owner.execute("UPDATE sorteos SET status = 'SCHEDULED' WHERE id = $1", arena.sorteo_id)
    assert refused(await desk.exclude()) == "SORTEO_NOT_OPEN"
    await draw(arena, evaluator, "07")
    assert refused(await desk.exclude()) == "SORTEO_EVALUATED"
    assert await request_revert(arena) == "REQUESTED"
    assert refused(await desk.exclude()) == "SORTEO_EVALUATED", "prizes are being taken back"
    await evaluator.finish()
    # After the draw and before its result a list is found missing.
    moved(await desk.exclude())
    assert await request(arena, "07") == "REQUESTED"
    assert refused(await desk.include()) == "SORTEO_EVALUATED", "prizes are being paid"
    await evaluator.finish()
    assert await owner.fetchval("SELECT total_out_cents FROM sorteo_results ORDER BY evaluation DESC LIMIT 1") == 0
    assert await findings(owner, arena.banca_id) == []


async def test_a_ventana_is_named_by_its_user_too(desk: Desk) -> None:
    listero = await desk.arena.add_user(Role.VENTANA)
    facts = moved(await desk.exclude(ventana_id=listero.id)).facts
    assert facts["ventanaId"] == str(desk.arena.ventana_id)


@pytest.mark.parametrize("has_moved", [True, False])
async def test_a_seller_who_went_elsewhere_is_excluded_where_the_tickets_are(desk: Desk, has_moved: bool) -> None:
    arena, ticket_id = desk.arena, await desk.sell()
    if has_moved:
        await arena.owner.execute(
            "UPDATE users SET ventana_id = $2 WHERE id = $1", arena.seller.id, await arena.add_ventana()
        )
    assert moved(await desk.exclude(vendedor_id=arena.seller.id)).facts["tickets"] == 1
    assert moved(await desk.include(vendedor_id=arena.seller.id)).facts["tickets"] == 1
    assert await arena.owner.fetchval("SELECT status::text FROM tickets WHERE id = $1", ticket_id) == "ACTIVE"


async def test_a_counter_that_begins_after_an_exclusion_counts_what_is_left(desk: Desk) -> None:
    arena = desk.arena
    other = await arena.add_multiplier("Otra", 8_500)
    asked = ticket(arena.sorteo_id, ("07", 1_000))
    both = ticket(arena.sorteo_id, ("15", 300), multiplier_id=other)
    mixed = sale(arena.seller, asked.__class__(arena.sorteo_id, None, None, "Ana", (*asked.jugadas, *both.jugadas)))
    await desk.shop.record([mixed])
    moved(await desk.exclude(vendedor_id=arena.seller.id, multiplier_id=other))
    await restrict(arena.owner, arena, ventana_id=arena.ventana_id, max_total_cents=2_000)
    # The excluded 3.00 are free again.
    await desk.sell(("15", 2_000), ("07", 1_000), seller=arena.sellers[1])
    counted = await arena.owner.fetch("SELECT number, amount_cents FROM exposure WHERE scope = 'VENTANA'")
    assert {row["number"]: row["amount_cents"] for row in counted} == {-1: 4_000, 7: 2_000, 15: 2_000}
    assert await findings(arena.owner, arena.banca_id) == []
