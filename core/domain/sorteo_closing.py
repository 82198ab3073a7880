"""When a draw closes by itself (§2.6): as soon as none of its sellers may sell any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from core.domain.cutoffs import cutoff_in_force, sales_end
from core.domain.rulebook import Rulebook, Seller

# Of a rule and of a banca alike, so nobody's sales end earlier than this before a draw.
CUTOFF_MINUTES_MAX = 30
# How long before a draw it may be due to close.
CLOSING_AHEAD = timedelta(minutes=CUTOFF_MINUTES_MAX)


def closing_instant(rulebook: Rulebook, scheduled_at: datetime) -> datetime:
    """scheduledAt − the smallest effective cutoff among the sellers + 1 s grace; without sellers as of a cutoff of 0.

    Rules that hold for an hour or a day only are followed to the draw: where a smaller cutoff still comes into force,
    sales go on then, and so the draw stays open until they end.
    """
    return max(
        (last_sale_end(rulebook, seller, scheduled_at) for seller in sellers_by_cutoff(rulebook)),
        default=over_at(scheduled_at),
    )


def over_at(scheduled_at: datetime) -> datetime:
    """From this instant on a draw is over whatever the rules are."""
    return sales_end(scheduled_at, 0)


def last_sale_end(rulebook: Rulebook, seller: Seller, scheduled_at: datetime) -> datetime:
    """The first instant from which this seller may never again sell the draw."""
    over = over_at(scheduled_at)
    at = latest = sales_end(scheduled_at, CUTOFF_MINUTES_MAX * 60)
    while at < over:
        cutoff = cutoff_in_force(rulebook, seller, at=at)
        until = over if cutoff.span.end is None else min(cutoff.span.end, over)
        ends = sales_end(scheduled_at, cutoff.seconds)
        if at < ends:
            latest = min(ends, until)
        at = until
    return latest


def sellers_by_cutoff(rulebook: Rulebook) -> Iterator[Seller]:
    """One of all sellers whom the same cutoffs concern: those with rules of their own, and one of each ventana."""
    ventanas = set()
    for seller in rulebook.sellers.values():
        if rulebook.cutoff_rules_of(seller.id):
            yield seller
        elif seller.ventana_id not in ventanas:
            ventanas.add(seller.ventana_id)
            yield seller
