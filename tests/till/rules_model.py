"""What the rules promise at the till (domain §2.11), in plain words: every limit is a sum over the tickets that live.

No counter is kept here, nothing is looked up and nothing is cached.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tests.till.rules_limits import Limit, blocks_of, governing, least, limits_of
from tests.till.rules_terms import Asked, Lack, Rules, net


@dataclass
class Ticket:
    asked: Asked
    is_live: bool = True


@dataclass
class Bank:
    credit: Sequence[int | None]
    rules: Rules = field(default_factory=Rules)
    tickets: list[Ticket] = field(default_factory=list)

    def refused_by_rules(self, asked: Asked, rules: Rules, at: datetime) -> list[Lack]:
        """What one ticket may never have, whatever was sold: blocks, then the limits inside a ticket."""
        found = list(blocks_of(asked, rules, at))
        for name, rule, number, amount in governing(asked, rules, at):
            most = least(rule.max_amount, None if rule.percentage else rule.base)
            if rule.max_amount is not None and most is not None and amount > most:
                found.append(Lack("NUMBER_MAXAMOUNT_EXCEEDED", number, name, amount, most, most))
        return found

    def sell(self, asked: Asked, at: datetime, start: Bank) -> list[Lack]:
        """The next ticket of a batch, in order of arrival: what it lacks; nothing, and it is sold.

        start: the bank when the batch began. A ticket that could not have passed even alone is told what it lacked
        then, all of it; any other, what its neighbours left.
        """
        limits = list(limits_of(asked, self.rules, at))
        is_hopeless = any(limit.static is not None and start._left(limit, limit.static) < 0 for limit in limits)
        broke = start._no_funds(asked)
        if is_hopeless or broke:
            lacks = [start._lack(limit, start._used(limit)) for limit in limits if start._is_short(limit)] + broke
        else:
            lacks = [self._lack(limit, self._used(limit)) for limit in limits if self._is_short(limit)]
            lacks += self._no_funds(asked)
        if not lacks:
            self.tickets.append(Ticket(asked))
        return lacks

    def balance(self, seller: int) -> int:
        return -sum(net(ticket.asked) for ticket in self._live() if ticket.asked.seller == seller)

    def _live(self) -> Iterable[Ticket]:
        return (ticket for ticket in self.tickets if ticket.is_live)

    def _no_funds(self, asked: Asked) -> list[Lack]:
        credit = self.credit[asked.seller]
        if credit is None:
            return []
        left = self.balance(asked.seller) + credit
        return [Lack("INSUFFICIENT_FUNDS", None, None, net(asked), 0, left)] if net(asked) > left else []

    def _used(self, limit: Limit) -> int:
        if not limit.accumulates:
            return 0
        lines = (line for ticket in self._live() if limit.whose(ticket.asked) for line in ticket.asked.lines)
        return sum(line.amount for line in lines if limit.counts(line) and limit.number in (None, line.number))

    def _left(self, limit: Limit, most: int) -> int:
        """What is left of it after the ticket that asks."""
        return most - self._used(limit) - limit.amount

    def _is_short(self, limit: Limit) -> bool:
        return self._left(limit, self._most(limit)) < 0

    def _most(self, limit: Limit) -> int:
        dynamic = None
        if limit.percentage is not None:
            sales = sum(ticket.asked.total for ticket in self._live() if limit.whose(ticket.asked))
            dynamic = max(limit.base or 0, sales * limit.percentage // 10_000)
        most = least(limit.static, dynamic)
        assert most is not None, "a limit limits something"
        return most

    def _lack(self, limit: Limit, used: int) -> Lack:
        most = self._most(limit)
        return Lack(limit.code, limit.number, limit.rule, limit.amount, most, max(0, most - used))


def rank(lack: Lack, rules: Rules, at: datetime) -> tuple[int, int, int]:
    """The order in which violations are answered: rules by score and number, the draw by number, its whole, funds."""
    if lack.rule is not None:
        rule = rules.restrictions[lack.rule]
        is_numbered = rule.auto_date or rule.number is not None
        score = 1_000 * is_numbered + {"USER": 100, "VENTANA": 10, "BANCA": 1, "NONE": 0}[rule.scope]
        return 0, -score, lack.number or 0
    if lack.number is not None:
        return 1, 0, lack.number
    return (3 if lack.code == "INSUFFICIENT_FUNDS" else 2), 0, 0
