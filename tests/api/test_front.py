"""The pages for people: /, /problems and /problems/{code}; for programs the same as JSON."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime

import pytest

from api.health import Check, Report
from api.html.front import PARTS, REASONS, front_page
from api.html.page import marked, page, wants_html
from api.models.front import FrontAnswer, ProblemExplained
from api.problem_catalogue import KINDS, plain
from api.routes.front import LINKS
from core.database import DatabaseTrouble
from tests.running_api import Answer, RunningApi

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ADDRESSES = ("/", "/problems", "/problems/sorteo-closed")


async def get_page(api: RunningApi, target: str) -> Answer:
    return await api.get(target, Accept=BROWSER)


@pytest.mark.parametrize("target", ADDRESSES)
async def test_a_browser_gets_a_page_that_loads_and_runs_nothing(api: RunningApi, target: str) -> None:
    answer = await get_page(api, target)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    text = answer.body.decode()
    assert re.search(r"<script|<img|<form|\son\w+=|style=|http:|https:", text) is None
    [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize("target", ADDRESSES)
@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "image/png"])
async def test_a_program_gets_json(api: RunningApi, target: str, accept: str | None) -> None:
    answer = await (api.get(target) if accept is None else api.get(target, Accept=accept))
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert isinstance(answer.json(), dict)


@pytest.mark.parametrize("target", ADDRESSES)
async def test_what_is_known_is_not_sent_again(api: RunningApi, target: str) -> None:
    first, json = await get_page(api, target), await api.get(target)
    assert first.headers["ETag"] != json.headers["ETag"]
    again = await api.get(target, Accept=BROWSER, If_None_Match=first.headers["ETag"])
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    other = await api.get(target, If_None_Match=first.headers["ETag"])
    assert other.status == 200
    for answer in (first, json, again):
        assert answer.headers["Vary"] == "Accept"
        assert answer.headers["Cache-Control"] == ("no-cache" if target == "/" else "public, max-age=3600")


@pytest.mark.parametrize("target", ADDRESSES)
async def test_head_tells_of_the_page_without_it(api: RunningApi, target: str) -> None:
    whole = await get_page(api, target)
    head = await api.send("HEAD", target, headers={"Accept": BROWSER})
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Type", "Content-Length", "ETag", "Content-Security-Policy"):
        assert head.headers[name] == whole.headers[name]


async def test_the_page_says_what_runs_and_where_to_go_on(api: RunningApi) -> None:
    told = (await api.get("/")).json()
    text = (await get_page(api, "/")).body.decode()
    assert told["name"] == "Banca"
    assert told["version"] in text
    assert told["since"][:10] in text
    links = re.findall(r'href="(/[^"]*)"', text)
    assert set(links) == set(told["links"].values())
    for link in links:
        assert (await api.get(link)).status in (200, 503), link


async def test_the_page_tells_nothing_of_what_is_inside(api: RunningApi) -> None:
    """No addresses of servers, no secrets, no money."""
    settings = api.settings
    for answer in (await get_page(api, "/"), await api.get("/")):
        text = answer.body.decode()
        for hidden in (settings.database_url, "postgresql:", "127.0.0.1", "redis:", str(settings.jwt_access_secret)):
            assert hidden not in text


def test_the_page_says_how_it_is_in_words() -> None:
    assert "Everything works." in shown("up", Check("up", 1.0, {}))
    late = shown("degraded", Check("late", 1.0, {}, "timeout"))
    assert "Tickets can be sold." in late
    assert "it does not answer in time" in late
    down = shown("down", Check("down", 1.0, {}, "read_only"))
    assert "Nothing can be sold now." in down
    assert "it takes no changes" in down
    since = datetime(2026, 11, 21, 3, 26, 34, tzinfo=UTC)
    told = shown("degraded", Check("down", 1.0, {}, "alarm", since, "events wait"), name="broker")
    assert "it lacks memory or disk, since 2026-11-21 03:26:34 UTC – Events wait" in told


def test_what_the_page_is_told_is_escaped() -> None:
    text = shown("down", Check("<b>", 1.0, {}, "<script>alert(1)</script>"), name="<i>", version="<u>")
    assert re.search(r"<b>|<script|<i>|<u>", text) is None
    assert "&lt;script&gt;" in text
    assert page("<title>", "").count("&lt;title&gt;") == 1
    assert marked("`<a>` & **<b>**") == "<code>&lt;a&gt;</code> &amp; <strong>&lt;b&gt;</strong>"


def test_every_reason_of_the_database_has_words() -> None:
    assert {trouble.value for trouble in DatabaseTrouble} <= set(REASONS)


def shown(status: str, check: Check, *, name: str = "sales", version: str = "1") -> str:
    answer = FrontAnswer.model_validate(
        {"name": "Banca", "version": version, "since": datetime.now(UTC), "status": status, "links": LINKS}
    )
    return front_page(answer, Report({**{part: Check("up", 1.0, {}) for part in PARTS}, name: check}))


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        (BROWSER, True),
        ("TEXT/HTML", True),
        ("text/html;q=0.9, application/json;q=0.9", True),
        ("text/html;q=0.8, application/json", False),
        ("text/html; q=0", False),
        ("text/html;level=1;q=0.5, application/json;q=0.4", True),
        ("application/json", False),
        ("*/*", False),
        ("text/*", False),
        ("", False),
        (None, False),
        ("text/html;q=nonsense", True),
        (";;,,", False),
    ],
)
def test_who_gets_a_page(accept: str | None, *, is_page: bool) -> None:
    assert wants_html(accept) is is_page


async def test_every_code_is_explained_at_its_type(api: RunningApi) -> None:
    listed = (await api.get("/problems")).json()["data"]
    assert [each["code"] for each in listed] == list(KINDS)
    page_of_all = (await get_page(api, "/problems")).body.decode()
    for each in listed:
        kind = KINDS[each["code"]]
        assert (each["statuses"], each["meaning"]) == (list(kind.statuses), plain(kind.meaning))
        assert f'href="{each["type"]}"' in page_of_all
    # Of all of them one in each section is asked for.
    for each in listed[::15]:
        assert (await api.get(each["type"])).json() == each
        assert each["code"] in (await get_page(api, each["type"])).body.decode()


async def test_the_type_of_a_refusal_leads_to_its_explanation(api: RunningApi) -> None:
    refused = await api.get("/api/v1/auth/me")
    explained = ProblemExplained.model_validate((await api.get(refused.json()["type"])).json())
    assert (explained.code, explained.statuses) == (refused.code, [refused.status])


@pytest.mark.parametrize("name", ["SORTEO_CLOSED", "sorteo_closed", "Sorteo-Closed"])
async def test_a_code_is_found_as_people_write_it(api: RunningApi, name: str) -> None:
    assert (await api.get(f"/problems/{name}")).json()["code"] == "SORTEO_CLOSED"


@pytest.mark.parametrize("name", ["nothing", "%3Cscript%3E", "sorteo%2Fclosed", "a" * 500])
async def test_an_unknown_code_is_a_problem_of_its_own(api: RunningApi, name: str) -> None:
    answer = await get_page(api, f"/problems/{name}")
    assert (answer.status, answer.code) == (404, "PROBLEM_NOT_FOUND")
    assert b"script" not in answer.body
