"""A scenario of rules and sales, played in the database and in the model at once."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from core.domain.impersonation import effective_seller, selling_role
from core.domain.money import Cents
from core.domain.numbers import parse_number
from core.domain.pricing import Refusal, price
from core.domain.rulebook import JugadaType, Rulebook, Seller
from core.domain.ticket import CLIENTE_DEFAULT, JugadaRequest, PricedTicket, TicketRequest
from core.till.cancels import Cancelled
from core.till.order import Actor, SaleOrder
from core.till.outcomes import Outcome
from tests.till.rulebook_strategies import Batch, Cancel, Scenario, Step, Wait
from tests.till.rules_limits import is_stale
from tests.till.rules_model import Bank, rank
from tests.till.rules_office import RulesOffice
from tests.till.rules_terms import BASE, DRAWN, REVENTADO, START, Asked, Lack, Line, Rules, is_past_cutoff
from tests.till.rules_town import Town
from tests.till.shop import Shop, order_of
from tests.till.state import findings
from tests.till.tickets import sale


class Stage:
    """A scenario in the database and in the model. old: the rules before the last change, in both."""

    rulebook: Rulebook
    old_rulebook: Rulebook
    old_rules: Rules

    def __init__(self, town: Town, shop: Shop, bank: Bank, sorteo_ids: list[UUID]) -> None:
        self.town, self.shop, self.bank, self.sorteo_ids = town, shop, bank, sorteo_ids
        self.office = RulesOffice(town, bank.rules, sorteo_ids)
        self.at = START
        self.ticket_ids: list[UUID] = []

    @classmethod
    async def set_up(cls, town: Town, shop: Shop, scenario: Scenario) -> Stage:
        arena = town.arena
        sorteo_ids = [uuid4(), uuid4()]
        await arena.owner.executemany(
            "INSERT INTO sorteos (banca_id, id, loteria_id, name, digits, status, scheduled_at)"
            " VALUES ($1, $2, $3, 'draw', 2, 'OPEN', $4)",
            [(arena.banca_id, *of) for of in zip(sorteo_ids, town.lotteries, DRAWN, strict=True)],
        )
        sellers = [seller.id for seller in arena.sellers]
        await arena.owner.executemany(
            "UPDATE accounts SET credit_limit_cents = $2 WHERE id = $1", zip(sellers, scenario.credit, strict=True)
        )
        stage = cls(town, shop, Bank(scenario.credit), sorteo_ids)
        async with arena.owner.transaction():
            for change in scenario.changes:
                await stage.office.make(change)
        await stage._read_rules()
        stage.old_rulebook, stage.old_rules = stage.rulebook, deepcopy(stage.bank.rules)
        return stage

    async def play(self, step: Step) -> None:
        match step:
            case Batch():
                await self._sell(step)
            case Wait(time):
                self.at += time
            case Cancel(place):
                await self._cancel(place)
            case _:
                self.old_rulebook, self.old_rules = self.rulebook, deepcopy(self.bank.rules)
                await self.office.make(step)
                await self._read_rules()

    async def check(self) -> None:
        """The stored tickets and balances are the model's, and every counter is what the jugadas say."""
        owner, banca_id = self.town.arena.owner, self.town.arena.banca_id
        stored = await owner.fetch("SELECT id, status = 'ACTIVE' AS live FROM tickets WHERE banca_id = $1", banca_id)
        live = [ticket.is_live for ticket in self.bank.tickets]
        assert {row["id"]: row["live"] for row in stored} == dict(zip(self.ticket_ids, live, strict=True))
        for place, seller in enumerate(self.town.arena.sellers):
            balance = await owner.fetchval("SELECT balance_cents FROM accounts WHERE id = $1", seller.id)
            assert balance == self.bank.balance(place)
        assert await findings(owner, banca_id) == []

    async def _sell(self, batch: Batch) -> None:
        """What is stale is priced again by the rules of now, like the counter does it."""
        rulebook, rules = (self.old_rulebook, self.old_rules) if batch.is_old else (self.rulebook, self.bank.rules)
        priced_at = self.at
        self.at += batch.lag
        stale = await self._judge(batch.tickets, rulebook, rules, priced_at)
        assert await self._judge(stale, self.rulebook, self.bank.rules, self.at) == []

    async def _judge(
        self, tickets: Sequence[Asked], rulebook: Rulebook, rules: Rules, priced_at: datetime
    ) -> list[Asked]:
        """Price and record; verdicts and figures are the model's. The tickets whose price did not hold."""
        orders: list[SaleOrder] = []
        submitted: list[Asked] = []
        for asked in tickets:
            priced = await self._price(asked, rulebook, priced_at)
            expected = self.bank.refused_by_rules(asked, rules, priced_at)
            if isinstance(priced, Refusal):
                self._compare(self._refusals(asked, priced), expected, rules, priced_at)
            else:
                assert expected == [], asked
                orders.append(priced)
                submitted.append(asked)
        outcomes = await self.shop.recorder.record(self.town.arena.banca_id, orders, at=self.at)
        start = deepcopy(self.bank)
        return [
            asked
            for asked, order, outcome in zip(submitted, orders, outcomes, strict=True)
            if self._is_stale(asked, order, outcome, rules, priced_at, start)
        ]

    def _is_stale(
        self, asked: Asked, order: SaleOrder, outcome: Outcome, rules: Rules, priced_at: datetime, start: Bank
    ) -> bool:
        """Compares the outcome of the next ticket with the model's."""
        if rules.version != self.bank.rules.version:
            assert outcome.verdict == "STALE"
            return True
        if is_past_cutoff(asked, self.at):
            assert outcome.verdict == "CUTOFF"
            return False
        if is_stale(asked, rules, priced_at, self.at):
            assert outcome.verdict == "STALE"
            return True
        expected = self.bank.sell(asked, self.at, start)
        self._compare(self._lacks(outcome), expected, rules, self.at)
        only_funds = {lack.code for lack in expected} == {"INSUFFICIENT_FUNDS"}
        verdict = ("NO_FUNDS" if only_funds else "SOLD_OUT") if expected else "SOLD"
        assert outcome.verdict == verdict, asked
        if not expected:
            self.ticket_ids.append(order.ticket_id)
            assert outcome.balance is not None
        return False

    def _compare(self, found: list[Lack], expected: list[Lack], rules: Rules, at: datetime) -> None:
        assert sorted(found, key=str) == sorted(expected, key=str)
        if all(lack.code != "LOTTERY_MULTIPLIER_RESTRICTED" for lack in found):
            ranks = [rank(lack, rules, at) for lack in found]
            assert ranks == sorted(ranks), found

    async def _price(self, asked: Asked, rulebook: Rulebook, at: datetime) -> SaleOrder | Refusal:
        seller, actor = self.town.arena.sellers[asked.seller], self._actor(asked)
        named = None if asked.actor == "SELF" else seller.id
        jugadas = tuple(self._jugada(asked.draw, line) for line in asked.lines)
        request = TicketRequest(self.sorteo_ids[asked.draw], None, named, CLIENTE_DEFAULT, jugadas)
        draw = await self.shop.rulebooks.draw(rulebook, request.sorteo_id)
        terms = effective_seller(actor.acting, vendedor_id=named, rulebook=rulebook)
        assert draw is not None
        assert isinstance(terms, Seller)
        role = selling_role(actor.acting, terms)
        priced = price(request, rulebook=rulebook, draw=draw, seller=terms, at=at, actor_role=role)
        return order_of(sale(seller, request, actor=actor), priced) if isinstance(priced, PricedTicket) else priced

    def _actor(self, asked: Asked) -> Actor:
        return self.town.actors[asked.seller, asked.actor]

    def _jugada(self, draw: int, line: Line) -> JugadaRequest:
        number, amount = f"{line.number:02d}", Cents(line.amount)
        if line.multiplier == REVENTADO:
            return JugadaRequest(JugadaType.REVENTADO, number, number, amount, None)
        # Naming the base and naming none is the same; both are asked for.
        is_named = line.multiplier != BASE or amount % 2
        multiplier = self.town.multipliers[draw][line.multiplier] if is_named else None
        return JugadaRequest(JugadaType.NUMERO, number, None, amount, multiplier)

    async def _cancel(self, place: int) -> None:
        live = [index for index, ticket in enumerate(self.bank.tickets) if ticket.is_live]
        if live:
            index = live[place % len(live)]
            seller = self.town.arena.sellers[self.bank.tickets[index].asked.seller]
            assert isinstance(await self.shop.cancel(seller, ticket_id=self.ticket_ids[index]), Cancelled)
            self.bank.tickets[index].is_live = False

    def _refusals(self, asked: Asked, refusal: Refusal) -> list[Lack]:
        return [self._refusal(asked, violation.to_json()) for violation in refusal.violations]

    def _refusal(self, asked: Asked, violation: dict[str, Any]) -> Lack:
        rule = self.office.name_of(violation["ruleId"])
        if violation["code"] == "LOTTERY_MULTIPLIER_RESTRICTED":
            line = asked.lines[int(violation["field"].split("[")[1].split("]")[0])]
            return Lack(violation["code"], line.number, rule, 0, 0, 0)
        amount, limit, available = (_cents(violation[key]) for key in ("amount", "limit", "available"))
        return Lack(violation["code"], int(violation["number"]), rule, amount, limit, available)

    def _lacks(self, outcome: Outcome) -> list[Lack]:
        return [self._fact(facts) for facts in outcome.violations]

    def _fact(self, facts: Any) -> Lack:
        number = parse_number(facts["number"], digits=2) if "number" in facts else None
        rule_id = facts.get("label", {}).get("ruleId")
        rule = None if rule_id is None else self.office.name_of(rule_id)
        figures = (facts["amountCents"], facts.get("capCents", 0), facts["availableCents"])
        return Lack(facts["code"], number, rule, *figures)

    async def _read_rules(self) -> None:
        self.rulebook = await self.shop.rulebooks.reload(self.town.arena.banca_id, older_than=None)
        assert self.rulebook.defects == ()
        self.bank.rules.version = self.rulebook.version


def _cents(text: str) -> int:
    return int(text.replace(".", ""))
