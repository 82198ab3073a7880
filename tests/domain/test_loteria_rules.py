from typing import Any

import pytest

from core.domain.loteria_rules import read_loteria_rules, validate_commission_policy, validate_loteria_rules
from core.domain.money import Cents, JsonNumber
from core.domain.rulebook import JugadaType, LoteriaRules
from core.domain.violations import Violation
from tests.domain.domain_samples import L1, X80

WHOLE = {
    "digits": 3,
    "numberRange": {"min": 0, "max": 999},
    "minBetAmount": 100,
    "maxBetAmount": "50000.00",
    "maxNumbersPerTicket": 50,
    "allowedBetTypes": ["NUMERO", "REVENTADO"],
    "reventadoConfig": {"enabled": True, "requiresMatchingNumber": True, "colors": ["ROJA", "VERDE"]},
    "salesHours": {"sunday": {"start": "08:00", "end": "19:30"}, "monday": {"end": "12:00"}, "tuesday": {}},
    "drawSchedule": {"frequency": "diario", "times": ["12:55", "19:30"]},
    "drawSchedules": [{"frequency": "semanal", "times": ["16:30"], "daysOfWeek": [1, 4]}],
    "autoCreateSorteos": True,
    "baseMultiplierX": JsonNumber("92.50"),
    "closingTimeBeforeDraw": 5,
    "display": {"color": "#00aa00", "icon": "star", "description": "Tres dígitos", "featured": False},
}


def fields(violations: list[Violation]) -> list[tuple[str, str | None]]:
    return [(v.code, v.field) for v in violations]


def test_whole_rules_are_read() -> None:
    rules, violations = read_loteria_rules(WHOLE)
    assert violations == []
    assert rules == LoteriaRules(
        digits=3,
        number_min=0,
        number_max=999,
        min_bet_cents=Cents(10_000),
        max_bet_cents=Cents(5_000_000),
        max_numbers_per_ticket=50,
        allowed_types=frozenset(JugadaType),
        reventado_enabled=True,
        reventado_requires_matching=True,
        base_multiplier_x=9_250,
        sales_hours={0: (480, 1170), 1: (0, 720)},
    )


@pytest.mark.parametrize(
    ("day", "minutes"),
    [
        ({"end": "00:00"}, (0, 0)),
        ({"start": "00:00"}, (0, 1439)),
        ({"start": "00:00", "end": "00:00"}, (0, 0)),
        ({"start": "19:30", "end": "19:30"}, (1170, 1170)),
        ({"start": "23:59"}, (1439, 1439)),
    ],
)
def test_midnight_is_a_minute_like_any_other(day: dict[str, str], minutes: tuple[int, int]) -> None:
    rules, violations = read_loteria_rules({"salesHours": {"monday": day}})
    assert (rules.sales_hours, violations) == ({1: minutes}, [])


def test_as_many_colors_as_there_may_be_and_as_long_as_they_may_be() -> None:
    assert validate_loteria_rules({"reventadoConfig": {"colors": [f"{n:020d}" for n in range(10)]}}) == []


def test_nothing_is_required_and_null_means_absent() -> None:
    assert read_loteria_rules({}) == (LoteriaRules(), [])
    assert read_loteria_rules(dict.fromkeys(WHOLE)) == (LoteriaRules(), [])


@pytest.mark.parametrize("document", [None, [], "x", 5])
def test_rules_that_are_no_object_are_refused(document: object) -> None:
    assert fields(validate_loteria_rules(document)) == [("INVALID_FIELD", None)]


@pytest.mark.parametrize(
    ("member", "value", "field"),
    [
        *(("digits", bad, "digits") for bad in (1, 4, "2", True, JsonNumber("2.0"))),
        *(("numberRange", bad, "numberRange") for bad in (5, "0-99", [0, 99])),
        ("numberRange", {"min": 50, "max": 10}, "numberRange.max"),
        ("numberRange", {"min": 0, "max": 1000}, "numberRange.max"),
        ("numberRange", {"min": -1}, "numberRange.min"),
        *(("minBetAmount", bad, "minBetAmount") for bad in ("abc", -1, 1.5, True, "1.005", 10**12)),
        ("maxBetAmount", "99.99", "maxBetAmount"),
        *(("maxNumbersPerTicket", bad, "maxNumbersPerTicket") for bad in (0, -1, "5", 10**6, True)),
        ("allowedBetTypes", ["TRIPLE"], "allowedBetTypes"),
        ("allowedBetTypes", "NUMERO", "allowedBetTypes"),
        ("allowedBetTypes", [{}], "allowedBetTypes"),
        ("reventadoConfig", True, "reventadoConfig"),
        ("reventadoConfig", [], "reventadoConfig"),
        ("reventadoConfig", {"enabled": "yes"}, "reventadoConfig.enabled"),
        ("reventadoConfig", {"requiresMatchingNumber": 1}, "reventadoConfig.requiresMatchingNumber"),
        *(("reventadoConfig", {"colors": [bad]}, "reventadoConfig.colors") for bad in (5, JsonNumber("1.5"))),
        ("salesHours", {"monday": {"start": "24:00"}}, "salesHours.monday.start"),
        ("salesHours", {"monday": {"start": "8:00"}}, "salesHours.monday.start"),
        ("salesHours", {"monday": {"start": "20:00", "end": "08:00"}}, "salesHours.monday.end"),
        ("drawSchedule", {"frequency": "anual"}, "drawSchedule.frequency"),
        ("drawSchedule", {"frequency": ["diario"]}, "drawSchedule.frequency"),
        ("drawSchedule", {"times": ["25:00"]}, "drawSchedule.times"),
        ("drawSchedule", {"daysOfWeek": [7]}, "drawSchedule.daysOfWeek"),
        ("drawSchedules", [{"daysOfWeek": [True]}], "drawSchedules[0].daysOfWeek"),
        ("drawSchedules", ["12:55"], "drawSchedules[0]"),
        *((flag, "true", flag) for flag in ("autoCreateSorteos", "autoCreateEnabled", "autoOpenEnabled")),
        *(("reventadoConfig", {"colors": bad}, "reventadoConfig.colors") for bad in (["R"] * 11, ["R" * 21], [""])),
        *(("baseMultiplierX", bad, "baseMultiplierX") for bad in (0, -5, 10_000, "x", 92.5)),
        ("closingTimeBeforeDraw", -1, "closingTimeBeforeDraw"),
        ("display", {"featured": 1}, "display.featured"),
        ("display", {"color": ""}, "display.color"),
        ("display", {"color": JsonNumber("1.5")}, "display.color"),
    ],
)
def test_a_bad_member_is_refused_where_it_stands(member: str, value: object, field: str) -> None:
    document = {"minBetAmount": 100, "digits": 2} | {member: value}
    assert fields(validate_loteria_rules(document)) == [("INVALID_FIELD", field)]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"minBet": 5}, "minBet"),
        ({"numberRange": {"from": 0}}, "numberRange.from"),
        ({"salesHours": {"lunes": {}}}, "salesHours.lunes"),
        ({"salesHours": {"monday": {"open": "08:00"}}}, "salesHours.monday.open"),
        ({"drawSchedules": [{}, {"at": "12:00"}]}, "drawSchedules[1].at"),
    ],
)
def test_an_unknown_member_is_refused_at_every_depth(document: object, field: str) -> None:
    assert fields(validate_loteria_rules(document)) == [("UNKNOWN_FIELD", field)]


def test_a_bad_member_leaves_the_good_ones_readable() -> None:
    rules, violations = read_loteria_rules({"minBetAmount": "abc", "maxBetAmount": 500})
    assert (rules.min_bet_cents, rules.max_bet_cents) == (None, 50_000)
    assert len(violations) == 1


RULE = {
    "id": "r",
    "loteriaId": str(L1),
    "betType": "NUMERO",
    "multiplierRange": {"min": 90, "max": 90},
    "percent": "12",
}


def a_policy(*rules: object, **members: object) -> dict[str, object]:
    return {"version": 1, "defaultPercent": "5.00", "rules": list(rules), **members}


@pytest.mark.parametrize(
    "document",
    [
        a_policy(),
        a_policy(RULE),
        {"defaultPercent": 0},
        a_policy({"percent": JsonNumber("12.5")}),
        a_policy(RULE, {**RULE, "id": "s", "multiplierRange": {"min": 85, "max": 85}}),
        a_policy({"multiplierId": str(X80), "percent": 1}, {"multiplierId": str(L1), "percent": 1}),
        a_policy(effectiveFrom="2026-01-01T00:00:00.000Z", effectiveTo="2026-02-01T00:00"),
        a_policy(effectiveFrom=None, effectiveTo=None),
    ],
)
def test_a_good_policy_has_nothing_wrong(document: object) -> None:
    assert validate_commission_policy(document) == []


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (None, [("INVALID_FIELD", None)]),
        ({}, [("INVALID_FIELD", "defaultPercent")]),
        (a_policy(version=2), [("INVALID_FIELD", "version")]),
        (a_policy(defaultPercent="100.01"), [("INVALID_FIELD", "defaultPercent")]),
        (a_policy(defaultPercent=7.5), [("INVALID_FIELD", "defaultPercent")]),
        (a_policy(margin=5), [("UNKNOWN_FIELD", "margin")]),
        (a_policy(rules={}), [("INVALID_FIELD", "rules")]),
        (a_policy(effectiveFrom="soon"), [("INVALID_FIELD", "effectiveFrom")]),
        (
            a_policy(effectiveFrom="2026-02-01T00:00Z", effectiveTo="2026-02-01T00:00Z"),
            [("INVALID_FIELD", "effectiveTo")],
        ),
        (a_policy("x"), [("INVALID_FIELD", "rules[0]")]),
        (a_policy({"id": "a"}), [("INVALID_FIELD", "rules[0].percent")]),
        (a_policy(RULE, {**RULE, "id": "s", "percent": -1}), None),
        (a_policy({**RULE, "betType": "TRIPLE"}), [("INVALID_FIELD", "rules[0].betType")]),
        (a_policy({**RULE, "loteriaId": "L1"}), [("INVALID_FIELD", "rules[0].loteriaId")]),
        (a_policy({**RULE, "loteriaId": L1.hex + "----"}), [("INVALID_FIELD", "rules[0].loteriaId")]),
        (a_policy({**RULE, "multiplierRange": {"min": 90}}), [("INVALID_FIELD", "rules[0].multiplierRange.max")]),
        (
            a_policy({**RULE, "multiplierRange": {"min": 91, "max": 90}}),
            [("INVALID_FIELD", "rules[0].multiplierRange.max")],
        ),
        (a_policy({**RULE, "multiplier": {}}), [("UNKNOWN_FIELD", "rules[0].multiplier")]),
        (a_policy(RULE, {**RULE, "id": "s"}), [("COMMISSION_RULE_DUPLICATE", "rules[1].loteriaId")]),
        (a_policy(RULE, {**RULE, "betType": None}), [("COMMISSION_RULE_DUPLICATE", "rules[1].id")]),
    ],
)
def test_a_bad_policy_is_refused_where_it_is_bad(document: object, found: Any) -> None:
    violations = fields(validate_commission_policy(document))
    if found is None:
        assert ("INVALID_FIELD", "rules[1].percent") in violations
    else:
        assert violations == found
