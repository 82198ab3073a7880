"""Why something was not done to a sold ticket: paid, restored, closed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from core.domain.calendar import format_instant
from core.domain.money import format_cents
from core.domain.violations import Violation

# Of codes that carry no figures.
SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "TICKET_CANCELLED": "This ticket was cancelled.",
        "TICKET_EXCLUDED": "This ticket's list is excluded from the draw.",
        "TICKET_NOT_WINNER": "This ticket did not win.",
        "PAYMENT_NOT_FOUND": "Nothing of this prize was paid.",
    }
)


def violation_after_sale(facts: Mapping[str, Any]) -> Violation:
    """Facts as pay_ticket, cancel_ticket and restore_ticket record them."""
    code = facts["code"]
    if code in SENTENCES:
        return Violation(code, SENTENCES[code], None)
    if "message" in facts:
        # Of today's rules, in their words.
        return Violation(code, facts["message"], facts["field"], facts["data"])
    match code:
        case "DRAW_PASSED":
            return Violation(
                code, "This draw is over.", "sorteoId", {"scheduledAt": instant_text(facts["scheduledAt"])}
            )
        case "TICKET_NOT_CANCELLED":
            return Violation(code, "Only a cancelled ticket can be restored.", None, {"status": facts["status"]})
        case "TICKET_RESTORED_TOO_OFTEN" | "TICKET_PAID_TOO_OFTEN":
            done = "restored" if code == "TICKET_RESTORED_TOO_OFTEN" else "paid"
            return Violation(code, f"This ticket was {done} {facts['max']} times.", None, {"max": facts["max"]})
        case "ALREADY_PAID":
            figures = {"totalPayout": format_cents(facts["prizeCents"]), "totalPaid": format_cents(facts["paidCents"])}
            return Violation(code, "This ticket's prize is paid.", None, figures)
        case "PAID_UNDER_EARLIER_RESULT":
            return _paid_under_earlier_result(facts)
        case "PAYMENT_EXCEEDS_REMAINING":
            return _exceeds_remaining(facts)
        case _:
            raise ValueError(f"unknown violation {code!r}")


def _paid_under_earlier_result(facts: Mapping[str, Any]) -> Violation:
    prize, paid = format_cents(facts["prizeCents"]), format_cents(facts["earlierCents"])
    message = f"Under an earlier result of the draw {paid} was paid; by this one the prize is {prize}."
    return Violation(facts["code"], message, None, {"totalPayout": prize, "paidUnderEarlierResult": paid})


def _exceeds_remaining(facts: Mapping[str, Any]) -> Violation:
    left = format_cents(facts["remainingCents"])
    message, figures = f"Of this prize {left} is left to pay.", {"remainingAmount": left}
    if "earlierCents" in facts:
        earlier = figures["paidUnderEarlierResult"] = format_cents(facts["earlierCents"])
        message = f"Of this prize {left} is left to pay: {earlier} was paid under an earlier result."
    return Violation(facts["code"], message, "amountPaid", figures)


def instant_text(text: str) -> str:
    """An instant as the database writes it in JSON, as we write it."""
    return format_instant(datetime.fromisoformat(text))
