"""When selling stops before the draw (§2.6): the nearest rule decides, not the strictest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from core.domain.rulebook import Restriction, Rulebook, Seller
from core.domain.spans import ALWAYS, Span, in_window, meet

DEFAULT_CUTOFF_MINUTES = 1
# Every sale that reaches the till within this second after the cutoff is still taken.
GRACE_S = 1
_NEVER = datetime.min.replace(tzinfo=UTC)

CutoffSource = Literal["USER", "VENTANA", "BANCA", "DEFAULT"]


class Cutoff(NamedTuple):
    """span: as long as the answer stays the same. rule_id: None when no rule decided."""

    minutes: int
    source: CutoffSource
    rule_id: str | None
    span: Span

    @property
    def seconds(self) -> int:
        return self.minutes * 60


def cutoff_in_force(rulebook: Rulebook, seller: Seller, *, at: datetime) -> Cutoff:
    """USER, then VENTANA, then BANCA rules; then the banca's column; then the default. Ties: the newest updatedAt.

    For sales and for cancels alike; a rule that is bound to one number is none.
    """
    spans = [ALWAYS]
    chosen: Cutoff | None = None
    sources: tuple[CutoffSource, ...] = ("USER", "VENTANA", "BANCA")
    for source, scope_id in zip(sources, (seller.id, seller.ventana_id, rulebook.banca_id), strict=True):
        rules, changes = _in_force(rulebook.cutoff_rules_of(scope_id), at)
        spans += changes
        if rules and chosen is None:
            newest = max(rules, key=lambda rule: (rule.updated_at or _NEVER, rule.id))
            assert newest.sales_cutoff_minutes is not None, "only cutoff rules were looked at"
            chosen = Cutoff(newest.sales_cutoff_minutes, source, newest.id, ALWAYS)
            break  # what is farther away changes nothing as long as this one is in force
    if chosen is None:
        chosen = Cutoff(rulebook.cutoff_minutes, "BANCA" if rulebook.is_cutoff_set else "DEFAULT", None, ALWAYS)
    return chosen._replace(span=meet(spans))


def sales_end(scheduled_at: datetime, cutoff_s: int) -> datetime:
    """The first instant at which a draw is not sold any more."""
    return scheduled_at - timedelta(seconds=cutoff_s - GRACE_S)


def minutes_left(scheduled_at: datetime, at: datetime) -> int:
    """Until the draw, begun minutes counted whole; 0 when it is past."""
    return max(0, -((at - scheduled_at) // timedelta(minutes=1)))


def _in_force(cutoff_rules: tuple[Restriction, ...], at: datetime) -> tuple[list[Restriction], list[Span]]:
    rules: list[Restriction] = []
    spans: list[Span] = []
    for rule in cutoff_rules:
        is_now, span = in_window(rule.applies_to_date, rule.applies_to_hour, at=at)
        spans.append(span)
        rules += [rule] if is_now else []
    return rules, spans
