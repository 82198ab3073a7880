"""What makes two requests the same ticket, however they were spelled."""

from __future__ import annotations

import hashlib
from uuid import UUID

from core.domain.ticket import TicketRequest

# Part of the hashed text: a change of the canonical form must change it too.
_FORM = "ticket/1"


def fingerprint(request: TicketRequest) -> bytes:
    """SHA-256 (32 bytes) of the ticket's canonical form.

    Depends on what was asked for only: not on the rulebook, on the spelling of the JSON, or on whether the ticket
    came alone or in a batch. Free texts carry their length, so that no two tickets share a canonical form.
    """
    cliente = request.cliente_nombre
    head = f"{_FORM}|{_key(request.sorteo_id)}|{_key(request.loteria_id)}|{_key(request.vendedor_id)}"
    # A list: a generator takes half as long again.
    lines = "".join(
        [
            f"|{jugada.type.value}:{_text(jugada.number_text)}:{_text(jugada.reventado_number_text)}"
            f":{jugada.amount_cents}:{_key(jugada.multiplier_id)}"
            for jugada in request.jugadas
        ]
    )
    canonical = f"{head}|{_text(cliente)}{lines}"
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).digest()


def _key(value: UUID | None) -> str:
    return "-" if value is None else f"{value.int:x}"


def _text(value: str | None) -> str:
    return "-" if value is None else f"{len(value)}.{value}"
