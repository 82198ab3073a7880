"""Which multiplier a jugada is sold with: the chosen one, or what the chain of the lottery gives."""

from typing import Any
from uuid import UUID

import pytest

from tests.domain.domain_samples import (
    INACTIVE,
    L2,
    MULTIPLIERS,
    OF_L2,
    OF_REVENTADO,
    PLAIN,
    UNKNOWN,
    X80,
    X85,
    X90,
    multiplier,
    numero,
    priced,
    refused,
    reventado,
    rulebook,
)


def test_mul_6_the_chosen_multiplier_is_frozen() -> None:
    line = priced(PLAIN, numero("07", multiplier_id=X85)).jugadas[0]
    assert (line.multiplier_id, line.multiplier_x_hundredths) == (X85, 8_500)


def test_mul_8_reventado_has_no_multiplier_at_the_sale() -> None:
    line = priced(PLAIN, numero("07"), reventado("07")).jugadas[1]
    assert (line.multiplier_id, line.multiplier_x_hundredths) == (None, 0)


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        (UNKNOWN, "INVALID_MULTIPLIER"),
        (OF_REVENTADO, "INVALID_MULTIPLIER_KIND"),
        (OF_L2, "INVALID_MULTIPLIER_LOTERIA"),  # MUL-9
        (INACTIVE, "INACTIVE_MULTIPLIER"),
    ],
)
def test_a_multiplier_that_may_not_be_chosen_has_its_code(chosen: UUID, code: str) -> None:
    assert refused(PLAIN, numero("07", multiplier_id=chosen)) == [(code, "jugadas[0].multiplierId")]


def test_a_multiplier_without_value_is_refused_and_never_the_base() -> None:
    book = rulebook(multipliers=(multiplier(X80, 0, name="Base"),))
    assert refused(book, numero("07", multiplier_id=X80)) == [("INVALID_MULTIPLIER_VALUE", "jugadas[0].multiplierId")]
    assert refused(book, numero("07")) == [("MISSING_MULTIPLIER_ID", "jugadas[0].multiplierId")]


def test_a_reventado_may_not_choose_a_multiplier() -> None:
    for chosen in (X90, OF_REVENTADO):
        assert refused(PLAIN, numero("07"), reventado("07", multiplier_id=chosen)) == [
            ("INVALID_MULTIPLIER_KIND", "jugadas[1].multiplierId")
        ]


@pytest.mark.parametrize(
    ("multipliers", "rules", "frozen"),
    [
        (MULTIPLIERS, {}, (X90, 9_000)),
        # MUL-4: "Base" inactive, then the oldest of kind NUMERO.
        (
            (multiplier(X90, 90, name="Base", isActive=False), multiplier(X85, 25), multiplier(X80, 20)),
            {"baseMultiplierX": 70},
            (X80, 2_000),
        ),
        (
            (multiplier(X90, 90, name="Base", kind="REVENTADO"), multiplier(X85, 85)),
            {},
            (X85, 8_500),
        ),
        ((multiplier(OF_L2, 90, name="Base", loteria=L2),), {"baseMultiplierX": "72.50"}, (None, 7_250)),
        ((), {"baseMultiplierX": 70}, (None, 7_000)),
    ],
)
def test_without_a_choice_the_chain_decides(multipliers: Any, rules: Any, frozen: tuple[UUID | None, int]) -> None:
    line = priced(rulebook(multipliers=multipliers, rules=rules), numero("07")).jugadas[0]
    assert (line.multiplier_id, line.multiplier_x_hundredths) == frozen


def test_without_a_choice_and_without_a_base_one_must_be_chosen() -> None:
    assert refused(rulebook(multipliers=()), numero("07")) == [("MISSING_MULTIPLIER_ID", "jugadas[0].multiplierId")]
