from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel

from api.context import PublicContext, RequestContext
from api.models.wire import AnswerModel, RequestModel, Text
from api.operations import PUBLIC, Key, Operation
from api.problems import refuse
from api.routes import OPERATIONS
from api.terminals import Terminal, Terminals
from core.database import DatabaseUnavailableError, OutcomeUnknownError
from core.domain.permissions import PERMISSIONS, Permission, Role
from core.security.passwords import PasswordsBusyError
from tests.arena import Arena, Person
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi

PROBE = "/api/v1/probe"
PATCH = "/api/v1/patch"


class Inner(RequestModel):
    amount: int


class Probe(RequestModel):
    name: Text
    inner: tuple[Inner, ...] = ()


class Seen(AnswerModel):
    name: str
    banca_id: UUID | None
    signer: UUID | None
    key_version: int | None


async def probe(context: RequestContext, body: Probe) -> Seen:
    """A signed operation that moves no money."""
    signer = context.signer
    return Seen(
        name=body.name,
        banca_id=context.active_banca_id,
        signer=signer and signer.terminal_id,
        key_version=signer and signer.key_version,
    )


async def patch(context: RequestContext, body: Probe) -> Seen:
    return await probe(context, body)


async def fail(context: PublicContext) -> None:
    errors: dict[str, Exception] = {
        "bug": RuntimeError("a secret of ours"),
        "database": DatabaseUnavailableError("host db1"),
        "unknown": OutcomeUnknownError("lost"),
        "busy": PasswordsBusyError(),
        "refusal": refuse(409, "SORTEO_CLOSED", "Closed."),
    }
    raise errors[context.request.query["how"]]


def signed(path: str, handler: Any) -> Operation:
    return Operation(
        method="POST",
        path=path,
        handler=handler,
        # Every role has it, so that terminals of all of them can be tried.
        permission=Permission.TICKETS_READ,
        tags=("probe",),
        body=Probe,
        responses={200: Seen},
        signed=True,
        key=Key.REQUIRED,
        ticket_rate=True,
    )


PROBES = (
    signed(PROBE, probe),
    signed(PATCH, patch),
    Operation(method="GET", path="/fail", handler=fail, permission=PUBLIC, tags=(), responses={204: None}),
)


@pytest.fixture
async def api(arena: Arena) -> AsyncIterator[RunningApi]:
    async with RunningApi(arena.settings, operations=(*OPERATIONS, *PROBES)) as running:
        yield running


@pytest.fixture
def pos(api: RunningApi, arena: Arena) -> Pos:
    return Pos(api, arena.seller)


def said(answer: Answer) -> tuple[int, str | None]:
    return answer.status, answer.code


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
            {"timestamp": str(int(time.time()) - 1)},
            {"terminal": str(uuid4())},
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
        assert answer.code in (None, "ROUTE_NOT_FOUND")
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
        async with RunningApi(arena.settings, operations=PROBES) as api:
            pos = Pos(api, arena.seller)
            started = time.monotonic()
            answers = await asyncio.gather(
                *(pos.post(PROBE, {"name": "x"}, key=new_key(), secret="wrong") for _ in range(60))
            )
            assert {answer.code for answer in answers} == {"SIGNATURE_INVALID"}
        assert 1 <= len(reads) <= 1 + time.monotonic() - started


class TestWhoseTerminal:
    async def test_a_bound_token_signs_with_its_own_terminal(self, api: RunningApi, arena: Arena) -> None:
        bound = arena.token_of(arena.seller, terminal_id=arena.seller.terminal.id)
        other = await arena.add_terminal()
        own_pos, other_pos = Pos(api, arena.seller), Pos(api, arena.seller, other)
        assert (await own_pos.post(PROBE, {"name": "x"}, key=new_key(), token=bound)).status == 200
        answer = await other_pos.post(PROBE, {"name": "x"}, key=new_key(), token=bound)
        assert said(answer) == (403, "TERMINAL_MISMATCH")

    async def test_a_terminal_of_somebody_else_is_refused(self, api: RunningApi, arena: Arena) -> None:
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
            answer = await Pos(api, person, terminal).post(PROBE, {"name": "x"}, key=new_key())
            assert (answer.status, answer.code) == (status, None if status == 200 else "TERMINAL_MISMATCH")


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

    async def test_the_clients_request_id_comes_back(self, api: RunningApi) -> None:
        answer = await api.get("/health/live", X_Request_Id="pos-7.a_B")
        assert answer.headers["X-Request-Id"] == "pos-7.a_B"

    @pytest.mark.parametrize("sent", ["x" * 65, "a b", "a/b", "é"])
    async def test_an_unfit_request_id_is_replaced(self, api: RunningApi, sent: str) -> None:
        answer = await api.get("/health/live", X_Request_Id=sent)
        assert UUID(answer.headers["X-Request-Id"])

    async def test_every_answer_has_the_security_headers(self, api: RunningApi) -> None:
        for answer in (await api.get("/health/live"), await api.get("/nowhere")):
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


class TestProblems:
    async def test_an_unknown_address(self, api: RunningApi) -> None:
        answer = await api.get("/api/v1/nothing", X_Request_Id="r-1")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json() == {
            "type": "/problems/route-not-found",
            "title": "Route not found",
            "status": 404,
            "code": "ROUTE_NOT_FOUND",
            "detail": "There is no such address.",
            "instance": "r-1",
        }

    async def test_a_wrong_method_names_the_right_ones(self, api: RunningApi) -> None:
        answer = await api.send("PUT", "/api/v1/auth/login")
        assert said(answer) == (405, "METHOD_NOT_ALLOWED")
        assert answer.headers["Allow"] == "POST"

    @pytest.mark.parametrize(
        ("how", "status", "code", "retry"),
        [
            ("bug", 500, "INTERNAL_ERROR", None),
            ("database", 503, "DATABASE_UNAVAILABLE", "1"),
            ("unknown", 503, "OUTCOME_UNKNOWN", "1"),
            ("busy", 503, "LOGIN_BUSY", "1"),
            ("refusal", 409, "SORTEO_CLOSED", None),
        ],
    )
    async def test_errors_become_problems_without_our_insides(
        self, api: RunningApi, how: str, status: int, code: str, retry: str | None
    ) -> None:
        answer = await api.get(f"/fail?how={how}")
        assert (answer.status, answer.code, answer.headers.get("Retry-After")) == (status, code, retry)
        assert b"secret" not in answer.body
        assert b"Traceback" not in answer.body
        assert b"db1" not in answer.body

    async def test_a_request_that_is_no_http_gets_a_problem(self, api: RunningApi) -> None:
        answer = await api.send("GET", "/health/live", headers=[("X-Long", "x" * 20_000)])
        assert said(answer) == (400, "REQUEST_MALFORMED")


class TestRates:
    async def test_a_seller_is_limited_and_others_are_not(self, arena: Arena) -> None:
        limits = {"rate_limit_enabled": True, "rate_limit_tickets_per_s": 0.01, "rate_limit_tickets_burst": 3}
        settings = arena.settings.model_copy(update=limits)
        free = await arena.add_seller(rate_limited=False)
        async with RunningApi(settings, operations=PROBES) as api:
            first, second, third = (Pos(api, seller) for seller in (*arena.sellers, free))
            codes = [(await first.post(PROBE, {"name": "x"}, key=new_key())).code for _ in range(4)]
            assert codes == [None, None, None, "RATE_LIMITED"]
            limited = await first.post(PROBE, {"name": "x"}, key=new_key())
            assert int(limited.headers["Retry-After"]) > 0
            assert (await second.post(PROBE, {"name": "x"}, key=new_key())).status == 200
            codes = [(await third.post(PROBE, {"name": "x"}, key=new_key())).code for _ in range(5)]
            assert codes == [None] * 5


class TestPermissions:
    def test_an_operation_without_a_row_in_the_table_cannot_be_made(self) -> None:
        class Forgotten(BaseModel):
            pass

        with pytest.raises(ValueError, match="no row in the table of permissions"):
            Operation(
                method="GET",
                path="/forgotten",
                handler=fail,
                permission="forgotten",  # type: ignore[arg-type] # the mistake itself
                tags=(),
                responses={200: Forgotten},
            )

    def test_every_permission_is_in_the_table(self) -> None:
        assert set(PERMISSIONS) == set(Permission)
        assert all(PERMISSIONS.values())

    def test_only_login_health_and_metrics_are_public(self) -> None:
        public = {operation.path for operation in OPERATIONS if operation.permission is PUBLIC}
        health = {"/health", "/health/live", "/health/ready", "/metrics"}
        assert public == {"/api/v1/auth/login", "/api/v1/auth/refresh", *health}

    def test_everything_that_moves_a_ticket_is_signed(self) -> None:
        moving = {Permission.TICKETS_SELL, Permission.TICKETS_CANCEL}
        assert all(operation.signed for operation in OPERATIONS if operation.permission in moving)

    async def test_every_operation_admits_exactly_the_roles_of_the_table(self, api: RunningApi, arena: Arena) -> None:
        terminal = await arena.add_terminal()
        for operation in OPERATIONS:
            if operation.permission is PUBLIC:
                continue
            for role in Role:
                person = await arena.add_user(role)
                allowed = role in PERMISSIONS[operation.permission]
                path = operation.path.replace("{", "").replace("}", "")
                # A body that is no JSON ends an admitted request before it does anything; so does a bad id.
                target = path if operation.method == "GET" else path + "?x=y"
                headers = Pos(api, person, terminal).signed_headers(operation.method, target, b"-", key=new_key())
                answer = await api.send(operation.method, target, body=b"-", headers=headers)
                assert (answer.code != "FORBIDDEN") == allowed, f"{role} {operation.method} {operation.path}"
                assert answer.status < 500


class TestTenancy:
    async def test_sellers_and_ventanas_stay_in_their_banca(self, api: RunningApi, arena: Arena) -> None:
        stranger = await Arena.create(arena.owner, arena.settings)
        for person in (arena.seller, await arena.add_user(Role.VENTANA)):
            answer = await api.get("/api/v1/sorteos", token=person.token, X_Active_Banca_Id=str(stranger.banca_id))
            assert [row["id"] for row in answer.json()["data"]] == [str(arena.sorteo_id)]
            other = await api.get(f"/api/v1/sorteos/{stranger.sorteo_id}", token=person.token)
            assert said(other) == (404, "SORTEO_NOT_FOUND")

    async def test_an_admin_names_the_banca_to_work_in(self, api: RunningApi, arena: Arena) -> None:
        stranger = await Arena.create(arena.owner, arena.settings)
        admin = await arena.add_user(Role.ADMIN, has_banca=False)
        at_home = await arena.add_user(Role.ADMIN)
        assert said(await api.get("/api/v1/sorteos", token=admin.token)) == (400, "BANCA_CONTEXT_REQUIRED")
        for token, banca, sorteo_id in (
            (admin.token, arena.banca_id, arena.sorteo_id),
            (admin.token, stranger.banca_id, stranger.sorteo_id),
            (at_home.token, None, arena.sorteo_id),
        ):
            headers = {} if banca is None else {"X_Active_Banca_Id": str(banca)}
            answer = await api.get("/api/v1/sorteos", token=token, **headers)
            assert [row["id"] for row in answer.json()["data"]] == [str(sorteo_id)]
        for unknown in (str(uuid4()), "nonsense", ""):
            answer = await api.get("/api/v1/sorteos", token=admin.token, X_Active_Banca_Id=unknown)
            assert said(answer) == (404, "BANCA_NOT_FOUND")

    async def test_a_banca_user_chooses_among_its_own(self, api: RunningApi, arena: Arena) -> None:
        assigned = await Arena.create(arena.owner, arena.settings)
        foreign = await Arena.create(arena.owner, arena.settings)
        user = await arena.add_user(Role.BANCA)
        await arena.owner.execute(
            "INSERT INTO user_bancas (banca_id, user_id) VALUES ($1, $2)", assigned.banca_id, user.id
        )
        chosen = await api.get("/api/v1/sorteos", token=user.token, X_Active_Banca_Id=str(assigned.banca_id))
        assert [row["id"] for row in chosen.json()["data"]] == [str(assigned.sorteo_id)]
        refused = await api.get("/api/v1/sorteos", token=user.token, X_Active_Banca_Id=str(foreign.banca_id))
        assert said(refused) == (404, "BANCA_NOT_FOUND")
