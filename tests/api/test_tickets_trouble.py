"""What a POS hears when the till is full, or the servers behind it are gone; and that selling recovers by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cli.postgres import EmbeddedPostgres
from cli.valkey import EmbeddedValkey
from core.migrations import migrate
from core.settings import Settings
from tests.api.selling import (
    BALANCE,
    BATCH,
    CANCEL,
    REPLAYED,
    SALE,
    Contract,
    batch,
    read_books,
    require_no_insides,
    sell,
    ticket,
)
from tests.arena import Arena
from tests.databases import API_PASSWORD, WORKER_PASSWORD, TestDatabase
from tests.pos import Pos, new_key
from tests.proxy import Proxy
from tests.running_api import Answer, RunningApi, api_settings

WAIT_S = 20.0


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not await condition():
        assert time.monotonic() < deadline_s, f"not within {WAIT_S} s"


@asynccontextmanager
async def draws_held(arena: Arena) -> AsyncIterator[None]:
    """Somebody has locked the draws: sales wait inside PostgreSQL until the end."""
    async with arena.owner.transaction():
        await arena.owner.execute("SELECT FROM sorteos FOR UPDATE")
        yield


async def is_waited_for(arena: Arena) -> bool:
    waiting = (
        "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
    )
    return bool(await arena.owner.fetchval(waiting))


def require_come_again(answer: Answer, code: str) -> None:
    assert (answer.status, answer.code, answer.headers.get("Retry-After")) == (503, code, "1"), answer.body
    assert not any(word in answer.body.lower() for word in (b"asyncpg", b"traceback", b"127.0.0.1", b"timeouterror"))


async def test_a_full_till_says_when_to_come_again_and_writes_nothing(arena: Arena, settings: Settings) -> None:
    async with RunningApi(settings.model_copy(update={"till_queue_tickets_max": 1})) as api:
        pos, contract, key = Pos(api, arena.seller), await Contract.of(api), new_key()
        async with draws_held(arena):
            first = asyncio.create_task(pos.post(SALE, ticket(arena), key=new_key()))
            await until(lambda: is_waited_for(arena))
            for path, document in ((SALE, ticket(arena)), (BATCH, batch(ticket(arena), ticket(arena)))):
                full = await pos.post(path, document, key=key)
                require_come_again(full, "TILL_FULL")
                contract.require(full, "POST", path)
            mixed = (await pos.post(BATCH, batch({"jugadas": 1}, ticket(arena)))).json()["results"]
            assert [(result["status"], result["problem"]["code"]) for result in mixed] == [
                (400, "VALIDATION_FAILED"),
                (503, "TILL_FULL"),
            ]
            assert (await read_books(arena.owner)).answers == 0
        assert (await first).status == 201
        assert REPLAYED not in (await pos.post(SALE, ticket(arena), key=key)).headers, "a full till remembers no key"
        assert (await read_books(arena.owner)).tickets == 2


async def test_the_same_sale_in_flight_waits_for_the_same_answer(arena: Arena, settings: Settings) -> None:
    """No 409 and no 429 for a duplicate, wherever it comes in."""
    async with RunningApi(settings) as one, RunningApi(settings) as other:
        key = new_key()
        async with draws_held(arena):
            sales = [
                asyncio.create_task(Pos(api, arena.seller).post(SALE, ticket(arena), key=key))
                for api in (one, other, one, other)
            ]
            await until(lambda: is_waited_for(arena))
        answers = await asyncio.gather(*sales)
    assert {(answer.status, answer.body) for answer in answers} == {(201, answers[0].body)}
    assert sorted(REPLAYED in answer.headers for answer in answers) == [False, True, True, True]


async def test_an_answer_that_took_too_long_is_learnt_by_the_same_key(arena: Arena, settings: Settings) -> None:
    async with RunningApi(settings.model_copy(update={"db_timeout_s": 0.3})) as api:
        pos, contract = Pos(api, arena.seller), await Contract.of(api)
        sold, key, cancel_key = await sell(pos, ticket(arena)), new_key(), new_key()
        cancel = f"{SALE}/{sold['id']}/cancel"
        async with draws_held(arena):
            for path, document, sent_key in (
                (SALE, ticket(arena), key),
                (BATCH, batch(ticket(arena, idempotencyKey=key)), None),
                (cancel, b"", cancel_key),
            ):
                unknown = await pos.post(path, document, key=sent_key)
                require_come_again(unknown, "OUTCOME_UNKNOWN")
                contract.require(unknown, "POST", path.replace(sold["id"], "{id}"))
        answer = await pos.post(SALE, ticket(arena), key=key)
        assert answer.status == 201
        assert (await pos.post(SALE, ticket(arena), key=key)).body == answer.body
        assert (await pos.post(cancel, b"", key=cancel_key)).status == 200
        books = await read_books(arena.owner)
        assert (books.tickets, books.balances) == (2, -50_000)


async def test_a_sale_whose_connection_was_cut_is_learnt_by_the_same_key(arena: Arena, settings: Settings) -> None:
    """PostgreSQL does not notice, and commits: what the POS was not told, its key tells."""
    async with (
        Proxy(settings.database_url) as proxy,
        RunningApi(settings.model_copy(update={"database_url": proxy.url})) as api,
    ):
        pos, key = Pos(api, arena.seller), new_key()
        async with draws_held(arena):
            sale = asyncio.create_task(pos.post(SALE, ticket(arena), key=key))
            await until(lambda: is_waited_for(arena))
            await proxy.cut()
            require_come_again(await sale, "OUTCOME_UNKNOWN")
            await proxy.mend()
        assert (await definite(pos, ticket(arena), key)).status == 201
        assert (await read_books(arena.owner)).tickets == 1


async def definite(pos: Pos, document: dict[str, Any], key: str) -> Answer:
    """The first answer that is no trouble of ours."""
    deadline_s = time.monotonic() + WAIT_S
    while (answer := await pos.post(SALE, document, key=key)).status == 503:
        assert time.monotonic() < deadline_s, answer.body
    return answer


@pytest.fixture
async def postgres(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A server of its own, migrated, that a test may stop."""
    server = EmbeddedPostgres(tmp_path, settings={"fsync": "off"})
    server.start()
    try:
        await migrate(server.owner_url, api_password=API_PASSWORD, worker_password=WORKER_PASSWORD)
        yield server
    finally:
        server.stop()
        server.remove()


async def test_without_postgresql_nothing_is_sold_until_it_is_back(postgres: EmbeddedPostgres) -> None:
    settings = api_settings(database_url=TestDatabase(postgres.owner_url).api_url)
    owner = await asyncpg.connect(postgres.owner_url)
    arena = await Arena.create(owner, settings)
    async with RunningApi(settings) as api:
        pos, contract = Pos(api, arena.seller), await Contract.of(api)
        sold = await sell(pos, ticket(arena))
        await owner.close()
        postgres.stop()
        key, cancel = new_key(), f"{SALE}/{sold['id']}/cancel"
        for path, document, sent_key in (
            (SALE, ticket(arena), key),
            (BATCH, batch(ticket(arena), ticket(arena)), None),
            (CANCEL, {"saleKey": new_key()}, new_key()),
            (cancel, b"", new_key()),
        ):
            answer = await pos.post(path, document, key=sent_key)
            # A connection that was open learns of the end while it asks; a new one is not made at all.
            code = answer.code if answer.code == "OUTCOME_UNKNOWN" else "DATABASE_UNAVAILABLE"
            require_come_again(answer, code)
            contract.require(answer, "POST", path.replace(sold["id"], "{id}"))
        for target in (SALE, f"{SALE}/{sold['id']}", BALANCE):
            require_come_again(await pos.get(target), "DATABASE_UNAVAILABLE")
        assert (await api.get("/health/ready")).status == 503
        assert (await api.get("/health/live")).status == 200
        postgres.start()
        assert (await definite(pos, ticket(arena), key)).status == 201
        assert (await pos.get(f"{SALE}/{sold['id']}")).json() == sold
        await until(lambda: is_ready(api))
        assert len((await pos.get(SALE)).json()["data"]) == 2, "what was refused meanwhile was not written"


async def is_ready(api: RunningApi) -> bool:
    return (await api.get("/health/ready")).status == 200


async def test_without_valkey_selling_goes_on(arena: Arena, settings: Settings, tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey:
        async with RunningApi(settings.model_copy(update={"redis_url": valkey.redis_url})) as api:
            pos = Pos(api, arena.seller)
            first = await sell(pos, ticket(arena))
            await until(lambda: balance_is(pos, "-500.00"))
            valkey.stop()
            await sell(pos, ticket(arena))
            assert (await pos.get(BALANCE)).json()["balance"] == "-1000.00", "read from the database"
            assert (await pos.post(f"{SALE}/{first['id']}/cancel", b"", key=new_key())).status == 200
            assert (await pos.get(BALANCE)).json()["balance"] == "-500.00"
            ready = await api.get("/health/ready")
            assert (ready.status, ready.json()["checks"]["cache"]["status"]) == (200, "down")
            valkey.start()
            await until(lambda: balance_is(pos, "-500.00"))
            await sell(pos, ticket(arena))
            await until(lambda: balance_is(pos, "-1000.00"))


async def balance_is(pos: Pos, balance: str) -> bool:
    answer = await pos.get(BALANCE)
    require_no_insides(answer)
    return bool(answer.json()["balance"] == balance)
