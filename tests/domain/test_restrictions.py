"""§2.11: every rule holds, and the strictest wins; compared with the rules read one by one."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.balances import balance_facts, banca_facts
from core.domain.limit_judge import CounterKey, judge_limits, moved_counters, strictest_by_number, violations_of_limits
from core.domain.permissions import Role
from core.domain.pricing import Refusal, price
from core.domain.rulebook import Rulebook
from core.domain.ticket import ALL_JUGADAS, REVENTADO_KEY, WHOLE_SALES, JugadaRequest, LimitFact, PricedTicket
from tests.domain.domain_samples import (
    AT,
    BANCA,
    L1,
    OF_REVENTADO,
    SELLER,
    VENTANA,
    X80,
    X85,
    X90,
    draw,
    numero,
    policy,
    priced,
    restriction,
    reventado,
    rulebook,
    ticket,
)

B: dict[str, Any]
V: dict[str, Any]
U: dict[str, Any]
B, V, U = {"bancaId": str(BANCA)}, {"ventanaId": str(VENTANA)}, {"userId": str(SELLER)}
PAIR: dict[str, Any] = {"loteriaId": str(L1), "multiplierId": str(X85)}
PAIR_REVENTADO = {"loteriaId": str(L1), "multiplierId": str(OF_REVENTADO)}
OTHER = str(UUID(int=99))


def only_fact(rule: dict[str, Any], *jugadas: JugadaRequest) -> LimitFact:
    [fact] = priced(rulebook(restrictions=[rule]), *(jugadas or [numero("07", multiplier_id=X85)])).limits
    return fact


@pytest.mark.parametrize(
    ("rule", "counter", "limit"),
    [
        (B | {"maxTotalCents": 900}, ("BANCA", BANCA, ALL_JUGADAS, 7), (900, None, None)),
        (V | {"maxTotalCents": 900}, ("VENTANA", VENTANA, ALL_JUGADAS, 7), (900, None, None)),
        (U | {"maxTotalCents": 900}, ("VENDEDOR", SELLER, ALL_JUGADAS, 7), (900, None, None)),
        (B | {"maxTotalCents": 0}, ("BANCA", BANCA, ALL_JUGADAS, 7), (0, None, None)),
        (B | {"maxTotalCents": 900, "appliesToVendedor": True}, ("VENDEDOR", SELLER, ALL_JUGADAS, 7), (900, None, None)),
        (B | PAIR | {"maxTotalCents": 900}, ("BANCA", BANCA, X85, 7), (900, None, None)),
        (PAIR | {"maxTotalCents": 900, "appliesToVendedor": True}, ("VENDEDOR", SELLER, X85, 7), (900, None, None)),
        # A base without a percentage is a number like any other.
        (B | {"baseAmountCents": 500}, ("BANCA", BANCA, ALL_JUGADAS, 7), (500, None, None)),
        (B | {"baseAmountCents": 500, "maxTotalCents": 400}, ("BANCA", BANCA, ALL_JUGADAS, 7), (400, None, None)),
        (B | {"baseAmountCents": 500, "salesBasisPoints": 300}, ("BANCA", BANCA, ALL_JUGADAS, 7), (None, 500, 300)),
        (B | {"salesBasisPoints": 300}, ("BANCA", BANCA, ALL_JUGADAS, 7), (None, None, 300)),
        (
            V | {"baseAmountCents": 500, "salesBasisPoints": 300, "maxTotalCents": 900},
            ("VENTANA", VENTANA, ALL_JUGADAS, 7),
            (900, 500, 300),
        ),
        # A base that reaches the cap leaves the percentage nothing to do.
        (B | {"baseAmountCents": 900, "salesBasisPoints": 300, "maxTotalCents": 900}, ("BANCA", BANCA, ALL_JUGADAS, 7), (900, None, None)),
    ],
)  # fmt: skip
def test_a_rule_becomes_one_fact_for_each_number(
    rule: dict[str, Any], counter: CounterKey, limit: tuple[int | None, int | None, int | None]
) -> None:
    fact = only_fact(restriction("R", **rule))
    assert fact[:4] == counter
    assert (fact.cap_cents, fact.base_cents, fact.sales_basis_points) == limit
    assert (fact.amount_cents, fact.code, fact.accumulates, fact.rule_id) == (
        100_000,
        "NUMBER_MAXTOTAL_EXCEEDED",
        True,
        "R",
    )
    assert json.loads(fact.label)["ruleId"] == "R"


def test_a_rule_for_reventado_counts_reventado_only() -> None:
    rule = restriction("R", **B, **PAIR_REVENTADO, maxTotalCents=900)
    fact = only_fact(rule, numero("07"), reventado("07", "300"), numero("08"))
    assert (fact.multiplier_key, fact.number, fact.amount_cents) == (REVENTADO_KEY, 7, 30_000)


def test_a_rule_without_scope_limits_only_what_one_ticket_has() -> None:
    assert priced(rulebook(restrictions=[restriction("R", maxTotalCents=1)]), numero("07")).limits == ()
    rule = restriction("R", maxAmountCents=10**9, baseAmountCents=500, salesBasisPoints=300)
    fact = only_fact(rule)
    assert (fact.scope, fact.scope_id, fact.code, fact.accumulates) == (
        "VENTANA",
        VENTANA,
        "NUMBER_MAXAMOUNT_EXCEEDED",
        False,
    )
    assert (fact.cap_cents, fact.base_cents, fact.sales_basis_points) == (10**9, 500, 300)


@pytest.mark.parametrize(
    "rule",
    [
        B | {"maxTotalCents": 1, "appliesToHour": 13},
        B | {"maxTotalCents": 1, "appliesToDate": "2026-01-16"},
        B | {"maxTotalCents": 1, "number": 8},
        B | {"maxTotalCents": 1, "number": 7, "isActive": False},
        B | {"maxTotalCents": 1, "isAutoDate": True},
        V | {"ventanaId": OTHER, "maxTotalCents": 1},
        U | {"userId": OTHER, "maxTotalCents": 1},
        B | {"maxTotalCents": 1, "loteriaId": str(L1), "multiplierId": str(X80)},
        B | {"salesCutoffMinutes": 3},
        B | {"maxAmountCents": 100_000},
        {"maxTotalCents": 1},
    ],
)
def test_what_does_not_apply_gives_the_till_nothing_to_judge(rule: dict[str, Any]) -> None:
    book = rulebook(restrictions=[restriction("R", **rule)])
    assert book.defects == ()
    assert priced(book, numero("07", multiplier_id=X85)).limits == ()


def test_facts_stand_by_score_then_number() -> None:
    rules = [
        restriction("b", **B, maxTotalCents=10),
        restriction("u", **U, maxTotalCents=20),
        restriction("v8", **V, number=8, maxTotalCents=30),
        restriction("b9", **B, number=9, maxTotalCents=40),
        restriction("u8", **U, number=8, maxTotalCents=50),
        restriction("x", **B, **PAIR, maxTotalCents=60),
    ]
    book = rulebook(restrictions=rules, globalMaxPerNumberCents=70)
    sold = priced(book, numero("09", multiplier_id=X85), numero("08", multiplier_id=X90))
    expected = [("u8", 8), ("v8", 8), ("b9", 9), ("u", 8), ("u", 9), ("b", 8), ("b", 9), ("x", 9), (None, 8), (None, 9)]
    assert [(fact.rule_id, fact.number) for fact in sold.limits] == expected


def sold_by(role: Role, *rules: dict[str, Any]) -> PricedTicket | Refusal:
    book = rulebook(restrictions=list(rules))
    request = ticket(numero("07", multiplier_id=X85))
    return price(request, rulebook=book, draw=draw(), seller=book.sellers[SELLER], at=AT, actor_role=role)


def test_who_sells_in_a_sellers_name_is_not_bound_by_her_own_rules() -> None:
    rules = [restriction("u", **U, maxTotalCents=1), restriction("v", **V, maxTotalCents=1)]
    for role, bound in (
        (Role.VENDEDOR, ["u", "v"]),
        (Role.BANCA, ["u", "v"]),
        (Role.VENTANA, ["v"]),
        (Role.ADMIN, ["v"]),
    ):
        result = sold_by(role, *rules)
        assert isinstance(result, PricedTicket)
        assert [fact.rule_id for fact in result.limits] == bound


def test_only_an_admin_passes_a_blocked_multiplier_and_is_warned() -> None:
    block = restriction("R", **PAIR, message="not today")
    for role in (Role.VENDEDOR, Role.VENTANA, Role.BANCA):
        result = sold_by(role, block)
        assert isinstance(result, Refusal)
        assert [(v.code, v.message, v.field) for v in result.violations] == [
            ("LOTTERY_MULTIPLIER_RESTRICTED", "not today", "jugadas[0].multiplierId")
        ]
    result = sold_by(Role.ADMIN, block)
    assert isinstance(result, PricedTicket)
    assert [(w.code, (w.data or {})["restrictedButAllowed"]) for w in result.warnings] == [
        ("LOTTERY_MULTIPLIER_RESTRICTED", True)
    ]


def test_a_block_binds_the_base_that_nobody_chose_and_no_reventado() -> None:
    book = rulebook(restrictions=[restriction("R", loteriaId=str(L1), multiplierId=str(X90))])
    request = ticket(numero("07"), reventado("07"), numero("08", multiplier_id=X85))
    result = price(request, rulebook=book, draw=draw(), seller=book.sellers[SELLER], at=AT)
    assert isinstance(result, Refusal)
    assert [v.field for v in result.violations] == ["jugadas[0].multiplierId"]


def test_a_block_for_one_number_leaves_the_others() -> None:
    book = rulebook(restrictions=[restriction("R", **PAIR, number=8)])
    assert priced(book, numero("07", multiplier_id=X85)).warnings == ()


def test_what_one_ticket_may_not_have_is_told_together_with_all_the_rest() -> None:
    rules = [restriction("a", **B, maxAmountCents=50_000), restriction("b", **U, maxAmountCents=70_000)]
    book = rulebook(restrictions=rules)
    request = ticket(numero("07", "800"), numero("8", "800"))
    result = price(request, rulebook=book, draw=draw(), seller=book.sellers[SELLER], at=AT)
    assert isinstance(result, Refusal)
    found = [(v.code, (v.data or {}).get("ruleId"), (v.data or {}).get("mostRestrictive")) for v in result.violations]
    assert found == [
        ("NUMBER_WIDTH_INVALID", None, None),
        ("NUMBER_MAXAMOUNT_EXCEEDED", "b", False),
        ("NUMBER_MAXAMOUNT_EXCEEDED", "a", True),
    ]


def test_the_draws_own_limits_count_for_the_banca_and_only_the_strictest_is_judged() -> None:
    book = rulebook(globalMaxPerNumberCents=400)
    of = draw(global_limit_cents=500, number_limits={8: 0, 9: 900})
    sold = priced(book, numero("07"), numero("08"), numero("09"), of=of)
    assert [(f.number, f.cap_cents, json.loads(f.label)["source"]) for f in sold.limits] == [
        (7, 400, "GLOBAL_MAX_PER_NUMBER"),
        (8, 0, "SORTEO_NUMBER_LIMIT"),
        (9, 400, "GLOBAL_MAX_PER_NUMBER"),
    ]
    [fact] = priced(rulebook(), numero("09"), of=of).limits
    assert (fact.cap_cents, fact.scope, fact.scope_id, fact.rule_id) == (900, "BANCA", BANCA, None)


def test_the_whole_sales_of_a_draw_are_a_counter_like_any_other() -> None:
    book = rulebook(bancaLoteriaSettings=[{"loteriaId": str(L1), "maxTotalPerSorteoCents": 500_000}])
    [fact] = priced(book, numero("07", "100"), reventado("07", "50"), numero("08", "100")).limits
    assert fact[:6] == ("BANCA", BANCA, ALL_JUGADAS, WHOLE_SALES, 25_000, 500_000)
    assert fact.code == "SORTEO_MAXTOTAL_EXCEEDED"
    [violation] = violations_of_limits(judge_limits([fact], {fact[:4]: 480_000}), digits=2)
    assert (violation.data or {})["available"] == "200.00"


def test_a_dynamic_limit_is_cut_to_the_cent() -> None:
    fact = only_fact(restriction("R", **B, baseAmountCents=1, salesBasisPoints=333))
    [verdict] = judge_limits([fact], {("BANCA", BANCA, ALL_JUGADAS, WHOLE_SALES): 10_000 * 3 + 30})
    assert verdict.limit_cents == 999  # 999.999


def test_balances_show_every_number_that_is_limited_whoever_asks() -> None:
    book = rulebook(
        restrictions=[
            restriction("u", **U, number=7, maxTotalCents=300),
            restriction("v", **V, maxTotalCents=500),
            restriction("x", **B, **PAIR, maxTotalCents=1),
            restriction("t", **B, maxAmountCents=1),
        ]
    )
    facts = balance_facts(book, draw=draw(), loteria=book.loterias[L1], seller=book.sellers[SELLER], at=AT)
    left = strictest_by_number(judge_limits(facts, {("VENTANA", VENTANA, ALL_JUGADAS, 8): 600}))
    assert len(left) == 100
    assert [(left[n].fact.rule_id, left[n].available_cents) for n in (7, 8, 9)] == [("u", 300), ("v", 0), ("v", 500)]
    assert banca_facts(book, draw=draw(), loteria=book.loterias[L1], at=AT) == []


# The rules read one by one, without any index.

AMOUNTS = st.none() | st.sampled_from([100, 250, 500, 900])
SCOPES = st.sampled_from([{}, B, V, U, {"ventanaId": OTHER}, {"userId": OTHER}])
PAIRS = st.sampled_from([{}, {}, PAIR, PAIR_REVENTADO])


@st.composite
def _rule(draw_value: st.DrawFn) -> dict[str, Any]:
    return restriction(
        str(draw_value(st.uuids())),
        **draw_value(SCOPES),
        **draw_value(PAIRS),
        number=draw_value(st.sampled_from([None, None, 7, 15])),
        isAutoDate=draw_value(st.sampled_from([False, False, True])),
        maxAmountCents=draw_value(AMOUNTS),
        maxTotalCents=draw_value(AMOUNTS),
        baseAmountCents=draw_value(AMOUNTS),
        salesBasisPoints=draw_value(st.sampled_from([None, 1_000, 5_000])),
        appliesToVendedor=draw_value(st.booleans()),
        appliesToDate=draw_value(st.sampled_from([None, None, "2026-01-15", "2026-01-16"])),
        appliesToHour=draw_value(st.sampled_from([None, None, 12, 13])),
    )


RULES = st.lists(_rule(), max_size=6)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["07", "15", "16"]),
        st.sampled_from([50, 100, 250, 400]),
        st.sampled_from([X85, X90]),
        st.sampled_from([0, 0, 50]),
    ),
    min_size=1,
    max_size=4,
)
COUNTERS = st.dictionaries(
    st.sampled_from(
        [
            (scope, scope_id, key, number)
            for scope, scope_id in (("BANCA", BANCA), ("VENTANA", VENTANA), ("VENDEDOR", SELLER))
            for key, number in ((ALL_JUGADAS, 7), (ALL_JUGADAS, 15), (ALL_JUGADAS, WHOLE_SALES), (X85, 7), (REVENTADO_KEY, 7))
        ]
    ),
    st.sampled_from([100, 300, 2_000]),
)  # fmt: skip


def jugadas_of(lines: Sequence[tuple[str, int, UUID, int]]) -> list[JugadaRequest]:
    made: list[JugadaRequest] = []
    for number, cents, multiplier_id, extra in lines:
        made.append(numero(number, f"{cents // 100}.{cents % 100:02d}", multiplier_id=multiplier_id))
        if extra:
            made.append(reventado(number, f"0.{extra}"))
    return made


def is_broken(rule: dict[str, Any], lines: Any, counters: Any, at: datetime) -> bool:
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
    number = local.day if rule["isAutoDate"] else rule["number"]
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


def outcome(book: Rulebook, lines: Any, counters: Any, at: datetime) -> set[str]:
    """The rules that are told to be broken."""
    request = ticket(*jugadas_of(lines))
    result = price(request, rulebook=book, draw=draw(), seller=book.sellers[SELLER], at=at)
    if isinstance(result, Refusal):
        return {str((v.data or {})["ruleId"]) for v in result.violations}
    verdicts = judge_limits(result.limits, counters)
    assert all(v.fact.amount_cents > 0 for v in verdicts)
    names = [(v.fact.rule_id, v.fact.number) for v in verdicts]
    assert len(set(names)) == len(names), "one fact for each rule and number"
    return {str(v.fact.rule_id) for v in verdicts if not v.fits}


def has_amounts(rule: dict[str, Any]) -> bool:
    return any(
        rule[key] is not None for key in ("maxAmountCents", "maxTotalCents", "baseAmountCents", "salesBasisPoints")
    )


def is_well_formed(rule: dict[str, Any]) -> bool:
    return not (rule["isAutoDate"] and "multiplierId" in rule)


@given(RULES.map(lambda rules: [rule for rule in rules if has_amounts(rule)]), LINES, COUNTERS)
@settings(max_examples=200)
def test_the_strictest_of_all_rules_wins(rules: Any, lines: Any, counters: Any) -> None:
    broken = {rule["id"] for rule in rules if is_well_formed(rule) and is_broken(rule, lines, counters, AT)}
    found = outcome(rulebook(restrictions=rules), lines, counters, AT)
    # What one ticket may not have is told before anything is counted.
    assert bool(found) == bool(broken)
    assert found <= broken


HOURS = st.dictionaries(st.integers(0, 6), st.sampled_from([(480, 1170), (0, 600), (720, 1439)]))
POLICIES = st.sampled_from(
    [None, policy("5", effectiveFrom="2026-01-15T12:30"), policy("7", effectiveTo="2026-01-16T09:00"), policy("9")]
)
DAY_NAMES = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
CUTOFFS = st.lists(
    st.builds(
        lambda scope, minutes, hour, day, key: restriction(
            str(key), **scope, salesCutoffMinutes=minutes, appliesToHour=hour, appliesToDate=day
        ),
        st.sampled_from([B, V, U]),
        st.integers(0, 30),
        st.sampled_from([None, 12, 14]),
        st.sampled_from([None, "2026-01-15", "2026-01-16"]),
        st.uuids(),
    ),
    max_size=3,
)


@st.composite
def _book_parts(draw_value: st.DrawFn) -> dict[str, Any]:
    hours = draw_value(HOURS)
    times = {
        DAY_NAMES[day]: {"start": f"{a // 60:02d}:{a % 60:02d}", "end": f"{b // 60:02d}:{b % 60:02d}"}
        for day, (a, b) in hours.items()
    }
    return {
        "rules": {"salesHours": times},
        "user": draw_value(POLICIES),
        "listero": draw_value(POLICIES),
        "restrictions": draw_value(RULES) + draw_value(CUTOFFS),
    }


@given(_book_parts(), LINES, st.timedeltas(timedelta(hours=-30), timedelta(hours=60)))
@settings(max_examples=200)
def test_a_price_is_the_same_at_every_instant_of_its_interval(parts: Any, lines: Any, later: timedelta) -> None:
    request = ticket(*jugadas_of(lines))

    def at(instant: datetime) -> PricedTicket | Refusal:
        book = rulebook(**parts)  # anew, so that nothing is remembered
        return price(request, rulebook=book, draw=draw(), seller=book.sellers[SELLER], at=instant)

    now = at(AT)
    assert (now.valid_from is None or now.valid_from <= AT) and (now.valid_until is None or now.valid_until > AT)
    inside = AT + later
    if now.valid_from is not None:
        inside = max(inside, now.valid_from)
    if now.valid_until is not None:
        inside = min(inside, now.valid_until - timedelta(microseconds=1))
    assert at(inside) == now


@given(_book_parts(), LINES, st.randoms(use_true_random=False))
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
