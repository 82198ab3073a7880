"""The rulebook parts of a case, in the documents' shapes, as the document that load.sql would have given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from core.domain.document import Document
from core.domain.money import AmountError, parse_hundredths

_DECIMAL_MAX = 10**15
_DIGITS = re.compile(r"[0-9]{1,9}")
_EPOCH = "2000-01-01T00:00:00Z"
_BANCA = {"id", "name", "code", "defaultMinBet", "globalMaxPerNumber", "salesCutoffMinutes", "commissionPolicyJson"}
_VENTANA = {"id", "name", "code", "commissionPolicyJson"}
_USER = {"id", "name", "username", "role", "ventanaId", "commissionPolicyJson", "isActive"}
_LOTERIA = {"id", "name", "rulesJson", "isActive"}
_MULTIPLIER = {"id", "loteriaId", "name", "kind", "valueX", "appliesToDate", "isActive", "createdAt"}
_OVERRIDE = {"id", "scope", "userId", "ventanaId", "loteriaId", "multiplierType", "baseMultiplierX", "isActive"}
_SETTING = {"loteriaId", "baseMultiplierX", "maxTotalPerSorteo", "isActive"}
_RESTRICTION = {
    *(
        "id",
        "bancaId",
        "ventanaId",
        "userId",
        "number",
        "isAutoDate",
        "autoDateOf",
        "maxAmount",
        "maxTotal",
        "baseAmount",
    ),
    *("salesPercentage", "appliesToVendedor", "appliesToDate", "appliesToHour", "salesCutoffMinutes"),
    *("loteriaId", "multiplierId", "message", "isActive", "updatedAt"),
}
# What restrictions call an amount, and what their rows do.
_AMOUNTS = {
    "maxAmount": "maxAmountCents",
    "maxTotal": "maxTotalCents",
    "baseAmount": "baseAmountCents",
    "salesPercentage": "salesBasisPoints",
}


def rulebook_document(case: Document) -> dict[str, object]:
    """Members that are misspelt or lack what names them go to the case's violations; a value that makes no sense is
    passed on as it is, for the rulebook to count it as absent and list it among its defects, as it does with storage.
    """
    banca = case.object("banca") or Document({}, path="banca", violations=case.violations)
    banca.allow_only(_BANCA)
    banca.require("id")
    banca.uuid("id")
    users = [*_rows(case, "users", _USER, required=("id", "role"))]
    return {
        "bancaId": banca.member("id"),
        "version": 1,
        "defaultMinBetCents": banca.hundredths("defaultMinBet", maximum=_DECIMAL_MAX) or 0,
        "globalMaxPerNumberCents": banca.hundredths("globalMaxPerNumber", maximum=_DECIMAL_MAX),
        "salesCutoffMinutes": banca.integer("salesCutoffMinutes", minimum=0, maximum=30),
        "commissionPolicy": banca.member("commissionPolicyJson"),
        "loterias": [_loteria(row) for row in _rows(case, "loterias", _LOTERIA)],
        "multipliers": [
            _multiplier(row, place)
            for place, row in enumerate(_rows(case, "multipliers", _MULTIPLIER, required=("id", "loteriaId", "valueX")))
        ],
        "ventanas": [_ventana(row, users) for row in _rows(case, "ventanas", _VENTANA)],
        "sellers": [
            {"id": user.member("id"), "ventanaId": _of_ventana(user), "policy": user.member("commissionPolicyJson")}
            for user in users
            if user.member("role") == "VENDEDOR"
        ],
        "overrides": [_override(row) for row in _rows(case, "multiplierOverrides", _OVERRIDE)],
        "bancaLoteriaSettings": [
            _setting(row) for row in _rows(case, "bancaLoteriaSettings", _SETTING, required=("loteriaId",))
        ],
        "restrictions": [
            restriction for row in _rows(case, "restrictions", _RESTRICTION) for restriction in _restrictions(row)
        ],
    }


def _rows(case: Document, key: str, keys: set[str], *, required: tuple[str, ...] = ("id",)) -> Iterator[Document]:
    for index, value in enumerate(case.list(key, length_max=10_000)):
        row = Document(value, path=f"{key}[{index}]", violations=case.violations)
        row.allow_only(keys)
        for name in required:
            row.require(name)
            if name == "id" or name.endswith("Id"):
                row.uuid(name)
        yield row


def _loteria(row: Document) -> dict[str, object]:
    return {
        "id": row.member("id"),
        "name": row.text("name", length_max=200) or row.member("id"),
        "rules": row.member("rulesJson"),
        "isActive": row.flag("isActive") is not False,
    }


def _multiplier(row: Document, place: int) -> dict[str, object]:
    kind = row.member("kind") or "NUMERO"
    if kind not in ("NUMERO", "REVENTADO"):
        row.refuse("kind", "must be NUMERO or REVENTADO")
    row.instant("createdAt")
    return {
        "id": row.member("id"),
        "loteriaId": row.member("loteriaId"),
        "name": row.text("name", length_max=32) or row.member("id"),
        "kind": kind,
        "xHundredths": row.hundredths("valueX", maximum=_DECIMAL_MAX) or 0,
        "appliesToDate": row.member("appliesToDate"),
        "isActive": row.flag("isActive") is not False,
        # Left out: in the order of the list.
        "createdAt": row.member("createdAt") or f"{_EPOCH[:-1]}.{place:06d}Z",
    }


def _ventana(row: Document, users: list[Document]) -> dict[str, object]:
    ventana_id = row.member("id")
    listero = (
        user.member("commissionPolicyJson")
        for user in users
        if user.member("role") == "VENTANA"
        and user.member("ventanaId") == ventana_id
        and user.flag("isActive") is not False
    )
    return {"id": ventana_id, "policy": row.member("commissionPolicyJson"), "listeroPolicy": next(listero, None)}


def _of_ventana(user: Document) -> object:
    user.require("ventanaId")
    user.uuid("ventanaId")
    return user.member("ventanaId")


def _override(row: Document) -> dict[str, object]:
    return {key: row.member(key) for key in _OVERRIDE} | {"multiplierType": row.member("multiplierType") or "NUMERO"}


def _setting(row: Document) -> dict[str, object]:
    return {
        "loteriaId": row.member("loteriaId"),
        "xHundredths": _hundredths(row.member("baseMultiplierX")),
        "maxTotalPerSorteoCents": _hundredths(row.member("maxTotalPerSorteo")),
        "isActive": row.member("isActive"),
    }


def _restrictions(row: Document) -> Iterator[Mapping[str, object]]:
    """One per number, as they are stored."""
    members = {key: row.member(key) for key in _RESTRICTION - set(_AMOUNTS)}
    members |= {stored: _hundredths(row.member(key)) for key, stored in _AMOUNTS.items()}
    members["updatedAt"] = members["updatedAt"] or _EPOCH
    number = row.member("number")
    for one in number if isinstance(number, list) else [number]:
        yield members | {"number": int(one) if isinstance(one, str) and _DIGITS.fullmatch(one) else one}


def _hundredths(value: object) -> object:
    try:
        return None if value is None else parse_hundredths(value, maximum=_DECIMAL_MAX)
    except AmountError:
        return value
