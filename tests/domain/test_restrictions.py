"""§2.11: what each rule gives the till to judge, and what is refused without it."""

import json
from typing import Any
from uuid import UUID

import pytest

from core.domain.balances import balance_facts, banca_facts
from core.domain.limit_judge import CounterKey, judge_limits, strictest_by_number, violations_of_limits
from core.domain.permissions import Role
from core.domain.pricing import Refusal, price
from core.domain.rulebook import Rulebook
from core.domain.ticket import ALL_JUGADAS, REVENTADO_KEY, WHOLE_SALES, JugadaRequest, LimitFact, PricedTicket
from core.domain.violations import Violation
from tests.domain.domain_samples import (
    AT,
    BANCA,
    L1,
    SELLER,
    VENTANA,
    X80,
    X85,
    X90,
    draw,
    numero,
    priced,
    restriction,
    reventado,
    rulebook,
    ticket,
)
from tests.domain.restriction_samples import OTHER, PAIR, PAIR_REVENTADO, B, U, V


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


@pytest.mark.parametrize("role", [Role.ADMIN, Role.VENTANA])
def test_a_sale_in_a_sellers_name_moves_her_counters_and_none_twice(role: Role) -> None:
    rules = [
        restriction("u", **U, maxTotalCents=1),
        restriction("b", **B, maxTotalCents=10**9),
    ]
    result = sold_by(role, *rules)
    assert isinstance(result, PricedTicket)
    assert [fact.rule_id for fact in result.limits] == ["b"]
    assert [(f.rule_id, f.scope, f.scope_id, f.number, f.amount_cents) for f in result.moves] == [
        ("u", "VENDEDOR", SELLER, 7, 100_000)
    ]
    own = sold_by(Role.VENDEDOR, *rules)
    assert isinstance(own, PricedTicket)
    assert own.moves == ()


def test_a_sale_in_a_sellers_name_holds_no_longer_than_her_own_rules() -> None:
    # AT is noon of Costa Rica; until 13:00 no rule of the seller applies.
    rules = [restriction("u", **U, appliesToHour=13, maxTotalCents=1), restriction("b", **B, maxTotalCents=10**9)]
    for role in (Role.ADMIN, Role.VENTANA, Role.VENDEDOR):
        result = sold_by(role, *rules)
        assert isinstance(result, PricedTicket)
        assert result.valid_until == AT.replace(hour=19), role


def test_violations_stand_by_scope_whatever_the_ids_say() -> None:
    rules = [
        restriction("z", **U, maxAmountCents=1),
        restriction("y", **V, maxAmountCents=1),
        restriction("x", **B, maxAmountCents=1),
        restriction("b", **B, number=7, maxAmountCents=1),
        restriction("a", **B, number=7, maxAmountCents=1),
    ]
    result = sold_by(Role.VENDEDOR, *rules)
    assert isinstance(result, Refusal)
    assert [(v.data or {})["ruleId"] for v in result.violations] == ["a", "b", "z", "y", "x"]


def test_blocks_stand_by_scope_whatever_the_ids_say() -> None:
    rules = [restriction("z", **U, **PAIR, message="hers"), restriction("a", **V, **PAIR, message="the ventana's")]
    for order in (rules, rules[::-1]):
        result = sold_by(Role.VENDEDOR, *order)
        assert isinstance(result, Refusal)
        assert [violation.message for violation in result.violations] == ["hers", "the ventana's"]


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


def test_what_counts_the_whole_banca_is_known_without_a_seller() -> None:
    rules = [
        restriction("v", **V, maxTotalCents=500),
        restriction("b", **B, number=7, maxTotalCents=400),
        # At the hour of AT, and not at another.
        restriction("now", **B, number=8, maxTotalCents=300, appliesToHour=12),
        restriction("later", **B, number=9, maxTotalCents=200, appliesToHour=13),
    ]
    book = rulebook(restrictions=rules)
    facts = banca_facts(book, draw=draw(), loteria=book.loterias[L1], at=AT)
    assert [(fact.rule_id, fact.number) for fact in facts] == [("b", 7), ("now", 8)]


def test_a_block_is_told_at_the_line_that_it_blocks() -> None:
    block = restriction("R", **V, **PAIR, number=8)
    book = rulebook(restrictions=[block])
    lines = (numero("x7"), numero("07", multiplier_id=X85), numero("08", multiplier_id=X90))
    blocked = numero("08", multiplier_id=X85)
    found = [violation for violation in judged_violations(book, *lines, blocked) if violation.data]
    assert [(v.code, v.field) for v in found] == [("LOTTERY_MULTIPLIER_RESTRICTED", "jugadas[3].multiplierId")]
    assert found[0].data == {
        "ruleId": "R",
        "ruleScope": "VENTANA",
        "loteriaId": str(L1),
        "loteriaName": "Tica",
        "multiplierId": str(X85),
        "multiplierName": "X85",
    }


def test_a_line_without_a_multiplier_hides_no_block_behind_it() -> None:
    book = rulebook(restrictions=[restriction("R", **PAIR)])
    lines = (numero("07", multiplier_id=UUID(int=999)), numero("07", multiplier_id=X85))
    assert [(v.code, v.field) for v in judged_violations(book, *lines)] == [
        ("INVALID_MULTIPLIER", "jugadas[0].multiplierId"),
        ("LOTTERY_MULTIPLIER_RESTRICTED", "jugadas[1].multiplierId"),
    ]


def judged_violations(book: Rulebook, *jugadas: JugadaRequest) -> tuple[Violation, ...]:
    result = price(ticket(*jugadas), rulebook=book, draw=draw(), seller=book.sellers[SELLER], at=AT)
    assert isinstance(result, Refusal)
    return result.violations


def test_an_unscoped_rule_counts_in_the_ventana_of_each_ticket() -> None:
    """Also where another ventana's ticket was priced right before."""
    other, colleague = UUID(int=22), UUID(int=32)
    book = rulebook(
        restrictions=[restriction("R", maxAmountCents=10**9, baseAmountCents=500, salesBasisPoints=300)],
        ventanas=[{"id": str(one), "policy": None, "listeroPolicy": None} for one in (VENTANA, other)],
        sellers=[
            {"id": str(seller), "ventanaId": str(one), "policy": None}
            for seller, one in ((SELLER, VENTANA), (colleague, other))
        ],
    )
    for _ in range(2):
        for seller, ventana in ((SELLER, VENTANA), (colleague, other)):
            sold = price(ticket(numero("07")), rulebook=book, draw=draw(), seller=book.sellers[seller], at=AT)
            assert isinstance(sold, PricedTicket)
            assert [(fact.scope, fact.scope_id) for fact in sold.limits] == [("VENTANA", ventana)]


@pytest.mark.parametrize(
    ("dynamic", "is_dynamic"),
    [({}, False), ({"baseAmountCents": 5}, True), ({"baseAmountCents": 5, "salesBasisPoints": 1}, True)],
)
def test_a_limit_says_whether_it_is_dynamic(dynamic: dict[str, int], is_dynamic: object) -> None:
    fact = only_fact(restriction("R", bancaId=str(BANCA), maxTotalCents=10, **dynamic))
    assert fact.label is not None
    assert json.loads(fact.label)["isDynamic"] is is_dynamic
