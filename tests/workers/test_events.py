"""Events, their messages, and what they say: pure."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import Event, EventUndecodableError, TicketsSold, decode, from_wire, to_wire
from tests.workers.pipeline import sold
from workers.activity import operations_of
from workers.backoff import LONGEST_S, backoff_s
from workers.packing import BYTES_PER_MESSAGE_MAX, EVENTS_PER_MESSAGE_MAX, packed

BANCA = uuid.UUID("00000000-0000-7000-8000-000000000001")


def event(id_: int, payload: str, type_: str = "tickets.sold") -> Event:
    return Event(id_, BANCA, type_, payload, datetime(2026, 11, 20, tzinfo=UTC))


@given(st.lists(st.integers(min_value=2, max_value=BYTES_PER_MESSAGE_MAX * 2), max_size=200))
def test_packs_carry_every_event_once_in_order_and_within_bounds(sizes: list[int]) -> None:
    events = [event(number, "x" * size) for number, size in enumerate(sizes)]
    messages = list(packed(events, queue_name="q", actor_name="a"))
    packs = [message.args[0] for message in messages]
    assert [wire["id"] for pack in packs for wire in pack] == [item.id for item in events]
    for pack in packs:
        assert len(pack) <= EVENTS_PER_MESSAGE_MAX
        assert len(pack) == 1 or sum(len(wire["payload"]) for wire in pack) <= BYTES_PER_MESSAGE_MAX


@given(st.text(), st.integers(min_value=0, max_value=2**62))
def test_an_event_survives_its_message(payload: str, id_: int) -> None:
    sent = event(id_, payload)
    assert from_wire(orjson.loads(orjson.dumps(to_wire(sent)))) == sent


def test_a_batch_of_sales_tells_each_ticket_on_its_own() -> None:
    payload = sold(2) | {"terminalIds": [None, str(BANCA)], "requestIds": [None, "r"], "laterMember": 1}
    decoded = decode(event(1, orjson.dumps(payload).decode())).payload
    assert isinstance(decoded, TicketsSold)
    first, second = operations_of(decoded)
    assert [str(first.target_id), str(second.target_id)] == payload["ticketIds"]
    assert (first.request_id, second.request_id) == (None, "r")
    assert second.details["terminalId"] == BANCA
    assert second.details["rulebookVersion"] == 7


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "[]",
        "{}",
        orjson.dumps(sold(2) | {"ticketIds": [str(BANCA)]}).decode(),
        orjson.dumps(sold(0)).decode(),
        orjson.dumps(sold(1) | {"totalsCents": [1.5]}).decode(),
        orjson.dumps(sold(1) | {"actorIds": ["nobody"]}).decode(),
        orjson.dumps(sold(1) | {"at": "2026-11-20T10:00:00"}).decode(),
    ],
)
def test_a_payload_out_of_form_is_its_writers_fault(payload: str) -> None:
    with pytest.raises(EventUndecodableError, match="event 5"):
        decode(event(5, payload))


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(EventUndecodableError, match=r"wheels\.turned"):
        decode(event(5, "{}", "wheels.turned"))


@pytest.mark.parametrize("wire", [None, 7, {}, {"id": "1"}, {"id": 1, "bancaId": "x"}])
def test_an_envelope_out_of_form_is_refused(wire: object) -> None:
    with pytest.raises(EventUndecodableError):
        from_wire(wire)


@given(st.integers(min_value=1, max_value=10_000))
def test_backing_off_is_bounded(failures: int) -> None:
    assert 0 < backoff_s(failures) <= LONGEST_S
