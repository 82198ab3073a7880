"""The quick reader says yes only to what the close one reads as the same ticket, and to what terminals send."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.json_body import decode_object
from api.models.tickets import TicketIn
from api.problems import Problem, ProblemError
from api.ticket_bodies import quick_ticket, read_batch, read_ticket
from api.validation import parse_model
from core.domain.steps import at_once
from core.domain.ticket import CLIENTE_DEFAULT, TicketRequest

ID = "01932f6e-7a10-7c3a-8f7e-3c2b1a0d9e8f"
USUAL = {
    "sorteoId": ID,
    "jugadas": [
        {"type": "NUMERO", "number": "07", "amount": "500.00"},
        {"type": "REVENTADO", "number": "07", "reventadoNumber": "07", "amount": "200.00"},
        {"type": "NUMERO", "number": "99", "amount": 100, "multiplierId": ID},
    ],
}
ids = st.sampled_from([ID, ID.upper(), ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", "", "x", 7, None, True])
texts = st.sampled_from(
    [
        "Ana",
        "",
        " Ana",
        "Ana ",
        "Ana: la de aquí",
        "\u00a0Ana",
        "a\u0000b",
        "\ud800",
        "Ana\n",
        "a\nb",
        "a\x1b[2Jb",
        "a\x7fb",
        "a\x85b",
        "a\u200bb",
        "\ufeffAna",
        "a\u202eb",
        "a\u2028b",
        "Doña Ana",
        "Jose\u0301",
        "e" + "\u0301" * 99,
        "x" * 100,
        "x" * 101,
        7,
        1.5,
        None,
    ]
)
amounts = st.sampled_from(
    ["500.00", "500", "0", "-1", "1e3", "1.005", "", " 5", "9" * 30, 500, 0, -5, 1.5, 1e300, True, None, "٥", 10**40]
)
numbers = st.sampled_from(
    ["0\x7f", "0\u200b", "0\u0301", "07", "7", "", "007", "123456789", ":", "\u0000", 7, 1.5, None, "٠٧"]
)
jugadas = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["NUMERO", "REVENTADO", "numero", "", 1, None]),
        "number": numbers,
        "reventadoNumber": numbers,
        "amount": amounts,
        "multiplierId": ids,
        "extra": st.none(),
    },
) | st.sampled_from(USUAL["jugadas"])
tickets = st.fixed_dictionaries(
    {},
    optional={
        "sorteoId": ids,
        "loteriaId": ids,
        "ventanaId": ids,
        "vendedorId": ids,
        "clienteNombre": texts,
        "cliente_nombre": texts,
        "jugadas": st.lists(jugadas | st.none(), max_size=4) | st.none(),
    },
) | st.fixed_dictionaries(
    {"sorteoId": st.just(ID), "jugadas": st.lists(st.sampled_from(USUAL["jugadas"]), min_size=1)},
    optional={"clienteNombre": texts, "vendedorId": ids},
)


def closely(raw: bytes) -> TicketRequest:
    return parse_model(TicketIn, decode_object(raw)).to_request()


@given(ticket=tickets, is_ascii=st.booleans())
def test_what_the_quick_reader_takes_the_close_one_reads_as_the_same(ticket: dict[str, Any], *, is_ascii: bool) -> None:
    raw = json.dumps(ticket, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    quick = quick_ticket(raw)
    if quick is not None:
        assert quick == closely(raw)


@given(tickets, st.data())
def test_mangled_text_is_taken_only_where_the_close_reader_takes_it(
    ticket: dict[str, Any], data: st.DataObject
) -> None:
    raw = bytearray(json.dumps(ticket).encode())
    place = data.draw(st.integers(0, len(raw)))
    raw[place : place + data.draw(st.integers(0, 3))] = data.draw(
        st.sampled_from([b"", b":", b'"', b"}", b",", b"\xff"])
    )
    quick = quick_ticket(bytes(raw))
    if quick is not None:
        assert quick == closely(bytes(raw))


def test_what_terminals_send_is_read_quickly() -> None:
    raw = orjson.dumps({**USUAL, "loteriaId": None, "clienteNombre": "Ana Mora", "vendedorId": ID})
    quick = quick_ticket(raw)
    assert quick is not None
    assert quick == closely(raw)
    assert (quick.cliente_nombre, quick.vendedor_id, len(quick.jugadas)) == ("Ana Mora", UUID(ID), 3)
    without_name = quick_ticket(orjson.dumps(USUAL))
    assert without_name is not None
    assert without_name.cliente_nombre == CLIENTE_DEFAULT


JUGADA = b'{"type":"NUMERO","number":"07","amount":"5.00"}'


@pytest.mark.parametrize(
    "jugadas",
    [
        b'"jugadas":[{"type":"NUMERO","number":"07","amount":"5.00","amount":"6.00"}]',
        b'"jugadas":[],"jugadas":[' + JUGADA + b"]",
        b'"vendedorId":null,"vendedorId":null,"jugadas":[' + JUGADA + b"]",
    ],
)
def test_a_member_that_came_twice_is_refused(jugadas: bytes) -> None:
    twice = b'{"sorteoId":"' + ID.encode() + b'",' + jugadas + b"}"
    assert quick_ticket(twice) is None
    with pytest.raises(ProblemError, match="JSON_DUPLICATE_KEY"):
        read_ticket(twice)


@given(
    st.lists(tickets, max_size=3),
    st.sampled_from(["k" * 8, "k" * 101, "k 2345678", "short", "clave-ñ-123", "key-of-line\n", 12345678]),
)
def test_each_ticket_of_a_batch_is_read_as_it_would_be_read_alone(sent: list[dict[str, Any]], key: Any) -> None:
    raw = json.dumps({"tickets": [{**ticket, "idempotencyKey": key} for ticket in sent]}).encode()
    alone = [one_alone(ticket) for ticket in sent]
    # What is no JSON of ours is so as a whole.
    if not sent or any(isinstance(one, Problem) and one.code != "VALIDATION_FAILED" for one in alone):
        with pytest.raises(ProblemError):
            at_once(read_batch(raw))
        return
    is_key = isinstance(key, str) and 8 <= len(key) <= 100 and key.isascii() and key.isprintable() and " " not in key
    for one, expected in zip(at_once(read_batch(raw)), alone, strict=True):
        assert one.key == (key if isinstance(key, str) else None)
        if is_key:
            assert (one.ticket or one.problem) == expected
        else:
            assert (one.ticket, one.problem is not None) == (None, True)


def one_alone(ticket: dict[str, Any]) -> TicketRequest | Problem:
    try:
        return closely(json.dumps(ticket).encode())
    except ProblemError as error:
        return error.problem


@pytest.mark.parametrize(
    ("tickets", "code"),
    [
        (b'{"a":1,"a":2}', "JSON_DUPLICATE_KEY"),
        (b'{"a":' + b"[" * 14 + b"]" * 14 + b"}", "JSON_TOO_DEEP"),
        (b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}", "JSON_TOO_DEEP"),
        (b"[" * 90_000, "JSON_TOO_DEEP"),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "JSON_TOO_DEEP"),
        (b'{"a":"\\u0000"}', "TEXT_INVALID"),
        (b'{}],"tickets":[{}', "JSON_DUPLICATE_KEY"),
        (b'{}],"other":[{}', "VALIDATION_FAILED"),
        (b",".join([b"{}"] * 501), "VALIDATION_FAILED"),
        (b",".join([b"{}"] * 80_001), "JSON_TOO_MANY_PARTS"),
        (b"{", "JSON_MALFORMED"),
    ],
)
def test_what_is_wrong_with_a_batch_is_found_wherever_it_stands(tickets: bytes, code: str) -> None:
    good = b'{"idempotencyKey":"key-12345678","sorteoId":"' + ID.encode() + b'","jugadas":[' + JUGADA + b"]}"
    with pytest.raises(ProblemError, match=code):
        at_once(read_batch(b'{"tickets":[' + good + b"," + tickets + b"]}"))


def test_a_ticket_that_is_no_object_is_that_tickets_problem() -> None:
    sent = at_once(read_batch(b'{"tickets":[1,null,[],"{}"]}'))
    assert [one.problem is not None and one.ticket is None for one in sent] == [True] * 4
