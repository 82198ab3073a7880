from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import price_list
from core.domain.money import Cents
from core.domain.pricing import Refusal, price
from core.domain.rulebook import JugadaType, Rulebook
from core.domain.ticket import ALL_JUGADAS, JugadaRequest, LimitFact, PricedTicket
from tests.domain.domain_samples import (
    AT,
    BANCA,
    INACTIVE,
    L1,
    L2,
    MULTIPLIERS,
    OF_L2,
    OF_REVENTADO,
    SELLER,
    UNKNOWN,
    VENTANA,
    X80,
    X85,
    X90,
    draw,
    judged,
    multiplier,
    numero,
    policy,
    priced,
    refused,
    reventado,
    rulebook,
    ticket,
)

PLAIN = rulebook()


def test_a_priced_ticket_carries_all_that_the_till_needs() -> None:
    book = rulebook(user=policy("5"), listero=policy("15"), salesCutoffMinutes=5, globalMaxPerNumberCents=900_000)
    sold = priced(book, numero("07", "500", multiplier_id=X85), reventado("07", "200", link="07"), numero("15", "300"))
    assert [(j.line, j.type, j.number, j.multiplier_id, j.multiplier_x_hundredths) for j in sold.jugadas] == [
        (1, JugadaType.NUMERO, 7, X85, 8_500),
        (2, JugadaType.REVENTADO, 7, None, 0),
        (3, JugadaType.NUMERO, 15, X90, 9_000),
    ]
    assert (sold.vendedor_id, sold.ventana_id, sold.rulebook_version, sold.cutoff_s) == (SELLER, VENTANA, 7, 300)
    assert (sold.total_cents, sold.commission_cents, sold.listero_commission_cents) == (100_000, 5_000, 15_000)
    assert sold.limits == (
        LimitFact("BANCA", BANCA, ALL_JUGADAS, 7, Cents(70_000), Cents(900_000)),
        LimitFact("BANCA", BANCA, ALL_JUGADAS, 15, Cents(30_000), Cents(900_000)),
    )
    assert {fact.code for fact in sold.limits} == {"NUMBER_MAXTOTAL_EXCEEDED"}


def test_without_a_cap_there_is_no_limit_to_judge() -> None:
    assert priced(PLAIN, numero("07")).limits == ()


def test_a_cap_of_zero_blocks_and_is_judged() -> None:
    [fact] = priced(rulebook(globalMaxPerNumberCents=0), numero("07")).limits
    assert fact.cap_cents == 0


# Lottery and draw.


def test_the_lottery_may_be_left_out_but_not_be_another() -> None:
    assert isinstance(judged(PLAIN, numero("07"), loteria=None), PricedTicket)
    assert refused(PLAIN, numero("07"), loteria=L2) == [("SORTEO_LOTERIA_MISMATCH", "loteriaId")]


def test_an_inactive_lottery_sells_nothing() -> None:
    assert refused(PLAIN, numero("07", multiplier_id=OF_L2), of=draw(loteria=L2), loteria=L2) == [
        ("LOTERIA_INACTIVE", "loteriaId")
    ]


def test_a_draw_whose_lottery_is_not_in_the_rulebook_is_refused() -> None:
    assert refused(PLAIN, numero("07"), of=draw(loteria=UNKNOWN)) == [("LOTERIA_NOT_FOUND", "sorteoId")]


def test_an_empty_ticket_is_refused() -> None:
    assert refused(PLAIN) == [("JUGADAS_REQUIRED", "jugadas")]


# Numbers.


@pytest.mark.parametrize(
    ("digits", "rules", "number", "code"),
    [
        (2, {}, "99", None),
        (2, {}, "7", "NUMBER_WIDTH_INVALID"),
        (2, {}, "007", "NUMBER_WIDTH_INVALID"),
        (2, {}, "x7", "NUMBER_INVALID"),
        (3, {"digits": 3}, "999", None),  # RES-21: without a range, the draw's digits are the range
        (3, {"digits": 3}, "99", "NUMBER_WIDTH_INVALID"),
        (3, {"digits": 3, "numberRange": {"min": 100, "max": 499}}, "099", "NUMBER_OUT_OF_RANGE"),
        (3, {"digits": 3, "numberRange": {"min": 100, "max": 499}}, "100", None),
        (3, {"digits": 3, "numberRange": {"min": 100, "max": 499}}, "499", None),
        (3, {"digits": 3, "numberRange": {"min": 100, "max": 499}}, "500", "NUMBER_OUT_OF_RANGE"),
        (2, {"numberRange": {"min": 0, "max": 0}}, "01", "NUMBER_OUT_OF_RANGE"),
        (2, {"numberRange": {"max": 50}}, "51", "NUMBER_OUT_OF_RANGE"),
        (2, {"numberRange": {"min": 50}}, "99", None),
        # A lottery that became one of three digits after this draw was made.
        (2, {"digits": 3, "numberRange": {"min": 100, "max": 999}}, "99", "NUMBER_OUT_OF_RANGE"),
    ],
)
def test_a_number_has_the_draws_width_and_the_lotterys_range(
    digits: int, rules: Any, number: str, code: str | None
) -> None:
    book, of = rulebook(rules=rules), draw(digits=digits)
    assert book.defects == ()
    if code is None:
        assert priced(book, numero(number), of=of).jugadas[0].number == int(number)
    else:
        assert refused(book, numero(number), of=of) == [(code, "jugadas[0].number")]


def test_a_ticket_may_not_have_more_jugadas_than_its_lottery_takes() -> None:
    book = rulebook(rules={"maxNumbersPerTicket": 2})
    assert isinstance(judged(book, numero("01"), reventado("01")), PricedTicket)
    assert refused(book, numero("01"), reventado("01"), numero("01")) == [("MAX_NUMBERS_PER_TICKET", "jugadas")]


# Bets.


@pytest.mark.parametrize(
    ("loteria_min", "banca_min", "amount", "allowed"),
    [
        ("100", 0, "100", True),
        ("100", 0, "99.99", False),
        (None, 5_000, "50", True),
        (None, 5_000, "49.99", False),
        ("100", 20_000, "150", False),  # the stricter wins, whosever it is
        ("100", 5_000, "99", False),
        (None, 0, "0.01", True),
    ],
)
def test_a_bet_reaches_the_stricter_minimum(
    loteria_min: str | None, banca_min: int, amount: str, allowed: bool
) -> None:
    book = rulebook(rules={"minBetAmount": loteria_min}, defaultMinBetCents=banca_min)
    for jugadas in ([numero("07", amount)], [numero("07", amount), reventado("07", amount)]):
        if allowed:
            assert isinstance(judged(book, *jugadas), PricedTicket)
        else:
            assert refused(book, *jugadas) == [
                ("BET_MIN_VIOLATION", f"jugadas[{i}].amount") for i in range(len(jugadas))
            ]


def test_a_bet_stays_within_the_maximum_line_by_line() -> None:
    book = rulebook(rules={"maxBetAmount": "500.00"})
    assert isinstance(judged(book, numero("07", "500"), numero("07", "500")), PricedTicket)
    result = judged(book, numero("07", "500.01"))
    assert isinstance(result, Refusal)
    assert [v.to_json() for v in result.violations] == [
        {
            "code": "BET_MAX_VIOLATION",
            "message": "a jugada must be at most 500.00",
            "field": "jugadas[0].amount",
            "maxBetAmount": "500.00",
        }
    ]


def test_a_type_that_the_lottery_does_not_list_is_refused() -> None:
    assert refused(rulebook(rules={"allowedBetTypes": ["NUMERO"]}), numero("07"), reventado("07")) == [
        ("BETTYPE_NOT_ALLOWED", "jugadas[1].type")
    ]
    assert isinstance(judged(rulebook(rules={"allowedBetTypes": []}), numero("07"), reventado("07")), PricedTicket)


# REVENTADO.


def test_reventado_can_be_switched_off() -> None:
    for config in ({}, {"enabled": None}, {"enabled": True}, {"colors": ["ROJA"]}):
        assert isinstance(
            judged(rulebook(rules={"reventadoConfig": config}), numero("07"), reventado("07")), PricedTicket
        )
    assert refused(rulebook(rules={"reventadoConfig": {"enabled": False}}), numero("07"), reventado("07")) == [
        ("REVENTADO_DISABLED", "jugadas[1].type")
    ]


def test_a_lottery_may_insist_on_the_reventado_number() -> None:
    book = rulebook(rules={"reventadoConfig": {"enabled": True, "requiresMatchingNumber": True}})
    assert isinstance(judged(book, numero("07"), reventado("07", link="07")), PricedTicket)
    assert refused(book, numero("07"), reventado("07")) == [("REVENTADO_MATCH_REQUIRED", "jugadas[1].reventadoNumber")]


@pytest.mark.parametrize(
    ("jugadas", "violations"),
    [
        ([numero("07", "500"), reventado("07", "500")], []),
        ([reventado("07", "500"), numero("07", "500")], []),  # the order of lines does not matter
        ([numero("07", "200"), numero("07", "300"), reventado("07", "500", link="07")], []),
        ([numero("07", "500"), reventado("07", "200"), reventado("07", "300")], []),
        ([reventado("07")], [("REVENTADO_MATCH_REQUIRED", "jugadas[0].number")]),
        ([numero("08"), reventado("07")], [("REVENTADO_MATCH_REQUIRED", "jugadas[1].number")]),
        ([numero("07"), reventado("07", link="08")], [("INVALID_REVENTADO_LINK", "jugadas[1].reventadoNumber")]),
        ([numero("07", "500"), reventado("07", "500.01")], [("REVENTADO_EXCEEDS_NUMERO", "jugadas[1].amount")]),
        # Jointly: neither line exceeds by itself, and one of them is enough to say so.
        (
            [numero("07", "500"), reventado("07", "300"), reventado("07", "300"), reventado("07", "300")],
            [("REVENTADO_EXCEEDS_NUMERO", "jugadas[2].amount")],
        ),
        (
            [numero("07", "1"), numero("08", "1"), reventado("08", "2"), reventado("07", "2")],
            [("REVENTADO_EXCEEDS_NUMERO", "jugadas[2].amount"), ("REVENTADO_EXCEEDS_NUMERO", "jugadas[3].amount")],
        ),
    ],
)
def test_a_reventado_leans_on_its_numero(jugadas: list[JugadaRequest], violations: Any) -> None:
    result = judged(PLAIN, *jugadas)
    found = result.violations if isinstance(result, Refusal) else ()
    assert [(v.code, v.field) for v in found] == violations


def test_a_numero_has_no_reventado_number() -> None:
    line = replace(numero("07"), reventado_number_text="07")
    assert refused(PLAIN, line) == [("INVALID_REVENTADO_LINK", "jugadas[0].reventadoNumber")]


# Multipliers.


def test_mul_6_the_chosen_multiplier_is_frozen() -> None:
    line = priced(PLAIN, numero("07", multiplier_id=X85)).jugadas[0]
    assert (line.multiplier_id, line.multiplier_x_hundredths) == (X85, 8_500)


def test_mul_8_reventado_has_no_multiplier_at_the_sale() -> None:
    line = priced(PLAIN, numero("07"), reventado("07")).jugadas[1]
    assert (line.multiplier_id, line.multiplier_x_hundredths) == (None, 0)


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        (UNKNOWN, "INVALID_MULTIPLIER"),
        (OF_REVENTADO, "INVALID_MULTIPLIER_KIND"),
        (OF_L2, "INVALID_MULTIPLIER_LOTERIA"),  # MUL-9
        (INACTIVE, "INACTIVE_MULTIPLIER"),
    ],
)
def test_a_multiplier_that_may_not_be_chosen_has_its_code(chosen: UUID, code: str) -> None:
    assert refused(PLAIN, numero("07", multiplier_id=chosen)) == [(code, "jugadas[0].multiplierId")]


def test_a_multiplier_without_value_is_refused_and_never_the_base() -> None:
    book = rulebook(multipliers=(multiplier(X80, 0, name="Base"),))
    assert refused(book, numero("07", multiplier_id=X80)) == [("INVALID_MULTIPLIER_VALUE", "jugadas[0].multiplierId")]
    assert refused(book, numero("07")) == [("MISSING_MULTIPLIER_ID", "jugadas[0].multiplierId")]


def test_a_reventado_may_not_choose_a_multiplier() -> None:
    for chosen in (X90, OF_REVENTADO):
        assert refused(PLAIN, numero("07"), reventado("07", multiplier_id=chosen)) == [
            ("INVALID_MULTIPLIER_KIND", "jugadas[1].multiplierId")
        ]


@pytest.mark.parametrize(
    ("multipliers", "rules", "frozen"),
    [
        (MULTIPLIERS, {}, (X90, 9_000)),
        # MUL-4: "Base" inactive, then the oldest of kind NUMERO.
        (
            (multiplier(X90, 90, name="Base", isActive=False), multiplier(X85, 25), multiplier(X80, 20)),
            {"baseMultiplierX": 70},
            (X80, 2_000),
        ),
        (
            (multiplier(X90, 90, name="Base", kind="REVENTADO"), multiplier(X85, 85)),
            {},
            (X85, 8_500),
        ),
        ((multiplier(OF_L2, 90, name="Base", loteria=L2),), {"baseMultiplierX": "72.50"}, (None, 7_250)),
        ((), {"baseMultiplierX": 70}, (None, 7_000)),
    ],
)
def test_without_a_choice_the_chain_decides(multipliers: Any, rules: Any, frozen: tuple[UUID | None, int]) -> None:
    line = priced(rulebook(multipliers=multipliers, rules=rules), numero("07")).jugadas[0]
    assert (line.multiplier_id, line.multiplier_x_hundredths) == frozen


def test_without_a_choice_and_without_a_base_one_must_be_chosen() -> None:
    assert refused(rulebook(multipliers=()), numero("07")) == [("MISSING_MULTIPLIER_ID", "jugadas[0].multiplierId")]


# All at once.


def test_all_violations_are_told_at_once_sorted_by_jugada() -> None:
    book = rulebook(
        rules={
            "minBetAmount": 100,
            "maxBetAmount": 500,
            "maxNumbersPerTicket": 3,
            "numberRange": {"min": 10, "max": 90},
            "reventadoConfig": {"enabled": False},
        }
    )
    found = refused(
        book,
        numero("7", "50", multiplier_id=UNKNOWN),
        reventado("11", "600", link="12", multiplier_id=X90),
        numero("95", "400"),
        numero("20", "400"),
        loteria=L2,
    )
    assert found == [
        ("SORTEO_LOTERIA_MISMATCH", "loteriaId"),
        ("MAX_NUMBERS_PER_TICKET", "jugadas"),
        ("NUMBER_WIDTH_INVALID", "jugadas[0].number"),
        ("BET_MIN_VIOLATION", "jugadas[0].amount"),
        ("INVALID_MULTIPLIER", "jugadas[0].multiplierId"),
        ("REVENTADO_DISABLED", "jugadas[1].type"),
        ("BET_MAX_VIOLATION", "jugadas[1].amount"),
        ("INVALID_MULTIPLIER_KIND", "jugadas[1].multiplierId"),
        ("INVALID_REVENTADO_LINK", "jugadas[1].reventadoNumber"),
        ("REVENTADO_MATCH_REQUIRED", "jugadas[1].number"),
        ("NUMBER_OUT_OF_RANGE", "jugadas[2].number"),
    ]


GOOD = st.builds(
    numero,
    st.sampled_from(["00", "07", "15", "99"]),
    st.integers(1, 100_000).map(str),
    multiplier_id=st.sampled_from([None, X80, X85, X90]),
)
PERCENTS = st.integers(0, 10_000).map(lambda bp: f"{bp // 100}.{bp % 100:02d}")
POLICIES = st.none() | st.builds(policy, PERCENTS)
BOOKS = st.builds(
    rulebook,
    user=POLICIES,
    ventana=POLICIES,
    listero=POLICIES,
    banca=POLICIES,
    globalMaxPerNumberCents=st.none() | st.integers(0, 10**9),
)


@given(BOOKS, st.lists(GOOD, min_size=1, max_size=8), st.booleans())
def test_sums_are_those_of_the_lines_and_nobody_earns_more_than_is_bet(
    book: Rulebook, jugadas: list[JugadaRequest], doubled: bool
) -> None:
    extra = [reventado(jugadas[0].number_text, "1")] if doubled else []
    sold = priced(book, *jugadas, *extra)
    lines = sold.jugadas
    assert [line.line for line in lines] == list(range(1, len(lines) + 1))
    assert sold.total_cents == sum(j.amount_cents for j in lines) > 0
    assert sold.commission_cents == sum(j.commission_cents for j in lines)
    assert sold.listero_commission_cents == sum(j.listero_commission_cents for j in lines)
    assert 0 <= sold.seller_credit_cents <= sold.commission_cents <= sold.total_cents
    assert 0 <= sold.listero_commission_cents <= sold.total_cents
    assert sold.seller_credit_cents in (0, sold.commission_cents)
    on_number = Counter[int]()
    for jugada in lines:
        on_number[jugada.number] += jugada.amount_cents
    if book.global_max_per_number_cents is None:
        assert sold.limits == ()
    else:
        assert [(fact.number, fact.amount_cents) for fact in sold.limits] == sorted(on_number.items())


BAD = {
    "NUMBER_WIDTH_INVALID": numero("7"),
    "NUMBER_INVALID": numero("ab"),
    "INVALID_MULTIPLIER": numero("07", multiplier_id=UNKNOWN),
    "INACTIVE_MULTIPLIER": numero("07", multiplier_id=INACTIVE),
    "REVENTADO_MATCH_REQUIRED": reventado("88"),
    "BET_MAX_VIOLATION": numero("07", "200000"),
}


@given(st.lists(GOOD.map(lambda jugada: (None, jugada)) | st.sampled_from(sorted(BAD.items())), min_size=1, max_size=8))
def test_no_violation_hides_another(lines: Any) -> None:
    wrong = [(code, index) for index, (code, _) in enumerate(lines) if code]
    result = judged(rulebook(rules={"maxBetAmount": 100_000}), *(jugada for _, jugada in lines))
    found = result.violations if isinstance(result, Refusal) else ()
    assert [(v.code, int((v.field or "")[8])) for v in found] == wrong


def test_sellers_without_a_policy_share_a_price_list_and_a_rulebook_keeps_a_bounded_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(price_list, "PRICE_LISTS_MAX", 3)
    rows = [
        {"id": str(UUID(int=500 + n)), "ventanaId": str(VENTANA), "policy": own}
        for n, own in enumerate([None] * 5 + [policy("5")] * 5)
    ]
    book = rulebook(sellers=rows)
    for seller in book.sellers.values():
        sold = price(ticket(numero("07")), rulebook=book, draw=draw(), seller=seller, at=AT)
        assert isinstance(sold, PricedTicket)
        assert sold.jugadas[0].commission_origin == ("USER" if seller.policy else None)
        assert len(book.price_lists) <= 3
        if seller.policy is None:
            assert list(book.price_lists) == [(VENTANA, None, L1)]
