"""What a priced ticket carries, and why one is refused: its lottery and draw, its numbers, its bets."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from core.domain import price_list
from core.domain.money import Cents
from core.domain.pricing import Refusal, price
from core.domain.rulebook import JugadaType, SaleCaps
from core.domain.ticket import ALL_JUGADAS, CLIENTE_DEFAULT, LimitFact, PricedTicket, TicketRequest
from tests.domain.domain_samples import (
    AT,
    BANCA,
    L1,
    L2,
    OF_L2,
    PLAIN,
    SELLER,
    UNKNOWN,
    VENTANA,
    X85,
    X90,
    draw,
    judged,
    numero,
    policy,
    priced,
    refused,
    reventado,
    rulebook,
    ticket,
)


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


CAPPED = replace(PLAIN, caps=SaleCaps(jugada_cents=100_000, ticket_cents=150_000, multiplier_x=8_500))


def test_a_sale_stays_within_what_the_installation_lets_any_sale_be() -> None:
    """To the cent, and a refusal tells the cap."""
    assert priced(CAPPED, numero("07", "1000", multiplier_id=X85), numero("08", "500", multiplier_id=X85))
    result = judged(CAPPED, numero("07", "1000.01"), numero("08", "499.99", multiplier_id=X85), numero("09", "0.01"))
    assert isinstance(result, Refusal)
    told = [(one.code, one.field, one.message, one.data) for one in result.violations]
    assert told == [
        ("TICKET_AMOUNT_EXCEEDED", "jugadas", "a ticket must be at most 1500.00", {"maxTicketAmount": "1500.00"}),
        (
            "JUGADA_AMOUNT_EXCEEDED",
            "jugadas[0].amount",
            "a jugada must be at most 1000.00",
            {"maxJugadaAmount": "1000.00"},
        ),
        *(
            (
                "MULTIPLIER_EXCEEDED",
                f"jugadas[{line}].multiplierId",
                "no multiplier may be above 85.00",
                {"maxMultiplier": "85.00"},
            )
            for line in (0, 2)
        ),
    ]


def test_what_is_refused_is_told_with_its_figures() -> None:
    book = rulebook(rules={"maxNumbersPerTicket": 2, "salesHours": {"thursday": {"start": "13:00"}}})
    result = judged(book, numero("01"), reventado("01", "1000.01"), numero("02"))
    assert isinstance(result, Refusal)
    # AT is noon of a Thursday in Costa Rica.
    assert [(one.code, one.field, one.data) for one in result.violations] == [
        ("OUT_OF_SALES_HOURS", "sorteoId", {"opensAt": "2026-01-15T19:00:00.000Z"}),
        ("MAX_NUMBERS_PER_TICKET", "jugadas", {"maxNumbersPerTicket": 2}),
        ("REVENTADO_EXCEEDS_NUMERO", "jugadas[1].amount", {"numeroAmount": "1000.00"}),
    ]


def test_a_ticket_that_names_a_ventana_names_the_sellers() -> None:
    def judged_of(ventana_id: UUID) -> PricedTicket | Refusal:
        request = TicketRequest(draw().id, L1, None, CLIENTE_DEFAULT, (numero("07"),), ventana_id)
        return price(request, rulebook=PLAIN, draw=draw(), seller=PLAIN.sellers[SELLER], at=AT)

    assert isinstance(judged_of(VENTANA), PricedTicket)
    result = judged_of(UNKNOWN)
    assert isinstance(result, Refusal)
    assert [(one.code, one.field) for one in result.violations] == [("SELLER_VENTANA_MISMATCH", "ventanaId")]


def test_a_lottery_without_any_multiplier_sells_nothing() -> None:
    book = rulebook(multipliers=())
    assert refused(book, numero("07")) == [("MISSING_MULTIPLIER_ID", "jugadas[0].multiplierId")]
    assert refused(book, reventado("07")) == [("REVENTADO_MATCH_REQUIRED", "jugadas[0].number")]


def test_a_type_that_the_lottery_does_not_list_is_refused() -> None:
    assert refused(rulebook(rules={"allowedBetTypes": ["NUMERO"]}), numero("07"), reventado("07")) == [
        ("BETTYPE_NOT_ALLOWED", "jugadas[1].type")
    ]
    assert isinstance(judged(rulebook(rules={"allowedBetTypes": []}), numero("07"), reventado("07")), PricedTicket)


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
