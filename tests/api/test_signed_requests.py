from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.terminals import Terminal, Terminals
from core.domain.permissions import Role
from tests.api.probes import PATCH, PROBE, PROBES, said
from tests.arena import Arena, Person
from tests.pos import Pos, new_key
from tests.running_api import RunningApi


class TestSignature:
    async def test_an_honest_request_passes(self, pos: Pos, arena: Arena) -> None:
        answer = await pos.post(PROBE, {"name": "x"}, key=new_key())
        assert answer.status == 200
        assert answer.json() == {
            "name": "x",
            "bancaId": str(arena.banca_id),
            "signer": str(pos.terminal.id),
            "keyVersion": 1,
        }

    async def test_bytes_are_signed_and_not_what_they_mean(self, pos: Pos) -> None:
        spaced = b'{ "name" :\n"\\u0078" , "inner": [ ] }'
        assert (await pos.post(PROBE, spaced, key=new_key())).status == 200

    @pytest.mark.parametrize(
        "signs",
        [
            {"target": PATCH},
            {"target": PROBE + "?x=1"},
            {"target": PROBE + "/"},
            {"method": "PUT"},
            {"body": b'{"name": "y"}'},
            {"body": b'{"name":"x"}'},
            {"body": b""},
            {"idempotency_key": "another-key"},
            {"idempotency_key": None},
            {"timestamp": "1767225600"},
            {"terminal": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"},
            {"terminal": ""},
        ],
        ids=str,
    )
    async def test_a_signature_over_anything_else_is_refused(self, pos: Pos, signs: dict[str, Any]) -> None:
        answer = await pos.post(PROBE, b'{"name": "x"}', key=new_key(), signs=signs)
        assert said(answer) == (401, "SIGNATURE_INVALID")

    async def test_a_signed_request_cannot_be_sent_to_another_address(self, pos: Pos) -> None:
        body, key = b'{"name": "x"}', new_key()
        headers = pos.signed_headers("POST", PROBE, body, key=key)
        assert (await pos.api.send("POST", PROBE, body=body, headers=headers)).status == 200
        assert (await pos.api.send("POST", PATCH, body=body, headers=headers)).code == "SIGNATURE_INVALID"
        assert (await pos.api.send("POST", PROBE + "?a", body=body, headers=headers)).code == "SIGNATURE_INVALID"

    @pytest.mark.parametrize("target", [PROBE + "?a=%2F&b=%20c", "/api/v1/%70robe", "//api/v1/probe"])
    async def test_the_target_is_signed_as_it_is_sent(self, pos: Pos, target: str) -> None:
        answer = await pos.post(target, {"name": "x"}, key=new_key())
        # A query that the operation does not know is refused once the signature over it is found right.
        assert answer.code in (None, "ROUTE_NOT_FOUND", "VALIDATION_FAILED")
        decoded = await pos.post(target, {"name": "x"}, key=new_key(), signs={"target": PROBE})
        assert decoded.code in ("SIGNATURE_INVALID", "ROUTE_NOT_FOUND")

    @pytest.mark.parametrize(
        ("signature", "code"),
        [
            ("", "SIGNATURE_MALFORMED"),
            ("v1=", "SIGNATURE_MALFORMED"),
            ("v2=" + "0" * 64, "SIGNATURE_MALFORMED"),
            ("0" * 67, "SIGNATURE_MALFORMED"),
            ("v1=" + "0" * 63, "SIGNATURE_MALFORMED"),
            ("v1=" + "0" * 65, "SIGNATURE_MALFORMED"),
            ("v1=" + "g" * 64, "SIGNATURE_MALFORMED"),
            ("v1=" + "A" * 64, "SIGNATURE_MALFORMED"),
            ("v1=" + "0" * 64, "SIGNATURE_INVALID"),
        ],
    )
    async def test_a_signature_has_one_form(self, pos: Pos, signature: str, code: str) -> None:
        body = b'{"name": "x"}'
        headers = pos.signed_headers("POST", PROBE, body, key=new_key()) | {"X-Signature": signature}
        assert said(await pos.api.send("POST", PROBE, body=body, headers=headers)) == (401, code)

    @pytest.mark.parametrize("missing", ["X-Terminal", "X-Timestamp", "X-Signature"])
    async def test_an_unsigned_request_is_refused(self, pos: Pos, missing: str) -> None:
        body = b'{"name": "x"}'
        headers = pos.signed_headers("POST", PROBE, body, key=new_key())
        del headers[missing]
        answer = await pos.api.send("POST", PROBE, body=body, headers=headers)
        assert said(answer) == (401, "SIGNATURE_REQUIRED")

    @pytest.mark.parametrize(
        "timestamp", ["abc", "", "NaN", "-1", "+1", "1.5", "1e9", " 1", "0x10", "١٢٣", "9" * 13, "1_000"]
    )
    async def test_a_timestamp_is_digits(self, pos: Pos, timestamp: str) -> None:
        answer = await pos.post(PROBE, {"name": "x"}, key=new_key(), timestamp=timestamp)
        assert said(answer) == (401, "TIMESTAMP_INVALID") if timestamp.strip() == timestamp else answer.status != 200

    @pytest.mark.parametrize("off_s", [-302, 302, -(10**8), 10**8])
    async def test_a_timestamp_out_of_the_window_is_refused(self, pos: Pos, off_s: int) -> None:
        answer = await pos.post(PROBE, {"name": "x"}, key=new_key(), timestamp=str(int(time.time()) + off_s))
        assert said(answer) == (401, "TIMESTAMP_OUT_OF_WINDOW")

    @pytest.mark.parametrize("off_s", [-295, 295])
    async def test_a_timestamp_in_the_window_passes(self, pos: Pos, off_s: int) -> None:
        answer = await pos.post(PROBE, {"name": "x"}, key=new_key(), timestamp=str(int(time.time()) + off_s))
        assert answer.status == 200

    @pytest.mark.parametrize("form", ["{%s}", "urn:uuid:%s", "%s ", "nonsense"])
    async def test_a_terminal_is_named_by_its_id(self, pos: Pos, form: str) -> None:
        terminal = form.replace("%s", str(pos.terminal.id))
        answer = await pos.post(PROBE, {"name": "x"}, key=new_key(), terminal=terminal)
        assert answer.status == 401

    async def test_a_terminal_nobody_knows_is_refused(self, pos: Pos) -> None:
        answer = await pos.post(PROBE, {"name": "x"}, key=new_key(), terminal=str(uuid4()))
        assert said(answer) == (401, "TERMINAL_UNKNOWN")

    async def test_another_terminals_secret_does_not_do(self, pos: Pos, arena: Arena) -> None:
        other = arena.sellers[1].terminal.secret
        assert (await pos.post(PROBE, {"name": "x"}, key=new_key(), secret=other)).code == "SIGNATURE_INVALID"

    async def test_the_signature_is_judged_before_the_body(self, pos: Pos) -> None:
        answer = await pos.post(PROBE, b"not json", key=new_key(), secret="wrong")
        assert answer.code == "SIGNATURE_INVALID"
        assert (await pos.post(PROBE, b"not json", key=new_key())).code == "JSON_MALFORMED"

    async def test_the_body_is_judged_before_the_key(self, pos: Pos) -> None:
        assert (await pos.post(PROBE, {}, key="short")).code == "VALIDATION_FAILED"

    async def test_a_terminal_that_was_just_enabled_is_known_at_once(self, pos: Pos, arena: Arena) -> None:
        await arena.owner.execute("UPDATE terminals SET is_active = false WHERE id = $1", pos.terminal.id)
        assert said(await pos.post(PROBE, {"name": "x"}, key=new_key())) == (403, "TERMINAL_DISABLED")
        await arena.owner.execute("UPDATE terminals SET is_active = true WHERE id = $1", pos.terminal.id)
        deadline = time.monotonic() + 3
        while (await pos.post(PROBE, {"name": "x"}, key=new_key())).code == "TERMINAL_DISABLED":
            assert time.monotonic() < deadline, "the change was never noticed"

    async def test_wrong_signatures_read_the_terminal_once_a_second_at_most(
        self, arena: Arena, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reads = []
        read = Terminals._read

        async def counted(self: Terminals, terminal_id: UUID) -> Terminal | None:
            reads.append(time.monotonic())
            return await read(self, terminal_id)

        monkeypatch.setattr(Terminals, "_read", counted)
        async with RunningApi(arena.settings, operations=PROBES) as probe_api:
            pos = Pos(probe_api, arena.seller)
            started = time.monotonic()
            answers = await asyncio.gather(
                *(pos.post(PROBE, {"name": "x"}, key=new_key(), secret="wrong") for _ in range(60))
            )
            assert {answer.code for answer in answers} == {"SIGNATURE_INVALID"}
        assert 1 <= len(reads) <= 1 + time.monotonic() - started


class TestWhoseTerminal:
    async def test_a_bound_token_signs_with_its_own_terminal(self, probe_api: RunningApi, arena: Arena) -> None:
        bound = arena.token_of(arena.seller, terminal_id=arena.seller.terminal.id)
        other = await arena.add_terminal()
        own_pos, other_pos = Pos(probe_api, arena.seller), Pos(probe_api, arena.seller, other)
        assert (await own_pos.post(PROBE, {"name": "x"}, key=new_key(), token=bound)).status == 200
        answer = await other_pos.post(PROBE, {"name": "x"}, key=new_key(), token=bound)
        assert said(answer) == (403, "TERMINAL_MISMATCH")

    async def test_a_terminal_of_somebody_else_is_refused(self, probe_api: RunningApi, arena: Arena) -> None:
        stranger = await Arena.create(arena.owner, arena.settings)
        ventana = await arena.add_user(Role.VENTANA)
        banca = await arena.add_user(Role.BANCA)
        elsewhere = await arena.add_terminal(ventana_id=await arena.add_ventana())
        colleagues = await arena.add_terminal(vendedor_id=arena.sellers[1].id)
        table: list[tuple[Person, Any, int]] = [
            (arena.seller, arena.sellers[1].terminal, 200),
            (arena.seller, stranger.seller.terminal, 403),
            (arena.seller, elsewhere, 403),
            (arena.seller, colleagues, 403),
            (arena.sellers[1], colleagues, 200),
            (ventana, colleagues, 200),
            (ventana, elsewhere, 403),
            (banca, elsewhere, 200),
            (banca, stranger.seller.terminal, 403),
        ]
        for person, terminal, status in table:
            answer = await Pos(probe_api, person, terminal).post(PROBE, {"name": "x"}, key=new_key())
            assert (answer.status, answer.code) == (status, None if status == 200 else "TERMINAL_MISMATCH")
