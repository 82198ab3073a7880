"""A ticket's JSON, read twice: once quickly, as every terminal sends it; and closely where that does not do.

The quick reader only ever says yes, to what the close one (api.models.tickets, which knows every fault by its code)
would read as the same ticket. It costs a fifth of it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import islice
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from pydantic import ValidationError

from api.json_body import decode_object, decode_part, require_few_parts
from api.models.tickets import JUGADAS_PER_TICKET_MAX, NUMBER_LENGTH_MAX, TICKETS_PER_BATCH_MAX, BatchTicketIn, TicketIn
from api.problems import Problem
from api.validation import VIOLATIONS_MAX, parse_model, validation_failed, violations_of
from core.domain.money import parse_amount
from core.domain.rulebook import JugadaType
from core.domain.text import line_of
from core.domain.ticket import CLIENTE_DEFAULT, JugadaRequest, TicketRequest
from core.domain.violations import Violation

NAME_LENGTH_MAX = 100
# Twice what fits into a batch's bytes of jugadas as terminals send them.
BATCH_PARTS_MAX = 80_000
# Not "$": that lets a line feed pass at the end.
KEY_PATTERN = r"\A[\x21-\x7e]+\Z"

_Number = Annotated[str, Meta(min_length=1, max_length=NUMBER_LENGTH_MAX)]


class SentTicket(NamedTuple):
    """One ticket of a batch: either the ticket under its key, or what is wrong with it."""

    key: str | None
    ticket: TicketRequest | None
    problem: Problem | None = None


class _Jugada(Struct, forbid_unknown_fields=True, rename="camel", gc=False):
    type: JugadaType
    number: _Number
    amount: str | int
    reventado_number: _Number | UnsetType | None = UNSET
    multiplier_id: UUID | UnsetType | None = UNSET


class _Ticket(Struct, forbid_unknown_fields=True, rename="camel", gc=False):
    sorteo_id: UUID
    jugadas: Annotated[list[_Jugada], Meta(min_length=1, max_length=JUGADAS_PER_TICKET_MAX)]
    loteria_id: UUID | UnsetType | None = UNSET
    ventana_id: UUID | UnsetType | None = UNSET
    vendedor_id: UUID | UnsetType | None = UNSET
    cliente_nombre: Annotated[str, Meta(max_length=NAME_LENGTH_MAX)] | UnsetType | None = UNSET


class _BatchTicket(_Ticket, forbid_unknown_fields=True, rename="camel", gc=False, kw_only=True):
    idempotency_key: Annotated[str, Meta(min_length=8, max_length=100, pattern=KEY_PATTERN)]


class _Batch(Struct, forbid_unknown_fields=True, gc=False):
    tickets: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=TICKETS_PER_BATCH_MAX)]


_TICKET = msgspec.json.Decoder(_Ticket)
_BATCH = msgspec.json.Decoder(_Batch)
_BATCH_TICKET = msgspec.json.Decoder(_BatchTicket)


def read_ticket(raw: bytes) -> TicketRequest:
    """The body of POST /tickets. Raises ProblemError."""
    ticket = quick_ticket(raw)
    return parse_model(TicketIn, decode_object(raw)).to_request() if ticket is None else ticket


def quick_ticket(raw: bytes) -> TicketRequest | None:
    """None: look closer."""
    try:
        ticket = _TICKET.decode(raw)
        if raw.count(b":") != _members(ticket):
            return None
        _refuse_odd_texts(raw, (ticket,))
        return _request(ticket)
    except ValueError:
        return None


def read_batch(raw: bytes) -> Generator[None, None, list[SentTicket]]:
    """The body of POST /tickets/batch, a ticket at a time. Raises ProblemError where the batch itself has a fault."""
    require_few_parts(raw, BATCH_PARTS_MAX)
    yield
    parts = _parts_of(raw)
    sent: list[SentTicket] = []
    for part in parts if parts is not None else _tickets_of(decode_part(raw, depth=1, parts_max=BATCH_PARTS_MAX)):
        yield
        sent.append(_read_part(bytes(part)) if isinstance(part, msgspec.Raw) else _close_look(part))
    return sent


def _parts_of(raw: bytes) -> list[msgspec.Raw] | None:
    """The tickets' own texts. None: the batch is another than terminals send; look closer, at all of it."""
    try:
        parts = _BATCH.decode(raw).tickets
    except (ValueError, RecursionError):
        return None
    # A member that came twice, or another one, has a colon that is in no ticket.
    is_whole = raw.count(b":") == 1 + sum(bytes(part).count(b":") for part in parts)
    return parts if is_whole else None


def _read_part(raw: bytes) -> SentTicket:
    known = _quick_part(raw)
    if known is not None:
        return known
    # Where lists and objects may stand, a ticket is the third.
    return _close_look(decode_part(raw, depth=3, parts_max=BATCH_PARTS_MAX) if raw.lstrip()[:1] == b"{" else None)


def _quick_part(raw: bytes) -> SentTicket | None:
    """None: look closer."""
    try:
        ticket = _BATCH_TICKET.decode(raw)
        if raw.count(b":") != 1 + _members(ticket):
            return None
        _refuse_odd_texts(raw, [ticket])
        return SentTicket(ticket.idempotency_key, _request(ticket))
    except ValueError:
        return None


def _tickets_of(body: dict[str, Any]) -> list[Any]:
    """The batch's own form; its tickets are looked at one by one."""
    tickets = body.get("tickets")
    unknown = islice((name for name in body if name != "tickets"), VIOLATIONS_MAX)
    violations = [Violation("FIELD_UNKNOWN", "No such member.", name) for name in unknown]
    if not isinstance(tickets, list):
        violations.append(Violation("FIELD_REQUIRED", "A list of tickets is required.", "tickets"))
    elif not 1 <= len(tickets) <= TICKETS_PER_BATCH_MAX:
        message = f"A batch has 1 to {TICKETS_PER_BATCH_MAX} tickets."
        violations.append(Violation("FIELD_LENGTH_INVALID", message, "tickets"))
    if violations or not isinstance(tickets, list):
        raise validation_failed(violations)
    return tickets


def _close_look(sent: Any) -> SentTicket:
    sent_key = sent.get("idempotencyKey") if isinstance(sent, dict) else None
    # A JsonNumber is a str, and no key.
    key = sent_key if type(sent_key) is str else None
    try:
        ticket = BatchTicketIn.model_validate(sent)
    except ValidationError as error:
        # The same fields as for a ticket alone; its place in the batch is the result's.
        return SentTicket(key, None, _key_problem(key) or validation_failed(violations_of(error)).problem)
    return SentTicket(ticket.idempotency_key, ticket.to_request())


def _key_problem(key: str | None) -> Problem | None:
    if key is None:
        return Problem(400, "IDEMPOTENCY_KEY_REQUIRED", "Give each ticket an idempotencyKey.")
    if not (8 <= len(key) <= 100 and key.isascii() and all("!" <= character <= "~" for character in key)):
        return Problem(400, "IDEMPOTENCY_KEY_INVALID", "The idempotencyKey must be 8–100 visible ASCII characters.")
    return None


def _members(ticket: _Ticket) -> int:
    """How many colons the ticket's text has when no member came twice, and no text has a colon of its own."""
    present = 2 + (ticket.loteria_id is not UNSET) + (ticket.ventana_id is not UNSET)
    present += (ticket.vendedor_id is not UNSET) + (ticket.cliente_nombre is not UNSET)
    for jugada in ticket.jugadas:
        present += 3 + (jugada.reventado_number is not UNSET) + (jugada.multiplier_id is not UNSET)
    return present


def _refuse_odd_texts(raw: bytes, tickets: Sequence[_Ticket]) -> None:
    """Raises ValueError: look closer, at a text with a character that the close reader refuses or composes."""
    # JSON has no controls in texts but DEL, unless they are escaped: what most terminals send is told by one look.
    if raw.isascii() and b"\\" not in raw and b"\x7f" not in raw:
        return
    for ticket in tickets:
        texts = [ticket.cliente_nombre or ""]
        for jugada in ticket.jugadas:
            texts += (jugada.number, jugada.reventado_number or "")
        for text in texts:
            if line_of(text) != text:
                raise ValueError(text)


def _request(ticket: _Ticket) -> TicketRequest:
    """Raises ValueError: look closer."""
    return TicketRequest(
        ticket.sorteo_id,
        ticket.loteria_id or None,
        ticket.vendedor_id or None,
        _name(ticket.cliente_nombre),
        tuple(
            [
                JugadaRequest(
                    jugada.type,
                    jugada.number,
                    jugada.reventado_number or None,
                    parse_amount(jugada.amount),
                    jugada.multiplier_id or None,
                )
                for jugada in ticket.jugadas
            ]
        ),
        ticket.ventana_id or None,
    )


def _name(sent: str | UnsetType | None) -> str:
    if not sent:
        return CLIENTE_DEFAULT
    # Blanks at its ends are the close reader's.
    if sent[0].isspace() or sent[-1].isspace():
        raise ValueError(sent)
    return sent
