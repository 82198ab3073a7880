"""Whole decisions of explain, what each member of a case changes in them, and what each may not be."""

import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from core.domain.case_document import read_case
from core.domain.explain import explain
from core.domain.permissions import Role
from tests.domain.explain_cases import BARE, FULL, changed

LIMIT = (
    *("source", "ruleId", "scope", "scopeId", "number", "counts", "perTicket", "amount", "cap", "dynamic", "limit"),
    *("used", "available", "verdict", "mostRestrictive"),
)


WORDS = {"-": None, "yes": True, "no": False}


def limit(row: str, members: dict[str, object]) -> dict[str, object]:
    """row: the members of LIMIT, one after the other; "-" is null."""
    return {**{key: WORDS.get(word, word) for key, word in zip(LIMIT, row.split(), strict=True)}, **members}


OF_USER: dict[str, object] = {"ruleScope": "USER", "isAutoDate": False, "isDynamic": True}
OF_VENTANA: dict[str, object] = {"ruleScope": "VENTANA", "isAutoDate": False, "isDynamic": False}
OF_BANCA: dict[str, object] = {"ruleScope": "BANCA", "isAutoDate": False, "isDynamic": False}
LIMITS = [
    limit(row, members)
    for row, members in (
        ("RESTRICTION R-user VENDEDOR S 005 ALL yes 120.00 900.00 - 900.00 0.00 900.00 FITS no", OF_USER),
        ("RESTRICTION R-user VENDEDOR S 007 ALL yes 50.00 900.00 - 900.00 0.00 900.00 FITS no", OF_USER),
        ("RESTRICTION R-user VENDEDOR S 005 ALL no 120.00 2000.00 1600.00 1600.00 100.00 1500.00 FITS no", OF_USER),
        ("RESTRICTION R-user VENDEDOR S 007 ALL no 50.00 2000.00 1600.00 1600.00 0.00 1600.00 FITS no", OF_USER),
        (
            "RESTRICTION R-day BANCA B 007 ALL no 50.00 700.00 - 700.00 300.00 400.00 FITS yes",
            OF_BANCA | {"autoDateOf": "SORTEO", "isAutoDate": True},
        ),
        ("RESTRICTION R-all VENTANA V 005 ALL no 120.00 4000.00 - 4000.00 110.00 3890.00 FITS no", OF_VENTANA),
        ("RESTRICTION R-each VENDEDOR S 005 ALL no 120.00 3000.00 - 3000.00 100.00 2900.00 FITS no", OF_VENTANA),
        ("RESTRICTION R-all VENTANA V 007 ALL no 50.00 4000.00 - 4000.00 0.00 4000.00 FITS no", OF_VENTANA),
        ("RESTRICTION R-each VENDEDOR S 007 ALL no 50.00 3000.00 - 3000.00 0.00 3000.00 FITS no", OF_VENTANA),
        (
            "RESTRICTION R-red BANCA B 005 REVENTADO no 20.00 250.00 - 250.00 30.00 220.00 FITS yes",
            OF_BANCA | {"multiplierId": "M-red", "multiplierName": "Red"},
        ),
        (
            "RESTRICTION R-young BANCA B 007 M-young no 50.00 600.00 - 600.00 40.00 560.00 FITS no",
            OF_BANCA | {"multiplierId": "M-young", "multiplierName": "Young"},
        ),
        ("SORTEO_GLOBAL_LIMIT - BANCA B 005 ALL no 120.00 8000.00 - 8000.00 0.00 8000.00 FITS no", {}),
        ("GLOBAL_MAX_PER_NUMBER - BANCA B 005 ALL no 120.00 9000.00 - 9000.00 0.00 9000.00 FITS no", {}),
        ("SORTEO_NUMBER_LIMIT - BANCA B 007 ALL no 50.00 5000.00 - 5000.00 300.00 4700.00 FITS no", {}),
        ("GLOBAL_MAX_PER_NUMBER - BANCA B 007 ALL no 50.00 9000.00 - 9000.00 300.00 8700.00 FITS no", {}),
        ("MAX_TOTAL_PER_SORTEO - BANCA B - ALL no 170.00 20000.00 - 20000.00 10000.00 10000.00 FITS yes", {}),
    )
]
DECISION: dict[str, Any] = {
    "decision": "SOLD",
    "at": "2026-01-07T18:00:00.000Z",
    "businessDate": "2026-01-07",
    "vendedorId": "S",
    "ventanaId": "V",
    "createdByRole": "BANCA",
    "cutoff": {
        "minutes": 12,
        "source": "VENTANA",
        "ruleId": "R-cut",
        "salesEndAt": "2026-01-07T18:48:01.000Z",
        "minutesLeft": 60,
        "reached": False,
    },
    "salesHours": {"open": True, "from": None, "until": None},
    "holds": {"from": "2026-01-07T18:00:00.000Z", "until": "2026-01-07T19:00:00.000Z"},
    "jugadas": [
        {
            "line": 1,
            "type": "NUMERO",
            "number": "005",
            "amount": "100.00",
            "multiplier": {"id": "M-old", "x": "88.00", "source": "ventanaOverride", "overrideId": "O"},
            "commission": {"percent": "8.00", "amount": "8.00", "origin": "USER", "ruleId": "dear"},
            "listeroCommission": {"percent": "12.00", "amount": "12.00", "origin": "USER", "ruleId": None},
        },
        {
            "line": 2,
            "type": "NUMERO",
            "number": "007",
            "amount": "50.00",
            "multiplier": {"id": "M-young", "x": "70.00", "source": "chosen", "overrideId": None},
            "commission": {"percent": "5.00", "amount": "2.50", "origin": "USER", "ruleId": None},
            "listeroCommission": {"percent": "12.00", "amount": "6.00", "origin": "USER", "ruleId": None},
        },
        {
            "line": 3,
            "type": "REVENTADO",
            "number": "005",
            "amount": "20.00",
            "multiplier": {"id": None, "x": "0.00", "source": "draw", "overrideId": None},
            "commission": {"percent": "5.00", "amount": "1.00", "origin": "USER", "ruleId": None},
            "listeroCommission": {"percent": "12.00", "amount": "2.40", "origin": "USER", "ruleId": None},
        },
    ],
    "totals": {
        "amount": "170.00",
        "commission": "11.50",
        "creditedToSeller": "11.50",
        "listeroCommission": "20.40",
        "ventanaGain": "8.90",
    },
    "limits": LIMITS,
    "violations": [],
    "warnings": [],
    "defects": [],
}
NO_COMMISSION = {"percent": "0.00", "amount": "0.00", "origin": None, "ruleId": None}
BARE_DECISION: dict[str, Any] = {
    "decision": "SOLD",
    "at": "2026-01-07T18:58:30.000Z",
    "businessDate": "2026-01-07",
    "vendedorId": "S",
    "ventanaId": "V",
    "createdByRole": "VENDEDOR",
    "cutoff": {
        "minutes": 1,
        "source": "DEFAULT",
        "ruleId": None,
        "salesEndAt": "2026-01-07T18:59:01.000Z",
        "minutesLeft": 2,
        "reached": False,
    },
    "salesHours": {"open": True, "from": None, "until": None},
    "holds": {"from": None, "until": None},
    "jugadas": [
        {
            "line": 1,
            "type": "NUMERO",
            "number": "05",
            "amount": "100.00",
            "multiplier": {"id": "M-1", "x": "90.00", "source": "multiplier", "overrideId": None},
            "commission": NO_COMMISSION,
            "listeroCommission": NO_COMMISSION,
        }
    ],
    "totals": {
        "amount": "100.00",
        "commission": "0.00",
        "creditedToSeller": "0.00",
        "listeroCommission": "0.00",
        "ventanaGain": "0.00",
    },
    "limits": [
        limit("RESTRICTION R VENTANA V 05 ALL no 100.00 500.00 - 500.00 1.00 499.00 FITS yes", OF_VENTANA),
    ],
    "violations": [],
    "warnings": [],
    "defects": [],
}


def test_the_decision_of_a_case_that_gives_every_member() -> None:
    assert explain(FULL) == DECISION


def test_the_decision_of_a_case_that_leaves_out_what_it_may() -> None:
    assert explain(BARE) == BARE_DECISION


@pytest.mark.parametrize("case", [FULL, BARE])
def test_a_decision_is_json_in_the_order_of_its_description(case: dict[str, Any]) -> None:
    assert list(explain(case)) == list(DECISION)
    assert json.loads(json.dumps(explain(case))) == explain(case)


@pytest.mark.parametrize(
    ("path", "value", "violations"),
    [
        (
            "sorteo.status",
            "CLOSED",
            [{"code": "SORTEO_CLOSED", "message": "This draw is closed.", "field": "sorteoId", "status": "CLOSED"}],
        ),
        (
            "sorteo.status",
            "EVALUATED",
            [{"code": "SORTEO_CLOSED", "message": "This draw is closed.", "field": "sorteoId", "status": "EVALUATED"}],
        ),
        (
            "sorteo.isActive",
            False,
            [{"code": "SORTEO_NOT_OPEN", "message": "This draw is not open for sale yet.", "field": "sorteoId"}],
        ),
        (
            "at",
            "2026-01-07T12:48:01",
            [
                {
                    "code": "SALES_CUTOFF_REACHED",
                    "message": "Sales of this draw end 12 minutes before it is drawn.",
                    "field": "sorteoId",
                    "scheduledAt": "2026-01-07T19:00:00.000Z",
                    "cutoffMinutes": 12,
                    "minutesLeft": 12,
                }
            ],
        ),
        (
            "restrictions.3.maxTotal",
            "349.99",
            [
                {
                    "code": "NUMBER_MAXTOTAL_EXCEEDED",
                    "message": "Number 007 is sold out for this draw: 49.99 left.",
                    "scope": "BANCA",
                    "number": "007",
                    "amount": "50.00",
                    "limit": "349.99",
                    "available": "49.99",
                    "source": "RESTRICTION",
                    "ruleId": "R-day",
                    "ruleScope": "BANCA",
                    "isAutoDate": True,
                    "isDynamic": False,
                    "autoDateOf": "SORTEO",
                    "mostRestrictive": True,
                }
            ],
        ),
        (
            "vendedorId",
            "S2",
            [{"code": "SELLER_NOT_FOUND", "message": "This banca has no such seller.", "field": "vendedorId"}],
        ),
    ],
)
def test_what_a_violation_says_word_for_word(path: str, value: object, violations: list[dict[str, object]]) -> None:
    assert explain(changed(FULL, path, value))["violations"] == violations


def test_a_line_without_a_price_says_null_for_what_it_has_not() -> None:
    decision: Any = explain(changed(FULL, "ticket.jugadas.0.multiplierId", "M-none"))
    assert decision["totals"] is None
    assert decision["jugadas"][0] == {
        "line": 1,
        "type": "NUMERO",
        "number": "005",
        "amount": "100.00",
        "multiplier": None,
        "commission": None,
        "listeroCommission": None,
    }


def test_what_of_a_case_no_decision_shows() -> None:
    case = read_case(FULL)
    names = case.names
    assert (case.draw.id, case.draw.name) == (UUID(names.id_of("D")), "Tica 13:00")
    assert (case.draw.digits, case.draw.daily_ordinal, case.draw.business_date) == (3, 1, date(2026, 1, 7))
    assert case.draw.scheduled_at == datetime(2026, 1, 7, 19, tzinfo=UTC)
    assert (case.draw.global_limit_cents, case.draw.number_limits) == (800_000, {7: 500_000})
    assert (case.status, case.is_active) == ("OPEN", True)
    assert (case.acting.id, case.acting.role) == (UUID(names.id_of("Q")), Role.BANCA)
    assert case.acting.ventana_id == UUID(names.id_of("V"))
    assert case.acting.banca_ids == {UUID(names.id_of("B")), UUID(names.id_of("B2"))}
    assert case.request.sorteo_id == case.draw.id
    assert (case.request.loteria_id, case.request.cliente_nombre) == (UUID(names.id_of("T")), "Luis")
    assert [(j.type, j.number_text, j.reventado_number_text, j.amount_cents) for j in case.request.jugadas] == [
        ("NUMERO", "005", None, 10_000),
        ("NUMERO", "007", None, 5_000),
        ("REVENTADO", "005", "005", 2_000),
    ]
    assert len(case.counters) == 8
    assert case.rulebook.base_multiplier_default_x == 6_000
    assert case.rulebook.loterias[UUID(names.id_of("T"))].name == "Tica"


def test_what_no_decision_shows_of_a_case_that_leaves_it_out() -> None:
    case = read_case(BARE)
    names = case.names
    seller, loteria_id = UUID(names.id_of("S")), UUID(names.id_of("T"))
    assert (case.draw.id, case.draw.name, case.draw.digits) == (UUID(int=0), "sorteo", 2)
    assert (case.draw.global_limit_cents, case.draw.number_limits) == (None, {})
    assert (case.status, case.is_active) == ("OPEN", True)
    assert (case.acting.id, case.acting.role, case.acting.ventana_id) == (seller, Role.VENDEDOR, None)
    assert (case.request.loteria_id, case.request.cliente_nombre) == (None, "CLIENTE CONTADO")
    assert case.counters == {("VENTANA", UUID(names.id_of("V")), UUID(int=0), 5): 100}
    assert case.rulebook.loterias[loteria_id].name == str(loteria_id)
    assert [m.name for m in case.rulebook.multipliers_of_loteria[loteria_id]] == [
        names.id_of("M-1"),
        names.id_of("M-2"),
    ]
    assert [m.created_at for m in case.rulebook.multipliers_of_loteria[loteria_id]] == [
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(2000, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    ]
    (rule,) = case.rulebook.restrictions[UUID(names.id_of("V"))]
    assert rule.updated_at == datetime(2000, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("actor", "acting_id", "bancas"),
    [
        ({"role": "ADMIN"}, None, ["B"]),
        ({"role": "VENDEDOR"}, "S", ["B"]),
        ({"role": "VENDEDOR", "id": "S2"}, "S2", ["B"]),
        ({"role": "BANCA", "bancaIds": ["B2"]}, None, ["B2"]),
        ({"role": "BANCA", "bancaIds": []}, None, ["B"]),
    ],
)
def test_who_acts_where_the_actor_does_not_say_all(
    actor: dict[str, Any], acting_id: str | None, bancas: list[str]
) -> None:
    case = read_case(FULL | {"actor": actor} if acting_id != "S2" else BARE | {"actor": actor})
    assert case.acting.id == (UUID(int=0) if acting_id is None else UUID(case.names.id_of(acting_id)))
    assert case.acting.banca_ids == {UUID(case.names.id_of(banca)) for banca in bancas}


def test_the_digits_are_those_of_the_sorteo_else_those_of_its_lottery() -> None:
    of_three = BARE | {"loterias": [{"id": "T", "rulesJson": {"digits": 3}}], "sold": []}
    assert read_case(of_three).draw.digits == 3
    of_two: dict[str, Any] = of_three | {"sorteo": BARE["sorteo"] | {"digits": 2}}
    assert read_case(of_two).draw.digits == 2


def test_what_is_left_out_of_two_multipliers_is_their_order() -> None:
    turned = BARE | {"multipliers": BARE["multipliers"][::-1]}
    decision: Any = explain(turned)
    assert decision["jugadas"][0]["multiplier"]["id"] == "M-2"
