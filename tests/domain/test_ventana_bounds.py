"""What a banca lets its ventanas write: the kinds, and the bounds to the hundredth."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from core.domain.money import Cents
from core.domain.rulebook import Restriction, Rulebook
from core.domain.ventana_bounds import (
    Excess,
    VentanaBounds,
    VentanaWrite,
    excesses,
    judge_kind,
    judge_override,
    judge_policy,
    kind_of_restriction,
    multiplier_bound,
)
from core.domain.violations import Violation
from tests.domain.domain_samples import L1, L2, SELLER, VENTANA, X85, X90, multiplier, policy, rulebook

ALL = frozenset(VentanaWrite)
NAMES = ["LIMIT", "BLOCK", "OVERRIDE", "COMMISSION_POLICY", "MOVEMENT"]
OTHER_SELLER, OTHER_VENTANA = UUID(int=30), UUID(int=22)
O1, O2, O3 = (UUID(int=n) for n in (501, 502, 503))


def bounds(*, x: int | None = 8_000, basis_points: int = 500, writes: frozenset[VentanaWrite] = ALL) -> VentanaBounds:
    return VentanaBounds(x, basis_points, writes)


def test_the_kinds_are_these() -> None:
    assert [kind.value for kind in VentanaWrite] == NAMES


@pytest.mark.parametrize("kind", VentanaWrite)
def test_a_kind_that_is_let_is_not_spoken_against(kind: VentanaWrite) -> None:
    assert judge_kind(bounds(), kind) == []
    assert judge_kind(bounds(writes=frozenset({kind})), kind) == []


@pytest.mark.parametrize("kind", VentanaWrite)
def test_a_kind_that_is_not_let_is_refused_with_those_that_are_in_their_order(kind: VentanaWrite) -> None:
    assert judge_kind(bounds(writes=ALL - {kind}), kind) == [
        Violation(
            "VENTANA_WRITE_FORBIDDEN",
            f"the banca does not let its ventanas write {kind.value}",
            None,
            {"kind": kind.value, "ventanaWrites": [name for name in NAMES if name != kind.value]},
        )
    ]
    [violation] = judge_kind(bounds(writes=frozenset()), kind)
    assert violation.data == {"kind": kind.value, "ventanaWrites": []}


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({}, "BLOCK"),
        ({"multiplier_id": X85, "loteria_id": L1}, "BLOCK"),
        ({"max_amount_cents": Cents(1)}, "LIMIT"),
        ({"max_total_cents": Cents(0)}, "LIMIT"),
        ({"base_amount_cents": Cents(1)}, "LIMIT"),
        ({"sales_basis_points": 1}, "LIMIT"),
        ({"multiplier_id": X85, "loteria_id": L1, "max_total_cents": Cents(1)}, "LIMIT"),
    ],
)
def test_a_rule_with_an_amount_is_a_limit(members: dict[str, Any], kind: str) -> None:
    assert kind_of_restriction(Restriction("R", **members)) == kind


def setting(x: int | None) -> dict[str, Any]:
    return {"loteriaId": str(L1), "xHundredths": x, "isActive": True}


@pytest.mark.parametrize(
    ("x", "book", "expected"),
    [
        # What is set holds, whatever the lottery is sold at.
        (8_000, rulebook(), 8_000),
        (0, rulebook(), 0),
        (1, rulebook(multipliers=()), 1),
        # Else the most that may be chosen: not the oldest, nor an inactive one, nor REVENTADO's, nor another lottery's.
        (None, rulebook(), 9_000),
        (
            None,
            rulebook(multipliers=(multiplier(X85, 85), multiplier(X90, 70, createdAt="2025-01-01T00:00:00Z"))),
            8_500,
        ),
        (None, rulebook(multipliers=(multiplier(X85, 85), multiplier(X90, 99, isActive=False))), 8_500),
        (None, rulebook(multipliers=(multiplier(X85, 85), multiplier(X90, 200, kind="REVENTADO"))), 8_500),
        (None, rulebook(multipliers=(multiplier(X85, 85), multiplier(X90, 99, loteria=L2))), 8_500),
        (None, rulebook(multipliers=(multiplier(X85, 85), multiplier(X90, 99, appliesToDate="2026-01-15"))), 8_500),
        # And what the banca sets for the lottery, if that is more.
        (None, rulebook(bancaLoteriaSettings=[setting(9_001)]), 9_001),
        (None, rulebook(bancaLoteriaSettings=[setting(8_999)]), 9_000),
        (None, rulebook(bancaLoteriaSettings=[setting(None)]), 9_000),
        (None, rulebook(multipliers=(), bancaLoteriaSettings=[setting(50)]), 50),
        # The lottery's own number counts only where there is neither.
        (None, rulebook(rules={"baseMultiplierX": "99.00"}), 9_000),
        (None, rulebook(multipliers=(), rules={"baseMultiplierX": "99.00"}), 9_900),
        (None, rulebook(multipliers=(), bancaLoteriaSettings=[setting(50)], rules={"baseMultiplierX": "99.00"}), 50),
        (
            None,
            rulebook(multipliers=(), bancaLoteriaSettings=[setting(None)], rules={"baseMultiplierX": "99.00"}),
            9_900,
        ),
        (None, rulebook(multipliers=()), 0),
    ],
)
def test_the_most_that_an_override_may_be(x: int | None, book: Rulebook, expected: int) -> None:
    assert multiplier_bound(bounds(x=x), loteria=book.loterias[L1], rulebook=book) == expected


def test_the_installations_default_is_the_last_measure() -> None:
    def most(rules: dict[str, Any]) -> int:
        book = replace(rulebook(multipliers=(), rules=rules), base_multiplier_default_x=6_000)
        return multiplier_bound(bounds(x=None), loteria=book.loterias[L1], rulebook=book)

    assert most({}) == 6_000
    assert most({"baseMultiplierX": "50.00"}) == 5_000


@pytest.mark.parametrize(
    ("x", "asked", "bound"),
    [
        (8_000, 7_999, None),
        (8_000, 8_000, None),
        (8_000, 8_001, ("80.01", "80.00")),
        (None, 9_000, None),
        (None, 9_001, ("90.01", "90.00")),
        (0, 1, ("0.01", "0.00")),
    ],
)
def test_an_override_may_reach_its_bound(x: int | None, asked: int, bound: tuple[str, str] | None) -> None:
    book = rulebook()
    found = judge_override(bounds(x=x), x_hundredths=asked, loteria=book.loterias[L1], rulebook=book)
    assert found == ([] if bound is None else [beyond("baseMultiplierX", "ventanaMaxMultiplierX", *bound)])


def beyond(field: str, setting: str, asked: str, bound: str) -> Violation:
    return Violation(
        "VENTANA_BOUND_EXCEEDED",
        f"the banca lets its ventanas write at most {bound} ({setting})",
        field,
        {"setting": setting, "asked": asked, "bound": bound},
    )


def test_an_override_is_told_everything_the_kind_first() -> None:
    book = rulebook()
    limits = bounds(writes=ALL - {VentanaWrite.OVERRIDE})
    found = judge_override(limits, x_hundredths=8_001, loteria=book.loterias[L1], rulebook=book)
    assert [one.code for one in found] == ["VENTANA_WRITE_FORBIDDEN", "VENTANA_BOUND_EXCEEDED"]
    assert found[0].data is not None
    assert found[0].data["kind"] == "OVERRIDE"
    [only] = judge_override(limits, x_hundredths=8_000, loteria=book.loterias[L1], rulebook=book)
    assert only.code == "VENTANA_WRITE_FORBIDDEN"


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        (None, []),
        (policy("5.00"), []),
        (policy("0"), []),
        (policy("5.01"), [("defaultPercent", "5.01")]),
        (policy("5.00", {"id": "a", "percent": "5.00"}), []),
        (policy("5.00", {"id": "a", "percent": "5.01"}), [("rules[0].percent", "5.01")]),
        (
            policy(
                "6.00",
                {"id": "a", "betType": "NUMERO", "percent": "7.00"},
                {"id": "b", "betType": "REVENTADO", "percent": "4.00"},
                {"id": "c", "percent": "100.00"},
            ),
            [("defaultPercent", "6.00"), ("rules[0].percent", "7.00"), ("rules[2].percent", "100.00")],
        ),
    ],
)
def test_each_percent_of_a_policy_may_reach_the_bound(document: object, fields: list[tuple[str, str]]) -> None:
    assert judge_policy(bounds(), document) == [
        beyond(field, "ventanaMaxCommissionPercent", asked, "5.00") for field, asked in fields
    ]


@pytest.mark.parametrize(
    ("document", "codes"),
    [
        (None, ["VENTANA_WRITE_FORBIDDEN"]),
        (policy("5.00"), ["VENTANA_WRITE_FORBIDDEN"]),
        (policy("5.01"), ["VENTANA_WRITE_FORBIDDEN", "VENTANA_BOUND_EXCEEDED"]),
    ],
)
def test_a_policy_is_told_everything_the_kind_first(document: object, codes: list[str]) -> None:
    found = judge_policy(bounds(writes=ALL - {VentanaWrite.COMMISSION_POLICY}), document)
    assert [one.code for one in found] == codes
    assert found[0].data is not None
    assert found[0].data["kind"] == "COMMISSION_POLICY"


def override(key: UUID, x: int, **owner: str) -> dict[str, Any]:
    return {
        "id": str(key),
        "scope": "USER" if "userId" in owner else "VENTANA",
        "loteriaId": str(L1),
        "multiplierType": "NUMERO",
        "xHundredths": x,
        **owner,
    }


OVERRIDES = [
    override(O1, 8_001, ventanaId=str(VENTANA)),
    override(O2, 9_500, userId=str(SELLER)),
    override(O3, 8_000, userId=str(OTHER_SELLER)),
]


def book_of(*policies: object, **members: Any) -> Rulebook:
    """policies: of the seller, and of the other one, who has the lesser id and comes first."""
    sellers = [(SELLER, VENTANA), (OTHER_SELLER, OTHER_VENTANA)]
    return rulebook(
        ventanas=[{"id": str(each), "policy": None, "listeroPolicy": None} for each in (VENTANA, OTHER_VENTANA)],
        sellers=[
            {"id": str(seller), "ventanaId": str(ventana), "policy": document}
            for (seller, ventana), document in zip(sellers, policies, strict=True)
        ],
        overrides=OVERRIDES,
        **members,
    )


def found(limits: VentanaBounds, book: Rulebook, *overrides: tuple[UUID, UUID]) -> list[Excess]:
    return list(excesses(limits, rulebook=book, of_ventanas=overrides))


def test_overrides_beyond_the_bound_are_listed_as_they_come() -> None:
    book = book_of(None, None)
    of_seller = Excess(VentanaWrite.OVERRIDE, O2, None, SELLER, L1, 9_500, 8_000)
    of_ventana = Excess(VentanaWrite.OVERRIDE, O1, VENTANA, None, L1, 8_001, 8_000)
    assert found(bounds(), book, (O2, L1), (O3, L1), (O1, L1)) == [of_seller, of_ventana]
    assert found(bounds(), book, (O1, L1), (O2, L1)) == [of_ventana, of_seller]
    # Only those that a ventana wrote.
    assert found(bounds(), book) == []
    assert found(bounds(x=None), book, (O1, L1), (O2, L1)) == [of_seller._replace(bound=9_000)]


def test_an_override_that_is_not_in_force_is_passed_over_and_those_after_it_are_not() -> None:
    book = book_of(None, None)
    unknown, no_lottery = (UUID(int=599), L1), (O2, UUID(int=98))
    assert [one.id for one in found(bounds(), book, unknown, no_lottery, (O1, L1))] == [O1]


@pytest.mark.parametrize(
    ("of_seller", "of_other", "expected"),
    [
        (None, None, []),
        (policy("5.00"), policy("0.00"), []),
        (policy("5.01"), None, [(SELLER, VENTANA, 501)]),
        (None, policy("5.01"), [(OTHER_SELLER, OTHER_VENTANA, 501)]),
        # By the sellers' ids; the most of a policy's percents.
        (
            policy("6.00"),
            policy("1.00", {"id": "a", "betType": "NUMERO", "percent": "7.00"}, {"id": "b", "percent": "6.50"}),
            [(OTHER_SELLER, OTHER_VENTANA, 700), (SELLER, VENTANA, 600)],
        ),
    ],
)
def test_policies_beyond_the_bound_are_listed_by_seller(
    of_seller: object, of_other: object, expected: list[tuple[UUID, UUID, int]]
) -> None:
    assert found(bounds(), book_of(of_seller, of_other)) == [
        Excess(VentanaWrite.COMMISSION_POLICY, seller, ventana, seller, None, most, 500)
        for seller, ventana, most in expected
    ]


def test_overrides_are_listed_before_policies() -> None:
    kinds = [one.kind for one in found(bounds(), book_of(policy("9.00"), None), (O1, L1))]
    assert kinds == [VentanaWrite.OVERRIDE, VentanaWrite.COMMISSION_POLICY]
