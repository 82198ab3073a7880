"""The worked examples of domain §14.1–14.4 and 14.7, as cases of docs/examples/explain, and what a case may not say."""

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from core.domain.explain import CaseError, explain
from core.domain.money import JsonNumber

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "explain"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.json"))


def example(name: str) -> dict[str, Any]:
    case: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text(), parse_float=JsonNumber)
    return case


def differences(expected: Any, found: Any, place: str = "decision") -> list[str]:
    """What is expected and not found: of objects the members named, of lists every element, in order."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return [
            line for key, member in expected.items() for line in differences(member, found.get(key), f"{place}.{key}")
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [
            line
            for index, (one, other) in enumerate(zip(expected, found, strict=True))
            for line in differences(one, other, f"{place}[{index}]")
        ]
    return [] if expected == found else [f"{place}: expected {expected}, found {found}"]


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_decided_as_it_says(name: str) -> None:
    case = example(name)
    assert differences(case["expect"], explain(case)) == []


def test_the_examples_are_there_and_say_what_they_show() -> None:
    assert len(NAMES) > 60
    assert all(example(name)["title"] and example(name)["expect"] for name in NAMES)


GOOD = example("res-3")


def changed(path: str, value: object) -> dict[str, Any]:
    """GOOD with one member replaced; path: "sorteo.digits", "restrictions.0.maxTotal"."""
    case = deepcopy(GOOD)
    *parents, last = path.split(".")
    place: Any = case
    for step in parents:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[int(last) if isinstance(place, list) else last] = value
    return case


@pytest.mark.parametrize(
    ("case", "where"),
    [
        (None, "the case: "),
        ([], "the case: "),
        ({}, "banca: "),
        (changed("bancas", []), "bancas: "),
        (changed("banca", None), "banca: "),
        (changed("banca", []), "banca: "),
        (changed("banca", {}), "banca.id: "),
        (changed("banca.salesCutoffMinutes", "5"), "banca.salesCutoffMinutes: "),
        (changed("banca.globalMaxPerNumber", 0.5), "banca.globalMaxPerNumber: "),
        (changed("loterias", {}), "loterias: "),
        (changed("loterias", ["L1"]), "loterias[0]: "),
        (changed("loterias", [{"name": "Tica"}]), "loterias[0].id: "),
        (changed("loterias", [{"id": 5}]), "loterias[0].id: "),
        (changed("multipliers.0.kind", "TRIPLE"), "multipliers[0].kind: "),
        (changed("multipliers.0.createdAt", "soon"), "multipliers[0].createdAt: "),
        (changed("multipliers.0.valueX", "x"), "multipliers[0].valueX: "),
        (changed("users.0.ventanaId", None), "users[0].ventanaId: "),
        (changed("restrictions.0.maxTotl", 1), "restrictions[0].maxTotl: "),
        (changed("sorteo.scheduledAt", "2026-01-15"), "sorteo.scheduledAt: "),
        (changed("sorteo.scheduledAt", None), "sorteo.scheduledAt: "),
        (changed("sorteo.digits", 4), "sorteo.digits: "),
        (changed("sorteo.status", "GONE"), "sorteo.status: "),
        (changed("sorteo.numberLimits", {"7": "5"}), "sorteo.numberLimits.7: "),
        (changed("sorteo.numberLimits", {"07": "x"}), "sorteo.numberLimits.07: "),
        (changed("sorteo.globalLimit", "-1"), "sorteo.globalLimit: "),
        (changed("at", 5), "at: "),
        (changed("vendedorId", None), "vendedorId: "),
        (changed("actor", {"role": "KING"}), "actor.role: "),
        (changed("actor", {"rol": "ADMIN"}), "actor.rol: "),
        (changed("sold.0.scope", "ALL"), "sold[0].scope: "),
        (changed("sold.0.amount", None), "sold[0].amount: "),
        (changed("sold.0.number", "155"), "sold[0].number: "),
        (changed("sold.0.type", "NUMERO"), "sold[0].type: "),
        (changed("ticket", []), "ticket: "),
        (changed("ticket.jugadas", {}), "ticket.jugadas: "),
        (changed("ticket.jugadas.0", None), "ticket.jugadas[0]: "),
        (changed("ticket.jugadas.0.amount", "0"), "ticket.jugadas[0].amount: "),
        (changed("ticket.jugadas.0.amount", 1.5), "ticket.jugadas[0].amount: "),
        (changed("ticket.jugadas.0.number", None), "ticket.jugadas[0].number: "),
        (changed("ticket.jugadas.0.type", "TRIPLE"), "ticket.jugadas[0].type: "),
        (changed("multiplierBaseDefaultX", 0), "multiplierBaseDefaultX: "),
    ],
)
def test_a_malformed_case_says_where_in_one_line(case: object, where: str) -> None:
    with pytest.raises(CaseError) as refusal:
        explain(case)
    assert str(refusal.value).startswith(where)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("case", "codes"),
    [
        (changed("sorteo.status", "SCHEDULED"), ["SORTEO_NOT_OPEN", "NUMBER_MAXTOTAL_EXCEEDED"]),
        (changed("sorteo.status", "EVALUATED"), ["SORTEO_CLOSED", "NUMBER_MAXTOTAL_EXCEEDED"]),
        (changed("sorteo.isActive", False), ["SORTEO_NOT_OPEN", "NUMBER_MAXTOTAL_EXCEEDED"]),
        (changed("vendedorId", "nobody"), ["SELLER_NOT_FOUND"]),
        (changed("actor", {"role": "VENDEDOR", "id": "S2"}), ["SELLER_NOT_OWN"]),
        (changed("actor", {"role": "BANCA", "bancaIds": ["B2"]}), ["SELLER_NOT_OWN"]),
        (changed("actor", {"role": "BANCA", "bancaIds": ["B1", "B2"]}), ["NUMBER_MAXTOTAL_EXCEEDED"]),
        (changed("actor", {"role": "VENTANA", "ventanaId": "V1"}), []),
        (changed("sorteo.loteriaId", "L9"), ["LOTERIA_NOT_FOUND"]),
        (changed("ticket.jugadas", []), ["JUGADAS_REQUIRED"]),
        (changed("ticket.jugadas.0.number", "7"), ["NUMBER_WIDTH_INVALID"]),
        (changed("restrictions.0.maxTotal", "lots"), []),
        (changed("restrictions.0.number", ["14", "15"]), ["NUMBER_MAXTOTAL_EXCEEDED"]),
    ],
)
def test_everything_that_speaks_against_a_ticket_is_told(case: dict[str, Any], codes: list[str]) -> None:
    decision = explain(case)
    violations: Any = decision["violations"]
    assert [violation["code"] for violation in violations] == codes
    assert decision["decision"] == ("REFUSED" if codes else "SOLD")


def test_a_decision_speaks_of_what_the_case_calls_things_and_is_json() -> None:
    text = json.dumps(explain(GOOD))
    assert not [part for part in text.split('"') if len(part) == 36 and part.count("-") == 4]
    uuids = changed("vendedorId", "00000000-0000-0000-0000-00000000001f")
    uuids["users"][0]["id"] = "00000000-0000-0000-0000-00000000001f"
    assert explain(uuids)["vendedorId"] == "00000000-0000-0000-0000-00000000001f"


def test_a_case_nested_beyond_reason_is_malformed() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"rulesJson": deep}
    with pytest.raises(CaseError):
        explain({**GOOD, "loterias": [deep]})
