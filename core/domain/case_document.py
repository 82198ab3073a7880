"""Reads a case: everything that decides about one ticket, described in one document. docs/explain.md says how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.domain.calendar import costa_rica_date
from core.domain.case_names import CaseNames
from core.domain.case_rulebook import rulebook_document
from core.domain.document import Document
from core.domain.impersonation import ActingUser
from core.domain.limit_judge import CounterKey
from core.domain.money import AMOUNT_CENTS_MAX, AmountError, Cents, parse_amount
from core.domain.numbers import NumberError, parse_number
from core.domain.permissions import Role
from core.domain.rulebook import JugadaType, Rulebook
from core.domain.rulebook_json import rulebook_from_json
from core.domain.ticket import (
    ALL_JUGADAS,
    CLIENTE_DEFAULT,
    REVENTADO_KEY,
    WHOLE_SALES,
    Draw,
    JugadaRequest,
    LimitScope,
    TicketRequest,
)

_KEYS = {
    *("title", "expect", "banca", "ventanas", "users", "loterias", "multipliers", "multiplierOverrides"),
    *("bancaLoteriaSettings", "restrictions", "multiplierBaseDefaultX", "sorteo", "vendedorId", "actor", "at"),
    *("sold", "ticket"),
}
_SORTEO = {"id", "loteriaId", "name", "digits", "scheduledAt", "status", "isActive", "globalLimit", "numberLimits"}
_STATUSES = ("SCHEDULED", "OPEN", "CLOSED", "EVALUATED")
_SCOPES: tuple[LimitScope, ...] = ("BANCA", "VENTANA", "VENDEDOR")
# More than any counter will reach, and still a bigint.
_COUNTER_CENTS_MAX = 10**15
_SOLD_MAX = 10_000
_JUGADAS_MAX = 1_000


class CaseError(ValueError):
    """The case itself is malformed; the text says where and why, in one line."""


@dataclass(frozen=True, slots=True)
class Case:
    """counters: cents sold in the draw. names: gives ids back the names that the case had for them."""

    rulebook: Rulebook
    draw: Draw
    status: str
    is_active: bool
    acting: ActingUser
    at: datetime
    counters: Mapping[CounterKey, int]
    request: TicketRequest
    names: CaseNames


def read_case(document: object) -> Case:
    """document: decoded JSON whose numbers with a fraction are JsonNumber, not float. Raises CaseError."""
    names = CaseNames()
    case = Document(names.replaced(document))
    case.allow_only(_KEYS)
    for key in ("banca", "loterias", "sorteo", "vendedorId", "at", "ticket"):
        case.require(key)
    parts = rulebook_document(case)
    default_x = case.hundredths("multiplierBaseDefaultX", minimum=1, maximum=999_900)
    _stop_at(case, names)
    rulebook = rulebook_from_json(parts, base_multiplier_default_x=default_x)
    sorteo = case.object("sorteo") or Document({})
    draw = _draw(sorteo, rulebook)
    vendedor_id, at = case.uuid("vendedorId"), case.instant("at")
    _stop_at(case, names)
    assert draw is not None, "without violations there is a draw"
    assert vendedor_id is not None, "it was required"
    assert at is not None, "it was required"
    made = Case(
        rulebook=rulebook,
        draw=draw,
        status=str(sorteo.member("status") or "OPEN"),
        is_active=sorteo.flag("isActive") is not False,
        acting=_acting(case, vendedor_id),
        at=at,
        counters=dict(_counters(case, rulebook, vendedor_id, draw.digits)),
        request=_request(case.object("ticket") or Document({}), draw, vendedor_id),
        names=names,
    )
    _stop_at(case, names)
    return made


def _stop_at(case: Document, names: CaseNames) -> None:
    """At the first thing that is wrong: one line is enough to go on."""
    for violation in case.violations:
        raise CaseError(str(names.restored(f"{violation.field or 'the case'}: {violation.message}")))


def _draw(sorteo: Document, rulebook: Rulebook) -> Draw | None:
    sorteo.allow_only(_SORTEO)
    sorteo.require("loteriaId")
    sorteo.require("scheduledAt")
    sorteo.flag("isActive")
    if sorteo.member("status") not in (None, *_STATUSES):
        sorteo.refuse("status", f"must be one of {', '.join(_STATUSES)}")
    loteria_id, scheduled_at = sorteo.uuid("loteriaId"), sorteo.instant("scheduledAt")
    loteria = None if loteria_id is None else rulebook.loterias.get(loteria_id)
    digits = sorteo.integer("digits", minimum=2, maximum=3) or (2 if loteria is None else loteria.rules.digits)
    limits = dict(_number_limits(sorteo, digits))
    if sorteo.violations or loteria_id is None or scheduled_at is None:
        return None
    global_limit = sorteo.hundredths("globalLimit", maximum=AMOUNT_CENTS_MAX)
    return Draw(
        id=sorteo.uuid("id") or UUID(int=0),
        loteria_id=loteria_id,
        digits=digits,
        business_date=costa_rica_date(scheduled_at),
        daily_ordinal=1,
        name=sorteo.text("name", length_max=200) or "sorteo",
        scheduled_at=scheduled_at,
        global_limit_cents=None if global_limit is None else Cents(global_limit),
        number_limits=limits,
    )


def _number_limits(sorteo: Document, digits: int) -> Iterator[tuple[int, Cents]]:
    limits = sorteo.object("numberLimits")
    for text in limits.keys() if limits is not None else ():
        assert limits is not None, "it has keys"
        cents = limits.hundredths(text, maximum=AMOUNT_CENTS_MAX)
        number = _number(limits, text, text, digits)
        if number is not None and cents is not None:
            yield number, Cents(cents)


def _acting(case: Document, vendedor_id: UUID) -> ActingUser:
    """Left out: the seller. A BANCA user without bancaIds is the case's own banca's."""
    actor = case.object("actor")
    if actor is None:
        return ActingUser(vendedor_id, Role.VENDEDOR)
    actor.allow_only({"id", "role", "ventanaId", "bancaIds"})
    role = str(actor.member("role"))
    if role not in Role.__members__:
        actor.refuse("role", f"must be one of {', '.join(Role)}")
        return ActingUser(vendedor_id, Role.VENDEDOR)
    somebody = vendedor_id if role == Role.VENDEDOR else UUID(int=0)
    bancas = actor.list("bancaIds", length_max=1_000) or ((case.object("banca") or Document({})).member("id"),)
    return ActingUser(
        id=actor.uuid("id") or somebody,
        role=Role(role),
        ventana_id=actor.uuid("ventanaId"),
        banca_ids=frozenset(UUID(banca) for banca in bancas if isinstance(banca, str)),
    )


def _counters(case: Document, rulebook: Rulebook, vendedor_id: UUID, digits: int) -> Iterator[tuple[CounterKey, int]]:
    seller = rulebook.sellers.get(vendedor_id)
    owners = {"BANCA": rulebook.banca_id, "VENDEDOR": vendedor_id, "VENTANA": seller.ventana_id if seller else None}
    for index, value in enumerate(case.list("sold", length_max=_SOLD_MAX)):
        sold = Document(value, path=f"sold[{index}]", violations=case.violations)
        sold.allow_only({"scope", "scopeId", "number", "type", "multiplierId", "amount"})
        sold.require("amount")
        scope = next((scope for scope in _SCOPES if scope == sold.member("scope")), None)
        if scope is None:
            sold.refuse("scope", "must be BANCA, VENTANA or VENDEDOR")
            continue
        scope_id = sold.uuid("scopeId") or owners[scope]
        text = sold.member("number")
        number = WHOLE_SALES if text is None else _number(sold, "number", text, digits)
        counts = sold.uuid("multiplierId") or ALL_JUGADAS
        if sold.member("type") == "REVENTADO":
            counts = REVENTADO_KEY
        elif sold.member("type") is not None:
            sold.refuse("type", "may be REVENTADO; else everything counts, or what multiplierId names")
        cents = sold.hundredths("amount", maximum=_COUNTER_CENTS_MAX)
        if scope_id is not None and number is not None and cents is not None:
            yield (scope, scope_id, counts, number), cents


def _request(ticket: Document, draw: Draw, vendedor_id: UUID) -> TicketRequest:
    ticket.allow_only({"loteriaId", "clienteNombre", "jugadas"})
    cliente = ticket.text("clienteNombre", length_max=100) or CLIENTE_DEFAULT
    lines = [
        Document(value, path=ticket.place(f"jugadas[{index}]"), violations=ticket.violations)
        for index, value in enumerate(ticket.list("jugadas", length_max=_JUGADAS_MAX))
    ]
    jugadas = tuple(_jugada(line) for line in lines)
    return TicketRequest(draw.id, ticket.uuid("loteriaId"), vendedor_id, cliente, jugadas)


def _jugada(line: Document) -> JugadaRequest:
    line.allow_only({"type", "number", "reventadoNumber", "amount", "multiplierId"})
    kind = line.member("type") or "NUMERO"
    if kind not in ("NUMERO", "REVENTADO"):
        line.refuse("type", "must be NUMERO or REVENTADO")
        kind = "NUMERO"
    line.require("number")
    amount = Cents(0)
    try:
        amount = parse_amount(line.member("amount"))
    except AmountError as error:
        line.refuse("amount", error.message)
    return JugadaRequest(
        type=JugadaType(str(kind)),
        number_text=line.text("number", length_max=8) or "",
        reventado_number_text=line.text("reventadoNumber", length_max=8),
        amount_cents=amount,
        multiplier_id=line.uuid("multiplierId"),
    )


def _number(place: Document, key: str, text: object, digits: int) -> int | None:
    try:
        return parse_number(text, digits=digits)
    except NumberError as error:
        place.refuse(key, error.message)
        return None
