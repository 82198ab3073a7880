"""§2.11.7: what may be written as a restriction rule, by whom, and what storage may hold all the same."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from core.domain.impersonation import ActingUser
from core.domain.money import Cents, JsonNumber
from core.domain.permissions import Role
from core.domain.restriction_documents import author_violations, identity_of, read_restriction, validate_restriction
from core.domain.rulebook import AutoDateOf, Restriction, Rulebook
from tests.domain.domain_samples import (
    BANCA,
    INACTIVE,
    L1,
    L2,
    OF_L2,
    OF_REVENTADO,
    SELLER,
    UNKNOWN,
    VENTANA,
    X85,
    restriction,
    rulebook,
)
from tests.domain.restriction_samples import PAIR, B, U, V

BOOK = rulebook()


def found(document: object, *, book: Rulebook = BOOK, acting: ActingUser | None = None) -> list[tuple[str, str | None]]:
    return [(v.code, v.field) for v in validate_restriction(document, rulebook=book, acting=acting)]


@pytest.mark.parametrize(
    "document",
    [
        B | {"maxAmount": "500.00"},
        V | {"maxTotal": 500, "number": "07"},
        U | {"baseAmount": "0", "maxAmount": JsonNumber("0.5"), "isActive": True},
        U | {"baseAmount": "100", "salesPercentage": JsonNumber("12.5"), "appliesToVendedor": True},
        B | {"maxTotal": "1", "number": ["1", "02", 3, "999"], "appliesToDate": "2026-01-15", "appliesToHour": 0},
        B | {"maxAmount": 1, "isAutoDate": True},
        B | {"maxAmount": 1, "isAutoDate": True, "autoDateOf": "SALE"},
        U | {"maxTotal": 1, "isAutoDate": True, "autoDateOf": "SORTEO", "appliesToHour": 3},
        B | {"salesCutoffMinutes": 0, "appliesToHour": 23},
        PAIR | {"message": "hoy no · ¡mañana sí!"},
        PAIR | B | {"maxTotal": "5.00", "number": "99"},
        {"loteriaId": str(L1), "multiplierId": str(OF_REVENTADO), "maxAmount": "200"},
    ],
)
def test_a_good_rule_has_nothing_wrong(document: object) -> None:
    assert found(document) == []


def test_a_rule_may_name_every_number() -> None:
    assert found(B | {"maxTotal": "1", "number": [str(number) for number in range(1000)]}) == []
    # A number twice besides is one too many.
    assert found(B | {"maxTotal": "1", "number": [str(number) for number in range(1000)] + ["7"]}) == [
        ("INVALID_FIELD", "number")
    ]


BAD_AMOUNTS: list[Any] = [0, -1, "x", 1.5, True, "0.001", 10**10]
CUTOFF_COMPANY: list[dict[str, Any]] = [{"maxAmount": 1}, {"number": "7"}, PAIR, {"isAutoDate": True}]
BAD_NUMBERS: list[Any] = [
    1000,
    "1000",
    -1,
    "",
    "x",
    [],
    ["1", "x"],
    True,
    1.0,
    "１",
    ["7", "07"],
    list(range(1001)),
    {},
    [None],
]


@pytest.mark.parametrize(
    ("document", "violations"),
    [
        (None, [("INVALID_FIELD", None)]),
        ([], [("INVALID_FIELD", None)]),
        ({"maxAmount": 1}, [("INVALID_FIELD", "bancaId")]),
        (B | V | {"maxAmount": 1}, [("INVALID_FIELD", "userId")]),
        (B, [("INVALID_FIELD", "maxAmount")]),
        (B | {"baseAmount": 0}, [("INVALID_FIELD", "maxAmount")]),
        (B | {"minAmount": 1}, [("UNKNOWN_FIELD", "minAmount")]),
        (B | {"id": "R1", "maxAmount": 1}, [("UNKNOWN_FIELD", "id")]),
        *((B | {"maxAmount": bad}, [("INVALID_FIELD", "maxAmount")]) for bad in BAD_AMOUNTS),
        *((B | {"maxTotal": bad}, [("INVALID_FIELD", "maxTotal")]) for bad in BAD_AMOUNTS),
        (B | {"baseAmount": -1}, [("INVALID_FIELD", "baseAmount")]),
        (B | {"baseAmount": 1, "salesPercentage": "120"}, [("INVALID_FIELD", "salesPercentage")]),
        (B | {"salesPercentage": 3}, [("INVALID_FIELD", "salesPercentage")]),
        *((B | {"maxAmount": 1, "number": bad}, [("INVALID_FIELD", "number")]) for bad in BAD_NUMBERS),
        (B | {"maxAmount": 1, "isAutoDate": True, "number": "1"}, [("INVALID_FIELD", "number")]),
        (B | {"isAutoDate": True}, [("INVALID_FIELD", "maxAmount")]),
        (B | {"maxAmount": 1, "isAutoDate": "yes"}, [("INVALID_FIELD", "isAutoDate")]),
        *((B | {"maxAmount": 1, "isAutoDate": True, "autoDateOf": bad}, [("INVALID_FIELD", "autoDateOf")]) for bad in
          ("sorteo", "DRAW", "", 1, True, ["SALE"])),
        *((B | {"maxAmount": 1, "isAutoDate": off, "autoDateOf": day}, [("INVALID_FIELD", "autoDateOf")])
          for off in (False, None) for day in ("SALE", "SORTEO")),
        *((B | {"maxAmount": 1, "appliesToHour": bad}, [("INVALID_FIELD", "appliesToHour")]) for bad in (24, -1, "1")),
        *((B | {"maxAmount": 1, "appliesToDate": bad}, [("INVALID_FIELD", "appliesToDate")]) for bad in
          ("2026-02-30", "2026-01-15T00:00:00Z", "9999-12-31", 5)),
        *((B | {"salesCutoffMinutes": bad}, [("INVALID_FIELD", "salesCutoffMinutes")]) for bad in (31, -1, "5")),
        ({"salesCutoffMinutes": 5}, [("INVALID_FIELD", "salesCutoffMinutes")]),
        *((B | {"salesCutoffMinutes": 5} | more, [("INVALID_FIELD", "salesCutoffMinutes")]) for more in CUTOFF_COMPANY),
        (B | {"loteriaId": str(L1), "maxAmount": 1}, [("INVALID_FIELD", "multiplierId")]),
        (B | {"multiplierId": str(X85), "maxAmount": 1}, [("INVALID_FIELD", "multiplierId")]),
        (PAIR | {"isAutoDate": True, "maxAmount": 1}, [("INVALID_FIELD", "isAutoDate")]),
        (PAIR | {"number": "100"}, [("INVALID_FIELD", "number")]),
        ({"loteriaId": str(L1), "multiplierId": str(OF_L2)}, [("INVALID_FIELD", "multiplierId")]),
        ({"loteriaId": str(L2), "multiplierId": str(X85)}, [("INVALID_FIELD", "multiplierId")]),
        ({"loteriaId": str(L1), "multiplierId": str(INACTIVE)}, [("INVALID_FIELD", "multiplierId")]),
        ({"loteriaId": str(L1), "multiplierId": str(UNKNOWN)}, [("MULTIPLIER_NOT_FOUND", "multiplierId")]),
        (PAIR | {"message": "x" * 256}, [("INVALID_FIELD", "message")]),
        (PAIR | {"message": JsonNumber("1.5")}, [("INVALID_FIELD", "message")]),
        (PAIR | {"message": "a\x00b"}, [("TEXT_INVALID", "message")]),
        (PAIR | {"message": "\ud800"}, [("TEXT_INVALID", "message")]),
        ({"bancaId": str(UNKNOWN), "maxAmount": 1}, [("RESTRICTION_SCOPE_FORBIDDEN", "bancaId")]),
        ({"ventanaId": str(UNKNOWN), "maxAmount": 1}, [("VENTANA_NOT_FOUND", "ventanaId")]),
        ({"userId": str(UNKNOWN), "maxAmount": 1}, [("SELLER_NOT_FOUND", "userId")]),
        ({"userId": "me", "maxAmount": 1}, [("INVALID_FIELD", "userId")]),
    ],
)  # fmt: skip
def test_a_bad_rule_is_refused_where_it_is_bad(document: object, violations: Any) -> None:
    assert found(document) == violations


LISTERO = ActingUser(UUID(int=50), Role.VENTANA, VENTANA)
OTHER_LISTERO = ActingUser(UUID(int=51), Role.VENTANA, UUID(int=22))
OWNER = ActingUser(UUID(int=52), Role.BANCA, banca_ids=frozenset({BANCA}))
OTHER_OWNER = ActingUser(UUID(int=53), Role.BANCA)
ADMIN = ActingUser(UUID(int=54), Role.ADMIN)
HERSELF = ActingUser(SELLER, Role.VENDEDOR, VENTANA)
LIMIT: dict[str, Any] = {"maxAmount": 1}


@pytest.mark.parametrize(
    ("acting", "document", "field"),
    [
        (ADMIN, B | LIMIT, None),
        (ADMIN, PAIR, None),
        (OWNER, B | LIMIT, None),
        (OWNER, U | {"salesCutoffMinutes": 5}, None),
        (OWNER, PAIR, None),
        (OTHER_OWNER, B | LIMIT, "bancaId"),
        (LISTERO, V | LIMIT, None),
        (LISTERO, U | LIMIT, None),
        (LISTERO, LIMIT, None),  # the scope is its own ventana
        (LISTERO, PAIR, None),
        (LISTERO, B | LIMIT, "bancaId"),
        (LISTERO, V | {"salesCutoffMinutes": 5}, "salesCutoffMinutes"),
        (OTHER_LISTERO, V | LIMIT, "ventanaId"),
        (OTHER_LISTERO, U | LIMIT, "userId"),
        (HERSELF, U | LIMIT, "userId"),
    ],
)
def test_everybody_writes_rules_for_what_is_theirs(acting: ActingUser, document: object, field: str | None) -> None:
    expected = [] if field is None else [("RESTRICTION_SCOPE_FORBIDDEN", field)]
    assert found(document, acting=acting) == expected


@pytest.mark.parametrize(
    ("acting", "row", "field"),
    [
        (ADMIN, B | {"maxAmountCents": 1}, None),
        (OWNER, B | {"maxAmountCents": 1}, None),
        (OWNER, V | {"salesCutoffMinutes": 5}, None),
        (OTHER_OWNER, B | {"maxAmountCents": 1}, "bancaId"),
        (LISTERO, V | {"maxAmountCents": 1}, None),
        (LISTERO, U | {"maxAmountCents": 1}, None),
        (LISTERO, B | {"maxAmountCents": 1}, "bancaId"),
        (LISTERO, V | {"salesCutoffMinutes": 5}, "salesCutoffMinutes"),
        (OTHER_LISTERO, V | {"maxAmountCents": 1}, "ventanaId"),
        (OTHER_LISTERO, U | {"maxAmountCents": 1}, "userId"),
        (HERSELF, U | {"maxAmountCents": 1}, "userId"),
    ],
)
def test_a_stored_rule_is_touched_by_those_who_may_write_it(acting: ActingUser, row: Any, field: str | None) -> None:
    book = rulebook(restrictions=[restriction("R", **row)])
    [[rule]] = book.restrictions.values()
    violations = author_violations(rule, rulebook=book, acting=acting)
    expected = [] if field is None else [("RESTRICTION_SCOPE_FORBIDDEN", field)]
    assert [(violation.code, violation.field) for violation in violations] == expected


def test_a_refusal_of_authors_says_why_and_where() -> None:
    [violation] = validate_restriction(V | {"salesCutoffMinutes": 5}, rulebook=BOOK, acting=LISTERO)
    assert violation.message == "a ventana sets no cutoff"
    [violation] = validate_restriction(U | LIMIT, rulebook=BOOK, acting=HERSELF)
    assert violation.message == "the rule is for somebody who is not yours"


@pytest.mark.parametrize("number", [0, 999, "0", "999"])
def test_the_numbers_of_a_rule_go_from_0_to_999(number: object) -> None:
    book = rulebook(rules={"digits": 3})
    rules, violations = read_restriction(B | {"number": number, "maxTotal": 1}, rulebook=book)
    assert ([rule.number for rule in rules], violations) == ([int(str(number))], [])


def test_the_rules_of_a_ventana_are_for_that_ventana() -> None:
    [rule], _ = read_restriction(LIMIT, rulebook=BOOK, acting=LISTERO)
    assert (rule.ventana_id, rule.banca_id) == (VENTANA, None)


def test_res_22_a_list_of_numbers_becomes_a_rule_each_and_the_same_again_is_refused() -> None:
    document = B | {"number": ["15", "20"], "maxTotal": "500.00"}
    rules, violations = read_restriction(document, rulebook=BOOK)
    assert violations == []
    assert [(rule.number, rule.max_total_cents, rule.banca_id) for rule in rules] == [
        (15, 50_000, BANCA),
        (20, 50_000, BANCA),
    ]
    assert len({identity_of(rule) for rule in rules}) == 2
    stored = rulebook(restrictions=[restriction("R", **B, number=15, maxTotalCents=1)])
    assert found(document, book=stored) == [("RESTRICTION_EXISTS", None)]
    assert validate_restriction(document, rulebook=stored, replaced_id="R") == []
    assert found(document | {"appliesToHour": 5}, book=stored) == []


@pytest.mark.parametrize(
    ("row", "defect"),
    [
        (B | {"maxAmountCents": -1}, "maxAmountCents must be a whole number"),
        (B | {"maxAmountCents": "5"}, "maxAmountCents must be a whole number"),
        (B | {"baseAmountCents": 1, "salesBasisPoints": 12_000}, "salesBasisPoints must be a whole number"),
        (B | {"maxAmountCents": 1, "number": 1000}, "number must be a whole number"),
        (B | {"maxAmountCents": 1, "number": "07"}, "number must be a whole number"),
        (PAIR | {"maxAmountCents": 1, "number": 100}, "number the loteria has 2 digits"),
        (B | V | {"maxAmountCents": 1}, "userId at most one"),
        ({"bancaId": str(UNKNOWN), "maxAmountCents": 1}, "bancaId is another banca"),
        ({"bancaId": "x", "maxAmountCents": 1}, "bancaId must be a UUID"),
        (B | {"loteriaId": str(L1), "maxAmountCents": 1}, "multiplierId loteriaId and multiplierId go together"),
        ({"loteriaId": str(L1), "multiplierId": str(UNKNOWN)}, "multiplierId there is no such multiplier"),
        (B | {"salesCutoffMinutes": 5, "maxAmountCents": 1}, "salesCutoffMinutes not with amounts"),
        (B | {"appliesToDate": "soon", "maxAmountCents": 1}, "appliesToDate expected a date"),
        (B | {"appliesToHour": 24, "maxAmountCents": 1}, "appliesToHour must be a whole number"),
        (B | {"updatedAt": "soon", "maxAmountCents": 1}, "updatedAt expected an ISO 8601 instant"),
        (B, "maxAmount the rule limits nothing"),
    ],
)
def test_a_malformed_rule_in_storage_counts_as_absent_and_is_told(row: Any, defect: str) -> None:
    book = rulebook(restrictions=[restriction("R", **row)])
    assert book.restrictions == {}
    assert [one[: len(defect) + 15] for one in book.defects] == [f"restriction R: {defect}"]


def test_what_storage_keeps_of_an_auto_date_rules_number_is_passed_over() -> None:
    book = rulebook(restrictions=[restriction("R", **B, isAutoDate=True, number=14, maxAmountCents=1)])
    assert book.defects == ()
    assert book.restrictions[BANCA][0].number is None


def test_an_empty_message_in_storage_does_not_lift_the_limit() -> None:
    book = rulebook(restrictions=[restriction("R", **B, maxAmountCents=1, message="")])
    assert (book.defects, book.restrictions[BANCA][0].message) == ((), None)


def test_every_member_of_a_document_becomes_a_member_of_the_rule() -> None:
    limit = V | {
        "number": "07",
        "maxAmount": "500.01",
        "maxTotal": 600,
        "baseAmount": "100",
        "salesPercentage": JsonNumber("12.5"),
        "appliesToVendedor": True,
        "appliesToDate": "2026-01-15",
        "appliesToHour": 23,
        "message": "poco",
        "isActive": True,
    }
    written = Restriction(
        id="",
        ventana_id=VENTANA,
        number=7,
        max_amount_cents=Cents(50_001),
        max_total_cents=Cents(60_000),
        base_amount_cents=Cents(10_000),
        sales_basis_points=1_250,
        applies_to_vendedor=True,
        applies_to_date=date(2026, 1, 15),
        applies_to_hour=23,
        message="poco",
    )
    assert read_restriction(limit, rulebook=BOOK) == ((written,), [])
    auto_date = U | {"isAutoDate": True, "autoDateOf": "SORTEO", "maxTotal": 1}
    of_day = Restriction(
        id="", user_id=SELLER, is_auto_date=True, auto_date_of=AutoDateOf.SORTEO, max_total_cents=Cents(100)
    )
    assert read_restriction(auto_date, rulebook=BOOK) == ((of_day,), [])
    cutoff = Restriction(id="", banca_id=BANCA, sales_cutoff_minutes=30)
    assert read_restriction(B | {"salesCutoffMinutes": 30}, rulebook=BOOK) == ((cutoff,), [])
    block = Restriction(id="", loteria_id=L1, multiplier_id=X85)
    assert read_restriction(PAIR, rulebook=BOOK) == ((block,), [])


@pytest.mark.parametrize("members", [{"salesPercentage": 0}, {"baseAmount": 0}, {"appliesToVendedor": False}])
def test_a_zero_or_a_false_is_the_same_as_nothing(members: dict[str, Any]) -> None:
    [rule], violations = read_restriction(B | {"maxTotal": 1} | members, rulebook=BOOK)
    assert (rule, violations) == (Restriction(id="", banca_id=BANCA, max_total_cents=Cents(100)), [])


HOMELESS = ActingUser(UUID(int=55), Role.VENTANA)


@pytest.mark.parametrize(
    ("acting", "members", "field"),
    [
        # A rule without a scope binds every seller of the banca.
        (ADMIN, {}, None),
        (OWNER, {}, None),
        (OTHER_OWNER, {}, "bancaId"),
        (LISTERO, {}, "bancaId"),
        (HOMELESS, {}, "bancaId"),
        (HERSELF, {}, "bancaId"),
        (HOMELESS, {"ventana_id": VENTANA}, "ventanaId"),
        (LISTERO, {"user_id": UNKNOWN}, "userId"),
        (HOMELESS, {"user_id": UNKNOWN}, "userId"),
        (ADMIN, {"user_id": UNKNOWN}, None),
    ],
)
def test_a_rule_that_is_nobodys_is_touched_by_administrators_only(
    acting: ActingUser, members: dict[str, Any], field: str | None
) -> None:
    rule = Restriction("R", loteria_id=L1, multiplier_id=X85, **members)
    violations = author_violations(rule, rulebook=BOOK, acting=acting)
    assert [(violation.code, violation.field) for violation in violations] == (
        [] if field is None else [("RESTRICTION_SCOPE_FORBIDDEN", field)]
    )
