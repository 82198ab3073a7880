"""What means the same is answered the same: forms of targets, headers, bodies and numbers that honest clients send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.signed_requests import origin_form
from tests.api.probes import PROBE
from tests.api.ruling import RESTRICTIONS, Ruler
from tests.api.selling import written
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import RunningApi

TICKETS = "/api/v1/tickets"
ME = "/api/v1/auth/me"


def ticket(arena: Arena, amount: Any = "500.00") -> dict[str, Any]:
    return {"sorteoId": str(arena.sorteo_id), "jugadas": [{"type": "NUMERO", "number": "07", "amount": amount}]}


async def ask(api: RunningApi, head: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, bytes]:
    """Status and body of a request whose head goes out byte by byte as it is given."""
    host, _, port = api.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [
        head,
        f"Host: {host}:{port}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    answer_head, _, answer_body = answer.partition(b"\r\n\r\n")
    return int(answer_head.split(b" ", 2)[1]), answer_body


class TestTargets:
    @pytest.mark.parametrize(
        "prefix", ["", "http://127.0.0.1", "HTTP://pos.example.com:8080", "https://user@[::1]:1", "http://"]
    )
    @pytest.mark.parametrize(
        ("target", "expected"),
        # The signature over a query is right, so that its parameters are what is refused.
        [(TICKETS, 201), (f"{TICKETS}?try=%41+b&x=%2f", 400), ("/api/v1/%74ickets", 201)],
    )
    async def test_a_sale_is_signed_over_path_and_query_whatever_the_form_of_its_target(
        self, api: RunningApi, arena: Arena, prefix: str, target: str, expected: int
    ) -> None:
        body = json.dumps(ticket(arena)).encode()
        headers = Pos(api, arena.seller).signed_headers("POST", target, body, key=new_key())
        headers["Content-Length"] = str(len(body))
        status, answer = await ask(api, f"POST {prefix}{target} HTTP/1.1", headers, body)
        assert status == (expected if prefix != "http://" else 400), answer

    @pytest.mark.parametrize(
        ("target", "signed"),
        [
            ("/a/b?c", "/a/b?c"),
            ("http://host/a/b?c", "/a/b?c"),
            ("http://host", "/"),
            ("http://host?c=http://x/y", "/?c=http://x/y"),
            ("/a?next=http://host/b", "/a?next=http://host/b"),
            ("//host/a", "//host/a"),
            ("*", "*"),
        ],
    )
    def test_only_scheme_and_host_are_left_out(self, target: str, signed: str) -> None:
        assert origin_form(target) == signed

    async def test_an_id_in_the_path_may_be_escaped_and_in_capitals(self, api: RunningApi, arena: Arena) -> None:
        plain = str(arena.sorteo_id)
        for spelled in (plain, plain.upper(), plain.replace("-", "%2D"), plain.replace("-", "%2d")):
            answer = await api.get(f"/api/v1/sorteos/{spelled}", token=arena.seller.token)
            assert (answer.status, answer.json()["id"]) == (200, plain)

    async def test_what_may_be_got_may_be_asked_for_its_head(self, api: RunningApi, arena: Arena) -> None:
        headers = {"Authorization": f"Bearer {arena.seller.token}"}
        for target in ("/health/live", ME, "/api/v1/sorteos", "/openapi.json"):
            got = await api.send("GET", target, headers=headers)
            head = await api.send("HEAD", target, headers=headers)
            assert (head.status, head.body) == (got.status, b"") == (200, b"")
            assert head.headers["Content-Type"] == got.headers["Content-Type"]


class TestHeaders:
    @pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer   "])
    @pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
    async def test_the_case_of_a_scheme_and_a_header_does_not_matter(
        self, api: RunningApi, arena: Arena, name: str, scheme: str
    ) -> None:
        status, answer = await ask(api, f"GET {ME} HTTP/1.1", {name: f" {scheme}{arena.seller.token} "})
        assert status == 200, answer

    @pytest.mark.parametrize(
        "kind",
        ["application/json", "application/json;charset=utf-8", "application/json ; Charset = UTF-8", "application/json;",
         'application/json; charset="utf-8"', "application/json; charset=utf8; v=1", "APPLICATION/JSON; profile=x"],
    )  # fmt: skip
    async def test_a_content_type_may_be_spelled_in_many_ways(self, pos: Pos, kind: str) -> None:
        body = b'{"name": "x"}'
        headers = pos.signed_headers("POST", PROBE, body, key=new_key()) | {"Content-Type": kind}
        assert (await pos.api.send("POST", PROBE, body=body, headers=headers)).status == 200

    @pytest.mark.parametrize("kind", ["application/json; v=1; charset=latin-1", "application/jsonx", "json", ";"])
    async def test_another_type_or_charset_is_still_refused(self, pos: Pos, kind: str) -> None:
        body = b'{"name": "x"}'
        headers = pos.signed_headers("POST", PROBE, body, key=new_key()) | {"Content-Type": kind}
        assert (await pos.api.send("POST", PROBE, body=body, headers=headers)).code == "UNSUPPORTED_MEDIA_TYPE"

    async def test_a_terminals_id_may_be_in_capitals_and_headers_may_have_blanks_around(
        self, api: RunningApi, arena: Arena
    ) -> None:
        pos, body = Pos(api, arena.seller), json.dumps(ticket(arena)).encode()
        terminal = str(arena.seller.terminal.id).upper()
        headers = pos.signed_headers("POST", TICKETS, body, key=new_key(), terminal=terminal)
        padded = {name.lower(): f"  {value}\t" for name, value in headers.items()}
        status, answer = await ask(api, f"POST {TICKETS} HTTP/1.1", {**padded, "Content-Length": str(len(body))}, body)
        assert status == 201, answer


class TestBodies:
    async def test_a_body_may_come_in_chunks_of_any_size(self, api: RunningApi, arena: Arena) -> None:
        pos, body = Pos(api, arena.seller), json.dumps(ticket(arena)).encode()

        async def chunks() -> AsyncIterator[bytes]:
            for place in range(0, len(body), 7):
                yield body[place : place + 7]

        headers = pos.signed_headers("POST", TICKETS, body, key=new_key())
        answer = await api.send("POST", TICKETS, body=chunks(), headers=headers)
        assert answer.status == 201, answer.body

    async def test_a_client_that_asks_before_it_sends_is_told_to_go_on(self, api: RunningApi, arena: Arena) -> None:
        pos, body = Pos(api, arena.seller), json.dumps(ticket(arena)).encode()
        headers = pos.signed_headers("POST", TICKETS, body, key=new_key()) | {"Expect": "100-Continue"}
        answer = await api.send("POST", TICKETS, body=body, headers=headers)
        assert answer.status == 201, answer.body


class TestNumbers:
    @pytest.mark.parametrize(
        "token", ["5e2", "5E+2", "5.0e2", "50000e-2", "500", "500.00", '"500"', '"500.00"', "0.5e3"]
    )
    async def test_an_amount_is_the_same_ticket_however_its_number_is_written(
        self, api: RunningApi, arena: Arena, token: str
    ) -> None:
        """Alone and in a batch: the same key replays it."""
        pos, key = Pos(api, arena.seller), new_key()
        first = await pos.post(TICKETS, ticket(arena), key=key)
        again = await pos.post(TICKETS, written(ticket(arena, "@"), token), key=key)
        assert (again.status, again.body) == (201, first.body)
        assert again.headers["Idempotent-Replayed"] == "true"
        batch = {"tickets": [{**ticket(arena, "@"), "idempotencyKey": key}]}
        [result] = (await pos.post(f"{TICKETS}/batch", written(batch, token))).json()["results"]
        assert (result["status"], result["replayed"], result["ticket"]) == (201, True, first.json())

    async def test_millions_may_be_written_with_an_exponent(self, api: RunningApi, arena: Arena) -> None:
        answer = await Pos(api, arena.seller).post(TICKETS, written(ticket(arena, "@"), "1.2E6"), key=new_key())
        assert (answer.status, answer.json()["totalAmount"]) == (201, "1200000.00")

    @pytest.mark.parametrize(
        ("member", "token", "read"),
        [
            ("maxTotal", "1.5e3", "1500.00"),
            ("maxTotal", "1.50E+3", "1500.00"),
            ("salesCutoffMinutes", "1e1", 10),
            ("salesCutoffMinutes", "10.0", 10),
            ("salesCutoffMinutes", "100e-1", 10),
        ],
    )
    async def test_limits_and_counts_are_read_the_same_way(
        self, banca: Ruler, arena: Arena, member: str, token: str, read: Any
    ) -> None:
        body = written({"bancaId": str(arena.banca_id), member: "@"}, token)
        [rule] = (await banca.write("POST", RESTRICTIONS, body))["data"]
        assert rule[member] == read
