import pytest

from core.domain.numbers import NumberError, format_number, parse_number


@pytest.mark.parametrize("digits", [2, 3])
def test_every_number_is_written_at_its_width_and_read_back(digits: int) -> None:
    for number in range(10**digits):
        text = format_number(number, digits)
        assert len(text) == digits
        assert parse_number(text, digits=digits) == number


@pytest.mark.parametrize(
    ("text", "digits", "code"),
    [
        *(("7", 2, "NUMBER_WIDTH_INVALID"), ("007", 2, "NUMBER_WIDTH_INVALID"), ("07", 3, "NUMBER_WIDTH_INVALID")),
        *((bad, 2, "NUMBER_INVALID") for bad in ("", "-7", "+7", " 7", "7 ", "0x", "1.", "٠٧", "０7", "²2", "7\n")),
        *((bad, 2, "NUMBER_INVALID") for bad in (7, 7.0, None, True, ["07"], b"07")),
    ],
)
def test_every_other_text_is_refused_with_its_code(text: object, digits: int, code: str) -> None:
    with pytest.raises(NumberError) as refusal:
        parse_number(text, digits=digits)
    assert refusal.value.code == code
