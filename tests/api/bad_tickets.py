"""Tickets that must be refused, and the banca in which each of them goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from tests.api.selling import Shop, jugada, sell, ticket
from tests.arena import Arena, Seller

FORM = "VALIDATION_FAILED"
AMOUNT = "jugadas[0].amount"
NUMBER = "jugadas[0].number"
STRICT_RULES = {
    "digits": 2, "numberRange": {"min": 0, "max": 49}, "maxNumbersPerTicket": 2, "maxBetAmount": "900.00",
    "reventadoConfig": {"enabled": False},
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """A shop with everything that may go wrong: draws that do not sell, a number that is full, people of elsewhere."""

    shop: Shop
    stranger: Arena
    # Of this banca, and stricter: its loteria takes neither REVENTADO nor numbers above 49.
    strict: Arena
    draws: dict[str, UUID]
    multipliers: dict[str, UUID]
    prepaid: Seller

    @property
    def arena(self) -> Arena:
        return self.shop.arena

    def ticket(self, *jugadas: dict[str, Any], **others: Any) -> dict[str, Any]:
        return ticket(self.arena, *jugadas, **others)

    def of_draw(self, name: str, *jugadas: dict[str, Any]) -> dict[str, Any]:
        return self.ticket(*jugadas) | {"sorteoId": str(self.draws[name])}

    def with_multiplier(self, name: str, kind: str = "NUMERO") -> dict[str, Any]:
        return self.ticket(jugada("11"), jugada("11", kind=kind, multiplierId=str(self.multipliers[name])))


async def make_world(shop: Shop) -> World:
    arena, owner = shop.arena, shop.arena.owner
    strict = replace(arena, loteria_id=uuid4())
    await owner.execute(
        "INSERT INTO loterias (banca_id, id, name, rules) VALUES ($1, $2, 'Strict', $3)",
        arena.banca_id, strict.loteria_id, json.dumps(STRICT_RULES),
    )  # fmt: skip
    stranger = await Arena.create(owner, arena.settings)
    draws = {"strict": await strict.add_sorteo(), "foreign": stranger.sorteo_id, "missing": uuid4()}
    for place, status in enumerate(("SCHEDULED", "CLOSED", "EVALUATED")):
        draws[status] = await arena.add_sorteo(minutes=1_500 + place, status=status)
    draws["late"] = await arena.add_sorteo(minutes=0.5)
    multipliers = {
        "REVENTADO": await arena.add_multiplier("Reventado", 20_000, kind="REVENTADO"),
        "strict": await strict.add_multiplier("Base", 9_000),
        "inactive": await arena.add_multiplier("Old", 8_000),
        "foreign": stranger.multiplier_id,
        "missing": uuid4(),
    }
    await owner.execute("UPDATE loteria_multipliers SET is_active = false WHERE id = $1", multipliers["inactive"])
    await owner.execute(
        "UPDATE bancas SET global_max_per_number_cents = 100000, default_min_bet_cents = 3 WHERE id = $1",
        arena.banca_id,
    )  # fmt: skip
    await sell(shop.pos, ticket(arena, jugada("66", "1000.00")))
    return World(shop, stranger, strict, draws, multipliers, await arena.add_seller(credit_limit_cents=0))


@dataclass(frozen=True)
class Case:
    """sent: of the world, what a POS sends. violations: (code, field), all of them. recorded: the key remembers."""

    name: str
    sent: Callable[[World], dict[str, Any]]
    code: str
    violations: tuple[tuple[str, str | None], ...]
    status: int = 400
    recorded: bool = False
    prepaid: bool = False


def form(name: str, sent: Callable[[World], dict[str, Any]], *violations: tuple[str, str | None]) -> Case:
    return Case(f"form: {name}", sent, FORM, violations)


def rule(name: str, sent: Callable[[World], dict[str, Any]], *violations: tuple[str, str | None], **more: Any) -> Case:
    return Case(f"rule: {name}", sent, violations[0][0], violations, **more)


def amount(value: Any, code: str) -> Case:
    return form(f"amount {str(value)[:20]!r}", lambda w: w.ticket(jugada("11", value)), (code, AMOUNT))


def number(value: Any, code: str) -> Case:
    if code in ("NUMBER_INVALID", "NUMBER_WIDTH_INVALID"):
        return rule(f"number {value!r}", lambda w: w.ticket(jugada(value)), (code, NUMBER))
    return form(f"number {value!r}", lambda w: w.ticket(jugada(value)), (code, NUMBER))


NO_AMOUNTS: tuple[Any, ...] = (
    None, True, [], {}, "", " 500", "500 ", "+500", "500.", ".5", "0500", "1e3", "1E3", "1,000", "10abc", "NaN",
    "Infinity", "0x10", "５００", "5_000", "1.000,00", "1\n",
)  # fmt: skip
CASES = [
    form("nothing", lambda _: {}, ("FIELD_REQUIRED", "sorteoId"), ("FIELD_REQUIRED", "jugadas")),
    form("an unknown member", lambda w: w.ticket(total="1.00"), ("FIELD_UNKNOWN", "total")),
    form("a price of one's own", lambda w: w.ticket(jugada(finalMultiplierX="999.00")),
         ("FIELD_UNKNOWN", "jugadas[0].finalMultiplierX")),
    form("a name in snake case", lambda w: w.ticket(cliente_nombre="Ana"), ("FIELD_UNKNOWN", "cliente_nombre")),
    form("a draw that is null", lambda w: w.ticket() | {"sorteoId": None}, ("FIELD_INVALID", "sorteoId")),
    form("a draw that is a number", lambda w: w.ticket() | {"sorteoId": 7}, ("FIELD_INVALID", "sorteoId")),
    form("a draw that is no id", lambda w: w.ticket() | {"sorteoId": "first"}, ("FIELD_INVALID", "sorteoId")),
    form("no jugadas", lambda w: w.ticket() | {"jugadas": []}, ("FIELD_LENGTH_INVALID", "jugadas")),
    form("jugadas null", lambda w: w.ticket() | {"jugadas": None}, ("FIELD_INVALID", "jugadas")),
    form("jugadas an object", lambda w: w.ticket() | {"jugadas": {}}, ("FIELD_INVALID", "jugadas")),
    form("a jugada null", lambda w: w.ticket() | {"jugadas": [None]}, ("FIELD_INVALID", "jugadas[0]")),
    form("201 jugadas", lambda w: w.ticket(*[jugada("11", "1.00")] * 201), ("FIELD_LENGTH_INVALID", "jugadas")),
    form("an empty jugada", lambda w: w.ticket() | {"jugadas": [{}]}, *[
        ("FIELD_REQUIRED", f"jugadas[0].{name}") for name in ("type", "number", "amount")]),
    form("a type in small letters", lambda w: w.ticket(jugada(kind="numero")), ("FIELD_INVALID", "jugadas[0].type")),
    form("a type that is none", lambda w: w.ticket(jugada(kind="TRIPLE")), ("FIELD_INVALID", "jugadas[0].type")),
    form("a multiplier that is no id", lambda w: w.ticket(jugada(multiplierId="x")),
         ("FIELD_INVALID", "jugadas[0].multiplierId")),
    form("a long name", lambda w: w.ticket(clienteNombre="x" * 101), ("FIELD_LENGTH_INVALID", "clienteNombre")),
    form("a name that is a number", lambda w: w.ticket(clienteNombre=7), ("FIELD_INVALID", "clienteNombre")),
    form("a seller that is no id", lambda w: w.ticket(vendedorId=""), ("FIELD_INVALID", "vendedorId")),
    *[amount(value, "AMOUNT_INVALID") for value in NO_AMOUNTS],
    *[amount(value, "AMOUNT_TOO_PRECISE") for value in ("500.005", "0.004", "0.000", "1.0000000000000000000000001")],
    *[amount(value, "AMOUNT_NOT_POSITIVE") for value in ("0", "0.00", "-500", "-0", "-0.01", 0, -1)],
    *[amount(value, "AMOUNT_TOO_LARGE") for value in (
        "1000000000.01", 10**9 + 1, "9" * 30, 10**30, "9" * 5_000, "9" * 30 + ".99")],
    *[number(value, "FIELD_INVALID") for value in (None, 7, True, ["07"])],
    *[number(value, "FIELD_LENGTH_INVALID") for value in ("", "000000007")],
    *[number(value, "NUMBER_WIDTH_INVALID") for value in ("7", "007", "00000007")],
    *[number(value, "NUMBER_INVALID") for value in ("ab", "7a", " 7", "7 ", "-7", "+7", "0x", "٠٧", "０７", "7.")],
    rule("a REVENTADO without its NUMERO", lambda w: w.ticket(jugada("11"), jugada("12", kind="REVENTADO")),
         ("REVENTADO_MATCH_REQUIRED", "jugadas[1].number")),
    rule("a REVENTADO above its NUMERO", lambda w: w.ticket(jugada("11"), jugada("11", "500.01", "REVENTADO")),
         ("REVENTADO_EXCEEDS_NUMERO", "jugadas[1].amount")),
    rule("a REVENTADO linked elsewhere",
         lambda w: w.ticket(jugada("11"), jugada("11", kind="REVENTADO", reventadoNumber="12")),
         ("INVALID_REVENTADO_LINK", "jugadas[1].reventadoNumber")),
    rule("a NUMERO with a link", lambda w: w.ticket(jugada("11", reventadoNumber="11")),
         ("INVALID_REVENTADO_LINK", "jugadas[0].reventadoNumber")),
    rule("a REVENTADO that is not taken",
         lambda w: w.of_draw("strict", jugada("11"), jugada("11", kind="REVENTADO")),
         ("REVENTADO_DISABLED", "jugadas[1].type")),
    rule("a REVENTADO with a multiplier", lambda w: w.with_multiplier("REVENTADO", "REVENTADO"),
         ("INVALID_MULTIPLIER_KIND", "jugadas[1].multiplierId")),
    rule("a multiplier for REVENTADO", lambda w: w.with_multiplier("REVENTADO"),
         ("INVALID_MULTIPLIER_KIND", "jugadas[1].multiplierId")),
    rule("a multiplier of another loteria", lambda w: w.with_multiplier("strict"),
         ("INVALID_MULTIPLIER_LOTERIA", "jugadas[1].multiplierId")),
    rule("an inactive multiplier", lambda w: w.with_multiplier("inactive"),
         ("INACTIVE_MULTIPLIER", "jugadas[1].multiplierId")),
    rule("another banca's multiplier", lambda w: w.with_multiplier("foreign"),
         ("INVALID_MULTIPLIER", "jugadas[1].multiplierId")),
    rule("a multiplier that is not", lambda w: w.with_multiplier("missing"),
         ("INVALID_MULTIPLIER", "jugadas[1].multiplierId")),
    rule("a number out of the range", lambda w: w.of_draw("strict", jugada("50")), ("NUMBER_OUT_OF_RANGE", NUMBER)),
    rule("too many jugadas", lambda w: w.of_draw("strict", *[jugada("11", "1.00")] * 3),
         ("MAX_NUMBERS_PER_TICKET", "jugadas")),
    rule("too large a bet", lambda w: w.of_draw("strict", jugada("11", "900.01")), ("BET_MAX_VIOLATION", AMOUNT)),
    rule("too small a bet", lambda w: w.ticket(jugada("11", "0.02")), ("BET_MIN_VIOLATION", AMOUNT)),
    rule("another loteria's name", lambda w: w.ticket(loteriaId=str(w.strict.loteria_id)),
         ("SORTEO_LOTERIA_MISMATCH", "loteriaId")),
    rule("another ventana's name", lambda w: w.ticket(ventanaId=str(w.arena.seller.id)),
         ("SELLER_VENTANA_MISMATCH", "ventanaId")),
    rule("a colleague's name", lambda w: w.ticket(vendedorId=str(w.arena.sellers[1].id)),
         ("SELLER_NOT_OWN", "vendedorId"), status=403),
    rule("another banca's seller", lambda w: w.ticket(vendedorId=str(w.stranger.seller.id)),
         ("SELLER_NOT_OWN", "vendedorId"), status=403),
    rule("nobody's name", lambda w: w.ticket(vendedorId=str(uuid4())), ("SELLER_NOT_OWN", "vendedorId"), status=403),
    rule("another banca's draw", lambda w: w.of_draw("foreign"), ("SORTEO_NOT_FOUND", "sorteoId"), status=404),
    rule("a draw that is not", lambda w: w.of_draw("missing"), ("SORTEO_NOT_FOUND", "sorteoId"), status=404),
    Case("state: a draw to come", lambda w: w.of_draw("SCHEDULED"), "SORTEO_NOT_OPEN", (), status=409),
    rule("a closed draw", lambda w: w.of_draw("CLOSED"), ("SORTEO_CLOSED", "sorteoId"), status=409, recorded=True),
    rule("a drawn draw", lambda w: w.of_draw("EVALUATED"), ("SORTEO_CLOSED", "sorteoId"), status=409, recorded=True),
    rule("after the cutoff", lambda w: w.of_draw("late"), ("SALES_CUTOFF_REACHED", "sorteoId"),
         status=409, recorded=True),
    rule("a sold-out number", lambda w: w.ticket(jugada("66", "0.03")), ("NUMBER_MAXTOTAL_EXCEEDED", None),
         status=409, recorded=True),
    rule("more than a number takes", lambda w: w.ticket(jugada("67", "600.00"), jugada("67", "400.01", "REVENTADO")),
         ("NUMBER_MAXTOTAL_EXCEEDED", None), status=409, recorded=True),
    rule("two sold-out numbers", lambda w: w.ticket(jugada("66", "0.03"), jugada("68"), jugada("69", "1000.01")),
         ("NUMBER_MAXTOTAL_EXCEEDED", None), ("NUMBER_MAXTOTAL_EXCEEDED", None), status=409, recorded=True),
    rule("no funds", lambda w: w.ticket(jugada("11", "0.03")), ("INSUFFICIENT_FUNDS", None),
         status=409, recorded=True, prepaid=True),
    form("several faults of the form",
         lambda _: {"jugadas": [jugada("11", "0"), jugada(7), jugada(kind="x", amount="1e3")], "note": ""},
         ("FIELD_REQUIRED", "sorteoId"), ("AMOUNT_NOT_POSITIVE", AMOUNT), ("FIELD_INVALID", "jugadas[1].number"),
         ("FIELD_INVALID", "jugadas[2].type"), ("AMOUNT_INVALID", "jugadas[2].amount"), ("FIELD_UNKNOWN", "note")),
    rule("several rules broken",
         lambda w: w.of_draw("strict", jugada("50", "900.01"), jugada("11", kind="REVENTADO"), jugada("1"))
         | {"loteriaId": str(w.arena.loteria_id)},
         ("SORTEO_LOTERIA_MISMATCH", "loteriaId"), ("MAX_NUMBERS_PER_TICKET", "jugadas"),
         ("NUMBER_OUT_OF_RANGE", NUMBER), ("BET_MAX_VIOLATION", AMOUNT), ("REVENTADO_DISABLED", "jugadas[1].type"),
         ("REVENTADO_MATCH_REQUIRED", "jugadas[1].number"), ("NUMBER_WIDTH_INVALID", "jugadas[2].number")),
]  # fmt: skip
