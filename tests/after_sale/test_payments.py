"""Winners are paid once, in parts or finally, whatever comes twice or at once."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from api.payment_answers import settled_document
from core.domain.permissions import Role
from core.till.operations import TicketNotFound
from core.till.payments import PaymentAnswer, Settled
from core.till.refusals import Refused
from tests.after_sale.desk import Desk, code, correct, draw, settled
from tests.arena import Arena
from tests.evaluating import Evaluator, balances, request_revert
from tests.pos import new_key
from tests.till.shop import counts_of
from tests.till.state import everything, findings
from tests.till.tickets import actor_for, actor_of

PRIZE = 4_500_000


@pytest.fixture
async def winner(desk: Desk, evaluator: Evaluator) -> UUID:
    """A ticket that won 45,000.00."""
    ticket_id = await desk.sell(("07", 50_000))
    await draw(desk.arena, evaluator, "07")
    return ticket_id


def figures(answer: PaymentAnswer) -> tuple[str, str, str, str]:
    document = settled_document(settled(answer).facts)
    return document["status"], document["totalPaid"], document["remainingAmount"], document["waivedAmount"]


async def test_a_prize_is_paid_in_parts_and_the_last_payment_is_taken_back(desk: Desk, winner: UUID) -> None:
    """PAY-1 to PAY-5."""
    before = await balances(desk.arena.owner)
    assert figures(await desk.pay(winner, 2_000_000)) == ("EVALUATED", "20000.00", "25000.00", "0.00")
    assert code(await desk.pay(winner, 2_500_001)) == "PAYMENT_EXCEEDS_REMAINING"
    assert figures(await desk.pay(winner, 2_500_000)) == ("PAID", "45000.00", "0.00", "0.00")
    assert code(await desk.pay(winner, 1)) == "ALREADY_PAID"
    assert figures(await desk.reverse(winner)) == ("EVALUATED", "20000.00", "25000.00", "0.00")
    assert figures(await desk.pay(winner, 2_500_000)) == ("PAID", "45000.00", "0.00", "0.00")
    for left in ("25000.00", "45000.00"):
        assert figures(await desk.reverse(winner))[2] == left
    assert code(await desk.reverse(winner)) == "PAYMENT_NOT_FOUND"
    # Cash in the customer's hand moves no account.
    assert await balances(desk.arena.owner) == before
    assert await findings(desk.arena.owner, desk.arena.banca_id) == []


async def test_a_customer_may_waive_the_rest_and_be_paid_it_after_a_reversal(desk: Desk, winner: UUID) -> None:
    assert code(await desk.finalize(winner)) == "PAYMENT_NOT_FOUND"
    settled(await desk.pay(winner, 1_000_000))
    assert figures(await desk.finalize(winner)) == ("PAID", "10000.00", "0.00", "35000.00")
    assert code(await desk.finalize(winner)) == "ALREADY_PAID"
    assert code(await desk.pay(winner, 1)) == "ALREADY_PAID"
    assert figures(await desk.reverse(winner)) == ("EVALUATED", "0.00", "45000.00", "0.00")
    assert figures(await desk.pay(winner, 100, is_final=True)) == ("PAID", "1.00", "0.00", "44999.00")
    assert code(await desk.finalize(winner)) == "ALREADY_PAID"
    assert await findings(desk.arena.owner, desk.arena.banca_id) == []


async def test_the_same_key_gets_the_same_answer_whatever_came_after(desk: Desk, winner: UUID) -> None:
    keys = [new_key() for _ in range(3)]
    first = [
        await desk.pay(winner, 100, key=keys[0]),
        await desk.finalize(winner, key=keys[1]),
        await desk.reverse(winner, key=keys[2]),
    ]
    settled(await desk.pay(winner, PRIZE))
    again = [
        await desk.pay(winner, 100, key=keys[0]),
        await desk.finalize(winner, key=keys[1]),
        await desk.reverse(winner, key=keys[2]),
    ]
    assert [settled(answer).facts for answer in again] == [settled(answer).facts for answer in first]
    assert [settled(answer).replayed for answer in (*first, *again)] == [False] * 3 + [True] * 3
    assert code(await desk.pay(winner, 101, key=keys[0])) == "IDEMPOTENCY_PAYLOAD_MISMATCH"
    refused = await desk.pay(winner, 1, key=new_key())
    assert isinstance(refused, Refused)
    assert refused.recorded


async def test_a_ticket_is_not_paid_and_taken_back_for_ever(desk: Desk, winner: UUID) -> None:
    owner = desk.arena.owner
    settled(await desk.pay(winner, 100))
    copied = await owner.fetchval(
        "SELECT string_agg(column_name, ', ') FROM information_schema.columns WHERE table_name = 'ticket_payments'"
        " AND column_name NOT IN ('ordinal', 'reversed_at')"
    )
    await owner.execute(
        f"INSERT INTO ticket_payments ({copied}, ordinal, reversed_at) SELECT {copied}, n, now()"
        " FROM ticket_payments, generate_series(2, 1000) n"
    )
    assert code(await desk.pay(winner, 1)) == "TICKET_PAID_TOO_OFTEN"
    settled(await desk.finalize(winner))
    settled(await desk.reverse(winner))
    assert code(await desk.pay(winner, 1)) == "TICKET_PAID_TOO_OFTEN"
    assert await findings(owner, desk.arena.banca_id) == []


async def test_a_refusal_stands_for_its_key(desk: Desk, winner: UUID) -> None:
    key = new_key()
    settled(await desk.pay(winner, PRIZE))
    first = await desk.pay(winner, 5, key=key)
    settled(await desk.reverse(winner))
    again = await desk.pay(winner, 5, key=key)
    assert isinstance(first, Refused)
    assert isinstance(again, Refused)
    assert (again.code, again.detail, again.replayed) == (first.code, first.detail, True)


@pytest.mark.parametrize("same_key", [True, False], ids=["one key", "fifty keys"])
async def test_of_fifty_claims_at_once_one_is_paid(desk: Desk, winner: UUID, same_key: bool) -> None:
    key = new_key()
    answers = await asyncio.gather(*(desk.pay(winner, PRIZE, key=key if same_key else None) for _ in range(50)))
    if same_key:
        facts = [settled(answer).facts for answer in answers]
        assert all(fact == facts[0] for fact in facts)
        assert counts_of([settled(answer).replayed for answer in answers]) == {False: 1, True: 49}
    else:
        assert counts_of([answer.code if isinstance(answer, Refused) else "PAID" for answer in answers]) == {
            "PAID": 1,
            "ALREADY_PAID": 49,
        }
    assert await desk.arena.owner.fetchval("SELECT count(*) FROM ticket_payments") == 1
    assert await findings(desk.arena.owner, desk.arena.banca_id) == []


async def test_fifty_parts_at_once_never_pay_more_than_the_prize(desk: Desk, winner: UUID) -> None:
    # Forty-five of them fit.
    answers = await asyncio.gather(*(desk.pay(winner, 100_000) for _ in range(50)))
    assert sum(isinstance(answer, Settled) for answer in answers) == 45
    paid = await desk.arena.owner.fetchrow(
        "SELECT count(*), sum(amount_cents)::bigint, max(ordinal) FROM ticket_payments"
    )
    assert paid is not None
    assert tuple(paid) == (45, PRIZE, 45)
    assert await findings(desk.arena.owner, desk.arena.banca_id) == []


async def test_what_is_no_winner_of_a_result_that_stands_is_not_paid(desk: Desk, evaluator: Evaluator) -> None:
    arena = desk.arena
    winner, loser = await desk.sell(("07", 100)), await desk.sell(("08", 100))
    cancelled = await desk.sell(("07", 100))
    excluded = await desk.sell(("07", 100), seller=arena.sellers[1])
    await desk.shop.cancel(arena.seller, ticket_id=cancelled)
    await desk.exclude(vendedor_id=arena.sellers[1].id)
    assert code(await desk.pay(winner, 100)) == "SORTEO_NOT_EVALUATED"
    await draw(arena, evaluator, "07")
    colleague = await desk.pay(excluded, 100)
    assert isinstance(colleague, TicketNotFound), "a colleague's ticket is not there"
    listero = await arena.add_user(Role.VENTANA)
    at_the_window = actor_for(listero, arena.banca_id, arena.seller.terminal)
    assert code(await desk.pay(loser, 100)) == "TICKET_NOT_WINNER"
    assert code(await desk.pay(cancelled, 100)) == "TICKET_CANCELLED"
    assert code(await desk.pay(excluded, 100, actor=at_the_window)) == "TICKET_EXCLUDED"
    for unknown in (uuid4(), UUID(int=0)):
        assert isinstance(await desk.pay(unknown, 100), TicketNotFound)
    settled(await desk.pay(winner, 100))
    assert await request_revert(arena, force=False) == "PAYMENTS_STAND"
    assert await request_revert(arena, force=True) == "REQUESTED"
    assert code(await desk.pay(winner, 100)) == "SORTEO_NOT_EVALUATED"
    await evaluator.finish()
    assert code(await desk.reverse(winner)) == "SORTEO_NOT_EVALUATED"
    assert await findings(arena.owner, arena.banca_id) == []


async def test_who_pays_is_looked_at_under_the_lock(desk: Desk, winner: UUID) -> None:
    arena, owner = desk.arena, desk.arena.owner
    far = await arena.add_ventana()
    elsewhere = await arena.add_user(Role.VENTANA, ventana_id=far)
    far_terminal = await arena.add_terminal(ventana_id=far)
    here = await arena.add_user(Role.VENTANA)
    admin = await arena.add_user(Role.ADMIN, has_banca=False)
    stranger = await Arena.create(owner, arena.settings)
    before = await everything(owner)
    assert isinstance(
        await desk.pay(winner, 1, actor=actor_for(elsewhere, arena.banca_id, far_terminal)), TicketNotFound
    )
    assert isinstance(await desk.pay(winner, 1, actor=actor_of(stranger.seller)), TicketNotFound)
    assert code(await desk.pay(winner, 1, actor=actor_for(here, arena.banca_id, far_terminal))) == "TERMINAL_MISMATCH"
    assert await everything(owner) == before
    for person in (here, admin):
        settled(await desk.pay(winner, 1, actor=actor_for(person, arena.banca_id, arena.seller.terminal)))
    await owner.execute("UPDATE users SET is_active = false WHERE id = $1", arena.seller.id)
    assert code(await desk.pay(winner, 1)) == "USER_INACTIVE"
    # The seller has left; the customer is paid by who stands above.
    settled(await desk.pay(winner, 1, actor=actor_for(here, arena.banca_id, arena.seller.terminal)))
    await owner.execute("UPDATE ventanas SET is_active = false WHERE id = $1", arena.ventana_id)
    assert (
        code(await desk.pay(winner, 1, actor=actor_for(here, arena.banca_id, arena.seller.terminal)))
        == "VENTANA_INACTIVE"
    )
    await owner.execute(
        "UPDATE sessions SET revoked_at = now(), revoked_reason = 'revoked' WHERE id = $1", admin.session_id
    )
    assert (
        code(await desk.pay(winner, 1, actor=actor_for(admin, arena.banca_id, arena.seller.terminal)))
        == "SESSION_REVOKED"
    )


async def test_a_corrected_result_is_paid_above_what_was_paid_before(
    desk: Desk, winner: UUID, evaluator: Evaluator
) -> None:
    settled(await desk.pay(winner, 100))
    await correct(desk.arena, evaluator, "07")
    assert code(await desk.pay(winner, PRIZE)) == "PAYMENT_EXCEEDS_REMAINING"
    answer = settled(await desk.pay(winner, PRIZE - 100))
    assert answer.facts["payment"]["ordinal"] == 2
    assert figures(answer) == ("PAID", "45000.00", "0.00", "0.00")
    assert await findings(desk.arena.owner, desk.arena.banca_id) == []


async def test_a_revert_and_fifty_payments_at_once_keep_the_cash_on_the_ticket(
    desk: Desk, winner: UUID, evaluator: Evaluator
) -> None:
    reverts = [request_revert(desk.arena, force=True)]
    answers = await asyncio.gather(*(desk.pay(winner, 1_000) for _ in range(25)), *reverts,
                                   *(desk.pay(winner, 1_000) for _ in range(25)))  # fmt: skip
    assert "REQUESTED" in answers
    await evaluator.finish()
    paid = sum(isinstance(answer, Settled) for answer in answers) * 1_000
    row = await desk.arena.owner.fetchrow(
        "SELECT coalesce(sum(p.amount_cents), 0)::bigint AS cash, coalesce(max(m.open_cents), 0) AS open"
        " FROM ticket_payments p LEFT JOIN cash_memos m USING (banca_id, business_date, ticket_id)"
        " WHERE p.reversed_at IS NULL"
    )
    assert row is not None
    assert (row["cash"], row["open"]) == (paid, paid)
    assert await findings(desk.arena.owner, desk.arena.banca_id) == []
