"""Browsers: preflights, and what a page of another origin may read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from api.app import create_app
from api.cors import ALLOWED_HEADERS
from core.settings import Settings, SettingsError
from tests.api.probes import PROBE
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi

PAGE, OTHER = "https://pos.example.com", "https://pos.example.com.evil.example"
ORIGINS = f"{PAGE}, http://localhost:5173"


@pytest.fixture
async def open_api(arena: Arena) -> AsyncIterator[RunningApi]:
    # Few requests, so that one that is counted and should not be is noticed.
    settings = {
        "cors_origins": ORIGINS,
        "rate_limit_enabled": True,
        "rate_limit_tickets_burst": 2,
        "rate_limit_tickets_per_s": 0.001,
    }
    async with RunningApi(arena.settings.model_copy(update=settings)) as running:
        yield running


async def preflight(api: RunningApi, target: str, method: str, origin: str = PAGE) -> Answer:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key,x-signature",
    }
    return await api.send("OPTIONS", target, headers=headers)


def listed(answer: Answer, header: str) -> set[str]:
    return {name.strip().lower() for name in answer.headers.get(header, "").split(",")}


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:5173"])
@pytest.mark.parametrize(
    ("target", "method"),
    [
        ("/api/v1/auth/login", "POST"),
        ("/api/v1/tickets", "POST"),
        ("/api/v1/tickets", "GET"),
        ("/api/v1/auth/sessions/11111111-2222-4333-8444-555555555555", "DELETE"),
        ("/health/live", "GET"),
    ],
)
async def test_a_preflight_of_an_allowed_origin_names_what_may_be_sent(
    open_api: RunningApi, origin: str, target: str, method: str
) -> None:
    for _ in range(3):
        answer = await preflight(open_api, target, method, origin)
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert method.lower() in listed(answer, "Access-Control-Allow-Methods")
        assert {"authorization", "content-type", "idempotency-key", "if-match", "x-terminal", "x-timestamp",
                "x-signature", "x-active-banca-id"} <= listed(answer, "Access-Control-Allow-Headers")  # fmt: skip
        assert "origin" in listed(answer, "Vary")
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Content-Length" not in answer.headers


@pytest.mark.parametrize("origin", [OTHER, "https://POS.example.com", "null", "", "*", f"{PAGE}:443", f"{PAGE}/"])
async def test_a_preflight_of_any_other_origin_is_refused(open_api: RunningApi, origin: str) -> None:
    answer = await preflight(open_api, "/api/v1/tickets", "POST", origin)
    assert (answer.status, answer.code) == (403, "ORIGIN_NOT_ALLOWED")
    assert not [name for name in answer.headers if name.lower().startswith("access-control-allow")]


async def test_without_the_setting_no_origin_is_allowed(api: RunningApi) -> None:
    assert (await preflight(api, "/api/v1/tickets", "POST")).code == "ORIGIN_NOT_ALLOWED"
    answer = await api.get("/health/live", Origin=PAGE)
    assert answer.status == 200
    assert {"Access-Control-Allow-Origin", "Vary"}.isdisjoint(answer.headers)


async def test_an_options_request_that_is_no_preflight_gets_the_methods(open_api: RunningApi) -> None:
    answer = await open_api.send("OPTIONS", "/api/v1/auth/login", headers={"Origin": PAGE})
    assert (answer.status, answer.code, answer.headers["Allow"]) == (405, "METHOD_NOT_ALLOWED", "POST")
    assert (await preflight(open_api, "/api/v1/nowhere", "GET")).code == "ROUTE_NOT_FOUND"


async def test_every_answer_may_be_read_by_a_page_of_an_allowed_origin(open_api: RunningApi, arena: Arena) -> None:
    """A model, a ready answer, a replay, and problems of every place where one is made."""
    pos, key = Pos(open_api, arena.seller), new_key()
    ticket = {"sorteoId": str(arena.sorteo_id), "jugadas": [{"type": "NUMERO", "number": "07", "amount": "5.00"}]}
    body = json.dumps(ticket).encode()
    sale = pos.signed_headers("POST", "/api/v1/tickets", body, key=key) | {"Origin": PAGE}
    answers = [
        await open_api.get("/health/live", Origin=PAGE),
        await open_api.get("/openapi.json", Origin=PAGE),
        await open_api.get("/api/v1/auth/me", token=arena.seller.token, Origin=PAGE),
        await open_api.send("POST", "/api/v1/tickets", body=body, headers=sale),
        await open_api.send("POST", "/api/v1/tickets", body=body, headers=sale),
        await open_api.send("POST", "/api/v1/tickets", body=body, headers=sale),
        await open_api.get("/api/v1/auth/me", Origin=PAGE),
        await open_api.get("/api/v1/nowhere", Origin=PAGE),
        await open_api.post("/health/live", Origin=PAGE),
        await open_api.post("/api/v1/auth/login", {"username": 1}, Origin=PAGE),
    ]
    assert [answer.status for answer in answers] == [200, 200, 200, 201, 201, 429, 401, 404, 405, 400]
    assert answers[4].headers["Idempotent-Replayed"] == "true"
    for answer in answers:
        assert answer.headers.getall("Access-Control-Allow-Origin") == [PAGE]
        assert {"etag", "retry-after", "idempotent-replayed", "x-request-id"} <= listed(
            answer, "Access-Control-Expose-Headers"
        )
        assert "origin" in listed(answer, "Vary")
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_a_page_of_another_origin_may_read_nothing(open_api: RunningApi, arena: Arena) -> None:
    for target, token in (("/api/v1/auth/me", arena.seller.token), ("/api/v1/nowhere", None)):
        answer = await open_api.get(target, token=token, Origin=OTHER)
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "origin" in listed(answer, "Vary")


async def test_what_a_cache_may_keep_says_that_it_depends_on_the_origin(open_api: RunningApi) -> None:
    answer = await open_api.get("/api-docs/start.js")
    assert "max-age" in answer.headers["Cache-Control"]
    assert "origin" in listed(answer, "Vary")


@pytest.mark.parametrize(
    "origins",
    ["*", "null", "pos.example.com", "https://", "https://pos.example.com/", "https://pos.example.com/x",
     "https://*.example.com", "https://user@pos.example.com", "ftp://pos.example.com", "https://pos.example.com:443",
     "http://localhost:80", "https://POS.example.com", "https://pos.example.com, nonsense", "https://pos.example.com:x"],
)  # fmt: skip
def test_what_is_no_exact_origin_keeps_the_api_from_starting(settings: Settings, origins: str) -> None:
    with pytest.raises(SettingsError, match="CORS_ORIGINS"):
        create_app(settings.model_copy(update={"cors_origins": origins}))


async def test_every_header_that_the_api_reads_may_be_sent(arena: Arena) -> None:
    sent = set(Pos(RunningApi(arena.settings), arena.seller).signed_headers("POST", PROBE, b"{}", key=new_key()))
    assert {name.lower() for name in sent} <= {name.strip().lower() for name in ALLOWED_HEADERS.split(",")}
