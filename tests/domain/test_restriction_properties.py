"""§2.11: every rule holds, and the strictest wins; compared with the rules read one by one, without any index."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.limit_judge import CounterKey, judge_limits, moved_counters
from core.domain.pricing import Refusal, price
from core.domain.rulebook import Rulebook
from core.domain.ticket import ALL_JUGADAS, REVENTADO_KEY, WHOLE_SALES, Draw, PricedTicket
from tests.domain.domain_samples import AT, BANCA, SELLER, VENTANA, X85, draw, rulebook, ticket
from tests.domain.restriction_samples import OTHER
from tests.domain.restriction_strategies import COUNTERS, DRAWN_ON, LINES, RULES, book_parts, jugadas_of


@given(RULES.map(lambda rules: [rule for rule in rules if has_amounts(rule)]), LINES, COUNTERS, DRAWN_ON)
@settings(max_examples=200)
def test_the_strictest_of_all_rules_wins(rules: Any, lines: Any, counters: Any, drawn_on: date) -> None:
    book = rulebook(restrictions=rules)
    # Twice: what the rulebook remembers of one day's draws is not another's.
    for day in (drawn_on, drawn_on + timedelta(days=1)):
        judge_by_hand(book, rules, lines, counters, day)


def judge_by_hand(book: Rulebook, rules: Any, lines: Any, counters: Any, drawn_on: date) -> None:
    broken = {rule["id"] for rule in rules if is_well_formed(rule) and is_broken(rule, lines, counters, AT, drawn_on)}
    found = outcome(book, lines, counters, AT, drawn_on)
    # What one ticket may not have is told before anything is counted.
    assert bool(found) == bool(broken)
    assert found <= broken


def is_broken(rule: dict[str, Any], lines: Any, counters: Any, at: datetime, drawn_on: date) -> bool:
    """§2.11.2–2.11.5 in so many words."""
    local = at - timedelta(hours=6)
    if rule.get("appliesToDate") not in (None, local.date().isoformat()) or rule["appliesToHour"] not in (
        None,
        local.hour,
    ):
        return False
    if rule.get("userId") == OTHER or rule.get("ventanaId") == OTHER:
        return False
    multiplier = rule.get("multiplierId")
    day = drawn_on if rule.get("autoDateOf") == "SORTEO" else local
    number = day.day if rule["isAutoDate"] else rule["number"]
    each_seller = rule["appliesToVendedor"] or "userId" in rule
    scope = ("VENDEDOR", SELLER) if each_seller else ("VENTANA", VENTANA) if "ventanaId" in rule else ("BANCA", BANCA)
    has_scope = each_seller or "ventanaId" in rule or "bancaId" in rule
    base, basis_points = rule["baseAmountCents"] or 0, rule["salesBasisPoints"]
    sales_scope = scope if has_scope else ("VENTANA", VENTANA)
    sales = counters.get((*sales_scope, ALL_JUGADAS, WHOLE_SALES), 0)
    dynamic = max(base, sales * basis_points // 10_000) if basis_points else (base or None)
    counts = ALL_JUGADAS if multiplier is None else X85 if multiplier == str(X85) else REVENTADO_KEY
    for of_number in {int(line[0]) for line in lines} if number is None else {number}:
        amount = 0
        for text, cents, chosen, extra in lines:
            if int(text) == of_number:
                amount += cents if counts in (ALL_JUGADAS, chosen) else 0
                amount += extra if counts in (ALL_JUGADAS, REVENTADO_KEY) else 0
        if not amount:
            continue
        limits = [limit for limit in (rule["maxAmountCents"], dynamic) if limit is not None]
        if rule["maxAmountCents"] is not None and amount > min(limits):
            return True
        totals = [limit for limit in (rule["maxTotalCents"], dynamic) if limit is not None]
        if has_scope and totals and counters.get((*scope, counts, of_number), 0) + amount > min(totals):
            return True
    return False


def outcome(book: Rulebook, lines: Any, counters: Any, at: datetime, drawn_on: date) -> set[str]:
    """The rules that are told to be broken."""
    request = ticket(*jugadas_of(lines))
    result = price(request, rulebook=book, draw=draw_on(drawn_on), seller=book.sellers[SELLER], at=at)
    if isinstance(result, Refusal):
        return {str((v.data or {})["ruleId"]) for v in result.violations}
    verdicts = judge_limits(result.limits, counters)
    assert all(v.fact.amount_cents > 0 for v in verdicts)
    names = [(v.fact.rule_id, v.fact.number) for v in verdicts]
    assert len(set(names)) == len(names), "one fact for each rule and number"
    return {str(v.fact.rule_id) for v in verdicts if not v.fits}


def draw_on(day: date) -> Draw:
    return replace(draw(), business_date=day)


def has_amounts(rule: dict[str, Any]) -> bool:
    return any(
        rule[key] is not None for key in ("maxAmountCents", "maxTotalCents", "baseAmountCents", "salesBasisPoints")
    )


def is_well_formed(rule: dict[str, Any]) -> bool:
    return not (rule["isAutoDate"] and "multiplierId" in rule)


@given(book_parts(), LINES, st.timedeltas(timedelta(hours=-30), timedelta(hours=60)), DRAWN_ON)
@settings(max_examples=200)
def test_a_price_is_the_same_at_every_instant_of_its_interval(
    parts: Any, lines: Any, later: timedelta, drawn_on: date
) -> None:
    request = ticket(*jugadas_of(lines))

    def at(instant: datetime) -> PricedTicket | Refusal:
        book = rulebook(**parts)  # anew, so that nothing is remembered
        return price(request, rulebook=book, draw=draw_on(drawn_on), seller=book.sellers[SELLER], at=instant)

    now = at(AT)
    assert (now.valid_from is None or now.valid_from <= AT) and (now.valid_until is None or now.valid_until > AT)
    inside = AT + later
    if now.valid_from is not None:
        inside = max(inside, now.valid_from)
    if now.valid_until is not None:
        inside = min(inside, now.valid_until - timedelta(microseconds=1))
    assert at(inside) == now


@given(book_parts(), LINES, st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_the_order_of_the_rules_does_not_matter(parts: Any, lines: Any, random: Any) -> None:
    shuffled = list(parts["restrictions"])
    random.shuffle(shuffled)
    request = ticket(*jugadas_of(lines))
    results = []
    for rules in (parts["restrictions"], shuffled):
        book = rulebook(**{**parts, "restrictions": rules})
        results.append(price(request, rulebook=book, draw=draw(), seller=book.sellers[SELLER], at=AT))
    assert results[0] == results[1]


@given(RULES, st.lists(LINES, max_size=8))
@settings(max_examples=200)
def test_what_is_sold_one_after_another_never_exceeds_a_static_limit(rules: Any, tickets: Any) -> None:
    book = rulebook(restrictions=rules)
    counters: dict[CounterKey, int] = {}
    for lines in tickets:
        request = ticket(*jugadas_of(lines))
        result = price(request, rulebook=book, draw=draw(), seller=book.sellers[SELLER], at=AT)
        if isinstance(result, Refusal) or not all(v.fits for v in judge_limits(result.limits, counters)):
            continue
        moved = moved_counters(result.jugadas, banca_id=BANCA, ventana_id=VENTANA, vendedor_id=SELLER)
        assert moved["BANCA", BANCA, ALL_JUGADAS, WHOLE_SALES] == result.total_cents
        for counter, cents in moved.items():
            counters[counter] = counters.get(counter, 0) + cents
        for fact in result.limits:
            if fact.accumulates:
                assert counters[fact[:4]] <= (10**9 if fact.cap_cents is None else fact.cap_cents)
