"""What the ticket tests share: documents as a POS sends them, and what must not have moved when one was refused."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import jsonschema

from tests.arena import Arena
from tests.databases import TestDatabase, database_of, in_server
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi, api_settings

SALE = "/api/v1/tickets"
BATCH = "/api/v1/tickets/batch"
CANCEL = "/api/v1/tickets/cancel"
BALANCE = "/api/v1/accounts/me/balance"
REPLAYED = "Idempotent-Replayed"
# What must never be read in an answer: our code, our driver, our statements.
INSIDES = (b"Traceback", b"asyncpg", b"postgres", b".py", b"SELECT", b"sell_tickets", b"relation ", b"violates")


def jugada(number: Any = "07", amount: Any = "500.00", kind: str = "NUMERO", **others: Any) -> dict[str, Any]:
    return {"type": kind, "number": number, "amount": amount, **others}


def ticket(arena: Arena, *jugadas: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    """For the arena's first draw; one NUMERO unless told otherwise."""
    return {"sorteoId": str(arena.sorteo_id), "jugadas": list(jugadas) or [jugada()], **others}


def batch(*tickets: Mapping[str, Any]) -> dict[str, Any]:
    """Each with a key of its own, unless it brings one."""
    return {"tickets": [{"idempotencyKey": new_key(), **sold} for sold in tickets]}


def written(document: Mapping[str, Any], token: str) -> bytes:
    """The document's JSON with the token, as it is, where the document says "@"."""
    return json.dumps(document).replace('"@"', token).encode()


async def sell(pos: Pos, document: Any, *, key: str | None = None) -> dict[str, Any]:
    """The ticket of a sale that must succeed."""
    answer = await pos.post(SALE, document, key=key or new_key())
    assert answer.status == 201, answer.body
    sold: dict[str, Any] = answer.json()
    return sold


@dataclass(frozen=True, slots=True)
class Books:
    """All that a refusal must leave as it was, for every banca of the database. answers: recorded keys."""

    tickets: int
    jugadas: int
    transfers: int
    exposure: int
    events: int
    last_sequences: int
    balances: int
    balance_versions: int
    answers: int


async def read_books(owner: asyncpg.Connection[asyncpg.Record]) -> Books:
    row = await owner.fetchrow(
        "SELECT (SELECT count(*) FROM tickets) AS tickets, (SELECT count(*) FROM jugadas) AS jugadas,"
        " (SELECT count(*) FROM transfers) AS transfers,"
        " (SELECT coalesce(sum(amount_cents), 0) FROM exposure WHERE number >= 0)::bigint AS exposure,"
        " (SELECT count(*) FROM outbox WHERE type LIKE 'tickets.%') AS events,"
        " (SELECT sum(last_sequence) FROM sorteos)::bigint AS last_sequences,"
        " (SELECT sum(balance_cents) FROM accounts)::bigint AS balances,"
        " (SELECT sum(balance_version) FROM accounts)::bigint AS balance_versions,"
        " (SELECT count(*) FROM idempotency) AS answers"
    )
    assert row is not None
    return Books(**dict(row))


async def stored_balance(arena: Arena, seller_id: UUID) -> int:
    cents: int = await arena.owner.fetchval("SELECT balance_cents FROM accounts WHERE id = $1", seller_id)
    return cents


async def set_policy(arena: Arena, table: str, row_id: UUID, percent: str) -> None:
    """A commission policy of one rate. table: bancas, ventanas or users."""
    await arena.owner.execute(
        f"UPDATE {table} SET commission_policy = $2 WHERE id = $1",
        row_id, f'{{"version": 1, "defaultPercent": {percent}, "rules": []}}',
    )  # fmt: skip


def require_no_insides(answer: Answer) -> None:
    assert answer.status < 500, answer.body
    told = [word for word in INSIDES if word.lower() in answer.body.lower()]
    assert not told, answer.body


class Contract:
    """The OpenAPI document that the API itself serves."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    @classmethod
    async def of(cls, api: RunningApi) -> Contract:
        return cls((await api.get("/openapi.json")).json())

    def require(self, answer: Answer, method: str, path: str) -> Any:
        """The answer's JSON: of a documented status, valid, and without a member that is not documented."""
        responses = self._document["paths"][path][method.lower()]["responses"]
        assert str(answer.status) in responses, (
            f"{answer.status} is not documented for {method} {path}: {answer.body!r}"
        )
        kind = answer.headers["Content-Type"].partition(";")[0]
        response = responses[str(answer.status)]
        if "$ref" in response:
            response = self._document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        schema = response["content"][kind]["schema"]
        document = answer.json()
        self.validate(document, schema)
        return document

    def require_model(self, document: Any, name: str) -> None:
        self.validate(document, {"$ref": f"#/components/schemas/{name}"})

    def validate(self, document: Any, schema: Mapping[str, Any]) -> None:
        whole = {**schema, "components": self._document["components"]}
        jsonschema.Draft202012Validator(whole, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER).validate(
            document
        )

    def members(self, name: str) -> set[str]:
        return set(self._document["components"]["schemas"][name]["properties"])


@dataclass(frozen=True)
class Shop:
    """A database, an arena and the API for a whole file of tests that leave nothing behind. Nobody is rate-limited."""

    api: RunningApi
    arena: Arena
    contract: Contract

    @property
    def pos(self) -> Pos:
        return Pos(self.api, self.arena.seller)


@asynccontextmanager
async def open_shop(server_url: str, template: str, redis_url: str | None = None) -> AsyncIterator[Shop]:
    name = f"banca_test_{secrets.token_hex(6)}"
    await in_server(server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    database = TestDatabase(database_of(server_url, name))
    settings = api_settings(database_url=database.api_url, redis_url=redis_url, rate_limit_enabled=False)
    owner = await asyncpg.connect(database.owner_url)
    try:
        async with RunningApi(settings) as api:
            yield Shop(api, await Arena.create(owner, settings), await Contract.of(api))
    finally:
        await owner.close()
        await in_server(server_url, f"DROP DATABASE {name} WITH (FORCE)")
