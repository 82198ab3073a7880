"""The worked examples of domain §14.1, and what holds for every policy."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.calendar import format_instant
from core.domain.commission_policy import read_commission_policy
from core.domain.commissions import commission_of, policy_in_force, rate_of, rates_of, seller_chain
from core.domain.money import Cents
from core.domain.rulebook import CommissionPolicy, CommissionRule, JugadaType, Rulebook
from core.domain.ticket import JugadaRequest
from tests.domain.domain_samples import (
    AT,
    L1,
    L2,
    SELLER,
    UNKNOWN,
    X80,
    X85,
    X90,
    multiplier,
    numero,
    policy,
    priced,
    reventado,
    rulebook,
)

A = {
    "id": "A",
    "loteriaId": str(L1),
    "betType": "NUMERO",
    "multiplierRange": {"min": "90", "max": "90"},
    "percent": "12",
}
P_USER = policy("5", A)
P_VENTANA = policy("10")
P_BANCA = policy("8")


def line(book: Rulebook, jugada: JugadaRequest) -> tuple[int, int, str | None, str | None]:
    """(percent in basis points, cents, origin, rule) of the ticket's first line."""
    first = priced(book, jugada).jugadas[0]
    return first.commission_basis_points, first.commission_cents, first.commission_origin, first.commission_rule_id


def test_com_1_the_users_rule_decides() -> None:
    book = rulebook(user=P_USER, ventana=P_VENTANA, banca=P_BANCA)
    assert line(book, numero("07", "1000", multiplier_id=X90)) == (1_200, 12_000, "USER", "A")


def test_com_2_without_a_matching_rule_the_same_policys_default_holds() -> None:
    book = rulebook(user=P_USER, ventana=P_VENTANA, banca=P_BANCA)
    assert line(book, numero("07", "1000", multiplier_id=X85)) == (500, 5_000, "USER", None)


def test_com_3_a_ventanas_commission_is_recorded_but_not_credited() -> None:
    book = rulebook(ventana=P_VENTANA, banca=P_BANCA)
    sold = priced(book, numero("07", "1000", multiplier_id=X90))
    assert line(book, numero("07", "1000", multiplier_id=X90)) == (1_000, 10_000, "VENTANA", None)
    assert (sold.commission_cents, sold.seller_credit_cents) == (10_000, 0)


def test_without_policies_nobody_earns() -> None:
    sold = priced(rulebook(), numero("07", "1000"))
    assert line(rulebook(), numero("07", "1000")) == (0, 0, None, None)
    assert (sold.commission_cents, sold.seller_credit_cents, sold.listero_commission_cents) == (0, 0, 0)


def test_the_bancas_policy_is_the_last_resort() -> None:
    assert line(rulebook(banca=P_BANCA), numero("07", "1000")) == (800, 8_000, "BANCA", None)


def test_com_5_a_policy_of_zero_percent_is_still_the_policy() -> None:
    assert line(rulebook(user=policy("0"), ventana=P_VENTANA), numero("07", "1000")) == (0, 0, "USER", None)


def test_com_6_the_first_match_wins() -> None:
    first = {"id": "R1", "loteriaId": None, "betType": None, "percent": "7"}
    book = rulebook(user=policy("5", first, {**A, "id": "R2"}))
    assert line(book, numero("07", "1000", multiplier_id=X90)) == (700, 7_000, "USER", "R1")


def test_com_8_a_rule_for_reventado_ignores_its_range() -> None:
    rule = {"id": "R", "betType": "REVENTADO", "multiplierRange": {"min": 200, "max": 200}, "percent": "15"}
    sold = priced(rulebook(user=policy("5", rule)), numero("07", "500"), reventado("07", "500"))
    assert (sold.jugadas[1].commission_basis_points, sold.jugadas[1].commission_cents) == (1_500, 7_500)


def test_a_range_of_a_rule_for_any_type_never_matches_reventado() -> None:
    rule = {"id": "R", "multiplierRange": {"min": 80, "max": 90}, "percent": "15"}
    sold = priced(rulebook(user=policy("5", rule)), numero("07", "500"), reventado("07", "500"))
    assert [j.commission_rule_id for j in sold.jugadas] == ["R", None]


def test_com_9_a_missing_key_means_any() -> None:
    book = rulebook(user=policy("3", {"id": "R", "percent": "20"}))
    assert line(book, numero("07", "100")) == (2_000, 2_000, "USER", "R")


def test_com_11_each_line_is_rounded_half_up_before_they_are_summed() -> None:
    sold = priced(rulebook(user=policy("7.5")), *(numero(n, "333") for n in ("01", "02", "03")))
    assert [j.commission_cents for j in sold.jugadas] == [2_498] * 3
    assert sold.commission_cents == sold.seller_credit_cents == 7_494


@pytest.mark.parametrize(
    ("policies", "cents"),
    [
        ({"listero": policy("15"), "ventana": P_VENTANA, "banca": P_BANCA}, 15_000),  # COM-12
        ({"ventana": P_VENTANA, "banca": P_BANCA}, 10_000),
        ({"banca": P_BANCA}, 8_000),
        ({"listero": policy("0"), "ventana": P_VENTANA}, 0),
        ({"user": policy("50")}, 0),  # the seller's own policy is not the listero's
    ],
)
def test_com_12_the_listero_earns_by_the_own_policy_then_ventana_then_banca(policies: Any, cents: int) -> None:
    assert priced(rulebook(**policies), numero("07", "1000")).listero_commission_cents == cents


@pytest.mark.parametrize(("x", "matches"), [(8_000, True), (9_000, True), (7_999, False), (9_001, False)])
def test_com_14_both_ends_of_a_range_are_included(x: int, matches: bool) -> None:
    rule = CommissionRule("R", None, None, 8_000, 9_000, 1_000)
    found = rate_of(CommissionPolicy(0, (rule,)), loteria_id=L1, bet_type=JugadaType.NUMERO, x_hundredths=x)
    assert found == ((1_000, "R") if matches else (0, None))


BOUND = st.none() | st.integers(0, 6)
RULES = st.builds(
    CommissionRule,
    id=st.uuids().map(str),
    loteria_id=st.sampled_from((None, L1, L2)),
    bet_type=st.sampled_from((None, *JugadaType)),
    multiplier_min=BOUND,
    multiplier_max=BOUND,
    basis_points=st.integers(0, 10_000),
)


@given(st.lists(RULES, max_size=8), st.sampled_from(JugadaType), st.lists(st.integers(0, 6), max_size=9))
def test_of_all_multipliers_together_each_has_the_first_rule_that_matches_it(
    rules: list[CommissionRule], bet_type: JugadaType, xs: list[int]
) -> None:
    def matches(rule: CommissionRule, x: int) -> bool:
        if rule.loteria_id not in (None, L1) or rule.bet_type not in (None, bet_type):
            return False
        low, high = rule.multiplier_min, rule.multiplier_max
        is_within = (low is None or low <= x) and (high is None or x <= high)
        return rule.bet_type is JugadaType.REVENTADO or is_within

    expected = {x: next(((r.basis_points, r.id) for r in rules if matches(r, x)), (7, None)) for x in xs}
    assert rates_of(CommissionPolicy(7, tuple(rules)), loteria_id=L1, bet_type=bet_type, xs=xs) == expected


def test_com_16_the_ventana_gains_the_difference() -> None:
    book = rulebook(user=P_USER, listero=policy("15"))
    sold = priced(book, numero("07", "1000", multiplier_id=X90))
    assert sold.listero_commission_cents - sold.commission_cents == 3_000


def test_a_rule_of_another_lottery_does_not_match() -> None:
    book = rulebook(user=policy("5", {**A, "loteriaId": str(L2)}))
    assert line(book, numero("07", "1000", multiplier_id=X90)) == (500, 5_000, "USER", None)


def test_a_rule_that_names_only_a_multiplier_means_its_value() -> None:
    book = rulebook(user=policy("5", {"id": "R", "multiplierId": str(X80), "percent": "9"}))
    assert line(book, numero("07", "1000", multiplier_id=X80)) == (900, 9_000, "USER", "R")
    assert line(book, numero("07", "1000", multiplier_id=X85)) == (500, 5_000, "USER", None)


def test_two_multipliers_on_one_number_earn_each_their_own() -> None:
    sold = priced(rulebook(user=P_USER), numero("07", multiplier_id=X90), numero("07", multiplier_id=X85))
    assert [(j.multiplier_id, j.commission_basis_points) for j in sold.jugadas] == [(X90, 1_200), (X85, 500)]


NEXT_HOUR, LAST_HOUR = AT + timedelta(hours=1), AT - timedelta(hours=1)


def dated(default: str, start: datetime | None = None, end: datetime | None = None) -> dict[str, Any]:
    return policy(default, effectiveFrom=start and format_instant(start), effectiveTo=end and format_instant(end))


@pytest.mark.parametrize(
    ("policies", "origin", "valid_from", "valid_until"),
    [
        ({"user": dated("5")}, "USER", None, None),
        ({"user": dated("5", LAST_HOUR, NEXT_HOUR)}, "USER", LAST_HOUR, NEXT_HOUR),
        ({"user": dated("5", AT)}, "USER", AT, None),
        ({"user": dated("5", None, AT), "ventana": P_VENTANA}, "VENTANA", AT, None),
        ({"user": dated("5", NEXT_HOUR), "ventana": P_VENTANA}, "VENTANA", None, NEXT_HOUR),
        ({"user": dated("5", NEXT_HOUR)}, None, None, NEXT_HOUR),
        ({"user": dated("5"), "listero": dated("9", None, NEXT_HOUR)}, "USER", None, NEXT_HOUR),
        ({"user": dated("5", LAST_HOUR), "listero": dated("9", LAST_HOUR - timedelta(1))}, "USER", LAST_HOUR, None),
    ],
)
def test_a_price_holds_as_long_as_the_policies_that_made_it(
    policies: Any, origin: str | None, valid_from: datetime | None, valid_until: datetime | None
) -> None:
    sold = priced(rulebook(**policies), numero("07"))
    assert sold.jugadas[0].commission_origin == origin
    assert (sold.valid_from, sold.valid_until) == (valid_from, valid_until)


def test_the_rulebook_remembers_no_price_beyond_its_end() -> None:
    book = rulebook(user=dated("5", None, NEXT_HOUR), ventana=P_VENTANA)
    moments = [AT, NEXT_HOUR - timedelta(microseconds=1), NEXT_HOUR, AT]
    assert [priced(book, numero("07"), at=at).jugadas[0].commission_origin for at in moments] == [
        *("USER", "USER", "VENTANA", "USER")
    ]


PERCENTS = st.integers(0, 10_000)
RULES = st.builds(
    CommissionRule,
    id=st.sampled_from("abc"),
    loteria_id=st.sampled_from([None, L1, L2]),
    bet_type=st.sampled_from([None, *JugadaType]),
    multiplier_min=st.none() | st.integers(0, 20_000),
    multiplier_max=st.none() | st.integers(0, 20_000),
    basis_points=PERCENTS,
)
POLICIES = st.builds(
    CommissionPolicy,
    PERCENTS,
    st.lists(RULES, max_size=4).map(tuple),
    st.none() | st.sampled_from([LAST_HOUR, NEXT_HOUR]),
    st.none() | st.sampled_from([LAST_HOUR, NEXT_HOUR]),
)


@given(
    st.lists(st.none() | POLICIES, max_size=3),
    st.sampled_from(JugadaType),
    st.integers(0, 20_000),
    st.integers(1, 10**11),
)
def test_a_commission_is_never_negative_nor_more_than_the_bet(
    policies: Any, bet_type: JugadaType, x: int, amount: int
) -> None:
    chain = tuple(zip(("USER", "VENTANA", "BANCA"), policies, strict=False))
    found = commission_of(
        policy_in_force(chain, at=AT), loteria_id=L1, bet_type=bet_type, x_hundredths=x, amount_cents=Cents(amount)
    )
    assert 0 <= found.cents <= amount
    assert 0 <= found.basis_points <= 10_000
    assert found.origin is not None or (found.cents, found.rule_id) == (0, None)


@given(st.lists(st.none() | POLICIES, min_size=3, max_size=3), st.timedeltas(timedelta(hours=-3), timedelta(hours=3)))
def test_the_policy_in_force_is_the_same_at_every_instant_of_its_interval(policies: Any, later: timedelta) -> None:
    chain = tuple(zip(("USER", "VENTANA", "BANCA"), policies, strict=True))
    now = policy_in_force(chain, at=AT)
    assert (now.valid_from is None or now.valid_from <= AT) and (now.valid_until is None or now.valid_until > AT)
    then = AT + later
    if (now.valid_from is None or now.valid_from <= then) and (now.valid_until is None or then < now.valid_until):
        assert policy_in_force(chain, at=then) == now


def test_a_seller_whose_ventana_is_missing_still_sells() -> None:
    book = rulebook(ventanas=[], banca=P_BANCA)
    assert any("ventana" in defect for defect in book.defects)
    assert [policy for _, policy in seller_chain(book, book.sellers[SELLER])][:2] == [None, None]
    assert line(book, numero("07", "1000")) == (800, 8_000, "BANCA", None)


def test_the_last_created_multiplier_changes_nothing_for_the_others() -> None:
    more = (multiplier(X90, 90, name="Base"), multiplier(X85, 85))
    book = rulebook(multipliers=more, user=P_USER)
    assert line(book, numero("07", "1000", multiplier_id=X90))[3] == "A"


@pytest.mark.parametrize(
    ("members", "low", "high"),
    [
        ({}, None, None),
        ({"multiplierRange": {"min": "0", "max": "9999.00"}}, 0, 999_900),
        ({"multiplierRange": {"min": "85.00", "max": "85.00"}}, 8_500, 8_500),
        # The range counts, not the multiplier beside it.
        ({"multiplierRange": {"min": 1, "max": 2}, "multiplierId": str(X80)}, 100, 200),
        ({"multiplierId": str(X80)}, 8_000, 8_000),
        # No multiplier has this value.
        ({"multiplierId": str(UNKNOWN)}, -1, -1),
    ],
)
def test_the_multipliers_that_a_rule_is_for(members: dict[str, Any], low: int | None, high: int | None) -> None:
    found, violations = read_commission_policy(policy("5", {"percent": "0", **members}), x_of_multiplier={X80: 8_000})
    assert violations == []
    assert found.rules == (CommissionRule("rules[0]", None, None, low, high, 0),)


@pytest.mark.parametrize(
    ("bounds", "field"),
    [
        ({"min": "2", "max": "1.99"}, "rules[0].multiplierRange.max"),
        ({"min": "2"}, "rules[0].multiplierRange.max"),
        ({"max": "2"}, "rules[0].multiplierRange.min"),
        ({"min": "2", "max": "9999.01"}, "rules[0].multiplierRange.max"),
        ({"min": -1, "max": "2"}, "rules[0].multiplierRange.min"),
        ({"min": "1", "max": "2", "step": 1}, "rules[0].multiplierRange.step"),
    ],
)
def test_a_range_that_is_none_is_refused_where_it_is_wrong(bounds: object, field: str) -> None:
    document = policy("5", {"percent": "1", "multiplierRange": bounds})
    _, violations = read_commission_policy(document, x_of_multiplier={})
    assert [violation.field for violation in violations] == [field]
