"""A small banca, made to measure: every test names only what it is about."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from core.domain.money import parse_amount
from core.domain.pricing import Refusal, price
from core.domain.rulebook import JugadaType, Rulebook
from core.domain.rulebook_json import rulebook_from_json
from core.domain.ticket import CLIENTE_DEFAULT, Draw, JugadaRequest, PricedTicket, TicketRequest

BANCA, L1, L2 = (UUID(int=n) for n in (1, 11, 12))
VENTANA, SELLER = UUID(int=21), UUID(int=31)
X90, X85, X80, OF_L2, OF_REVENTADO, INACTIVE = (UUID(int=n) for n in (190, 185, 180, 290, 1200, 170))
UNKNOWN = UUID(int=999)
AT = datetime(2026, 1, 15, 18, 0, tzinfo=UTC)


def multiplier(key: UUID, x: int, *, name: str = "", loteria: UUID = L1, **members: Any) -> dict[str, Any]:
    """x: whole, 90 for 90.00. Created in the order of x, unless told otherwise."""
    return {
        "id": str(key),
        "loteriaId": str(loteria),
        "name": name or f"X{x}",
        "kind": "NUMERO",
        "xHundredths": x * 100,
        "isActive": True,
        "createdAt": f"2026-01-01T00:{x % 60:02d}:00+00:00",
        **members,
    }


MULTIPLIERS = (
    multiplier(X90, 90, name="Base"),
    multiplier(X85, 85),
    multiplier(X80, 80),
    multiplier(OF_L2, 90, name="Other", loteria=L2),
    multiplier(OF_REVENTADO, 200, kind="REVENTADO"),
    multiplier(INACTIVE, 70, isActive=False),
)


def rulebook(
    *,
    rules: object = None,
    multipliers: tuple[Mapping[str, Any], ...] = MULTIPLIERS,
    user: object = None,
    ventana: object = None,
    listero: object = None,
    banca: object = None,
    **members: Any,
) -> Rulebook:
    """rules: of lottery L1. user, ventana, listero, banca: commission policy documents."""
    return rulebook_from_json(
        {
            "bancaId": str(BANCA),
            "version": 7,
            "defaultMinBetCents": 0,
            "globalMaxPerNumberCents": None,
            "salesCutoffMinutes": 5,
            "commissionPolicy": banca,
            "loterias": [
                {"id": str(L1), "name": "Tica", "rules": rules or {}, "isActive": True},
                {"id": str(L2), "name": "Nica", "rules": {}, "isActive": False},
            ],
            "multipliers": list(multipliers),
            "ventanas": [{"id": str(VENTANA), "policy": ventana, "listeroPolicy": listero}],
            "sellers": [{"id": str(SELLER), "ventanaId": str(VENTANA), "policy": user}],
            **members,
        }
    )


PLAIN = rulebook()


def policy(default: str, *rules: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"version": 1, "defaultPercent": default, "rules": list(rules), **members}


def restriction(rule_id: str, **members: Any) -> dict[str, Any]:
    """A row as load.sql gives it: amounts in cents."""
    return {"id": rule_id, "isActive": True, "updatedAt": "2026-01-01T00:00:00+00:00", **members}


def draw(*, loteria: UUID = L1, digits: int = 2, **members: Any) -> Draw:
    return Draw(
        id=UUID(int=41),
        loteria_id=loteria,
        digits=digits,
        business_date=date(2026, 1, 15),
        daily_ordinal=1,
        name="Tica 19:30",
        scheduled_at=datetime(2026, 1, 16, 1, 30, tzinfo=UTC),
        **members,
    )


def numero(number: str, amount: str = "1000", *, multiplier_id: UUID | None = None) -> JugadaRequest:
    return JugadaRequest(JugadaType.NUMERO, number, None, parse_amount(amount), multiplier_id)


def reventado(
    number: str, amount: str = "1000", *, link: str | None = None, multiplier_id: UUID | None = None
) -> JugadaRequest:
    return JugadaRequest(JugadaType.REVENTADO, number, link, parse_amount(amount), multiplier_id)


def ticket(*jugadas: JugadaRequest, loteria: UUID | None = L1) -> TicketRequest:
    return TicketRequest(UUID(int=41), loteria, None, CLIENTE_DEFAULT, jugadas)


def judged(
    book: Rulebook, *jugadas: JugadaRequest, at: datetime = AT, of: Draw | None = None, loteria: UUID | None = L1
) -> PricedTicket | Refusal:
    request = ticket(*jugadas, loteria=loteria)
    return price(request, rulebook=book, draw=of or draw(), seller=book.sellers[SELLER], at=at)


def priced(book: Rulebook, *jugadas: JugadaRequest, at: datetime = AT, of: Draw | None = None) -> PricedTicket:
    result = judged(book, *jugadas, at=at, of=of)
    assert isinstance(result, PricedTicket), result
    return result


def refused(
    book: Rulebook, *jugadas: JugadaRequest, of: Draw | None = None, loteria: UUID | None = L1
) -> list[tuple[str, str | None]]:
    """(code, field) of each violation, in order."""
    result = judged(book, *jugadas, of=of, loteria=loteria)
    assert isinstance(result, Refusal), result
    return [(violation.code, violation.field) for violation in result.violations]
