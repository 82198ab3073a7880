"""The numbers that are played: "00"–"99" or "000"–"999", always at the draw's width."""

from __future__ import annotations

_TEXTS = {digits: tuple(f"{n:0{digits}d}" for n in range(10**digits)) for digits in (2, 3)}
_NUMBERS = {digits: {text: n for n, text in enumerate(texts)} for digits, texts in _TEXTS.items()}


class NumberError(ValueError):
    """A text that is no number of the draw; `code` is what the API answers."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def parse_number(text: object, *, digits: int) -> int:
    """The number, which must be written with exactly `digits` (2 or 3) ASCII digits: "7" is not "07".

    Raises NumberError: NUMBER_INVALID, NUMBER_WIDTH_INVALID.
    """
    if isinstance(text, str):
        number = _NUMBERS[digits].get(text)
        if number is not None:
            return number
        if text.isascii() and text.isdigit():
            raise NumberError("NUMBER_WIDTH_INVALID", f"the number must have exactly {digits} digits")
    raise NumberError("NUMBER_INVALID", f"the number must be a text of {digits} digits, 0 to 9")


def format_number(number: int, digits: int) -> str:
    """7 → "07". digits: 2 or 3; number within that width."""
    return _TEXTS[digits][number]
