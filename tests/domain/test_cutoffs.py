"""§2.6: who decides when selling stops, and the formula that sale and cancel share."""

from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from core.domain.calendar import parse_instant
from core.domain.cutoffs import cutoff_in_force, minutes_left, sales_end
from core.domain.rulebook import Rulebook
from tests.domain.domain_samples import AT, BANCA, SELLER, VENTANA, numero, priced, restriction, rulebook

OTHER = UUID(int=22)


def cut(rule_id: str, minutes: int, **members: Any) -> dict[str, Any]:
    return restriction(rule_id, salesCutoffMinutes=minutes, **members)


BANCA_RULE = cut("b", 10, bancaId=str(BANCA))
VENTANA_RULE = cut("v", 3, ventanaId=str(VENTANA))
USER_RULE = cut("u", 1, userId=str(SELLER))


def in_force(book: Rulebook) -> tuple[int, str, str | None]:
    found = cutoff_in_force(book, book.sellers[SELLER], at=AT)
    sold = priced(book, numero("07"))
    assert (sold.cutoff_s, sold.cutoff_source) == (found.minutes * 60, found.source)
    return found.minutes, found.source, found.rule_id


@pytest.mark.parametrize(
    ("rules", "decided"),
    [
        ([], (5, "BANCA", None)),
        ([BANCA_RULE], (10, "BANCA", "b")),
        ([BANCA_RULE, VENTANA_RULE], (3, "VENTANA", "v")),
        ([BANCA_RULE, VENTANA_RULE, USER_RULE], (1, "USER", "u")),  # CUT-4
        ([cut("other", 15, ventanaId=str(OTHER))], (5, "BANCA", None)),  # CUT-7
        ([cut("other", 15, userId=str(OTHER))], (5, "BANCA", None)),
        ([BANCA_RULE, cut("new", 7, bancaId=str(BANCA), updatedAt="2026-01-02T00:00:00+00:00")], (7, "BANCA", "new")),
        ([cut("n", 15, bancaId=str(BANCA), number=15)], (5, "BANCA", None)),  # CUT-9
        ([{**USER_RULE, "isActive": False}], (5, "BANCA", None)),
        ([{**USER_RULE, "appliesToDate": "2026-01-15"}], (1, "USER", "u")),
        ([{**USER_RULE, "appliesToDate": "2026-01-16"}], (5, "BANCA", None)),
        ([{**USER_RULE, "appliesToHour": 12}], (1, "USER", "u")),
        ([{**USER_RULE, "appliesToHour": 13}, VENTANA_RULE], (3, "VENTANA", "v")),
        ([cut("zero", 0, bancaId=str(BANCA))], (0, "BANCA", "zero")),
        ([cut("late", 31, bancaId=str(BANCA))], (5, "BANCA", None)),
        ([cut("nobody's", 9)], (5, "BANCA", None)),
    ],
)
def test_the_nearest_rule_decides(rules: list[dict[str, Any]], decided: tuple[int, str, str | None]) -> None:
    for order in permutations(rules):
        assert in_force(rulebook(restrictions=list(order))) == decided


def test_without_any_setting_the_default_is_a_minute() -> None:
    assert in_force(rulebook(salesCutoffMinutes=None)) == (1, "DEFAULT", None)


def test_rules_changed_in_the_same_instant_are_told_apart_by_their_ids() -> None:
    same = [cut("a", 2, bancaId=str(BANCA)), cut("b", 3, bancaId=str(BANCA))]
    assert in_force(rulebook(restrictions=same)) == in_force(rulebook(restrictions=same[::-1])) == (3, "BANCA", "b")


def test_a_farther_rule_does_not_shorten_what_a_nearer_one_decides() -> None:
    book = rulebook(restrictions=[USER_RULE, {**BANCA_RULE, "appliesToHour": 12}])
    assert priced(book, numero("07")).valid_until is None
    book = rulebook(restrictions=[{**USER_RULE, "appliesToHour": 13}])
    assert priced(book, numero("07")).valid_until == parse_instant("2026-01-15T13:00")


DRAWN = parse_instant("2026-01-16T01:30:00Z")


@pytest.mark.parametrize(
    ("at", "is_over", "left"),
    [
        ("2026-01-16T01:25:00.999Z", False, 5),  # CUT-1
        ("2026-01-16T01:25:01.000Z", True, 5),  # CUT-2, CUT-10
        ("2026-01-16T01:25:00.000Z", False, 5),
        ("2026-01-16T01:29:59.999Z", True, 1),
        ("2026-01-16T01:31:00.000Z", True, 0),
    ],
)
def test_a_second_of_grace_follows_the_cutoff(at: str, is_over: bool, left: int) -> None:
    instant = parse_instant(at)
    assert (instant >= sales_end(DRAWN, 300)) == is_over
    assert minutes_left(DRAWN, instant) == left
    assert sales_end(DRAWN, 0) == DRAWN + timedelta(seconds=1)
