"""A cancelled ticket comes back at its own terms, under today's cutoff, limits and funds."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from core.domain.permissions import Role
from core.till.cancels import Cancelled
from core.till.operations import TicketNotFound
from core.till.records import TicketRecord
from core.till.refusals import Refused
from core.till.restores import Restored, Restorer, RestoreRequest
from tests.after_sale.desk import Desk, code, moved, restored
from tests.arena import Arena
from tests.evaluating import balances, draw_now
from tests.pos import new_key
from tests.till.shop import counts_of, sold
from tests.till.state import everything, exposure, findings
from tests.till.tickets import actor_for, actor_of, sale, ticket


async def cancelled(desk: Desk, *bets: tuple[str, int]) -> UUID:
    ticket_id = await desk.sell(*bets)
    assert isinstance(await desk.shop.cancel(desk.arena.seller, ticket_id=ticket_id), Cancelled)
    return ticket_id


async def test_a_restored_ticket_stands_as_it_was_sold(desk: Desk) -> None:
    arena = desk.arena
    await arena.give_policy("users", arena.seller.id, "12")
    await arena.give_policy("ventanas", arena.ventana_id, "15")
    ticket_id = await desk.sell(("07", 1_000), ("R07", 500), ("15", 333))
    before, stakes = await balances(arena.owner), await exposure(arena.owner, arena.sorteo_id)
    for _ in range(3):
        assert isinstance(await desk.shop.cancel(arena.seller, ticket_id=ticket_id), Cancelled)
        assert await findings(arena.owner, arena.banca_id) == []
        restored(await desk.restore(ticket_id))
        assert await balances(arena.owner) == before
        assert await exposure(arena.owner, arena.sorteo_id) == stakes
        assert await findings(arena.owner, arena.banca_id) == []
    kinds = await arena.owner.fetch("SELECT kind::text, max(ordinal) AS last FROM transfers GROUP BY kind")
    expected = {"SALE": 4, "COMMISSION": 4, "LISTERO_COMMISSION": 4}
    assert {row["kind"]: row["last"] for row in kinds} == expected | {f"{kind}_REVERSAL": 3 for kind in expected}
    told = {account: (balance, version) for account, balance, version in desk.balances}
    assert told[arena.seller.id][0] == before[arena.seller.id]


@pytest.mark.parametrize("table", ["users", "ventanas", "bancas"])
async def test_only_a_commission_of_the_sellers_own_goes_back_with_a_cancel(desk: Desk, table: str) -> None:
    """One that the ventana's or the banca's policy gives was never credited to the seller."""
    arena = desk.arena
    rows = {"users": arena.seller.id, "ventanas": arena.ventana_id, "bancas": arena.banca_id}
    await arena.give_policy(table, rows[table], "10")
    ticket_id = await desk.sell(("07", 1_000))
    owed = await balances(arena.owner)
    assert owed[arena.seller.id] == (-900 if table == "users" else -1_000)
    assert isinstance(await desk.shop.cancel(arena.seller, ticket_id=ticket_id), Cancelled)
    assert (await balances(arena.owner))[arena.seller.id] == 0
    assert await findings(arena.owner, arena.banca_id) == []
    restored(await desk.restore(ticket_id))
    assert await balances(arena.owner) == owed
    assert await findings(arena.owner, arena.banca_id) == []


async def test_the_terms_are_the_sales_and_not_todays(desk: Desk) -> None:
    arena = desk.arena
    ticket_id = await cancelled(desk, ("07", 1_000))
    await arena.owner.execute("UPDATE loteria_multipliers SET value_x_hundredths = 100")
    await arena.give_policy("users", arena.seller.id, "50")
    [jugada] = restored(await desk.restore(ticket_id)).record.jugadas
    assert (jugada.multiplier_x_hundredths, jugada.commission_cents) == (9_000, 0)
    assert await balances(arena.owner) == {arena.seller.id: -1_000, arena.sellers[1].id: 0}
    assert await findings(arena.owner, arena.banca_id) == []


async def test_the_cap_of_today_is_judged_with_what_was_sold_since(desk: Desk) -> None:
    arena = desk.arena
    await arena.owner.execute("UPDATE bancas SET global_max_per_number_cents = 1000 WHERE id = $1", arena.banca_id)
    key, ticket_id = new_key(), await cancelled(desk, ("07", 600))
    other = await desk.sell(("07", 401))
    refused = await desk.restore(ticket_id, key=key)
    assert isinstance(refused, Refused)
    [violation] = refused.violations
    assert violation.data is not None
    assert (refused.code, violation.data["available"]) == ("NUMBER_MAXTOTAL_EXCEEDED", "5.99")
    await desk.shop.cancel(arena.seller, ticket_id=other)
    again = await desk.restore(ticket_id, key=key)
    assert isinstance(again, Refused), "the answer stands for its key"
    assert (again.detail, again.replayed) == (refused.detail, True)
    restored(await desk.restore(ticket_id))
    assert isinstance(await desk.shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 401)))), Refused)
    assert await findings(arena.owner, arena.banca_id) == []


@pytest.mark.parametrize("column", ["max_amount_cents", "max_total_cents"])
async def test_rules_that_were_written_since_are_met(desk: Desk, column: str) -> None:
    """A limit of one ticket, and one of what the seller sells in all."""
    arena = desk.arena
    ticket_id = await cancelled(desk, ("07", 600), ("08", 10))
    await arena.owner.execute(
        f"INSERT INTO restriction_rules (banca_id, id, user_id, {column}) VALUES ($1, $2, $3, 599)",
        arena.banca_id, uuid4(), arena.seller.id,
    )  # fmt: skip
    refused = await desk.restore(ticket_id)
    assert isinstance(refused, Refused)
    assert [violation.data["number"] for violation in refused.violations if violation.data] == ["07"]
    # The seller's own rules do not bind an administrator.
    admin = await arena.add_user(Role.ADMIN)
    restored(await desk.restore(ticket_id, actor=actor_for(admin, arena.banca_id, arena.seller.terminal)))
    assert await findings(arena.owner, arena.banca_id) == []


async def test_funds_are_judged_again(desk: Desk) -> None:
    arena = desk.arena
    await arena.owner.execute("UPDATE accounts SET credit_limit_cents = 1000 WHERE id = $1", arena.seller.id)
    ticket_id = await cancelled(desk, ("07", 600))
    await desk.sell(("08", 401))
    assert code(await desk.restore(ticket_id)) == "INSUFFICIENT_FUNDS"
    await arena.owner.execute("UPDATE accounts SET credit_limit_cents = 1001 WHERE id = $1", arena.seller.id)
    restored(await desk.restore(ticket_id))
    assert await findings(arena.owner, arena.banca_id) == []


class Belated(Restorer):
    """The ticket was committed just after the first look for it."""

    looks = 0

    async def _record(self, request: RestoreRequest) -> TicketRecord | None:
        self.looks += 1
        return await super()._record(request) if self.looks > 1 else None


async def test_a_ticket_that_was_not_seen_at_first_is_judged_like_any_other(desk: Desk) -> None:
    arena, shop = desk.arena, desk.shop
    ticket_id = await cancelled(desk, ("07", 600))
    await arena.owner.execute("UPDATE bancas SET global_max_per_number_cents = 599 WHERE id = $1", arena.banca_id)
    belated = Belated(
        shop.caller, database=shop.database, rulebooks=shop.rulebooks, publish_balance=lambda *_, **__: None
    )
    asked = RestoreRequest(actor_of(arena.seller), new_key(), bytes(32), "test", ticket_id)
    assert code(await belated.restore(asked)) == "NUMBER_MAXTOTAL_EXCEEDED"
    assert belated.looks == 2


async def test_of_fifty_restores_at_once_one_is_done(desk: Desk) -> None:
    arena, key, ticket_id = desk.arena, new_key(), await cancelled(desk, ("07", 600))
    answers = await asyncio.gather(*(desk.restore(ticket_id) for _ in range(25)))
    outcomes = counts_of(["RESTORED" if isinstance(answer, Restored) else code(answer) for answer in answers])
    assert outcomes == {"RESTORED": 1, "TICKET_NOT_CANCELLED": 24}
    await desk.shop.cancel(arena.seller, ticket_id=ticket_id)
    replays = await asyncio.gather(*(desk.restore(ticket_id, key=key) for _ in range(25)))
    assert counts_of([restored(answer).replayed for answer in replays]) == {False: 1, True: 24}
    assert len({restored(answer).at for answer in replays}) == 1
    assert await balances(arena.owner) == {arena.seller.id: -600, arena.sellers[1].id: 0}
    assert await findings(arena.owner, arena.banca_id) == []


async def test_the_last_of_a_number_goes_to_a_sale_or_to_a_restore_but_not_to_both(desk: Desk) -> None:
    arena = desk.arena
    await arena.owner.execute("UPDATE bancas SET global_max_per_number_cents = 1000 WHERE id = $1", arena.banca_id)
    tickets = [await cancelled(desk, ("07", 1_000)) for _ in range(3)]
    restores = [desk.restore(ticket_id) for ticket_id in tickets for _ in range(5)]
    sales = [desk.shop.sell(sale(arena.sellers[1], ticket(arena.sorteo_id, ("07", 1_000)))) for _ in range(15)]
    answers = await asyncio.gather(*sales, *restores)
    assert sum(not isinstance(answer, Refused) for answer in answers) == 1
    assert await exposure(arena.owner, arena.sorteo_id) == {7: 1_000}
    assert await findings(arena.owner, arena.banca_id) == []


async def test_what_cannot_be_restored_changes_nothing(desk: Desk) -> None:
    arena, owner = desk.arena, desk.arena.owner
    active, ticket_id = await desk.sell(("07", 100)), await cancelled(desk, ("07", 100))
    stranger = await Arena.create(owner, arena.settings)
    before = await balances(owner)
    assert code(await desk.restore(active)) == "TICKET_NOT_CANCELLED"
    for unknown in (uuid4(), UUID(int=0)):
        assert isinstance(await desk.restore(unknown), TicketNotFound)
    for person in (arena.sellers[1], stranger.seller):
        assert isinstance(await desk.restore(ticket_id, actor=actor_of(person)), TicketNotFound)
    await owner.execute("UPDATE sorteos SET is_active = false WHERE id = $1", arena.sorteo_id)
    assert code(await desk.restore(ticket_id)) == "SORTEO_NOT_OPEN"
    await owner.execute("UPDATE sorteos SET is_active = true, status = 'CLOSED' WHERE id = $1", arena.sorteo_id)
    assert code(await desk.restore(ticket_id)) == "SORTEO_LOCKED"
    await draw_now(owner, arena.sorteo_id, status="OPEN")
    assert code(await desk.restore(ticket_id)) == "DRAW_PASSED"
    after = await balances(owner)
    assert {account: after[account] for account in before} == before
    assert await owner.fetchval("SELECT count(*) FROM ticket_restores") == 0


async def test_the_cutoff_holds_for_a_restore_as_for_a_sale(desk: Desk) -> None:
    arena = desk.arena
    soon = await arena.add_sorteo(minutes=20)
    ticket_id = await desk.sell(("07", 100), sorteo_id=soon)
    await desk.shop.cancel(arena.seller, ticket_id=ticket_id)
    await arena.owner.execute("UPDATE bancas SET sales_cutoff_minutes = 30 WHERE id = $1", arena.banca_id)
    assert code(await desk.restore(ticket_id)) == "SALES_CUTOFF_REACHED"
    await arena.owner.execute("UPDATE bancas SET sales_cutoff_minutes = 5 WHERE id = $1", arena.banca_id)
    restored(await desk.restore(ticket_id))


async def test_a_ticket_of_an_excluded_list_stays_cancelled(desk: Desk) -> None:
    arena = desk.arena
    ticket_id = await cancelled(desk, ("07", 100))
    moved(await desk.exclude())
    assert code(await desk.restore(ticket_id)) == "LISTA_EXCLUDED"
    moved(await desk.include())
    restored(await desk.restore(ticket_id))
    assert await findings(arena.owner, arena.banca_id) == []


async def test_a_ticket_is_not_restored_for_ever(desk: Desk) -> None:
    arena, ticket_id = desk.arena, await cancelled(desk, ("07", 100))
    restored(await desk.restore(ticket_id))
    await desk.shop.cancel(arena.seller, ticket_id=ticket_id)
    await arena.owner.execute(
        "INSERT INTO ticket_restores SELECT r.banca_id, r.business_date, r.sorteo_id, r.sequence, -n, r.rulebook_version,"
        " r.restored_by, r.restored_by_role, r.restored_at FROM ticket_restores r, generate_series(1, 99) n"
    )
    before = await everything(arena.owner)
    assert code(await desk.restore(ticket_id)) == "TICKET_RESTORED_TOO_OFTEN"
    after = await everything(arena.owner)
    assert (after["balances"], after["exposure"]) == (before["balances"], before["exposure"])


async def test_a_replayed_sale_and_cancel_say_what_they_said(desk: Desk) -> None:
    arena, sale_key, cancel_key = desk.arena, new_key(), new_key()
    asked = sale(arena.seller, ticket(arena.sorteo_id), key=sale_key)
    record = sold(await desk.shop.sell(asked))
    first = await desk.shop.cancel(arena.seller, ticket_id=record.id, key=cancel_key)
    restored(await desk.restore(record.id))
    again = await desk.shop.cancel(arena.seller, ticket_id=record.id, key=cancel_key)
    assert isinstance(first, Cancelled)
    assert isinstance(again, Cancelled)
    assert (again.record, again.at, again.replayed) == (first.record, first.at, True)
    assert sold(await desk.shop.sell(asked)).id == record.id
    assert await findings(arena.owner, arena.banca_id) == []
