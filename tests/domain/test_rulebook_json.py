import json

import pytest

from core.domain.money import JsonNumber
from core.domain.rulebook import LoteriaRules
from core.domain.rulebook_json import rulebook_from_json, rulebook_from_text
from tests.domain.domain_samples import (
    BANCA,
    L1,
    L2,
    MULTIPLIERS,
    OF_REVENTADO,
    SELLER,
    UNKNOWN,
    VENTANA,
    X80,
    X85,
    X90,
    multiplier,
    numero,
    policy,
    priced,
    rulebook,
)


def text_of(**members: object) -> str:
    document = {
        "bancaId": str(BANCA),
        "version": 3,
        "defaultMinBetCents": 10_000,
        "globalMaxPerNumberCents": 5_000_000,
        "salesCutoffMinutes": 10,
        "commissionPolicy": None,
        "loterias": [{"id": str(L1), "name": "Tica", "rules": {}, "isActive": True}],
        "multipliers": list(MULTIPLIERS),
        "ventanas": [{"id": str(VENTANA), "policy": None, "listeroPolicy": None}],
        "sellers": [{"id": str(SELLER), "ventanaId": str(VENTANA), "policy": None}],
    }
    return json.dumps({**document, **members})


def test_the_loaded_document_becomes_a_rulebook() -> None:
    book = rulebook_from_text(text_of())
    assert (book.banca_id, book.version, book.cutoff_minutes, book.defects) == (BANCA, 3, 10, ())
    assert (book.default_min_bet_cents, book.global_max_per_number_cents) == (10_000, 5_000_000)
    assert set(book.sellers) == {SELLER}
    assert book.loterias[L1].rules == LoteriaRules()


def test_decimals_in_the_text_stay_exact() -> None:
    rules = [{"id": L1.hex, "percent": 12.5}]
    book = rulebook_from_text(text_of(commissionPolicy={"version": 1, "defaultPercent": 8.25, "rules": rules}))
    assert book.defects == ()
    assert book.policy is not None
    assert (book.policy.default_basis_points, book.policy.rules[0].basis_points) == (825, 1_250)


def test_multipliers_of_a_lottery_stand_in_the_order_of_their_creation() -> None:
    late = multiplier(X80, 80, createdAt="2026-03-01T00:00:00.5+00:00")
    early = multiplier(X85, 85, createdAt="2026-02-01T00:00:00+00:00")
    book = rulebook(multipliers=(late, early))
    assert [m.id for m in book.multipliers_of_loteria[L1]] == [X85, X80]
    assert book.multipliers_of_loteria[L2] == ()
    assert OF_REVENTADO not in book.multipliers


@pytest.mark.parametrize(
    "malformed",
    [
        {},
        [],
        "5 %",
        5,
        {"defaultPercent": 101},
        policy("5", {"percent": "x"}),
        policy("5", effectiveFrom="soon"),
        policy("5", version=2),
        {"defaultPercent": 7.5},
    ],
)
def test_a_malformed_policy_counts_as_absent_and_is_a_defect(malformed: object) -> None:
    book = rulebook(user=malformed, ventana=policy("10"))
    assert book.sellers[SELLER].policy is None
    assert len(book.defects) == 1
    assert book.defects[0].startswith(f"seller {SELLER}: policy: ")
    assert priced(book, numero("07")).jugadas[0].commission_origin == "VENTANA"


def test_what_a_stored_policy_has_too_much_does_not_make_it_absent() -> None:
    embedded = {"id": "a", "percent": "7", "loteria": {"name": "Tica"}}
    book = rulebook(banca=policy("5", embedded, {**embedded, "id": "b"}, note="x"))
    assert book.defects == ()
    assert book.policy is not None


def test_malformed_rules_count_as_absent_one_by_one() -> None:
    book = rulebook(rules={"minBetAmount": "abc", "maxBetAmount": JsonNumber("10.5"), "digits": 9})
    assert book.loterias[L1].rules == LoteriaRules(max_bet_cents=book.loterias[L1].rules.max_bet_cents)
    assert book.loterias[L1].rules.max_bet_cents == 1_050
    assert len(book.defects) == 2


@pytest.mark.parametrize("rules", [[], "x", 5])
def test_rules_that_are_no_object_are_no_rules(rules: object) -> None:
    book = rulebook(rules=rules or [1])
    assert book.loterias[L1].rules == LoteriaRules()
    assert len(book.defects) == 1


def test_a_rule_of_a_multiplier_that_is_gone_never_matches() -> None:
    book = rulebook(multipliers=(multiplier(X90, 90),), banca=policy("5", {"multiplierId": str(X80), "percent": "50"}))
    assert book.defects == ()
    assert priced(book, numero("07")).jugadas[0].commission_basis_points == 500


def test_a_document_without_its_members_is_the_loaders_fault() -> None:
    with pytest.raises(KeyError):
        rulebook_from_json({"bancaId": str(BANCA)})


def override(**members: object) -> dict[str, object]:
    return {
        "id": "O", "scope": "USER", "userId": str(SELLER), "ventanaId": None, "loteriaId": str(L1),
        "multiplierType": "NUMERO", "baseMultiplierX": "95.00", "isActive": True, **members,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "x"),
    [
        (override(), 9_500),
        (override(baseMultiplierX=None, xHundredths=9_250), 9_250),
        (override(baseMultiplierX=None, xHundredths=1), 1),
        (override(baseMultiplierX="0.01"), 1),
        (override(baseMultiplierX="9999.00"), 999_900),
        (override(scope="VENTANA", userId=None, ventanaId=str(VENTANA)), 9_500),
        (override(isActive=False), None),
        (override(multiplierType="REVENTADO"), None),
        (override(multiplierType="anything"), None),
        (override(loteriaId=str(L2)), None),
    ],
)
def test_an_override_gives_the_base_of_its_seller_or_ventana(row: object, x: int | None) -> None:
    book = rulebook(overrides=[row])
    assert book.defects == ()
    assert priced(book, numero("07")).jugadas[0].multiplier_x_hundredths == (x or 9_000)


@pytest.mark.parametrize(
    "row",
    [
        override(userId=None),
        override(ventanaId=str(VENTANA)),
        override(scope="BANCA"),
        override(loteriaId=None),
        override(loteriaId="x"),
        override(baseMultiplierX="0"),
        override(baseMultiplierX="10000"),
        override(baseMultiplierX=None),
        override(baseMultiplierX=None, xHundredths=0),
    ],
)
def test_a_malformed_override_counts_as_absent_and_is_a_defect(row: object) -> None:
    book = rulebook(overrides=[row, override(id="good", userId=str(UNKNOWN))])
    assert [one.id for one in book.overrides.values()] == ["good"]
    assert {defect[:12] for defect in book.defects} == {"override O: "}


def test_the_defect_of_an_override_names_what_is_wrong() -> None:
    assert rulebook(overrides=[override(scope="BANCA")]).defects == (
        "override O: scope must be USER with userId, or VENTANA with ventanaId",
    )


def test_of_two_overrides_for_one_seller_the_order_does_not_decide() -> None:
    rows = [override(id="a"), override(id="b", baseMultiplierX="80")]
    assert rulebook(overrides=rows).overrides == rulebook(overrides=rows[::-1]).overrides


def test_settings_of_a_lottery_give_base_and_total() -> None:
    row = {"loteriaId": str(L1), "xHundredths": 8_800, "maxTotalPerSorteoCents": 0, "isActive": True}
    book = rulebook(bancaLoteriaSettings=[row])
    assert (book.loteria_settings[L1].base_multiplier_x, book.loteria_settings[L1].max_total_cents) == (8_800, 0)
    assert rulebook(bancaLoteriaSettings=[{**row, "isActive": False}]).loteria_settings == {}
    bad = rulebook(bancaLoteriaSettings=[{**row, "maxTotalPerSorteoCents": -1}])
    assert (bad.loteria_settings, len(bad.defects)) == ({}, 1)


def test_the_last_resort_of_the_chain_comes_from_outside_the_document() -> None:
    book = rulebook_from_text(text_of(multipliers=[], defaultMinBetCents=0), base_multiplier_default_x=9_000)
    line = priced(book, numero("07")).jugadas[0]
    assert (line.multiplier_id, line.multiplier_x_hundredths) == (None, 9_000)


def test_a_multiplier_of_an_impossible_day_is_not_sold_and_is_a_defect() -> None:
    book = rulebook(multipliers=(multiplier(X90, 90, appliesToDate="9999-12-31"), multiplier(X85, 85)))
    assert len(book.defects) == 1
    assert priced(book, numero("07")).jugadas[0].multiplier_id == X85
