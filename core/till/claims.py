"""What a batch claims of limited counters: in detail for the judgement one by one, and summed for the quick look.

The quick look must never pass what the judgement would refuse. So it sums over all tickets of the batch, those too that
will not be sold, and holds each counter to the strictest of its limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from core.domain.ticket import ALL_JUGADAS, LimitFact, LimitScope
from core.till.order import SaleOrder

Columns = list[Sequence[Any]]
# Cap, base, basis points.
Reach = tuple[int | None, int | None, int | None]
RULE_COLUMNS = 9
COUNTER_COLUMNS = 4
GROWING_COLUMNS = 7
KIND_COLUMNS = 4


class Claims:
    """The arrays k_*, c_*, g_*, r_*, l_* and f_* of sell_tickets. References are places, from 1."""

    def __init__(self) -> None:
        # Of one draw and one version of the rules, a rule sets a number's limit once per scope.
        self._places: dict[tuple[UUID, int], dict[tuple[str | None, int, int], int]] = {}
        self._kinds: dict[tuple[UUID, LimitScope, UUID, UUID], int] = {}
        self._rules: dict[tuple[Any, ...], int] = {}
        self._rule_rows: list[tuple[Any, ...]] = []
        self._limits: tuple[list[int], list[UUID], list[int]] = ([], [], [])
        self._counter_of_limit: list[int] = []
        # By kind, number, and whether sales of the draw accumulate.
        self._counters: dict[tuple[int, int, bool], int] = {}
        self._claimed: list[int] = []
        self._last_ticket: list[int] = []
        self._reaches: list[dict[Reach, None]] = []
        self._facts: tuple[list[int], list[int], list[int]] = ([], [], [])
        # Places of the facts that bind nobody: few.
        self._unbound: list[int] = []

    @classmethod
    def of(cls, orders: Sequence[SaleOrder]) -> Claims:
        claims = cls()
        for ticket, order in enumerate(orders, 1):
            priced = order.priced
            places = claims._places.setdefault((priced.draw.id, priced.rulebook_version), {})
            claims._add(ticket, priced.draw.id, priced.limits, places, binds=True)
            if priced.moves:
                claims._add(ticket, priced.draw.id, priced.moves, places, binds=False)
        return claims

    def columns(self) -> Columns:
        return [
            *columns_of(self._kinds, KIND_COLUMNS),
            *columns_of(self._capped_counters(), COUNTER_COLUMNS),
            *columns_of(self._growing_counters(), GROWING_COLUMNS),
            *columns_of(self._rule_rows, RULE_COLUMNS),
            *self._limits,
            *self._facts,
            self._unbound,
        ]

    def _add(
        self,
        ticket: int,
        sorteo_id: UUID,
        facts: Iterable[LimitFact],
        places: dict[tuple[str | None, int, int], int],
        *,
        binds: bool,
    ) -> None:
        tickets, limits, amounts = self._facts
        for fact in facts:
            name = (fact.rule_id, fact.scope_id.int, fact.number)
            place = places.get(name)
            if place is None:
                place = places[name] = self._new_limit(sorteo_id, fact)
            amount = fact.amount_cents
            tickets.append(ticket)
            limits.append(place)
            amounts.append(amount)
            if not binds:
                self._unbound.append(len(amounts))
            counter = self._counter_of_limit[place - 1]
            # Several limits of one counter count the same money.
            if self._last_ticket[counter] != ticket:
                self._last_ticket[counter] = ticket
                self._claimed[counter] += amount

    def _new_limit(self, sorteo_id: UUID, fact: LimitFact) -> int:
        scope, scope_id, key, number, _, cap, base, basis_points, code, accumulates, _, label = fact
        rule = (sorteo_id, scope, key, cap, base, basis_points, accumulates, code, label)
        rule_place = self._rules.get(rule)
        if rule_place is None:
            self._rule_rows.append(rule)
            rule_place = self._rules[rule] = len(self._rule_rows)
        rules, scope_ids, numbers = self._limits
        rules.append(rule_place)
        scope_ids.append(scope_id)
        numbers.append(number)
        kind = self._kind((sorteo_id, scope, scope_id, key))
        if basis_points is not None:
            self._kind((sorteo_id, scope, scope_id, ALL_JUGADAS))
        counter = self._counter((kind, number, accumulates))
        self._reaches[counter][cap, base, basis_points] = None
        self._counter_of_limit.append(counter)
        return len(self._counter_of_limit)

    def _kind(self, name: tuple[UUID, LimitScope, UUID, UUID]) -> int:
        return self._kinds.setdefault(name, len(self._kinds) + 1)

    def _counter(self, name: tuple[int, int, bool]) -> int:
        counter = self._counters.get(name)
        if counter is None:
            counter = self._counters[name] = len(self._claimed)
            self._claimed.append(0)
            self._last_ticket.append(0)
            self._reaches.append({})
        return counter

    def _capped_counters(self) -> Iterable[tuple[Any, ...]]:
        """The least of a counter's caps stands for all of them."""
        for (kind, number, accumulates), counter in self._counters.items():
            caps = [cap for cap, _, _ in self._reaches[counter] if cap is not None]
            if caps and accumulates:
                yield kind, number, self._claimed[counter], min(caps)

    def _growing_counters(self) -> Iterable[tuple[Any, ...]]:
        """Each limit that grows with the sales, and those of single tickets."""
        for (kind, number, accumulates), counter in self._counters.items():
            for reach in self._reaches[counter]:
                if not accumulates or reach[1] is not None or reach[2] is not None:
                    yield kind, number, self._claimed[counter], *reach, accumulates


def columns_of(rows: Iterable[tuple[Any, ...]], width: int) -> Columns:
    """Rows as columns; so many empty ones for no rows."""
    return list(zip(*rows, strict=False)) or [()] * width
