"""Ticket numbers: T261121-01-00042-X = business date, the draw's ordinal of that day, sequence in the draw, check.

The check character is ISO 7064 MOD 37,36 over the alphanumerics before it. It catches every wrong character, and
every swap of neighbours but one kind: two neighbours that lead the sum to 18 and 19 (see the tests).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUE_OF = {character: value for value, character in enumerate(_ALPHABET)}
_START = 36
# _NEXT[state][value]: one step of the hybrid system, state and result in 1..36.
_NEXT = tuple(tuple(((state + value) % 36 or 36) * 2 % 37 for value in range(36)) for state in range(37))
_SHAPE = re.compile(r"T([0-9]{6})-([0-9]{2,5})-([0-9]{5,18})-([0-9A-Z])")


@dataclass(frozen=True, slots=True)
class TicketNumber:
    business_date: date
    ordinal: int
    sequence: int


class TicketNumberError(ValueError):
    """A text that is no ticket number; `code` is what the API answers."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def ticket_number(*, business_date: date, ordinal: int, sequence: int) -> str:
    """business_date: 2000–2099. ordinal, sequence: from 1; they grow beyond 2 and 5 digits when they must."""
    prefix, state = _draw_prefix(business_date, ordinal)
    digits = f"{sequence:05d}"
    for digit in digits:
        state = _NEXT[state][_VALUE_OF[digit]]
    return f"{prefix}{digits}-{_ALPHABET[(37 - state) % 36]}"


def parse_ticket_number(text: object) -> TicketNumber:
    """Letter case and surrounding blanks do not matter; everything else must be as printed.

    Raises TicketNumberError: TICKET_NUMBER_INVALID (shape, date), TICKET_NUMBER_CHECK_INVALID (mistyped).
    """
    written = text.strip().upper() if isinstance(text, str) else ""
    shape = _SHAPE.fullmatch(written)
    if shape is None:
        raise TicketNumberError("TICKET_NUMBER_INVALID", "expected a ticket number such as T261121-01-00042-X")
    day, ordinal, sequence, _ = shape.groups()
    try:
        business_date = date(2000 + int(day[:2]), int(day[2:4]), int(day[4:]))
    except ValueError as error:
        raise TicketNumberError("TICKET_NUMBER_INVALID", "the ticket number holds no date") from error
    number = TicketNumber(business_date, int(ordinal), int(sequence))
    printed = ticket_number(business_date=business_date, ordinal=number.ordinal, sequence=number.sequence)
    if printed[:-1] != written[:-1] or not number.ordinal or not number.sequence:
        raise TicketNumberError("TICKET_NUMBER_INVALID", "the ticket number is not written as printed")
    if printed != written:
        raise TicketNumberError("TICKET_NUMBER_CHECK_INVALID", "the check character does not fit: mistyped?")
    return number


def check_character(text: str) -> str:
    """ISO 7064 MOD 37,36 over the letters A–Z and digits of text; hyphens are passed over."""
    return _ALPHABET[(37 - _state_after(text)) % 36]


# A draw's tickets share everything before the sequence.
@lru_cache(maxsize=1024)
def _draw_prefix(business_date: date, ordinal: int) -> tuple[str, int]:
    if not 2000 <= business_date.year <= 2099:
        raise ValueError(f"ticket numbers have two digits for the year: {business_date}")
    prefix = f"T{business_date:%y%m%d}-{ordinal:02d}-"
    return prefix, _state_after(prefix)


def _state_after(text: str) -> int:
    state = _START
    for character in text:
        if character != "-":
            state = _NEXT[state][_VALUE_OF[character]]
    return state
