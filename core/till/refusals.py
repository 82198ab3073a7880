"""Why a ticket was not sold, in the words that its seller reads: a code, a sentence, the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from core.domain.limit_judge import LimitVerdict, violations_of_limits
from core.domain.money import format_cents
from core.domain.pricing import Refusal
from core.domain.ticket import ALL_JUGADAS, WHOLE_SALES, LimitFact
from core.domain.violations import Violation
from core.till.later_refusals import instant_text, violation_after_sale
from core.till.outcomes import RECORDED, Outcome, Verdict

# Of verdicts that carry no figures. A code of its own where the caller must act on it.
SENTENCES: Mapping[Verdict, tuple[str, str]] = {
    Verdict.SESSION_REVOKED: ("SESSION_REVOKED", "This session has ended; log in again."),
    Verdict.BANCA_INACTIVE: ("BANCA_INACTIVE", "This banca is not selling."),
    Verdict.USER_INACTIVE: ("USER_INACTIVE", "The user, or the seller in whose name it is, is disabled."),
    Verdict.SELLER_NOT_OWN: ("SELLER_NOT_OWN", "This seller is not one of yours."),
    Verdict.VENTANA_INACTIVE: ("VENTANA_INACTIVE", "This ventana is disabled."),
    Verdict.TERMINAL_DISABLED: ("TERMINAL_DISABLED", "This terminal is disabled."),
    Verdict.TERMINAL_KEY_REVOKED: ("TERMINAL_KEY_REVOKED", "This terminal's secret was replaced; use the new one."),
    Verdict.TERMINAL_MISMATCH: ("TERMINAL_MISMATCH", "This terminal belongs to another seller or ventana."),
    Verdict.MISMATCH: ("IDEMPOTENCY_PAYLOAD_MISMATCH", "This key was used for another request; use a new key."),
    Verdict.CANCELLED_BEFORE_SALE: (
        "CANCELLED_BEFORE_SALE",
        "This key was cancelled before its sale arrived; nothing was sold.",
    ),
    Verdict.SELLER_NOT_FOUND: ("SELLER_NOT_FOUND", "This banca has no account for the seller."),
    Verdict.SORTEO_NOT_FOUND: ("SORTEO_NOT_FOUND", "This banca has no such draw."),
    Verdict.SORTEO_NOT_OPEN: ("SORTEO_NOT_OPEN", "This draw is not open for sale yet."),
    Verdict.LISTA_EXCLUDED: ("LISTA_EXCLUDED", "The list that this ticket belongs to is excluded from the draw."),
    Verdict.REJECTED: ("TICKET_REJECTED", "This ticket cannot be recorded; nothing was written."),
}

# Whose counter it was is in the label; the violation does not name the scope's id.
NOBODY = UUID(int=0)
TRY_AGAIN_WITH_NEW_KEY = "This answer stands for its key; to try again, use a new one."


@dataclass(frozen=True, slots=True)
class Refused:
    """code: of the first violation. recorded: the same key gets this answer for ever."""

    code: str
    detail: str
    violations: Sequence[Violation]
    recorded: bool
    replayed: bool


def refused_by_rules(refusal: Refusal) -> Refused:
    """Today's rules do not allow this ticket; nothing was recorded."""
    return refused_for(refusal.violations, recorded=False, replayed=False)


def refused_by_till(outcome: Outcome, *, is_echo: bool = False) -> Refused:
    """is_echo: the same request was already waiting, and this is its answer.

    A function of what was recorded and of nothing else, so that a replay is the same to the byte.
    """
    known = outcome.verdict is Verdict.KNOWN
    if outcome.violations:
        violations = violations_of(outcome.violations)
        return refused_for(violations, recorded=known or outcome.verdict in RECORDED, replayed=known or is_echo)
    code, sentence = SENTENCES[outcome.verdict]
    return Refused(code, sentence, [], recorded=outcome.verdict is Verdict.CANCELLED_BEFORE_SALE, replayed=False)


def refused_for(violations: Sequence[Violation], *, recorded: bool, replayed: bool) -> Refused:
    """violations: at least one; the first names the refusal."""
    first = violations[0]
    detail = f"{first.message} {TRY_AGAIN_WITH_NEW_KEY}" if recorded else first.message
    return Refused(first.code, detail, violations, recorded, replayed)


def violations_of(recorded: Sequence[Mapping[str, Any]]) -> list[Violation]:
    """Facts as sell_tickets and cancel_ticket record them: limits first, in the rules' order, then the rest."""
    limits = [facts for facts in recorded if "label" in facts]
    digits = max((len(facts["number"]) for facts in limits if "number" in facts), default=2)
    found = violations_of_limits([_verdict_of(facts) for facts in limits], digits=digits)
    return found + [violation_of(facts) for facts in recorded if "label" not in facts]


def _verdict_of(facts: Mapping[str, Any]) -> LimitVerdict:
    fact = LimitFact(
        facts["scope"],
        NOBODY,
        ALL_JUGADAS,
        int(facts["number"]) if "number" in facts else WHOLE_SALES,
        facts["amountCents"],
        facts["capCents"],
        code=facts["code"],
        accumulates=facts["accumulates"],
        label=orjson.dumps(facts["label"]).decode(),
    )
    return LimitVerdict(fact, None, facts["capCents"], 0, facts["availableCents"])


def violation_of(facts: Mapping[str, Any]) -> Violation:
    """What is no limit of a counter."""
    code = facts["code"]
    match code:
        case "INSUFFICIENT_FUNDS":
            figures = _figures(facts)
            return Violation(code, f"The seller's account has {figures['available']} left.", None, figures)
        case "NUMBER_PAYOUT_EXCEEDED":
            figures = _figures(facts)
            message = (
                f"Number {facts['number']} may cost this draw {figures['limit']} at most: {figures['available']} left."
            )
            return Violation(code, message, None, {"number": facts["number"], **figures})
        case "SORTEO_CLOSED" | "SORTEO_LOCKED":
            return Violation(code, "This draw is closed.", "sorteoId", {"status": facts["status"]})
        case "SALES_CUTOFF_REACHED":
            minutes = facts["cutoffS"] // 60
            return Violation(
                code,
                f"Sales of this draw end {minutes} minutes before it is drawn.",
                "sorteoId",
                {"scheduledAt": instant_text(facts["scheduledAt"]), "cutoffMinutes": minutes},
            )
        case "TICKET_ALREADY_CANCELLED":
            return Violation(
                code, "This ticket was cancelled before.", None, {"cancelledAt": instant_text(facts["at"])}
            )
        case "SALE_WAS_REFUSED":
            return Violation(code, "This key's sale was refused; there is nothing to cancel.", "saleKey")
        case _:
            return violation_after_sale(facts)


def _figures(facts: Mapping[str, Any]) -> dict[str, str]:
    names = {"amountCents": "amount", "capCents": "limit", "availableCents": "available"}
    return {name: format_cents(facts[key]) for key, name in names.items() if key in facts}
