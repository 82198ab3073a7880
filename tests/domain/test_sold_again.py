"""What a cancelled ticket has to meet to be restored: its own terms, judged by today's rules."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from core.domain.permissions import Role
from core.domain.rulebook import Rulebook
from core.domain.sold_again import TermsNow, terms_now
from core.domain.spans import ALWAYS, Span
from core.domain.ticket import JugadaRequest
from tests.domain.domain_samples import (
    AT,
    L1,
    MULTIPLIERS,
    PLAIN,
    SELLER,
    UNKNOWN,
    X80,
    X85,
    X90,
    draw,
    numero,
    priced,
    restriction,
    reventado,
    rulebook,
)
from tests.domain.restriction_samples import PAIR, B, U, V

# Costa Rica's day of AT.
TODAY = date(2026, 1, 15)
MIDNIGHT = AT.replace(hour=6)


def terms(book: Rulebook, *jugadas: JugadaRequest, role: Role = Role.VENDEDOR, **of: Any) -> TermsNow:
    """The terms of a ticket that was sold under no rules, judged under the book's."""
    sold = priced(PLAIN, *(jugadas or [numero("07", multiplier_id=X85)])).jugadas
    loteria, seller = book.loterias[L1], book.sellers[SELLER]
    return terms_now(sold, rulebook=book, draw=draw(**of), loteria=loteria, seller=seller, at=AT, actor_role=role)


def told(found: TermsNow) -> list[tuple[str, str | None]]:
    return [(violation.code, violation.field) for violation in found.refused]


def test_a_ticket_without_rules_has_its_cutoff_and_nothing_to_judge() -> None:
    assert terms(PLAIN) == TermsNow(300, ALWAYS, (), (), ())
    assert terms(rulebook(salesCutoffMinutes=12)).cutoff_s == 720


def test_the_till_judges_the_rules_and_the_draws_limits() -> None:
    book = rulebook(
        restrictions=[restriction("v", **V, maxTotalCents=900), restriction("x", **B, **PAIR, maxTotalCents=800)],
        globalMaxPerNumberCents=700,
    )
    found = terms(book, numero("07", multiplier_id=X85), numero("08", multiplier_id=X90), global_limit_cents=600)
    assert [(fact.rule_id, fact.number, fact.cap_cents) for fact in found.limits] == [
        ("v", 7, 900),
        ("v", 8, 900),
        ("x", 7, 800),
        (None, 7, 600),
        (None, 8, 600),
    ]


def test_a_limit_of_single_tickets_is_broken_above_it() -> None:
    rules = [restriction("a", **V, maxAmountCents=99_999), restriction("b", **V, maxAmountCents=100_000)]
    found = terms(rulebook(restrictions=rules))
    assert [(verdict.fact.rule_id, verdict.available_cents) for verdict in found.broken] == [("a", 99_999)]


@pytest.mark.parametrize(
    ("role", "bound"),
    [(Role.VENDEDOR, ["u", "v"]), (Role.BANCA, ["u", "v"]), (Role.VENTANA, ["v"]), (Role.ADMIN, ["v"])],
)
def test_the_sellers_own_rules_bind_her_and_the_banca(role: Role, bound: list[str]) -> None:
    rules = [restriction("u", **U, maxTotalCents=1), restriction("v", **V, maxTotalCents=1)]
    assert [fact.rule_id for fact in terms(rulebook(restrictions=rules), role=role).limits] == bound


@pytest.mark.parametrize("role", list(Role))
def test_only_an_admin_restores_what_a_rule_blocks(role: Role) -> None:
    blocks = [
        restriction("z", **PAIR, number=8, message="not today"),
        restriction("a", **PAIR, number=9),
        restriction("other", loteriaId=str(L1), multiplierId=str(X80)),
    ]
    lines = (numero("07", multiplier_id=X85), numero("08", multiplier_id=X85), numero("08", multiplier_id=X90))
    found = terms(rulebook(restrictions=blocks), *lines, role=role)
    expected = [] if role is Role.ADMIN else [("LOTTERY_MULTIPLIER_RESTRICTED", "jugadas[1].multiplierId")]
    assert told(found) == expected
    for violation in found.refused:
        assert violation.message == "not today"
        assert violation.data == {
            "ruleId": "z",
            "ruleScope": "GENERAL",
            "loteriaId": str(L1),
            "loteriaName": "Tica",
            "multiplierId": str(X85),
            "multiplierName": "X85",
        }


def test_a_block_without_a_message_names_multiplier_and_lottery() -> None:
    [violation] = terms(rulebook(restrictions=[restriction("r", **PAIR)])).refused
    assert violation.message == "the multiplier X85 of Tica is blocked"


def test_a_block_of_one_number_knows_the_width_of_the_draw() -> None:
    block = restriction("r", **PAIR, number=7)
    sold = priced(rulebook(rules={"digits": 3}), numero("007", multiplier_id=X85), of=draw(digits=3)).jugadas
    book = rulebook(rules={"digits": 3}, restrictions=[block])
    found = terms_now(
        sold,
        rulebook=book,
        draw=draw(digits=3),
        loteria=book.loterias[L1],
        seller=book.sellers[SELLER],
        at=AT,
        actor_role=Role.VENDEDOR,
    )
    assert told(found) == [("LOTTERY_MULTIPLIER_RESTRICTED", "jugadas[0].multiplierId")]


def changed(of: UUID, **members: Any) -> Rulebook:
    """The plain banca, after somebody changed one multiplier."""
    return rulebook(multipliers=tuple({**m, **members} if m["id"] == str(of) else m for m in MULTIPLIERS))


@pytest.mark.parametrize(
    ("book", "code"),
    [
        (rulebook(multipliers=tuple(m for m in MULTIPLIERS if m["id"] != str(X85))), "INVALID_MULTIPLIER"),
        (changed(X85, isActive=False), "INACTIVE_MULTIPLIER"),
        (changed(X85, loteriaId=str(UNKNOWN)), "INVALID_MULTIPLIER_LOTERIA"),
        (changed(X85, kind="REVENTADO"), "INVALID_MULTIPLIER_KIND"),
        (changed(X85, appliesToDate="2026-01-14"), "INACTIVE_MULTIPLIER"),
    ],
)
@pytest.mark.parametrize("role", [Role.VENDEDOR, Role.ADMIN])
def test_a_multiplier_that_cannot_be_chosen_any_more_is_refused_to_all(book: Rulebook, code: str, role: Role) -> None:
    lines = (numero("06", multiplier_id=X90), reventado("06"), numero("07", multiplier_id=X85))
    assert told(terms(book, *lines, role=role)) == [(code, "jugadas[2].multiplierId")]


@pytest.mark.parametrize(
    ("day", "span"),
    [
        ("2026-01-15", Span(MIDNIGHT, MIDNIGHT + timedelta(days=1))),
        ("2026-01-14", Span(MIDNIGHT, None)),
        ("2026-01-16", Span(None, MIDNIGHT + timedelta(days=1))),
    ],
)
def test_the_answer_holds_as_long_as_the_multiplier_is_sold_or_not(day: str, span: Span) -> None:
    lines = (numero("06", multiplier_id=X90), reventado("06"), numero("07", multiplier_id=X85))
    assert terms(changed(X85, appliesToDate=day), *lines).span == span


def test_the_answer_holds_as_long_as_the_rules_and_the_cutoff() -> None:
    hours = [
        restriction("limit", **V, appliesToHour=13, maxTotalCents=1),
        restriction("cutoff", **V, appliesToHour=11, salesCutoffMinutes=9),
    ]
    noon = AT
    assert terms(rulebook(restrictions=hours)).span == Span(noon, noon + timedelta(hours=1))


@pytest.mark.parametrize(("day", "codes"), [("2026-01-15", []), ("2026-01-14", ["INACTIVE_MULTIPLIER"])])
def test_a_multiplier_of_one_day_is_chosen_on_that_day(day: str, codes: list[str]) -> None:
    book = rulebook(multipliers=tuple(m | {"appliesToDate": day} if m["id"] == str(X85) else m for m in MULTIPLIERS))
    assert [code for code, _ in told(terms(book))] == codes
