"""What is left of each number: whose sales count for it, and that no ticket could take more."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.balances import balance_facts
from core.domain.limit_board import (
    CountedScope,
    LimitBoard,
    counted_scopes,
    limit_board,
    nobody_of,
    numbers_played,
    ventana_facts,
)
from core.domain.limit_judge import CounterKey, judge_limits
from core.domain.money import format_cents
from core.domain.permissions import Role
from core.domain.pricing import DROPS_USER_RULES, price
from core.domain.restrictions import restrictions_in_force
from core.domain.rulebook import Rulebook, Seller
from core.domain.ticket import ALL_JUGADAS, WHOLE_SALES, Draw, PricedTicket
from tests.domain.domain_samples import (
    AT,
    BANCA,
    L1,
    SELLER,
    VENTANA,
    X85,
    draw,
    numero,
    restriction,
    rulebook,
    ticket,
)

OTHER = UUID(int=99)
B: CountedScope = ("BANCA", BANCA)
V: CountedScope = ("VENTANA", VENTANA)
U: CountedScope = ("VENDEDOR", SELLER)
OF_BANCA: dict[str, Any] = {"bancaId": str(BANCA)}
OF_VENTANA: dict[str, Any] = {"ventanaId": str(VENTANA)}
OF_SELLER: dict[str, Any] = {"userId": str(SELLER)}
PAIR = {"loteriaId": str(L1), "multiplierId": str(X85)}


def scopes(book: Rulebook, *, role: Role = Role.VENDEDOR, hours_later: int = 0) -> set[tuple[str, UUID]]:
    seller = book.sellers[SELLER]
    restrictions = restrictions_in_force(
        book,
        seller=seller,
        loteria=book.loterias[L1],
        drawn_on=draw().business_date,
        at=AT + timedelta(hours=hours_later),
        with_user_rules=role not in DROPS_USER_RULES,
    )
    return set(counted_scopes(restrictions, banca_id=BANCA, seller=seller))


def board(
    book: Rulebook, counters: dict[CounterKey, int], *, of: Draw | None = None, role: Role = Role.VENDEDOR
) -> LimitBoard:
    draw_of, loteria = of or draw(), book.loterias[L1]
    facts = balance_facts(book, draw=draw_of, loteria=loteria, seller=book.sellers[SELLER], at=AT, actor_role=role)
    return limit_board(facts, counters, numbers=numbers_played(loteria, draw_of))


@pytest.mark.parametrize(
    ("rule", "counted"),
    [
        (OF_BANCA | {"maxTotalCents": 1}, {B}),
        (OF_VENTANA | {"maxTotalCents": 1}, {B, V}),
        (OF_VENTANA | {"number": 7, "salesBasisPoints": 1}, {B, V}),
        (OF_SELLER | {"isAutoDate": True, "maxTotalCents": 1}, {B, U}),
        (OF_BANCA | {"maxTotalCents": 1, "appliesToVendedor": True}, {B, U}),
        (OF_VENTANA | {"maxAmountCents": 1}, {B}),
        (OF_VENTANA | PAIR | {"maxTotalCents": 1}, {B}),
        (OF_VENTANA | PAIR, {B}),
        (OF_VENTANA | {"salesCutoffMinutes": 5}, {B}),
        (OF_VENTANA | {"appliesToHour": 13, "maxTotalCents": 1}, {B}),
        ({"ventanaId": str(OTHER), "maxTotalCents": 1}, {B}),
        ({"maxTotalCents": 1}, {B}),
        ({"maxAmountCents": 1, "salesBasisPoints": 1}, {B}),
    ],
)
def test_only_what_a_rule_counts_has_to_be_read(rule: dict[str, Any], counted: set[tuple[str, UUID]]) -> None:
    assert scopes(rulebook(restrictions=[restriction("R", **rule)])) == counted


def test_at_another_hour_other_sales_count() -> None:
    book = rulebook(restrictions=[restriction("R", **OF_VENTANA, appliesToHour=13, maxTotalCents=1)])
    assert (scopes(book), scopes(book, hours_later=1)) == ({B}, {B, V})


def test_a_sellers_own_rules_do_not_count_for_those_who_pass_over_them() -> None:
    book = rulebook(restrictions=[restriction("R", **OF_SELLER, maxTotalCents=100)])
    for role in Role:
        is_bound = role in (Role.VENDEDOR, Role.BANCA)
        assert scopes(book, role=role) == ({B, U} if is_bound else {B})
        assert len(board(book, {}, role=role).numbers) == (100 if is_bound else 0)


def test_of_a_numbers_limits_the_strictest_is_told() -> None:
    book = rulebook(
        restrictions=[
            restriction("banca", **OF_BANCA, maxTotalCents=900),
            restriction("seller", **OF_SELLER, number=7, maxTotalCents=800),
        ],
        globalMaxPerNumberCents=850,
    )
    counters: dict[CounterKey, int] = {(*B, ALL_JUGADAS, 7): 100, (*U, ALL_JUGADAS, 7): 20, (*B, ALL_JUGADAS, 8): 900}
    of = draw(number_limits={7: 1_000, 9: 0})
    found = board(book, counters, of=of).numbers
    told = {n: (found[n].available_cents, found[n].fact.rule_id) for n in (6, 7, 8, 9)}
    assert told == {6: (850, None), 7: (750, None), 8: (0, "banca"), 9: (0, None)}
    counters[(*U, ALL_JUGADAS, 7)] = 51
    strictest = board(book, counters, of=of).numbers[7]
    assert (strictest.available_cents, strictest.limit_cents, strictest.used_cents) == (749, 800, 51)


def test_the_draws_whole_sales_stand_apart() -> None:
    settings_of_loteria = [{"loteriaId": str(L1), "xHundredths": None, "maxTotalPerSorteoCents": 500}]
    found = board(rulebook(bancaLoteriaSettings=settings_of_loteria), {("BANCA", BANCA, ALL_JUGADAS, WHOLE_SALES): 120})
    assert found.numbers == {}
    assert found.whole_sales is not None
    assert (found.whole_sales.available_cents, found.whole_sales.used_cents) == (380, 120)


@pytest.mark.parametrize(
    ("number_range", "digits", "played"),
    [
        (None, 2, range(100)),
        (None, 3, range(1_000)),
        ({"min": 10, "max": 59}, 2, range(10, 60)),
        ({"min": 10, "max": 999}, 2, range(10, 100)),
        ({"min": 200, "max": 300}, 2, range(200, 100)),
    ],
)
def test_numbers_that_are_not_played_are_not_told(
    number_range: dict[str, int] | None, digits: int, played: range
) -> None:
    book = rulebook(rules={"digits": 3} | ({"numberRange": number_range} if number_range else {}))
    assert numbers_played(book.loterias[L1], draw(digits=digits)) == played
    found = board(book, {}, of=draw(digits=digits, global_limit_cents=100)).numbers
    assert list(found) == list(played)


def test_what_binds_a_ventana_binds_each_of_its_sellers() -> None:
    book = rulebook(
        restrictions=[
            restriction("banca", **OF_BANCA, maxTotalCents=900),
            restriction("ventana", **OF_VENTANA, maxTotalCents=800),
            restriction("each", **OF_BANCA, appliesToVendedor=True, maxTotalCents=10),
            restriction("seller", **OF_SELLER, maxTotalCents=10),
            restriction("other", ventanaId=str(OTHER), maxTotalCents=10),
        ]
    )
    parts: Any = {"draw": draw(), "loteria": book.loterias[L1], "at": AT}
    assert {fact.rule_id for fact in ventana_facts(book, ventana_id=VENTANA, **parts)} == {"banca", "ventana"}
    assert {fact.rule_id for fact in ventana_facts(book, ventana_id=UUID(int=0), **parts)} == {"banca"}
    assert nobody_of(VENTANA).policy is None


AMOUNTS = st.none() | st.sampled_from([100, 250, 500, 900])


@st.composite
def _rules(draw_value: st.DrawFn) -> list[dict[str, Any]]:
    scope = st.sampled_from([OF_BANCA, OF_VENTANA, OF_SELLER, {}])
    one = st.builds(
        lambda key, of, number, total, base, percent, each: restriction(
            str(key), **of, number=number, maxTotalCents=total, baseAmountCents=base, salesBasisPoints=percent,
            appliesToVendedor=each,
        ),
        st.uuids(), scope, st.sampled_from([None, 7, 8]), AMOUNTS, AMOUNTS,
        st.sampled_from([None, 1_000, 5_000]), st.booleans(),
    )  # fmt: skip
    return draw_value(st.lists(one, max_size=6))


COUNTERS = st.dictionaries(
    st.sampled_from([(*scope, ALL_JUGADAS, number) for scope in (B, V, U) for number in (7, 8, WHOLE_SALES)]),
    st.integers(0, 1_200),
)


@settings(max_examples=300, deadline=None)
@given(_rules(), COUNTERS, AMOUNTS, st.none() | st.just(600))
def test_a_ticket_takes_what_is_left_and_not_a_cent_more(
    rules: list[dict[str, Any]], counters: dict[CounterKey, int], draws: int | None, banca: int | None
) -> None:
    """The same counters through the price that a ticket gets; what counted_scopes leaves out counts for nothing."""
    book, of = rulebook(restrictions=rules, globalMaxPerNumberCents=banca), draw(global_limit_cents=draws)
    read = {key: cents for key, cents in counters.items() if key[:2] in scopes(book)}
    found = board(book, read, of=of).numbers
    for number in (7, 8, 9):
        left = found[number].available_cents if number in found else None
        if left is None:
            assert fits(book, of, number, 10**9, counters)
            continue
        assert not fits(book, of, number, left + 1, counters)
        assert left == 0 or fits(book, of, number, left, counters)


def fits(book: Rulebook, of: Draw, number: int, cents: int, counters: dict[CounterKey, int]) -> bool:
    asked = ticket(numero(f"{number:02d}", format_cents(cents)))
    priced = price(asked, rulebook=book, draw=of, seller=book.sellers[SELLER], at=AT)
    assert isinstance(priced, PricedTicket), priced
    return all(verdict.fits for verdict in judge_limits(priced.limits, counters) if verdict.fact.accumulates)


def test_the_limits_of_a_ventana_are_those_of_the_hour() -> None:
    book = rulebook(restrictions=[restriction("r", **OF_VENTANA, maxTotalCents=500, appliesToHour=13)])
    of: dict[str, Any] = {"draw": draw(), "loteria": book.loterias[L1], "ventana_id": VENTANA}
    # AT is noon in Costa Rica.
    assert ventana_facts(book, **of, at=AT + timedelta(minutes=59)) == []
    assert {fact.rule_id for fact in ventana_facts(book, **of, at=AT + timedelta(hours=1))} == {"r"}


def test_nobody_is_a_seller_of_the_ventana_without_anything_of_its_own() -> None:
    assert nobody_of(VENTANA) == Seller(UUID(int=0), VENTANA)


def test_of_a_seller_who_is_nobody_no_counters_are_read() -> None:
    book = rulebook(restrictions=[restriction("R", **OF_BANCA, maxTotalCents=1, appliesToVendedor=True)])
    nobody = nobody_of(VENTANA)
    restrictions = restrictions_in_force(
        book, seller=nobody, loteria=book.loterias[L1], drawn_on=draw().business_date, at=AT, with_user_rules=True
    )
    assert set(counted_scopes(restrictions, banca_id=BANCA, seller=nobody)) == {B}
