"""The application as a test talks to it: started for real, asked over a socket, answers kept as bytes."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from api.app import create_app
from api.operation_problems import ANYWHERE, placed, problems_of
from api.operations import PATH_PARAMETER, Operation
from api.problem_catalogue import KINDS
from api.routes import OPERATIONS
from api.server import Runner, start
from core.listening import open_sockets
from core.settings import Settings

ANSWER_TIMEOUT_S = 30.0


def api_settings(*, database_url: str, redis_url: str | None = None, **others: Any) -> Settings:
    """Without limits on rates, and with passwords as weak as argon2 gets, unless a test asks for others."""
    others = {"rate_limit_enabled": False, "password_memory_kib": 8, "password_time_cost": 1, **others}
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        amqp_url=None,
        jwt_access_secret="a" * 32,
        jwt_refresh_secret="r" * 32,
        terminal_master_key="m" * 32,
        **others,
    )


@dataclass(frozen=True)
class Answer:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """Of a problem; None for an answer that is none."""
        is_problem = self.headers.get("Content-Type", "").startswith("application/problem+json")
        return str(self.json()["code"]) if is_problem else None


class RunningApi:
    """async with RunningApi(settings) as api: await api.get("/health/live")

    operations: instead of the real table, or with more than that.
    """

    def __init__(self, settings: Settings, *, operations: tuple[Operation, ...] = OPERATIONS) -> None:
        self.settings = settings
        self.app: web.Application = create_app(settings, operations=operations)
        self.url = ""
        self._runner: Runner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._runner = await start(self.app, open_sockets("127.0.0.1", 0, reuse_port=False))
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S), connector=aiohttp.TCPConnector(limit=0)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def send(
        self,
        method: str,
        target: str,
        *,
        body: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    ) -> Answer:
        """target: path and query, sent exactly as given. headers: pairs may repeat a name."""
        assert self._session is not None, "enter the context first"
        async with self._session.request(
            method,
            URL(self.url + target, encoded=True),
            data=body,
            headers=CIMultiDict(headers),
            skip_auto_headers=("Content-Type", "Accept-Encoding"),
        ) as response:
            answer = Answer(response.status, response.headers, await response.read())
        require_documented(method, target, answer)
        return answer

    async def get(self, target: str, *, token: str | None = None, **headers: str) -> Answer:
        return await self.send("GET", target, headers=with_token(token, headers))

    async def post(self, target: str, document: Any = None, *, token: str | None = None, **headers: str) -> Answer:
        """A JSON document; None: no body."""
        if document is None:
            return await self.send("POST", target, headers=with_token(token, headers))
        headers = {"Content-Type": "application/json", **headers}
        return await self.send("POST", target, body=json.dumps(document).encode(), headers=with_token(token, headers))

    async def delete(self, target: str, *, token: str | None = None) -> Answer:
        return await self.send("DELETE", target, headers=with_token(token, {}))


def require_documented(method: str, target: str, answer: Answer) -> None:
    """A refusal is one of those that the OpenAPI document tells of its operation. A test's own operations have none."""
    if answer.code is None or method == "HEAD":
        return
    kind = KINDS.get(answer.code)
    assert kind is not None, f"{answer.code} is not in api/problem_catalogue.py"
    assert answer.status in kind.statuses, f"{answer.code} is answered with {answer.status}, not {kind.statuses}"
    path = target.partition("?")[0]
    found = next((each for each in OPERATIONS if each.method == method and _is_at(each.path, path)), None)
    if found is None or (answer.status, answer.code) in map(placed, ANYWHERE):
        return
    codes = problems_of(found).get(answer.status, [])
    assert answer.code in codes, f"api/operation_problems.py: {found.id} may answer {answer.status} {answer.code}"


@cache
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(PATH_PARAMETER.sub("[^/]*", path))


def _is_at(pattern: str, path: str) -> bool:
    return _pattern(pattern).fullmatch(path) is not None


def with_token(token: str | None, headers: Mapping[str, str]) -> dict[str, str]:
    """Header names may be written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return named if token is None else {"Authorization": f"Bearer {token}", **named}
