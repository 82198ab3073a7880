from __future__ import annotations

import pytest

from tests.api.probes import PROBE, PROBES, said
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import RunningApi


class TestProblems:
    async def test_an_unknown_address(self, probe_api: RunningApi) -> None:
        answer = await probe_api.get("/api/v1/nothing", X_Request_Id="r-1")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json() == {
            "type": "/problems/route-not-found",
            "title": "Route not found",
            "status": 404,
            "code": "ROUTE_NOT_FOUND",
            "detail": "There is no such address.",
            "instance": "r-1",
        }

    async def test_a_wrong_method_names_the_right_ones(self, probe_api: RunningApi) -> None:
        answer = await probe_api.send("PUT", "/api/v1/auth/login")
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
        self, probe_api: RunningApi, how: str, status: int, code: str, retry: str | None
    ) -> None:
        answer = await probe_api.get(f"/fail?how={how}")
        assert (answer.status, answer.code, answer.headers.get("Retry-After")) == (status, code, retry)
        assert b"secret" not in answer.body
        assert b"Traceback" not in answer.body
        assert b"mars" not in answer.body

    async def test_a_request_that_is_no_http_gets_a_problem(self, probe_api: RunningApi) -> None:
        answer = await probe_api.send("GET", "/health/live", headers=[("X-Long", "x" * 20_000)])
        assert said(answer) == (400, "REQUEST_MALFORMED")


class TestRates:
    async def test_a_seller_is_limited_and_others_are_not(self, arena: Arena) -> None:
        limits = {"rate_limit_enabled": True, "rate_limit_tickets_per_s": 0.01, "rate_limit_tickets_burst": 3}
        settings = arena.settings.model_copy(update=limits)
        free = await arena.add_seller(rate_limited=False)
        async with RunningApi(settings, operations=PROBES) as probe_api:
            first, second, third = (Pos(probe_api, seller) for seller in (*arena.sellers, free))
            codes = [(await first.post(PROBE, {"name": "x"}, key=new_key())).code for _ in range(4)]
            assert codes == [None, None, None, "RATE_LIMITED"]
            limited = await first.post(PROBE, {"name": "x"}, key=new_key())
            assert int(limited.headers["Retry-After"]) > 0
            assert (await second.post(PROBE, {"name": "x"}, key=new_key())).status == 200
            codes = [(await third.post(PROBE, {"name": "x"}, key=new_key())).code for _ in range(5)]
            assert codes == [None] * 5
