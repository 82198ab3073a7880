"""What is read of a draw, under the rules of the very instant at which it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from api.context import RequestContext
from api.keys import DATABASE, RULEBOOKS
from api.problems import ProblemError, refuse
from api.rule_access import acting_user
from api.ticket_answers import STATUSES
from core.domain.impersonation import effective_seller
from core.domain.limit_board import CountedScope
from core.domain.limit_judge import CounterKey
from core.domain.rulebook import Loteria, Rulebook, Seller
from core.domain.ticket import ALL_JUGADAS, Draw
from core.queries import sql

# As many as a sale takes for its price; whoever finds the rules changed three times comes back later.
ROUNDS_MAX = 3


@dataclass(frozen=True, slots=True)
class Terms:
    """What a draw's numbers are judged by, for one seller at one instant."""

    rulebook: Rulebook
    draw: Draw
    loteria: Loteria
    seller: Seller
    at: datetime


@dataclass(frozen=True, slots=True)
class DrawReading:
    """One snapshot of the database. terms.at: its time.

    counters: cents. payouts: by number, (cents of REVENTADO stakes, cents that NUMERO would pay); None: not asked for.
    """

    terms: Terms
    status: str
    counters: Mapping[CounterKey, int]
    payouts: Mapping[int, tuple[int, int]] | None


# Raises ProblemError when the rulebook has no such seller, or not for this user.
SellerOf = Callable[[Rulebook], Seller]
ScopesOf = Callable[[Terms], frozenset[CountedScope]]


def no_scopes(_: Terms) -> frozenset[CountedScope]:
    return frozenset()


async def read_draw(
    context: RequestContext,
    sorteo_id: UUID,
    *,
    seller_of: SellerOf,
    scopes_of: ScopesOf = no_scopes,
    payouts: bool = False,
    ventana_id: UUID | None = None,
) -> DrawReading:
    """Rules, time, state and counters that belong together: read again when the rules were not today's.

    scopes_of: whose sales are counted. payouts: of the live jugadas, all or those of the ventana.
    Raises ProblemError: SORTEO_NOT_FOUND, LOTERIA_NOT_FOUND, RULES_CHANGING, and what seller_of raises.
    """
    store, at = context.app[RULEBOOKS], datetime.now(UTC)
    rulebook = await store.rulebook(context.banca_id)
    for _ in range(ROUNDS_MAX):
        draw = await store.draw(rulebook, sorteo_id)
        if draw is None:
            raise sorteo_not_found()
        terms, refusal, scopes = None, None, frozenset[CountedScope]()
        try:
            terms = terms_of(rulebook, draw, seller_of, at)
            scopes = scopes_of(terms)
        except ProblemError as error:
            # Perhaps only by yesterday's rules.
            refusal = error
        row = await read_row(context, sorteo_id, scopes, payouts=payouts and refusal is None, ventana_id=ventana_id)
        at = row["at"]
        if row["rulebook_version"] != rulebook.version:
            rulebook = await store.reload(context.banca_id, older_than=rulebook.version)
            continue
        if terms is None:
            raise refusal or sorteo_not_found()
        terms = replace(terms, at=at)
        # Our clock and the database's may stand on two sides of an hour at which other rules begin.
        if scopes_of(terms) <= scopes:
            return reading_of(row, terms)
    raise refuse(503, "RULES_CHANGING", "The rules changed while they were read; ask again.", retry_after_s=1)


def terms_of(rulebook: Rulebook, draw: Draw, seller_of: SellerOf, at: datetime) -> Terms:
    loteria = rulebook.loterias.get(draw.loteria_id)
    if loteria is None:
        raise refuse(404, "LOTERIA_NOT_FOUND", "There is no such loteria.")
    return Terms(rulebook, draw, loteria, seller_of(rulebook), at)


async def read_row(
    context: RequestContext,
    sorteo_id: UUID,
    scopes: frozenset[CountedScope],
    *,
    payouts: bool,
    ventana_id: UUID | None,
) -> asyncpg.Record:
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        row = await connection.fetchrow(
            sql("exposure/reading"),
            context.banca_id,
            sorteo_id,
            [scope for scope, _ in scopes],
            [scope_id for _, scope_id in scopes],
            payouts,
            ventana_id,
        )
    if row is None or row["status"] is None:
        raise sorteo_not_found()
    return row


def reading_of(row: asyncpg.Record, terms: Terms) -> DrawReading:
    counters: dict[CounterKey, int] = {
        (scope, UUID(scope_id), ALL_JUGADAS, number): cents for scope, scope_id, number, cents in row["counters"]
    }
    payouts = row["payouts"]
    return DrawReading(
        terms,
        row["status"],
        counters,
        None if payouts is None else {number: (reventado, payout) for number, reventado, payout in payouts},
    )


def seller_for(context: RequestContext, vendedor_id: UUID | None) -> SellerOf:
    """In whose name the user asks: the same as those in whose name it may sell."""
    acting = acting_user(context)

    def seller_of(rulebook: Rulebook) -> Seller:
        found = effective_seller(acting, vendedor_id=vendedor_id, rulebook=rulebook)
        if isinstance(found, Seller):
            return found
        raise refuse(STATUSES.get(found.code, 400), found.code, found.message, violations=[found])

    return seller_of


def sorteo_not_found() -> ProblemError:
    return refuse(404, "SORTEO_NOT_FOUND", "There is no such sorteo.")
