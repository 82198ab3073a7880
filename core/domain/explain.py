"""Why a ticket is sold or not: the till's own judgement of a described case, told step by step."""

from __future__ import annotations

from core.domain.calendar import format_instant
from core.domain.case_document import Case, CaseError, read_case
from core.domain.cutoffs import minutes_left, sales_end
from core.domain.decision import cutoff_document, jugada_documents, limit_documents, span_document, totals_document
from core.domain.impersonation import effective_seller, selling_role
from core.domain.limit_judge import judge_limits, violations_of_limits
from core.domain.limits import Stakes, draw_facts, governed, per_ticket_facts, restriction_facts, stakes_of
from core.domain.pricing import Refusal, prepared, price, priced_jugadas
from core.domain.rulebook import Seller
from core.domain.sale_rules import Sale
from core.domain.spans import Span
from core.domain.ticket import PricedTicket
from core.domain.violations import Violation

__all__ = ["CaseError", "explain"]


def explain(document: object) -> dict[str, object]:
    """The decision about a case; docs/explain.md describes both. Raises CaseError.

    document: decoded JSON whose numbers with a fraction are JsonNumber, not float.
    """
    try:
        case = read_case(document)
    except RecursionError:
        raise CaseError("the case is nested too deeply") from None
    restored = case.names.restored(_decision(case))
    assert isinstance(restored, dict), "a decision is an object"
    return restored


def _decision(case: Case) -> dict[str, object]:
    seller = effective_seller(case.acting, vendedor_id=case.request.vendedor_id, rulebook=case.rulebook)
    told = _told_of(case, seller) if isinstance(seller, Seller) else {"violations": [seller.to_json()]}
    return {
        "decision": "REFUSED" if told["violations"] else "SOLD",
        "at": format_instant(case.at),
        "businessDate": case.draw.business_date.isoformat(),
        "vendedorId": str(case.request.vendedor_id),
        **told,
        "defects": list(case.rulebook.defects),
    }


def _told_of(case: Case, seller: Seller) -> dict[str, object]:
    role = selling_role(case.acting, seller)
    book, draw = case.rulebook, case.draw
    priced = price(case.request, rulebook=book, draw=draw, seller=seller, at=case.at, actor_role=role)
    # What the price was made of: the same objects, which the rulebook keeps.
    sale = prepared(case.request, rulebook=book, draw=draw, seller=seller, at=case.at, actor_role=role)
    violations = list(priced.violations) if isinstance(priced, Refusal) else []
    warnings = priced.warnings if isinstance(priced, PricedTicket) else ()
    told: dict[str, object] = {"ventanaId": str(seller.ventana_id), "createdByRole": role.value}
    if sale is not None:
        pairs = governed(stakes := _stakes(sale), sale.restrictions)
        of_rules = restriction_facts(pairs, seller=seller)
        facts = [*of_rules, *draw_facts(stakes, rulebook=book, draw=draw)]
        assert isinstance(priced, Refusal) or list(priced.limits) == facts, "what is explained is what is sold"
        violations += _judge_time(case, sale)
        violations += violations_of_limits(judge_limits(facts, case.counters), digits=draw.digits)
        shown = [*per_ticket_facts(pairs, seller=seller), *of_rules]
        shown += draw_facts(stakes, rulebook=book, draw=draw, each=True)
        told |= {
            "cutoff": cutoff_document(sale.prices.cutoff, draw=draw, at=case.at),
            "salesHours": {"open": sale.prices.is_open, **span_document(sale.prices.hours)},
            "holds": span_document(Span(priced.valid_from, priced.valid_until)),
            "jugadas": jugada_documents(sale),
            "totals": totals_document(priced) if isinstance(priced, PricedTicket) else None,
            "limits": limit_documents(judge_limits(shown, case.counters), digits=draw.digits),
        }
    return told | {
        "violations": [violation.to_json() for violation in violations],
        "warnings": [warning.to_json() for warning in warnings],
    }


def _stakes(sale: Sale) -> Stakes:
    return stakes_of(priced_jugadas(sale), apart=sale.restrictions.counts_apart)


def _judge_time(case: Case, sale: Sale) -> list[Violation]:
    """The draw's state and the cutoff, as sell_tickets judges them under the draw's lock."""
    if case.status in ("CLOSED", "EVALUATED"):
        return [Violation("SORTEO_CLOSED", "This draw is closed.", "sorteoId", {"status": case.status})]
    if case.status != "OPEN" or not case.is_active:
        return [Violation("SORTEO_NOT_OPEN", "This draw is not open for sale yet.", "sorteoId")]
    cutoff, draw = sale.prices.cutoff, case.draw
    if case.at < sales_end(draw.scheduled_at, cutoff.seconds):
        return []
    sentence = f"Sales of this draw end {cutoff.minutes} minutes before it is drawn."
    data = {
        "scheduledAt": format_instant(draw.scheduled_at),
        "cutoffMinutes": cutoff.minutes,
        "minutesLeft": minutes_left(draw.scheduled_at, case.at),
    }
    return [Violation("SALES_CUTOFF_REACHED", sentence, "sorteoId", data)]
