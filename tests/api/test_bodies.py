from __future__ import annotations

import json
import re

import pytest

from tests.api.probes import PROBE, said
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import RunningApi


class TestHeaders:
    @pytest.mark.parametrize(
        "name",
        ["Authorization", "X-Terminal", "X-Timestamp", "X-Signature", "Idempotency-Key", "Content-Type"],
    )
    async def test_a_header_that_decides_something_may_come_once(self, pos: Pos, name: str) -> None:
        body = b'{"name": "x"}'
        headers = pos.signed_headers("POST", PROBE, body, key=new_key())
        twice = [*headers.items(), (name, headers[name])]
        assert said(await pos.api.send("POST", PROBE, body=body, headers=twice)) == (400, "DUPLICATE_HEADER")

    @pytest.mark.parametrize("key", ["short", "x" * 101, "with blank", "tilde-é-x", "tab\tinside"])
    async def test_a_key_is_8_to_100_visible_characters(self, pos: Pos, key: str) -> None:
        assert said(await pos.post(PROBE, {"name": "x"}, key=key)) == (400, "IDEMPOTENCY_KEY_INVALID")

    async def test_a_key_is_required(self, pos: Pos) -> None:
        assert said(await pos.post(PROBE, {"name": "x"})) == (400, "IDEMPOTENCY_KEY_REQUIRED")

    async def test_the_clients_request_id_comes_back(self, probe_api: RunningApi) -> None:
        answer = await probe_api.get("/health/live", X_Request_Id="pos-7.a_B")
        assert answer.headers["X-Request-Id"] == "pos-7.a_B"

    @pytest.mark.parametrize("sent", ["x" * 65, "a b", "a/b", "é"])
    async def test_an_unfit_request_id_is_replaced(self, probe_api: RunningApi, sent: str) -> None:
        answer = await probe_api.get("/health/live", X_Request_Id=sent)
        chosen = answer.headers["X-Request-Id"]
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", chosen)
        assert chosen != sent

    async def test_every_answer_has_the_security_headers(self, probe_api: RunningApi) -> None:
        for answer in (await probe_api.get("/health/live"), await probe_api.get("/nowhere")):
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"


class TestBodies:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"", "JSON_MALFORMED"),
            (b"{", "JSON_MALFORMED"),
            (b'{"name": NaN}', "JSON_MALFORMED"),
            (b'{"name": Infinity}', "JSON_MALFORMED"),
            (b'{"name": 01}', "JSON_MALFORMED"),
            (b'{"name": "x"} {}', "JSON_MALFORMED"),
            (b'{"name": "\xff"}', "JSON_MALFORMED"),
            (b'{"name": "\\ud800"}', "JSON_MALFORMED"),
            (b'{"name": ' + b"1" * 5_000 + b"}", "JSON_MALFORMED"),
            (b'\xef\xbb\xbf{"name": "x"}', "JSON_MALFORMED"),
            (b"[]", "JSON_NOT_AN_OBJECT"),
            (b"null", "JSON_NOT_AN_OBJECT"),
            (b'"name"', "JSON_NOT_AN_OBJECT"),
            (b'{"name": ' + b"[" * 17 + b"]" * 17 + b"}", "JSON_TOO_DEEP"),
            (b"[" * 100_000 + b"]" * 100_000, "JSON_TOO_DEEP"),
            (b'{"a":' * 30_000 + b"1" + b"}" * 30_000, "JSON_TOO_DEEP"),
            (b'{"name": "x", "name": "y"}', "JSON_DUPLICATE_KEY"),
            (b'{"name": "x:y", "inner": [{"amount": 1, "amount": 1}]}', "JSON_DUPLICATE_KEY"),
            (b'{"name": "x", "n\\u0061me": "y"}', "JSON_DUPLICATE_KEY"),
            (b'{"name": {"a": 1, "b": 2}, "name": "y:::"}', "JSON_DUPLICATE_KEY"),
            (b'{"name": "a\\u0000b"}', "TEXT_INVALID"),
        ],
        ids=lambda value: str(value[:40]),
    )
    async def test_what_two_readers_could_read_differently_is_refused(self, pos: Pos, body: bytes, code: str) -> None:
        assert said(await pos.post(PROBE, body, key=new_key())) == (400, code)

    @pytest.mark.parametrize(
        "body", [b'{"name": "a:b::c"}', b'{"name": "\\\\u0000"}', b'{"name":"x","inner":[]}', b' {"name" : "x" } \n']
    )
    async def test_odd_but_sound_json_is_accepted(self, pos: Pos, body: bytes) -> None:
        assert (await pos.post(PROBE, body, key=new_key())).status == 200

    async def test_all_violations_are_listed_with_their_place(self, pos: Pos) -> None:
        document = {"inner": [{"amount": 1}, {"amount": "many", "extra": 1}], "unknown": 1}
        answer = await pos.post(PROBE, document, key=new_key())
        assert said(answer) == (400, "VALIDATION_FAILED")
        found = {(violation["field"], violation["code"]) for violation in answer.json()["violations"]}
        assert found == {
            ("name", "FIELD_REQUIRED"),
            ("inner[1].amount", "FIELD_INVALID"),
            ("inner[1].extra", "FIELD_UNKNOWN"),
            ("unknown", "FIELD_UNKNOWN"),
        }

    @pytest.mark.parametrize("number", ["1.5", "1e3", "7"])
    async def test_a_number_is_no_text(self, pos: Pos, number: str) -> None:
        answer = await pos.post(PROBE, b'{"name": ' + number.encode() + b"}", key=new_key())
        assert said(answer) == (400, "VALIDATION_FAILED")

    @pytest.mark.parametrize(
        "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
    )
    async def test_only_json_is_taken(self, pos: Pos, kind: str) -> None:
        body = b'{"name": "x"}'
        headers = pos.signed_headers("POST", PROBE, body, key=new_key()) | {"Content-Type": kind}
        assert said(await pos.api.send("POST", PROBE, body=body, headers=headers)) == (415, "UNSUPPORTED_MEDIA_TYPE")

    @pytest.mark.parametrize(
        "kind", ["application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"']
    )
    async def test_json_may_say_its_charset(self, pos: Pos, kind: str) -> None:
        body = b'{"name": "x"}'
        headers = pos.signed_headers("POST", PROBE, body, key=new_key()) | {"Content-Type": kind}
        assert (await pos.api.send("POST", PROBE, body=body, headers=headers)).status == 200

    async def test_a_compressed_body_is_refused(self, pos: Pos) -> None:
        body = b'{"name": "x"}'
        headers = pos.signed_headers("POST", PROBE, body, key=new_key()) | {"Content-Encoding": "identity"}
        answer = await pos.api.send("POST", PROBE, body=body, headers=headers)
        assert said(answer) == (415, "CONTENT_ENCODING_UNSUPPORTED")

    @pytest.mark.parametrize("bytes_over", [0, 1])
    async def test_a_body_has_a_limit(self, pos: Pos, arena: Arena, bytes_over: int) -> None:
        frame = len(json.dumps({"name": ""}))
        document = {"name": "x" * (arena.settings.body_single_bytes_max - frame + bytes_over)}
        answer = await pos.post(PROBE, document, key=new_key())
        assert said(answer) == ((413, "BODY_TOO_LARGE") if bytes_over else (200, None))
