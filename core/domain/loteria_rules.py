"""rulesJson (§4.1): one reading, strict when somebody writes it, the rules of selling when the rulebook is made."""

from __future__ import annotations

import re
from collections.abc import Mapping

from core.domain.commission_policy import MULTIPLIER_X_MAX, validate_commission_policy
from core.domain.document import Document, is_text
from core.domain.money import AMOUNT_CENTS_MAX, Cents
from core.domain.rulebook import JugadaType, LoteriaRules
from core.domain.time_zones import zone_names
from core.domain.violations import Violation

__all__ = ["read_loteria_rules", "validate_commission_policy", "validate_loteria_rules"]

NUMBERS_PER_TICKET_MAX = 1_000
SCHEDULES_MAX = 50
TIME_ZONE_LENGTH_MAX = 64
TIME_ZONE_UNKNOWN = "TIME_ZONE_UNKNOWN"
TIMES_MAX = 96
_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_LAST_MINUTE = 24 * 60 - 1
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_KEYS = frozenset(
    {
        *("digits", "numberRange", "minBetAmount", "maxBetAmount", "maxNumbersPerTicket", "allowedBetTypes"),
        *("reventadoConfig", "salesHours", "drawSchedule", "drawSchedules", "autoCreateSorteos"),
        *("autoOpenEnabled", "autoCreateEnabled"),
        *("baseMultiplierX", "closingTimeBeforeDraw", "display"),
    }
)


def validate_loteria_rules(document: object) -> list[Violation]:
    """Everything that is wrong with rules that somebody wants to write; empty when nothing is."""
    return read_loteria_rules(document)[1]


def read_loteria_rules(document: object) -> tuple[LoteriaRules, list[Violation]]:
    """The rules, and everything that is wrong with them; a member that is wrong counts as absent."""
    rules = Document(document)
    rules.allow_only(_KEYS)
    _check_schedule(rules)
    _check_display(rules)
    rules.integer("closingTimeBeforeDraw", minimum=0, maximum=24 * 60)
    digits = rules.integer("digits", minimum=2, maximum=3) or 2
    number_min, number_max = _number_range(rules, digits)
    min_bet, max_bet = _bet_bounds(rules)
    enabled, requires_matching = _reventado(rules)
    return LoteriaRules(
        digits=digits,
        number_min=number_min,
        number_max=number_max,
        min_bet_cents=min_bet,
        max_bet_cents=max_bet,
        max_numbers_per_ticket=rules.integer("maxNumbersPerTicket", minimum=1, maximum=NUMBERS_PER_TICKET_MAX),
        allowed_types=_allowed_types(rules),
        reventado_enabled=enabled,
        reventado_requires_matching=requires_matching,
        base_multiplier_x=rules.hundredths("baseMultiplierX", maximum=MULTIPLIER_X_MAX, minimum=1),
        sales_hours=_sales_hours(rules),
    ), rules.violations


def _number_range(rules: Document, digits: int) -> tuple[int | None, int | None]:
    bounds = rules.object("numberRange")
    if bounds is None:
        return None, None
    bounds.allow_only({"min", "max"})
    low, high = (bounds.integer(end, minimum=0, maximum=10**digits - 1) for end in ("min", "max"))
    if low is not None and high is not None and low > high:
        bounds.refuse("max", "must not be less than min")
        return None, None
    return low, high


def _bet_bounds(rules: Document) -> tuple[Cents | None, Cents | None]:
    low, high = (rules.hundredths(key, maximum=AMOUNT_CENTS_MAX) for key in ("minBetAmount", "maxBetAmount"))
    if low is not None and high is not None and low > high:
        rules.refuse("maxBetAmount", "must not be less than minBetAmount")
        return None, None
    return (None if low is None else Cents(low)), (None if high is None else Cents(high))


def _allowed_types(rules: Document) -> frozenset[JugadaType]:
    """Empty or missing means all."""
    listed = rules.list("allowedBetTypes", length_max=len(JugadaType))
    if all(isinstance(name, str) and name in JugadaType.__members__ for name in listed):
        return frozenset(JugadaType(str(name)) for name in listed) or frozenset(JugadaType)
    rules.refuse("allowedBetTypes", "may list NUMERO and REVENTADO")
    return frozenset(JugadaType)


def _reventado(rules: Document) -> tuple[bool, bool]:
    config = rules.object("reventadoConfig")
    if config is None:
        return True, False
    config.allow_only({"enabled", "requiresMatchingNumber", "colors"})
    colors = config.list("colors", length_max=10)
    if not all(is_text(color) and 1 <= len(color) <= 20 for color in colors):
        config.refuse("colors", "must be a list of names of 1 to 20 characters")
    for color in filter(is_text, colors):
        config.line("colors", color)
    return config.flag("enabled") is not False, config.flag("requiresMatchingNumber") is True


def _sales_hours(rules: Document) -> Mapping[int, tuple[int, int]]:
    week = rules.object("salesHours")
    if week is None:
        return {}
    week.allow_only(_WEEKDAYS)
    hours: dict[int, tuple[int, int]] = {}
    for weekday, name in enumerate(_WEEKDAYS):
        day = week.object(name)
        if day is None:
            continue
        day.allow_only({"start", "end"})
        start, end = _minute(day, "start"), _minute(day, "end")
        if start is not None and end is not None and start > end:
            day.refuse("end", "must not be before start")
        elif start is not None or end is not None:
            hours[weekday] = (start or 0, _LAST_MINUTE if end is None else end)
    return hours


def _minute(day: Document, key: str) -> int | None:
    value = day.member(key)
    if value is None:
        return None
    if isinstance(value, str) and _TIME.fullmatch(value):
        return int(value[:2]) * 60 + int(value[3:])
    day.refuse(key, "must be a time of day such as 19:30")
    return None


def _check_schedule(rules: Document) -> None:
    for flag in ("autoCreateSorteos", "autoCreateEnabled", "autoOpenEnabled"):
        rules.flag(flag)
    blocks = [rules.object("drawSchedule")]
    for index, block in enumerate(rules.list("drawSchedules", length_max=SCHEDULES_MAX)):
        blocks.append(Document(block, path=rules.place(f"drawSchedules[{index}]"), violations=rules.violations))
    for schedule in blocks:
        if schedule is not None:
            _check_block(schedule)


def _check_block(schedule: Document) -> None:
    schedule.allow_only({"frequency", "times", "daysOfWeek", "timeZone"})
    zone_name = schedule.text("timeZone", length_max=TIME_ZONE_LENGTH_MAX)
    if zone_name is not None and zone_name not in zone_names():
        message = "must be a name of the tz database such as America/New_York"
        schedule.refuse("timeZone", message, code=TIME_ZONE_UNKNOWN)
    if schedule.member("frequency") not in (None, "diario", "semanal", "personalizado"):
        schedule.refuse("frequency", "must be diario, semanal or personalizado")
    times = schedule.list("times", length_max=TIMES_MAX)
    if not all(isinstance(at, str) and _TIME.fullmatch(at) for at in times):
        schedule.refuse("times", "must be times of day such as 19:30")
    days = schedule.list("daysOfWeek", length_max=len(_WEEKDAYS))
    if not all(type(day) is int and 0 <= day <= 6 for day in days):
        schedule.refuse("daysOfWeek", "must be weekdays, 0 (Sunday) to 6")


def _check_display(rules: Document) -> None:
    display = rules.object("display")
    if display is not None:
        display.allow_only({"color", "icon", "description", "featured"})
        display.flag("featured")
        for key in ("color", "icon", "description"):
            display.text(key, length_max=500)
