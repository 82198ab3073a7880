"""Money and other exact decimals: integers inside, decimal text at the wire, never a float."""

from __future__ import annotations

import re
from typing import NewType

Cents = NewType("Cents", int)

# A thousand million colones. Far above any bet, and small enough that the sum of a batch, or a product with
# basis points (10^11 × 10^4), stays well inside PostgreSQL's bigint.
AMOUNT_CENTS_MAX = 100_000_000_000
# A million million colones: the most that a banca may let one number of a draw cost. A thousand such numbers, and a
# REVENTADO of as much that pays 9999 times its stake, still fit into a bigint.
PAYOUT_CENTS_MAX = 100_000_000_000_000

_PLAIN = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]{1,2}))?")
_TOO_PRECISE = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]{3,}")
_NEGATIVE = re.compile(r"-(?:0|[1-9][0-9]*)(?:\.[0-9]{1,2})?")
_HUNDREDTHS_OF = {**{str(d): d * 10 for d in range(10)}, **{f"{h:02d}": h for h in range(100)}}
_FRACTIONS = tuple(f".{h:02d}" for h in range(100))
_EXPONENT = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?[eE]([-+]?[0-9]+)")
# Longer than any number that is accepted anywhere; what an exponent makes longer than this stays as it was written.
_DIGITS_MAX = 40


class JsonNumber(str):
    """The text of a JSON number that has a fraction or an exponent; decoders hand it over instead of a float."""

    __slots__ = ()


def read_json_number(text: str) -> int | JsonNumber:
    """A JSON number that has a fraction or an exponent, exactly: decoders call this instead of float().

    An exponent is carried out: 1.2E7 is the integer 12000000, and 125e-1 the JsonNumber 12.5, so that what reads the
    document sees the form without an exponent. 10.0 and 10.00 are the integer 10; 10.000 stays as it is written,
    because where a point groups thousands it is no ten. So does a result of more than 40 digits.
    """
    written = _EXPONENT.fullmatch(text)
    if written is None:
        whole, _, fraction = text.partition(".")
        return int(whole) if fraction in ("0", "00") and len(whole) <= _DIGITS_MAX else JsonNumber(text)
    sign, whole, fraction, power = written.groups(default="")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return 0
    # The length is judged first: Python refuses to convert texts of thousands of digits.
    if len(digits) > _DIGITS_MAX or len(power.lstrip("+-0")) > 3:
        return JsonNumber(text)
    point = int(power) - len(fraction)
    while point < 0 and digits.endswith("0"):
        digits, point = digits[:-1], point + 1
    if len(digits) + abs(point) > _DIGITS_MAX:
        return JsonNumber(text)
    if point >= 0:
        return int(f"{sign}{digits}{'0' * point}")
    digits = digits.rjust(1 - point, "0")
    return JsonNumber(f"{sign}{digits[:point]}.{digits[point:]}")


class AmountError(ValueError):
    """A decimal that was refused; `code` is what the API answers."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def parse_amount(value: object) -> Cents:
    """The cents of a positive amount in colones.

    value: "500.00", "500.5", "500", 500 or JsonNumber("500.5"). At most two decimals; no plus sign, blanks,
    group separators, leading zeros or digits other than 0–9. An exponent only in a JsonNumber. A float or bool is
    refused.
    Raises AmountError: AMOUNT_INVALID, AMOUNT_TOO_PRECISE, AMOUNT_NOT_POSITIVE, AMOUNT_TOO_LARGE.
    """
    hundredths = _read(value, prefix="AMOUNT", maximum=AMOUNT_CENTS_MAX)
    if hundredths <= 0:
        raise AmountError("AMOUNT_NOT_POSITIVE", "the amount must be greater than 0")
    return Cents(hundredths)


def parse_hundredths(value: object, *, maximum: int) -> int:
    """Hundredths of a multiplier, a percent or a limit: the grammar of amounts, 0 allowed.

    maximum: the largest result, in hundredths.
    Raises AmountError: DECIMAL_INVALID, DECIMAL_TOO_PRECISE, DECIMAL_NEGATIVE, DECIMAL_TOO_LARGE.
    """
    hundredths = _read(value, prefix="DECIMAL", maximum=maximum)
    if hundredths < 0:
        raise AmountError("DECIMAL_NEGATIVE", "must not be negative")
    return hundredths


def format_cents(cents: int) -> str:
    """50000 → "500.00", −305 → "-3.05"."""
    if cents < 0:
        return "-" + format_cents(-cents)
    return f"{cents // 100}{_FRACTIONS[cents % 100]}"


# Multipliers and percents are written the same way; only what one hundredth means differs.
format_hundredths = format_cents


def percent_of(amount: Cents, basis_points: int) -> Cents:
    """The share of a non-negative amount, rounded half up to the cent."""
    return Cents((amount * basis_points + 5_000) // 10_000)


def _read(value: object, *, prefix: str, maximum: int) -> int:
    """Hundredths of value, at most maximum; −1 stands for any well-formed negative number."""
    if isinstance(value, JsonNumber):
        value = read_json_number(value)
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value)
        if plain is None:
            return _read_refused(value, prefix)
        whole, fraction = plain.groups()
        # The length is judged first: Python refuses to convert texts of thousands of digits.
        if len(whole) <= _DIGITS_MAX:
            hundredths = int(whole) * 100 + (_HUNDREDTHS_OF[fraction] if fraction else 0)
            if hundredths <= maximum:
                return hundredths
    elif type(value) is int:  # not a bool
        if value < 0:
            return -1
        if value * 100 <= maximum:
            return value * 100
    else:
        raise AmountError(f"{prefix}_INVALID", 'expected a decimal such as "500.00"')
    raise AmountError(f"{prefix}_TOO_LARGE", f"must not be greater than {format_cents(maximum)}")


def _read_refused(text: str, prefix: str) -> int:
    if _NEGATIVE.fullmatch(text):
        return -1
    if isinstance(text, JsonNumber) and (written := _EXPONENT.fullmatch(text)):
        # Its exponent was not carried out: it is very large, or very small.
        sign, _, _, power = written.groups()
        if not power.startswith("-"):
            if sign:
                return -1
            raise AmountError(f"{prefix}_TOO_LARGE", "the number is too large")
        raise AmountError(f"{prefix}_TOO_PRECISE", "at most two decimals are allowed")
    if _TOO_PRECISE.fullmatch(text):
        raise AmountError(f"{prefix}_TOO_PRECISE", "at most two decimals are allowed")
    raise AmountError(f"{prefix}_INVALID", 'expected a decimal such as "500.00"')
