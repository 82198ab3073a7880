"""What a seller may still sell of each number, and what a draw stands to pay."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from api.context import RequestContext
from api.draw_readings import DrawReading, Terms, read_draw, seller_for
from api.keys import SUM_TURNS
from api.models.limits import (
    BalancesAnswer,
    BalancesQuery,
    ExposureAnswer,
    ExposureQuery,
    ExposureTotals,
    LimitAnswer,
    NumberExposure,
)
from api.operations import Operation
from api.problems import refuse
from api.turns import turn
from core.domain.balances import balance_facts
from core.domain.limit_board import (
    NOBODY_ID,
    CountedScope,
    LimitBoard,
    counted_scopes,
    limit_board,
    nobody_of,
    numbers_played,
    ventana_facts,
)
from core.domain.limit_judge import LimitVerdict
from core.domain.numbers import format_number
from core.domain.permissions import Permission, Role, Scope
from core.domain.pricing import DROPS_USER_RULES
from core.domain.restrictions import restrictions_in_force
from core.domain.rulebook import Rulebook, Seller
from core.domain.sorteo_states import SorteoStatus
from core.domain.ticket import ALL_JUGADAS, WHOLE_SALES

# How long a request waits for its turn to sum.
SUM_WAIT_S = 5.0


async def read_balances(context: RequestContext, query: BalancesQuery) -> BalancesAnswer:
    """What may still be sold of each number.

    Judged as a sale of this instant would be, in the same name. The seller's funds are another matter.
    """
    role = context.principal.role

    def scopes_of(terms: Terms) -> frozenset[CountedScope]:
        return scopes_of_rules(terms, with_user_rules=role not in DROPS_USER_RULES)

    reading = await read_draw(
        context, query.sorteo_id, seller_of=seller_for(context, query.vendedor_id), scopes_of=scopes_of
    )
    # Thousands of limits are judged for it, and the till's tickets wait for the same loop.
    return await asyncio.to_thread(balances_answer, reading, role)


async def read_exposure(context: RequestContext, query: ExposureQuery) -> ExposureAnswer:
    """What is staked on each number of a draw.

    For a VENTANA its own stakes and what limits them; for the others the whole banca's.
    """
    ventana_id = context.principal.ventana_id if context.scope is Scope.VENTANA else None
    own: CountedScope = ("BANCA", context.banca_id) if ventana_id is None else ("VENTANA", ventana_id)
    somebody = nobody_of(ventana_id or NOBODY_ID)

    def seller_of(_: Rulebook) -> Seller:
        return somebody

    def scopes_of(terms: Terms) -> frozenset[CountedScope]:
        return scopes_of_rules(terms, with_user_rules=False) | {own}

    async with turn_to_sum(context) if query.payouts else nullcontext():
        reading = await read_draw(
            context,
            context.path_id("sorteoId"),
            seller_of=seller_of,
            scopes_of=scopes_of,
            payouts=query.payouts,
            ventana_id=ventana_id,
        )
    return await asyncio.to_thread(exposure_answer, reading, own)


def turn_to_sum(context: RequestContext) -> AbstractAsyncContextManager[None]:
    """Raises ProblemError EXPOSURE_BUSY when others take too long."""
    detail = "Too many sums at once; ask again, or without payouts."
    busy = refuse(503, "EXPOSURE_BUSY", detail, retry_after_s=1)
    return turn(context.app[SUM_TURNS], wait_s=SUM_WAIT_S, busy=busy)


def scopes_of_rules(terms: Terms, *, with_user_rules: bool) -> frozenset[CountedScope]:
    restrictions = restrictions_in_force(
        terms.rulebook,
        seller=terms.seller,
        loteria=terms.loteria,
        drawn_on=terms.draw.business_date,
        at=terms.at,
        with_user_rules=with_user_rules,
    )
    return counted_scopes(restrictions, banca_id=terms.rulebook.banca_id, seller=terms.seller)


def balances_answer(reading: DrawReading, role: Role) -> BalancesAnswer:
    terms = reading.terms
    facts = balance_facts(
        terms.rulebook, draw=terms.draw, loteria=terms.loteria, seller=terms.seller, at=terms.at, actor_role=role
    )
    board = limit_board(facts, reading.counters, numbers=numbers_played(terms.loteria, terms.draw))
    return BalancesAnswer(
        sorteo_id=terms.draw.id,
        vendedor_id=terms.seller.id,
        at=terms.at,
        rulebook_version=terms.rulebook.version,
        numbers={
            format_number(number, terms.draw.digits): limit_answer(verdict) for number, verdict in board.numbers.items()
        },
        sorteo=optional_answer(board.whole_sales),
    )


def exposure_board(reading: DrawReading) -> LimitBoard:
    terms = reading.terms
    facts = ventana_facts(
        terms.rulebook, draw=terms.draw, loteria=terms.loteria, ventana_id=terms.seller.ventana_id, at=terms.at
    )
    return limit_board(facts, reading.counters, numbers=range(10**terms.draw.digits))


def exposure_answer(reading: DrawReading, own: CountedScope) -> ExposureAnswer:
    terms, payouts, board, (scope, scope_id) = reading.terms, reading.payouts, exposure_board(reading), own
    stakes = {
        number: reading.counters.get((scope, scope_id, ALL_JUGADAS, number), 0)
        for number in (WHOLE_SALES, *range(10**terms.draw.digits))
    }
    totals = ExposureTotals(
        stake=stakes.pop(WHOLE_SALES),
        cap=optional_answer(board.whole_sales),
        **totals_of(payouts, terms.draw.digits),
    )
    return ExposureAnswer(
        sorteo_id=terms.draw.id,
        sorteo_status=SorteoStatus(reading.status),
        ventana_id=scope_id if scope == "VENTANA" else None,
        at=terms.at,
        rulebook_version=terms.rulebook.version,
        numbers=[
            NumberExposure(
                number=format_number(number, terms.draw.digits),
                stake=stake,
                reventado_stake=None if payouts is None else payouts.get(number, (0, 0))[0],
                potential_payout=None if payouts is None else payouts.get(number, (0, 0))[1],
                cap=optional_answer(board.numbers.get(number)),
            )
            for number, stake in stakes.items()
        ],
        totals=totals,
    )


def totals_of(payouts: Mapping[int, tuple[int, int]] | None, digits: int) -> dict[str, Any]:
    """Of equal payouts the least number; no number when nothing would be paid."""
    if payouts is None:
        return {"reventado_stake": None, "max_potential_payout": None, "max_potential_payout_number": None}
    worst = max(payouts, key=lambda number: (payouts[number][1], -number), default=None)
    largest = 0 if worst is None else payouts[worst][1]
    return {
        "reventado_stake": sum(reventado for reventado, _ in payouts.values()),
        "max_potential_payout": largest,
        "max_potential_payout_number": format_number(worst, digits) if worst is not None and largest else None,
    }


def optional_answer(verdict: LimitVerdict | None) -> LimitAnswer | None:
    return None if verdict is None else limit_answer(verdict)


def limit_answer(verdict: LimitVerdict) -> LimitAnswer:
    label = json.loads(verdict.fact.label)
    assert verdict.limit_cents is not None, "what has no limit is not the strictest"
    assert verdict.available_cents is not None, "what has no limit is not the strictest"
    return LimitAnswer(
        remaining=verdict.available_cents,
        limit=verdict.limit_cents,
        accumulated=verdict.used_cents,
        source=label["source"],
        scope=verdict.fact.scope,
        rule_id=label.get("ruleId"),
        rule_scope=label.get("ruleScope"),
        is_dynamic=verdict.dynamic_cents is not None and verdict.dynamic_cents == verdict.limit_cents,
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/tickets/validation/balances",
        handler=read_balances,
        permission=Permission.LIMITS_READ,
        tags=("tickets",),
        query=BalancesQuery,
        responses={200: BalancesAnswer},
        ticket_rate=True,
    ),
    Operation(
        method="GET",
        path="/api/v1/sorteos/{sorteoId}/exposure",
        handler=read_exposure,
        permission=Permission.EXPOSURE_READ,
        tags=("sorteos",),
        query=ExposureQuery,
        responses={200: ExposureAnswer},
    ),
)
