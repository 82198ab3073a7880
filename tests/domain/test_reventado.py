"""REVENTADO at the sale: allowed by its lottery, leaning on its NUMERO."""

from typing import Any

import pytest
from msgspec.structs import replace

from core.domain.pricing import Refusal
from core.domain.ticket import JugadaRequest, PricedTicket
from tests.domain.domain_samples import PLAIN, judged, numero, refused, reventado, rulebook


def test_reventado_can_be_switched_off() -> None:
    for config in ({}, {"enabled": None}, {"enabled": True}, {"colors": ["ROJA"]}):
        assert isinstance(
            judged(rulebook(rules={"reventadoConfig": config}), numero("07"), reventado("07")), PricedTicket
        )
    assert refused(rulebook(rules={"reventadoConfig": {"enabled": False}}), numero("07"), reventado("07")) == [
        ("REVENTADO_DISABLED", "jugadas[1].type")
    ]


def test_a_lottery_may_insist_on_the_reventado_number() -> None:
    book = rulebook(rules={"reventadoConfig": {"enabled": True, "requiresMatchingNumber": True}})
    assert isinstance(judged(book, numero("07"), reventado("07", link="07")), PricedTicket)
    assert refused(book, numero("07"), reventado("07")) == [("REVENTADO_MATCH_REQUIRED", "jugadas[1].reventadoNumber")]


@pytest.mark.parametrize(
    ("jugadas", "violations"),
    [
        ([numero("07", "500"), reventado("07", "500")], []),
        ([reventado("07", "500"), numero("07", "500")], []),  # the order of lines does not matter
        ([numero("07", "200"), numero("07", "300"), reventado("07", "500", link="07")], []),
        ([numero("07", "500"), reventado("07", "200"), reventado("07", "300")], []),
        ([reventado("07")], [("REVENTADO_MATCH_REQUIRED", "jugadas[0].number")]),
        ([numero("08"), reventado("07")], [("REVENTADO_MATCH_REQUIRED", "jugadas[1].number")]),
        ([numero("07"), reventado("07", link="08")], [("INVALID_REVENTADO_LINK", "jugadas[1].reventadoNumber")]),
        ([numero("07", "500"), reventado("07", "500.01")], [("REVENTADO_EXCEEDS_NUMERO", "jugadas[1].amount")]),
        # What reaches the NUMERO exactly is in order; the cent after it is not.
        (
            [numero("07", "500"), reventado("07", "500"), reventado("07", "0.01")],
            [("REVENTADO_EXCEEDS_NUMERO", "jugadas[2].amount")],
        ),
        # Jointly: neither line exceeds by itself, and one of them is enough to say so.
        (
            [numero("07", "500"), reventado("07", "300"), reventado("07", "300"), reventado("07", "300")],
            [("REVENTADO_EXCEEDS_NUMERO", "jugadas[2].amount")],
        ),
        (
            [numero("07", "1"), numero("08", "1"), reventado("08", "2"), reventado("07", "2")],
            [("REVENTADO_EXCEEDS_NUMERO", "jugadas[2].amount"), ("REVENTADO_EXCEEDS_NUMERO", "jugadas[3].amount")],
        ),
    ],
)
def test_a_reventado_leans_on_its_numero(jugadas: list[JugadaRequest], violations: Any) -> None:
    result = judged(PLAIN, *jugadas)
    found = result.violations if isinstance(result, Refusal) else ()
    assert [(v.code, v.field) for v in found] == violations


def test_a_numero_has_no_reventado_number() -> None:
    line = replace(numero("07"), reventado_number_text="07")
    assert refused(PLAIN, line) == [("INVALID_REVENTADO_LINK", "jugadas[0].reventadoNumber")]
