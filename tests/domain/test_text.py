"""Text that people write: nothing that is not seen, and nothing that is seen is lost."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.text import TextError, escaped_json, line_of, note_of, shown

LINE_BREAKS = {"\n", "\v", "\f", "\r", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"}
# Each of the kinds that were tried in attacks.
UNSEEN = (
    *"\x00\x07\x08\t\x1b\x1f\x7f\x80\x9b\x9f\u200b\u200c\u200d\u2060\ufeff\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e",
    *"\u2066\u2067\u2068\u2069\u00ad\u3164\U000e0041\ufffe",
)


def is_unseen(character: str) -> bool:
    """By Unicode's own categories."""
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def test_no_character_that_unicode_calls_a_control_or_a_format_is_taken() -> None:
    for code in range(sys.maxunicode + 1):
        if is_unseen(chr(code)):
            with pytest.raises(TextError):
                line_of(f"Ana{chr(code)}Mora")


def test_every_character_that_is_written_is_taken() -> None:
    """Letters, marks, digits, signs and blanks of every script, but for a handful that Unicode says to ignore."""
    refused = set()
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character)[0] in "LMNPSZ" and not is_unseen(character):
            try:
                line_of(character)
            except TextError:
                refused.add(code)
    ignorable = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x3164, 0xFFA0, 0xFFFC, 0xFFFD}
    assert refused - set(range(0xE0100, 0xE01F0)) <= ignorable


@pytest.mark.parametrize(
    "text", ["", "Ana", "Doña Ana", "₡ 5 000,00", "José Ñúñez & Cía.", "山田", "❤️", "👍🏽", "a\u00a0b"]
)
def test_what_people_write_stays(text: str) -> None:
    assert line_of(text) == note_of(text) == shown(text) == text


@pytest.mark.parametrize("unseen", UNSEEN)
def test_what_is_not_seen_is_refused_everywhere_and_named(unseen: str) -> None:
    for taken in (line_of, note_of):
        with pytest.raises(TextError, match=f"U\\+{ord(unseen):04X}"):
            taken(f"Ana{unseen}")
    assert shown(f"Ana{unseen}x") == ("Ana x" if unseen == "\t" else "Ana\ufffdx")


@pytest.mark.parametrize("line_break", [*sorted(LINE_BREAKS), "\r\n"])
def test_a_line_break_is_refused_in_a_name_and_a_space_in_a_note(line_break: str) -> None:
    with pytest.raises(TextError):
        line_of(f"a{line_break}b")
    assert note_of(f"a{line_break}b") == shown(f"a{line_break}b") == "a b"


def test_one_letter_is_one_character_however_it_was_typed() -> None:
    assert line_of("Jose\u0301") == note_of("Jose\u0301") == "José"


@given(st.text(st.characters(codec=None) | st.sampled_from(UNSEEN) | st.sampled_from(sorted(LINE_BREAKS))))
def test_what_is_shown_is_one_line_without_anything_unseen(text: str) -> None:
    assert not any(is_unseen(character) for character in shown(text))
    assert len(shown(text).splitlines()) <= 1
    assert shown(shown(text)) == shown(text)
    try:
        note = note_of(text)
    except TextError:
        return
    assert note == line_of(note) == shown(note)


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(UNSEEN)))
def test_escaped_json_says_the_same_in_one_line(text: str) -> None:
    line = escaped_json(json.dumps({"a": text}, ensure_ascii=False))
    assert json.loads(line) == {"a": text}
    assert len(line.splitlines()) == 1
    assert not any(is_unseen(character) for character in line)


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ('{"a":"\u202e"}', r'{"a":"\u202e"}'),
        ('"\x7f\u200b"', r'"\u007f\u200b"'),
        # A pair of halves, as JSON writes what is beyond U+FFFF.
        ('"\U000e0041"', r'"\udb40\udc41"'),
        ('"\ud800"', r'"\ud800"'),
        ('{\n\t"a": 1\r}', '{\n\t"a": 1\r}'),
        ('"é"', '"é"'),
    ],
)
def test_what_is_not_seen_is_escaped_as_json_does(document: str, line: str) -> None:
    assert escaped_json(document) == line
