"""Cash stays on its ticket over corrections of the result: what is paid once is not paid again, and what is too much is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.payment_answers import settled_document
from core.cash_memos import Ended, EndingKind, NotEnded
from core.domain.permissions import Role
from core.queries import SQL_ROOT, sql
from core.till.payments import Settled
from core.till.refusals import Refused
from tests.after_sale.desk import Desk, code, correct, draw, ended, settled
from tests.arena import Arena
from tests.evaluating import Evaluator, account, balances, request, request_revert
from tests.pos import new_key
from tests.till.shop import counts_of
from tests.till.state import findings
from tests.till.tickets import actor_for

SETTLE, WRITE_OFF = EndingKind.SETTLEMENT, EndingKind.WRITE_OFF
PRIZE = 4_500_000


@pytest.fixture
async def winner(desk: Desk, evaluator: Evaluator) -> UUID:
    """A ticket that won 45,000.00 by 07 and would have won as much by 15, and 4.50 by 99."""
    ticket_id = await desk.sell(("07", 50_000), ("15", 50_000), ("99", 5))
    await draw(desk.arena, evaluator, "07")
    return ticket_id


@pytest.fixture(autouse=True)
async def books(desk: Desk) -> AsyncIterator[None]:
    """Whatever a test does, its books are right at the end."""
    yield
    assert await findings(desk.arena.owner, desk.arena.banca_id) == []


async def memo(desk: Desk) -> dict[str, int]:
    """The figures of the only memo, without their unit; nothing where there is none."""
    row = await desk.arena.owner.fetchrow("SELECT * FROM cash_memos")
    names = ("cash", "returned", "prize", "written_off", "open")
    return {} if row is None else {name: row[f"{name}_cents"] for name in names}


def refused(answer: object) -> tuple[str, dict[str, Any]]:
    assert isinstance(answer, Refused), answer
    [violation] = answer.violations
    return answer.code, dict(violation.data or {})


def not_ended(answer: Ended | NotEnded) -> str:
    assert isinstance(answer, NotEnded), answer
    return answer.refusal.value


async def test_a_prize_that_was_paid_is_not_paid_again_after_the_same_result(
    desk: Desk, winner: UUID, evaluator: Evaluator
) -> None:
    settled(await desk.pay(winner, PRIZE))
    before = await balances(desk.arena.owner)
    await correct(desk.arena, evaluator, "07")
    for _ in range(2):
        assert refused(await desk.pay(winner, PRIZE)) == (
            "PAID_UNDER_EARLIER_RESULT",
            {"totalPayout": "45000.00", "paidUnderEarlierResult": "45000.00"},
        )
    assert code(await desk.finalize(winner)) == "PAID_UNDER_EARLIER_RESULT"
    assert await memo(desk) == {"cash": PRIZE, "returned": 0, "prize": PRIZE, "written_off": 0, "open": 0}
    assert await balances(desk.arena.owner) == before
    # It was never handed out after all: then it can be.
    settled(await desk.reverse(winner))
    assert settled(await desk.pay(winner, PRIZE)).facts["isClosed"]


async def test_a_new_result_pays_only_what_is_above_the_cash(desk: Desk, evaluator: Evaluator) -> None:
    ticket_id = await desk.sell(("07", 10_000), ("15", 50_000))
    await draw(desk.arena, evaluator, "07")
    settled(await desk.pay(ticket_id, 900_000))
    await correct(desk.arena, evaluator, "15")
    assert refused(await desk.pay(ticket_id, PRIZE)) == (
        "PAYMENT_EXCEEDS_REMAINING",
        {"remainingAmount": "36000.00", "paidUnderEarlierResult": "9000.00"},
    )
    answer = settled(await desk.pay(ticket_id, 3_600_000))
    document = settled_document(answer.facts)
    assert (document["status"], document["totalPaid"], document["remainingAmount"]) == ("PAID", "45000.00", "0.00")
    assert code(await desk.pay(ticket_id, 1)) == "ALREADY_PAID"
    settled(await desk.reverse(ticket_id))
    assert code(await desk.pay(ticket_id, 3_600_001)) == "PAYMENT_EXCEEDS_REMAINING"


async def test_what_is_too_much_is_a_memo_that_moves_no_account(desk: Desk, winner: UUID, evaluator: Evaluator) -> None:
    settled(await desk.pay(winner, PRIZE))
    await correct(desk.arena, evaluator, "99")
    assert await memo(desk) == {"cash": PRIZE, "returned": 0, "prize": 450, "written_off": 0, "open": PRIZE - 450}
    assert (await account(desk.arena.owner, desk.arena.seller.id))[0] == -100_005 + 450
    assert refused(await desk.pay(winner, 450))[0] == "PAID_UNDER_EARLIER_RESULT"
    # Neither may its seller make it go away.
    assert refused(await desk.reverse(winner)) == (
        "PAID_UNDER_EARLIER_RESULT",
        {"totalPayout": "4.50", "paidUnderEarlierResult": "45000.00"},
    )
    await correct(desk.arena, evaluator, "42")
    assert (await memo(desk))["open"] == PRIZE
    assert code(await desk.pay(winner, 1)) == "TICKET_NOT_WINNER"
    assert code(await desk.reverse(winner)) == "PAID_UNDER_EARLIER_RESULT"


async def test_cash_stays_over_several_corrections(desk: Desk, winner: UUID, evaluator: Evaluator) -> None:
    settled(await desk.pay(winner, 4_000_000))
    opens = []
    for number in ("99", "07", "42", "15"):
        assert await request_revert(desk.arena, force=True) == "REQUESTED"
        await evaluator.finish()
        opens.append((await memo(desk))["open"])
        await draw(desk.arena, evaluator, number)
        opens.append((await memo(desk))["open"])
    # While no result stands, all of it is above the prize.
    assert opens == [4_000_000, 3_999_550, 4_000_000, 0, 4_000_000, 4_000_000, 4_000_000, 0]
    assert settled(await desk.pay(winner, 500_000)).facts["isClosed"]
    assert code(await desk.pay(winner, 1)) == "ALREADY_PAID"


async def test_a_waiver_ends_with_its_result(desk: Desk, winner: UUID, evaluator: Evaluator) -> None:
    settled(await desk.pay(winner, 1_000_000, is_final=True))
    await correct(desk.arena, evaluator, "15")
    # The last payment closed an earlier prize; nothing of this one was paid.
    assert code(await desk.finalize(winner)) == "PAYMENT_NOT_FOUND"
    settled(await desk.pay(winner, 1_000_000))
    assert settled(await desk.finalize(winner)).facts["isClosed"]
    assert code(await desk.pay(winner, 1)) == "ALREADY_PAID"
    await correct(desk.arena, evaluator, "07")
    assert settled(await desk.pay(winner, 2_500_000)).facts["isClosed"]


async def test_a_rest_may_be_waived_on_a_payment_of_an_earlier_result(
    desk: Desk, winner: UUID, evaluator: Evaluator
) -> None:
    settled(await desk.pay(winner, 1_000_000))
    await correct(desk.arena, evaluator, "15")
    assert settled(await desk.finalize(winner)).facts["isClosed"]
    assert code(await desk.pay(winner, 1)) == "ALREADY_PAID"
    settled(await desk.reverse(winner))
    assert settled(await desk.pay(winner, PRIZE)).facts["isClosed"]


async def test_a_revert_needs_force_where_cash_is_out_on_a_prize_of_this_result(
    desk: Desk, winner: UUID, evaluator: Evaluator
) -> None:
    settled(await desk.pay(winner, PRIZE))
    await correct(desk.arena, evaluator, "15")
    assert await request_revert(desk.arena) == "PAYMENTS_STAND", "it is the cash of the earlier result"
    await correct(desk.arena, evaluator, "42")
    assert await request_revert(desk.arena) == "REQUESTED", "no prize of this one was paid"
    await evaluator.finish()


async def test_money_that_came_back_can_be_paid_again(desk: Desk, winner: UUID, evaluator: Evaluator) -> None:
    settled(await desk.pay(winner, PRIZE))
    await correct(desk.arena, evaluator, "42")
    before = await balances(desk.arena.owner)
    facts = ended(await desk.end_memo(winner, SETTLE, 1_000_000)).facts
    assert (facts["entry"]["kind"], facts["entry"]["amountCents"], facts["statement"]) == (
        "SETTLEMENT",
        1_000_000,
        None,
    )
    assert [payment["by"] for payment in facts["memo"]["payments"]] == [str(desk.arena.seller.id)]
    assert not_ended(await desk.end_memo(winner, SETTLE, PRIZE)) == "MEMO_EXCEEDED"
    ended(await desk.end_memo(winner, SETTLE))
    assert await memo(desk) == {"cash": PRIZE, "returned": PRIZE, "prize": 0, "written_off": 0, "open": 0}
    assert not_ended(await desk.end_memo(winner, SETTLE)) == "MEMO_CLOSED"
    assert code(await desk.reverse(winner)) == "PAID_UNDER_EARLIER_RESULT", "it came back already"
    assert await balances(desk.arena.owner) == before, "it moves no account"
    await correct(desk.arena, evaluator, "07")
    assert settled(await desk.pay(winner, PRIZE)).facts["isClosed"]
    assert code(await desk.pay(winner, 1)) == "ALREADY_PAID"


async def test_a_write_off_credits_the_seller_as_long_as_its_result_stands(
    desk: Desk, winner: UUID, evaluator: Evaluator
) -> None:
    arena = desk.arena
    settled(await desk.pay(winner, PRIZE))
    await correct(arena, evaluator, "99")
    low = -100_005 + 450
    ended(await desk.end_memo(winner, WRITE_OFF, 500_000))
    ended(await desk.end_memo(winner, SETTLE, 1_000_000))
    facts = ended(await desk.end_memo(winner, WRITE_OFF)).facts
    assert await memo(desk) == {
        "cash": PRIZE, "returned": 1_000_000, "prize": 450, "written_off": PRIZE - 1_000_450, "open": 0,
    }  # fmt: skip
    assert facts["statement"]["payoutsCents"] >= PRIZE - 1_000_450
    assert (await account(arena.owner, arena.seller.id))[0] == low + PRIZE - 1_000_450
    assert desk.balances[-1][1] == low + PRIZE - 1_000_450, "readers are told"
    assert not_ended(await desk.end_memo(winner, WRITE_OFF)) == "MEMO_CLOSED"
    # The right result brings what it alone would have brought.
    await correct(arena, evaluator, "07")
    assert (await account(arena.owner, arena.seller.id))[0] == -100_005 + PRIZE
    assert await memo(desk) == {
        "cash": PRIZE, "returned": 1_000_000, "prize": PRIZE, "written_off": 0, "open": 0,
    }  # fmt: skip
    assert settled(await desk.pay(winner, 1_000_000)).facts["isClosed"]
    assert await arena.owner.fetchval("SELECT count(*) FROM cash_memo_entries WHERE reversed_at IS NOT NULL") == 2


async def test_a_memo_is_ended_by_administrators_of_the_banca_while_its_draw_rests(
    desk: Desk, winner: UUID, evaluator: Evaluator
) -> None:
    arena = desk.arena
    assert not_ended(await desk.end_memo(winner, SETTLE)) == "MEMO_NOT_FOUND"
    settled(await desk.pay(winner, PRIZE))
    assert await request_revert(arena, force=True) == "REQUESTED"
    await evaluator.evaluations.run_once()
    if await arena.owner.fetchval("SELECT state = 'REVERTING' FROM sorteo_results"):
        assert not_ended(await desk.end_memo(winner, SETTLE)) in ("EVALUATION_REVERTING", "MEMO_NOT_FOUND")
    await evaluator.finish()
    assert not_ended(await desk.end_memo(winner, WRITE_OFF)) == "SORTEO_NOT_EVALUATED"
    ended(await desk.end_memo(winner, SETTLE, 1))
    assert await request(arena, "42") == "REQUESTED"
    for kind in EndingKind:
        assert not_ended(await desk.end_memo(winner, kind)) == "EVALUATION_RUNNING"
    await evaluator.finish()
    stranger = await Arena.create(arena.owner, arena.settings)
    for nobody in (
        arena.seller.id,
        (await arena.add_user(Role.VENTANA)).id,
        (await stranger.add_user(Role.BANCA)).id,
        uuid4(),
    ):
        assert not_ended(await desk.end_memo(winner, SETTLE, actor_id=nobody)) == "MEMO_NOT_FOUND"
    platform = await arena.add_user(Role.ADMIN, has_banca=False)
    ended(await desk.end_memo(winner, SETTLE, 1, actor_id=platform.id))


async def test_an_excluded_ticket_keeps_its_memo(desk: Desk, winner: UUID, evaluator: Evaluator) -> None:
    settled(await desk.pay(winner, PRIZE))
    assert await request_revert(desk.arena, force=True) == "REQUESTED"
    await evaluator.finish()
    await desk.exclude(vendedor_id=desk.arena.seller.id)
    await draw(desk.arena, evaluator, "07")
    assert (await memo(desk))["open"] == PRIZE
    assert code(await desk.pay(winner, 1)) == "TICKET_EXCLUDED"
    ended(await desk.end_memo(winner, WRITE_OFF))
    assert (await memo(desk))["open"] == 0


@pytest.mark.parametrize("kind", EndingKind)
async def test_of_fifty_endings_at_once_one_is_made(
    desk: Desk, winner: UUID, evaluator: Evaluator, kind: EndingKind
) -> None:
    settled(await desk.pay(winner, PRIZE))
    await correct(desk.arena, evaluator, "42")
    low = (await account(desk.arena.owner, desk.arena.seller.id))[0]
    await desk.end_memo(winner, SETTLE, 1)
    answers = await asyncio.gather(*(desk.end_memo(winner, kind) for _ in range(50)))
    assert counts_of([isinstance(answer, Ended) for answer in answers]) == {True: 1, False: 49}
    assert {not_ended(answer) for answer in answers if isinstance(answer, NotEnded)} == {"MEMO_CLOSED"}
    moved = PRIZE - 1 if kind is WRITE_OFF else 0
    assert (await account(desk.arena.owner, desk.arena.seller.id))[0] == low + moved


async def test_the_same_key_ends_a_memo_once_and_is_answered_the_same(
    desk: Desk, winner: UUID, evaluator: Evaluator
) -> None:
    settled(await desk.pay(winner, PRIZE))
    await correct(desk.arena, evaluator, "42")
    key = new_key()
    await desk.administrator()
    answers = [ended(each) for each in await asyncio.gather(
        *(desk.end_memo(winner, WRITE_OFF, 1_000, key=key) for _ in range(20)))]  # fmt: skip
    assert all(answer.facts == answers[0].facts for answer in answers)
    assert counts_of([answer.replayed for answer in answers]) == {False: 1, True: 19}
    assert (await memo(desk))["written_off"] == 1_000
    assert not_ended(await desk.end_memo(winner, WRITE_OFF, 1_001, key=key)) == "MISMATCH"
    await correct(desk.arena, evaluator, "07")
    assert ended(await desk.end_memo(winner, WRITE_OFF, 1_000, key=key)).facts == answers[0].facts


async def test_payments_and_endings_over_a_correction_at_once_never_hand_out_more_than_the_prize(
    desk: Desk, winner: UUID, evaluator: Evaluator
) -> None:
    """Two people at two windows, each with a key of its own, on both sides of the correction."""
    arena = desk.arena
    colleague = actor_for(await arena.add_user(Role.VENTANA), arena.banca_id, arena.seller.terminal)
    first = await asyncio.gather(*(desk.pay(winner, 3_000_000, actor=actor) for actor in (None, colleague)),
                                 request_revert(arena, force=True))  # fmt: skip
    await evaluator.finish()
    await draw(arena, evaluator, "15")
    await desk.administrator()
    second = await asyncio.gather(
        *(desk.pay(winner, cents, actor=actor) for cents in (1_500_000, PRIZE) for actor in (None, colleague)),
        *(desk.end_memo(winner, kind) for kind in EndingKind),
    )
    paid = [answer for answer in (*first, *second) if isinstance(answer, Settled)]
    assert sum(answer.facts["payment"]["amountCents"] for answer in paid) <= PRIZE
    assert not any(isinstance(answer, Ended) for answer in second)


async def test_the_trail_tells_who_ended_a_memo_and_why(desk: Desk, winner: UUID, evaluator: Evaluator) -> None:
    settled(await desk.pay(winner, PRIZE))
    await correct(desk.arena, evaluator, "42")
    ended(await desk.end_memo(winner, SETTLE, 1_000))
    ended(await desk.end_memo(winner, WRITE_OFF))
    rows = await desk.arena.owner.fetch(
        "SELECT payload::jsonb->>'action' AS action, payload::jsonb->'after'->'entry'->>'reason' AS reason,"
        " payload::jsonb->'before'->>'openCents' AS before, payload::jsonb->'after'->>'openCents' AS after,"
        " payload::jsonb->>'actorId' AS actor FROM outbox WHERE payload::jsonb->>'action' LIKE 'CASH_MEMO_%' ORDER BY id"
    )
    admin = str(desk.admin_id)
    assert [tuple(row) for row in rows] == [
        ("CASH_MEMO_SETTLE", "it came back", str(PRIZE), str(PRIZE - 1_000), admin),
        ("CASH_MEMO_WRITE_OFF", "it came back", str(PRIZE - 1_000), "0", admin),
    ]


async def test_a_database_from_before_counts_the_cash_again(desk: Desk, winner: UUID, evaluator: Evaluator) -> None:
    """A revert reversed the payments until then: a prize was paid twice, and a payment that a person took back stays so."""
    owner = desk.arena.owner
    settled(await desk.pay(winner, 100))
    settled(await desk.reverse(winner))
    settled(await desk.pay(winner, 4_000_000))
    await correct(desk.arena, evaluator, "07")
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute(
            "UPDATE ticket_payments p SET reversed_at = r.reverted_at, reversed_by = r.revert_requested_by,"
            " reversed_reason = r.revert_reason FROM sorteo_results r WHERE r.evaluation = 1 AND p.reversed_at IS NULL"
        )
        await owner.execute("DELETE FROM cash_memos")
    settled(await desk.pay(winner, PRIZE))
    [migration] = (SQL_ROOT / "migrations").glob("*_cash_memos.sql")
    text = migration.read_text(encoding="utf-8")
    await owner.execute(text[text.index("-- Payments that a revert reversed until now") :])
    assert await memo(desk) == {
        "cash": PRIZE + 4_000_000, "returned": 0, "prize": PRIZE, "written_off": 0, "open": 4_000_000,
    }  # fmt: skip
    rows = await owner.fetch(
        "SELECT reversed_at IS NULL, reinstated_at IS NOT NULL FROM ticket_payments ORDER BY ordinal"
    )
    assert [tuple(row) for row in rows] == [(False, False), (True, True), (True, False)]
    assert code(await desk.pay(winner, 1)) == "ALREADY_PAID"
    ended(await desk.end_memo(winner, SETTLE))
    assert (await memo(desk))["open"] == 0


# What verify must find in memos, write-offs and payments that were tampered with.
TAMPERING = {
    "cash_memos": [
        "UPDATE cash_memos SET cash_cents = cash_cents + 1",
        "UPDATE cash_memos SET prize_cents = prize_cents + 1, written_off_cents = 0",
        "UPDATE cash_memos SET returned_cents = returned_cents - 1, written_off_cents = 0",
        "DELETE FROM cash_memos",
        "DELETE FROM cash_memo_entries WHERE kind = 'SETTLEMENT'",
        "UPDATE cash_memo_entries SET evaluation = 1 WHERE kind = 'WRITE_OFF'",
        "UPDATE cash_memos SET vendedor_id = gen_random_uuid()",
        "UPDATE ticket_payments SET amount_cents = amount_cents - 1",
    ],
    "write_offs": [
        "DELETE FROM transfers WHERE kind = 'WRITE_OFF'",
        "UPDATE transfers SET amount_cents = amount_cents + 1 WHERE kind = 'WRITE_OFF'",
        "UPDATE cash_memo_entries SET reversed_at = now(), reversed_event_id = 1 WHERE kind = 'WRITE_OFF'",
    ],
    "payments": [
        "UPDATE ticket_payments SET evaluation = 2",
        "UPDATE ticket_payments SET amount_cents = amount_cents + 1",
    ],
}


@pytest.mark.parametrize(("check", "change"), [(check, change) for check in TAMPERING for change in TAMPERING[check]])
async def test_tampered_memos_are_found(
    desk: Desk, winner: UUID, evaluator: Evaluator, check: str, change: str
) -> None:
    owner, banca_id = desk.arena.owner, desk.arena.banca_id
    settled(await desk.pay(winner, PRIZE))
    await correct(desk.arena, evaluator, "99")
    ended(await desk.end_memo(winner, SETTLE, 1_000))
    ended(await desk.end_memo(winner, WRITE_OFF, 2_000))
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("SET LOCAL session_replication_role = replica")
    await owner.execute(change)
    rows = await owner.fetch(sql(f"books/{check}"))
    await transaction.rollback()
    assert banca_id in {row["banca_id"] for row in rows}
