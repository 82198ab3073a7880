"""Two cases of explain: one that gives every member, and one that leaves out all that may be left out."""

from copy import deepcopy
from typing import Any

FULL: dict[str, Any] = {
    "title": "every member",
    "expect": {},
    "banca": {
        "id": "B",
        "name": "Banca",
        "code": "b",
        "defaultMinBet": "10.00",
        "globalMaxPerNumber": "9000.00",
        "salesCutoffMinutes": 7,
        "commissionPolicyJson": {"defaultPercent": "1.00"},
    },
    "ventanas": [
        {"id": "V", "name": "Centro", "code": "c", "commissionPolicyJson": {"defaultPercent": "4.00"}},
        {"id": "W"},
    ],
    "users": [
        {
            "id": "S",
            "name": "Ana",
            "username": "ana",
            "role": "VENDEDOR",
            "ventanaId": "V",
            "isActive": True,
            "commissionPolicyJson": {
                "version": 1,
                "defaultPercent": "5.00",
                "rules": [
                    {
                        "id": "dear",
                        "loteriaId": "T",
                        "betType": "NUMERO",
                        "multiplierRange": {"min": "88.00", "max": "88.00"},
                        "percent": "8.00",
                    },
                ],
            },
        },
        {
            "id": "X",
            "role": "VENTANA",
            "ventanaId": "V",
            "isActive": False,
            "commissionPolicyJson": {"defaultPercent": 50},
        },
        {"id": "Y", "role": "VENTANA", "ventanaId": "W", "commissionPolicyJson": {"defaultPercent": 60}},
        {
            "id": "Z",
            "role": "VENTANA",
            "ventanaId": "V",
            "isActive": True,
            "commissionPolicyJson": {"defaultPercent": 12},
        },
    ],
    "loterias": [{"id": "T", "name": "Tica", "rulesJson": {"digits": 2, "maxBetAmount": "500.00"}, "isActive": True}],
    "multipliers": [
        {
            "id": "M-young",
            "loteriaId": "T",
            "name": "Young",
            "kind": "NUMERO",
            "valueX": "70.00",
            "appliesToDate": "2026-01-07",
            "isActive": True,
            "createdAt": "2026-01-02T00:00:00Z",
        },
        {"id": "M-old", "loteriaId": "T", "name": "Old", "valueX": "85.00", "createdAt": "2026-01-01T00:00:00Z"},
        {
            "id": "M-off",
            "loteriaId": "T",
            "name": "Base",
            "valueX": "95.00",
            "isActive": False,
            "createdAt": "2025-01-01T00:00:00Z",
        },
        {"id": "M-red", "loteriaId": "T", "name": "Red", "kind": "REVENTADO", "valueX": "200.00"},
    ],
    "multiplierOverrides": [
        {
            "id": "O",
            "scope": "VENTANA",
            "ventanaId": "V",
            "loteriaId": "T",
            "multiplierType": "NUMERO",
            "baseMultiplierX": "88.00",
            "isActive": True,
        },
        {
            "id": "O-off",
            "scope": "USER",
            "userId": "S",
            "loteriaId": "T",
            "baseMultiplierX": "99.00",
            "isActive": False,
        },
        {
            "id": "O-red",
            "scope": "USER",
            "userId": "S",
            "loteriaId": "T",
            "baseMultiplierX": "98.00",
            "multiplierType": "REVENTADO",
        },
    ],
    "bancaLoteriaSettings": [
        {"loteriaId": "T", "baseMultiplierX": "83.00", "maxTotalPerSorteo": "20000.00", "isActive": True},
    ],
    "restrictions": [
        {
            "id": "R-user",
            "userId": "S",
            "number": ["005", "007"],
            "maxAmount": "900.00",
            "maxTotal": "2000.00",
            "baseAmount": "1500.00",
            "salesPercentage": "25.00",
            "message": "poco",
            "isActive": True,
            "updatedAt": "2026-01-03T00:00:00Z",
        },
        {"id": "R-young", "bancaId": "B", "loteriaId": "T", "multiplierId": "M-young", "maxTotal": "600.00"},
        {"id": "R-red", "bancaId": "B", "loteriaId": "T", "multiplierId": "M-red", "maxTotal": "250.00"},
        {"id": "R-day", "bancaId": "B", "isAutoDate": True, "autoDateOf": "SORTEO", "maxTotal": "700.00"},
        {"id": "R-each", "ventanaId": "V", "appliesToVendedor": True, "maxTotal": "3000.00"},
        {"id": "R-all", "ventanaId": "V", "maxTotal": "4000.00"},
        {"id": "R-off", "bancaId": "B", "maxTotal": "1.00", "isActive": False},
        {
            "id": "R-cut",
            "ventanaId": "V",
            "salesCutoffMinutes": 12,
            "appliesToDate": "2026-01-07",
            "appliesToHour": 12,
            "updatedAt": "2026-01-02T00:00:00Z",
        },
        {"id": "R-cut-old", "ventanaId": "V", "salesCutoffMinutes": 20},
    ],
    "multiplierBaseDefaultX": "60.00",
    "sorteo": {
        "id": "D",
        "loteriaId": "T",
        "name": "Tica 13:00",
        "digits": 3,
        "scheduledAt": "2026-01-07T13:00:00-06:00",
        "status": "OPEN",
        "isActive": True,
        "globalLimit": "8000.00",
        "numberLimits": {"007": "5000.00"},
    },
    "vendedorId": "S",
    "actor": {"id": "Q", "role": "BANCA", "ventanaId": "V", "bancaIds": ["B", "B2"]},
    "at": "2026-01-07T12:00:00",
    "sold": [
        {"scope": "VENDEDOR", "amount": "6400.00"},
        {"scope": "VENDEDOR", "scopeId": "S", "number": "005", "amount": "100.00"},
        {"scope": "VENTANA", "number": "005", "amount": "110.00"},
        {"scope": "BANCA", "amount": "10000.00"},
        {"scope": "BANCA", "number": "007", "amount": "300.00"},
        {"scope": "BANCA", "number": "007", "multiplierId": "M-young", "amount": "40.00"},
        {"scope": "BANCA", "number": "005", "type": "REVENTADO", "amount": "30.00"},
        {"scope": "BANCA", "scopeId": "B2", "number": "005", "amount": "7999.00"},
    ],
    "ticket": {
        "loteriaId": "T",
        "clienteNombre": "Luis",
        "jugadas": [
            {"type": "NUMERO", "number": "005", "amount": "100.00"},
            {"number": "007", "amount": 50, "multiplierId": "M-young"},
            {"type": "REVENTADO", "number": "005", "reventadoNumber": "005", "amount": "20.00"},
        ],
    },
}

BARE: dict[str, Any] = {
    "banca": {"id": "B"},
    "ventanas": [{"id": "V"}],
    "users": [{"id": "S", "role": "VENDEDOR", "ventanaId": "V"}],
    "loterias": [{"id": "T"}],
    "multipliers": [{"id": "M-1", "loteriaId": "T", "valueX": 90}, {"id": "M-2", "loteriaId": "T", "valueX": 80}],
    "restrictions": [{"id": "R", "ventanaId": "V", "maxTotal": 500}],
    "sorteo": {"loteriaId": "T", "scheduledAt": "2026-01-07T13:00:00"},
    "vendedorId": "S",
    "at": "2026-01-07T12:58:30",
    "sold": [{"scope": "VENTANA", "number": "05", "amount": 1}],
    "ticket": {"jugadas": [{"number": "05", "amount": 100}]},
}


LEFT_OUT = object()


def changed(case: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with one member replaced, or taken out. path: "sorteo.digits", "restrictions.0.maxTotal"."""
    copy: dict[str, Any] = deepcopy(case)
    *parents, last = path.split(".")
    place: Any = copy
    for step in parents:
        place = place[int(step)] if isinstance(place, list) else place[step]
    if value is LEFT_OUT:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return copy


def differences(old: Any, new: Any, place: str = "") -> list[str]:
    """What is not the same in two decisions: where, and what the new one says there."""
    if isinstance(old, dict) and isinstance(new, dict):
        dot = f"{place}." if place else ""
        both = [key for key in old if key in new]
        lines = [f"{dot}{key}: gone" for key in old if key not in new]
        lines += [f"{dot}{key}: {new[key]}" for key in new if key not in old]
        return lines + [line for key in both for line in differences(old[key], new[key], f"{dot}{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [line for index, pair in pairs for line in differences(*pair, f"{place}[{index}]")]
    if place == "violations":
        return [f"{one['code']} {one.get('field')}" for one in new]
    if place == "limits":
        return [f"limits: {len(new)}"]
    return [] if old == new else [f"{place}: {new}"]
