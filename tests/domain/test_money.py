from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.money import (
    AMOUNT_CENTS_MAX,
    AmountError,
    Cents,
    JsonNumber,
    format_cents,
    format_hundredths,
    parse_amount,
    parse_hundredths,
    percent_of,
    read_json_number,
)


@pytest.mark.parametrize(
    ("written", "cents"),
    [
        ("500.00", 50_000),
        ("500.5", 50_050),
        ("500", 50_000),
        (500, 50_000),
        (JsonNumber("500.5"), 50_050),
        (JsonNumber("1.0"), 100),
        ("0.01", 1),
        ("0.1", 10),
        ("0.09", 9),
        (1, 100),
        ("1000000000.00", AMOUNT_CENTS_MAX),
        (1_000_000_000, AMOUNT_CENTS_MAX),
        *(
            (JsonNumber(text), 50_000)
            for text in ("5e2", "5E+2", "5.0e2", "0.5e3", "5000e-1", "5e02", "500e0", "500e-0")
        ),
        *((JsonNumber(text), 1_250) for text in ("1.25e1", "125e-1", "12.5E0", "1250000e-5", "0.00125e4")),
        (JsonNumber("1.2E7"), 1_200_000_000),
        (JsonNumber("1e-2"), 1),
        (JsonNumber("1e9"), AMOUNT_CENTS_MAX),
    ],
)
def test_an_amount_is_read_to_the_cent(written: object, cents: int) -> None:
    assert parse_amount(written) == cents


REFUSED: dict[str, list[object]] = {
    "AMOUNT_INVALID": [
        *("", " ", "10abc", "abc", "1e3", "1E3", "1e400", "NaN", "nan", "Infinity", "-Infinity"),
        *("+5", "--5", "-", ".", "5.", ".5", "-.5", "1,000", "1 000", "500,00", "1.2.3", "₡500"),
        *(" 500", "500 ", "500\n", "5\x00", "5_0", "0x10", "007", "00.5", "00"),
        # Digits of other scripts are digits to Python, but not to a seller's customer.
        *("٥٠٠", "５００", "5.０0", "²", "−5"),
        *("1.2E7", "5e2", "1e-2", "5E+2"),
        *(None, True, False, 500.0, 1.5, float("nan"), Decimal(5), b"500", [], {}, ["500"]),
    ],
    "AMOUNT_TOO_PRECISE": [
        "500.001",
        "500.000",
        "0.001",
        "1.005",
        JsonNumber("10.125"),
        "-1.001",
        *map(JsonNumber, ("1e-3", "1.255e0", "1234.5e-2", "1e-400", "1e-99999999999", "9" * 60 + "e-1")),
    ],
    "AMOUNT_NOT_POSITIVE": [
        "0",
        "0.00",
        "0.0",
        0,
        JsonNumber("0.0"),
        "-0",
        "-5",
        "-5.25",
        -1,
        -(10**30),
        JsonNumber("-0.5"),
        *map(JsonNumber, ("0e0", "-0e5", "0e99999999999", "-5e2", "-1.5e1", "-1e400")),
    ],
    "AMOUNT_TOO_LARGE": [
        "1000000000.01",
        1_000_000_001,
        10**30,
        "9" * 12,
        "9" * 13,
        "9" * 10_000,
        *map(JsonNumber, ("1e10", "1.00000000001e9", "1e400", "1e99999999999", "9" * 60 + "e5")),
    ],
}


@pytest.mark.parametrize(("code", "written"), [(code, bad) for code, spellings in REFUSED.items() for bad in spellings])
def test_every_other_spelling_is_refused_with_its_code(written: object, code: str) -> None:
    with pytest.raises(AmountError) as refusal:
        parse_amount(written)
    assert refusal.value.code == code
    assert refusal.value.message


@pytest.mark.parametrize(
    ("cents", "text"),
    [
        (50_000, "500.00"),
        (0, "0.00"),
        (5, "0.05"),
        (-305, "-3.05"),
        (-5, "-0.05"),
        (-100, "-1.00"),
        (10**13, "100000000000.00"),
    ],
)
def test_cents_are_written_with_two_decimals(cents: int, text: str) -> None:
    assert format_cents(cents) == text


def test_multipliers_and_percents_are_written_like_amounts() -> None:
    assert (format_hundredths(9_000), format_hundredths(1_250)) == ("90.00", "12.50")


@given(st.integers(1, AMOUNT_CENTS_MAX))
def test_what_is_written_is_read_back(cents: int) -> None:
    assert parse_amount(format_cents(cents)) == cents
    assert parse_amount(JsonNumber(format_cents(cents))) == cents


@given(st.text(alphabet="0123456789.-+eE ,_", max_size=12) | st.text(max_size=6))
def test_no_text_is_read_as_another_amount_than_it_says(text: str) -> None:
    try:
        cents = parse_amount(text)
    except AmountError:
        return
    assert Decimal(text) * 100 == cents


@pytest.mark.parametrize(
    ("written", "maximum", "hundredths"),
    [
        ("0", 10_000, 0),
        ("12.5", 10_000, 1_250),
        (JsonNumber("7.25"), 10_000, 725),
        ("100.00", 10_000, 10_000),
        (90, 999_900, 9_000),
        ("10000000000000.00", 10**15, 10**15),
        (10_000_000_000_000, 10**15, 10**15),
    ],
)
def test_percents_and_multipliers_may_be_zero(written: object, maximum: int, hundredths: int) -> None:
    assert parse_hundredths(written, maximum=maximum) == hundredths


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("100.01", "DECIMAL_TOO_LARGE"),
        (101, "DECIMAL_TOO_LARGE"),
        ("9" * 40, "DECIMAL_TOO_LARGE"),
        ("9" * 5_000, "DECIMAL_TOO_LARGE"),
        ("-1", "DECIMAL_NEGATIVE"),
        (-1, "DECIMAL_NEGATIVE"),
        ("1.005", "DECIMAL_TOO_PRECISE"),
        (12.5, "DECIMAL_INVALID"),
        (True, "DECIMAL_INVALID"),
        ("1e1", "DECIMAL_INVALID"),
    ],
)
def test_a_bad_percent_is_refused_with_its_code(written: object, code: str) -> None:
    with pytest.raises(AmountError) as refusal:
        parse_hundredths(written, maximum=10_000)
    assert refusal.value.code == code


@given(st.integers(0, AMOUNT_CENTS_MAX), st.integers(0, 10_000))
def test_a_percent_is_rounded_half_up_and_never_exceeds_the_amount(amount: int, basis_points: int) -> None:
    exact = Decimal(amount) * basis_points / 10_000
    share = percent_of(Cents(amount), basis_points)
    assert share == int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    assert 0 <= share <= amount


@pytest.mark.parametrize("text", ["5.0", "5.00", "-5.00", "50e-1"])
def test_a_whole_number_is_an_int_however_it_is_written(text: str) -> None:
    read = read_json_number(text)
    assert type(read) is int
    assert read == Decimal(text)


def test_exact_halves_go_up() -> None:
    assert percent_of(Cents(33_300), 750) == 2_498  # 24.975
    assert percent_of(Cents(1), 5_000) == 1
    assert percent_of(Cents(1), 4_999) == 0


@given(st.integers(-(10**15), 10**15), st.integers(-20, 20))
def test_an_exponent_is_carried_out_exactly(mantissa: int, power: int) -> None:
    read = read_json_number(f"{mantissa}e{power}")
    exact = Decimal(mantissa).scaleb(power)
    assert Decimal(read) == exact
    assert isinstance(read, int) == (exact == exact.to_integral_value())
    assert "e" not in str(read).lower()


@given(st.integers(1, AMOUNT_CENTS_MAX), st.integers(-12, 12))
def test_every_way_to_write_an_amount_with_an_exponent_is_the_same_amount(cents: int, power: int) -> None:
    mantissa = Decimal(cents).scaleb(-2 - power)
    assert parse_amount(JsonNumber(f"{mantissa:f}e{power}")) == cents
