"""Random batches against the sequential model: the same verdicts, the same books."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from core.domain.pricing import price
from core.domain.rulebook import Rulebook
from core.domain.ticket import PricedTicket
from core.settings import Settings
from core.till.cancels import CancelAnswer, Cancelled, CancelledUnsold
from core.till.outcomes import Outcome
from core.till.refusals import Refused
from tests.arena import Arena
from tests.till.examples import examples
from tests.till.model import Account, Asked, Bank, Content, Draw, Judged
from tests.till.shop import Shop, order_of
from tests.till.state import exposure, findings, forget_banca
from tests.till.tickets import Bet, sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner


@dataclass(frozen=True)
class Batch:
    """is_stale: priced by the rules before the last change of the cap."""

    tickets: list[Asked]
    is_stale: bool


@dataclass(frozen=True)
class Cap:
    cents: int | None


@dataclass(frozen=True)
class Close:
    draw: int


@dataclass(frozen=True)
class Cancel:
    seller: int
    sale_key: str


Step = Batch | Cap | Close | Cancel


@dataclass
class Scenario:
    cap: int | None
    draws: list[Draw]
    accounts: list[Account]
    ventana_percent: str | None
    steps: list[Step] = field(default_factory=list)


# A hand-drawn scarcity: enough for some of the tickets of a scenario, rarely for all.
CAPS = st.sampled_from([None, 1_000, 2_500, 4_000, 0])
LIMITS = st.sampled_from([None, None, 2_500, 700, 0])
RATES = st.sampled_from([None, 1_250, 833, 10_000])
AMOUNTS = st.sampled_from([1, 99, 100, 250, 333, 500, 800])
# Status, whether it is active, whether its cutoff has passed.
DRAWS: list[tuple[Any, ...]] = [
    ("OPEN",), ("OPEN", True, True), ("OPEN", False), ("SCHEDULED",), ("CLOSED",), ("EVALUATED",),
]  # fmt: skip


@st.composite
def bets(draw: st.DrawFn) -> tuple[Bet, ...]:
    """One to three lines, now and then with a REVENTADO of the same amount."""
    lines: list[Bet] = []
    for number in draw(st.lists(st.sampled_from(["07", "08", "99"]), min_size=1, max_size=3)):
        amount = draw(AMOUNTS)
        lines.append((number, amount))
        if draw(st.integers(0, 4)) == 4:
            lines.append((f"R{number}", amount))
    return tuple(lines)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Mostly open draws, few keys, few contents: repetitions and collisions are what is looked for."""
    others = draw(st.lists(st.sampled_from(DRAWS), max_size=2))
    draws = [Draw(*state) for state in [("OPEN",), *others]]
    accounts = draw(st.lists(st.builds(Account, LIMITS, RATES), min_size=1, max_size=4))
    places = st.one_of(st.just(0), st.integers(0, len(draws) - 1))
    sellers = st.integers(0, len(accounts) - 1)
    keys = st.integers(0, 11).map(lambda n: f"key-{n:04d}")
    contents = draw(st.lists(st.builds(Content, places, bets()), min_size=2, max_size=6))
    tickets = st.builds(Asked, sellers, keys, st.sampled_from(contents))
    batches = st.builds(
        Batch,
        st.lists(tickets, min_size=3, max_size=12, unique_by=lambda asked: (asked.seller, asked.key)),
        st.sampled_from([False, False, False, True]),
    )
    changes = st.one_of(st.builds(Cancel, sellers, keys), st.builds(Cap, CAPS), st.builds(Close, places))
    turns = draw(st.lists(st.tuples(batches, st.lists(changes, max_size=2)), min_size=1, max_size=5))
    steps: list[Step] = [step for batch, changed in turns for step in (batch, *changed)]
    percent = draw(st.sampled_from([None, "5", "12.5"]))
    return Scenario(draw(CAPS), draws, accounts, percent, steps)


class Stage:
    """A scenario's banca in the database, beside its model."""

    def __init__(self, arena: Arena, shop: Shop, bank: Bank, rulebook: Rulebook) -> None:
        self.arena, self.shop, self.bank = arena, shop, bank
        self.rulebook = self.older_rulebook = rulebook

    @classmethod
    async def build(cls, owner: Owner, settings: Settings, shop: Shop, scenario: Scenario) -> Stage:
        async with owner.transaction():
            arena = await Arena.create(owner, settings, sellers=0, sorteos=0, number_cap_cents=scenario.cap)
            for account in scenario.accounts:
                seller = await arena.add_seller(credit_limit_cents=account.limit)
                arena.sellers.append(seller)
                if account.basis_points is not None:
                    await arena.give_policy("users", seller.id, f"{account.basis_points / 100:.2f}")
            if scenario.ventana_percent is not None:
                await arena.give_policy("ventanas", arena.ventana_id, scenario.ventana_percent)
            for place, draw in enumerate(scenario.draws):
                minutes = 0.5 if draw.is_past_cutoff else 24 * 60 + place
                sorteo_id = await arena.add_sorteo(minutes=minutes, status=draw.status)
                arena.sorteo_ids.append(sorteo_id)
                await owner.execute("UPDATE sorteos SET is_active = $2 WHERE id = $1", sorteo_id, draw.is_active)
        rulebook = await shop.rulebooks.rulebook(arena.banca_id)
        bank = Bank(rulebook.version, scenario.cap, scenario.draws, scenario.accounts)
        return cls(arena, shop, bank, rulebook)

    async def play(self, step: Step) -> None:
        match step:
            case Batch():
                await self._sell(step)
            case Cap(cents):
                await self._set_cap(cents)
            case Close(draw):
                self.bank.draws[draw].status = "CLOSED"
                sorteo_id = self.arena.sorteo_ids[draw]
                await self.arena.owner.execute("UPDATE sorteos SET status = 'CLOSED' WHERE id = $1", sorteo_id)
            case Cancel(seller, sale_key):
                answer = await self.shop.cancel(self.arena.sellers[seller], sale_key=sale_key)
                assert _name_of(answer) == self.bank.cancel(seller, sale_key)

    async def _sell(self, batch: Batch) -> None:
        rulebook = self.older_rulebook if batch.is_stale else self.rulebook
        asked = [replace(one, version=rulebook.version) for one in batch.tickets]
        orders = [order_of(request, priced) for request, priced in [await self._priced(one, rulebook) for one in asked]]
        outcomes = await self.shop.recorder.record(self.arena.banca_id, orders)
        judged = self.bank.sell(asked, deepcopy(self.bank))
        assert [_judged(outcome) for outcome in outcomes] == judged
        for one, outcome in zip(asked, outcomes, strict=True):
            balance = self.bank.accounts[one.seller].balance
            assert outcome.balance is None or outcome.balance[0] == balance
            assert (outcome.balance is None) == (outcome.verdict != "SOLD")

    async def _priced(self, asked: Asked, rulebook: Rulebook):
        seller = self.arena.sellers[asked.seller]
        request = sale(seller, ticket(self.arena.sorteo_ids[asked.content.draw], *asked.content.bets), key=asked.key)
        draw = await self.shop.rulebooks.draw(rulebook, request.ticket.sorteo_id)
        assert draw is not None
        terms = rulebook.sellers[seller.id]
        priced = price(request.ticket, rulebook=rulebook, draw=draw, seller=terms, at=draw.scheduled_at)
        assert isinstance(priced, PricedTicket), priced
        return request, priced

    async def _set_cap(self, cents: int | None) -> None:
        await self.arena.owner.execute(
            "UPDATE bancas SET global_max_per_number_cents = $2 WHERE id = $1", self.arena.banca_id, cents
        )
        self.older_rulebook = self.rulebook
        self.rulebook = await self.shop.rulebooks.reload(self.arena.banca_id, older_than=None)
        self.bank.cap, self.bank.version = cents, self.rulebook.version

    async def check(self) -> None:
        """The stored state is the model's, and the books are right."""
        owner, banca_id = self.arena.owner, self.arena.banca_id
        for draw, sorteo_id in zip(self.bank.draws, self.arena.sorteo_ids, strict=True):
            assert await exposure(owner, sorteo_id) == {n: cents for n, cents in draw.sold.items() if cents}
            last = await owner.fetchval("SELECT last_sequence FROM sorteos WHERE id = $1", sorteo_id)
            assert last == draw.sequence
        for account, seller in zip(self.bank.accounts, self.arena.sellers, strict=True):
            balance = await owner.fetchval("SELECT balance_cents FROM accounts WHERE id = $1", seller.id)
            assert balance == account.balance
        assert await owner.fetchval("SELECT count(*) FROM outbox WHERE banca_id = $1", banca_id) == self.bank.events
        assert await findings(owner, banca_id) == []


def _judged(outcome: Outcome) -> Judged:
    shorts = tuple((facts["code"], facts.get("number"), facts.get("availableCents", 0)) for facts in outcome.violations)
    sequence = None if outcome.place is None else outcome.place.sequence
    return Judged(outcome.verdict.value, outcome.recorded, sequence, shorts)


def _name_of(answer: CancelAnswer) -> str:
    match answer:
        case Cancelled():
            return "CANCELLED"
        case CancelledUnsold():
            return "CANCELLED_UNSOLD"
        case Refused():
            return answer.code
        case _:
            return "TICKET_NOT_FOUND"


@examples(60)
@given(scenario=scenarios())
async def test_random_batches_are_judged_like_tickets_one_after_another(
    owner: Owner, settings: Settings, shop: Shop, scenario: Scenario
):
    stage = await Stage.build(owner, settings, shop, scenario)
    for step in scenario.steps:
        await stage.play(step)
    await stage.check()
    await forget_banca(owner, stage.arena.banca_id)
