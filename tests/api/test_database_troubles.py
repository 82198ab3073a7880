"""Whatever keeps PostgreSQL from the work, no operation answers 500: 503, a stable code, and when to come again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from api.keys import DATABASE
from cli.postgres import EmbeddedPostgres
from core.migrations import migrate
from core.settings import Settings
from tests.api.every_operation import EveryOperation, Request
from tests.api.selling import sell, ticket
from tests.arena import Arena
from tests.databases import API_PASSWORD, WORKER_PASSWORD, TestDatabase
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi, api_settings
from tests.workers.pipeline import eventually

if TYPE_CHECKING:
    Owner = asyncpg.Connection[asyncpg.Record]

# What a healthy banca answers otherwise: there is nothing of the kind, or not in that state.
NOTHING_TO_DO = {
    "STATEMENT_NOT_FOUND",
    "CLOSING_NOT_FOUND",
    "EVALUATION_NOT_FOUND",
    "DEAD_LETTER_NOT_FOUND",
    "SORTEO_NOT_EVALUATED",
    "SORTEO_STATE_INVALID",
    "EVALUATION_NOT_FAILED",
    "TICKET_CANCELLED",
    "TICKET_NOT_WINNER",
    "PAYMENT_NOT_FOUND",
    "SALE_NOT_FOUND",
    "EXCLUSION_NOT_FOUND",
    "STATEMENT_HAS_TICKETS",
}
# POSTs that write nothing.
READING = {"/api/v1/diagnostics/explain"}
CODES = {"DATABASE_UNAVAILABLE", "OUTCOME_UNKNOWN"}
# Of an operation that asks the database several times, each within its own bound.
ANSWER_MAX_S = 20.0


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Nobody waits for long."""
    return settings.model_copy(update={"db_timeout_s": 1.0})


@pytest.fixture
async def every(api: RunningApi, arena: Arena) -> EveryOperation:
    return await EveryOperation.create(api, arena)


def told(request: Request, answer: Answer) -> str:
    return f"{request.operation.method} {request.operation.path}: {answer.status} {answer.body[:300]!r}"


def writes(request: Request) -> bool:
    return request.operation.method != "GET" and request.operation.path not in READING


async def afresh(api: RunningApi, owner: Owner) -> None:
    """The API's connections are new ones from now on: what is set for a database counts for those."""
    await api.app[DATABASE].pool.expire_connections()
    await owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'banca api health'"
    )


async def set_for_database(owner: Owner, setting: str, value: str | None) -> None:
    name = await owner.fetchval("SELECT current_database()")
    await owner.execute(
        f"ALTER DATABASE {name} " + (f"RESET {setting}" if value is None else f"SET {setting} = {value}")
    )


async def asked(every: EveryOperation) -> list[tuple[Request, Answer]]:
    """One after the other, each answered in time."""
    answers = []
    for request in every.requests:
        async with asyncio.timeout(ANSWER_MAX_S):
            answers.append((request, await every.ask(request)))
    return answers


def require_no_defect(answers: list[tuple[Request, Answer]]) -> None:
    """Not a 5xx but the 503 of a database, which says when to come again. Health has an answer of its own."""
    failed = [(request, answer) for request, answer in answers if answer.status >= 500]
    wrong = [
        told(request, answer)
        for request, answer in failed
        if "health" not in request.operation.tags
        and (answer.status != 503 or answer.code not in CODES or "Retry-After" not in answer.headers)
    ]
    assert not wrong, "\n".join(wrong)


async def ready(api: RunningApi) -> tuple[int, Any]:
    answer = await api.get("/health/ready")
    return answer.status, answer.json()["checks"]["sales"].get("reason")


async def until_ready(api: RunningApi, *expected: tuple[int, str | None]) -> None:
    """A report may be a second old."""

    async def check() -> bool:
        return await ready(api) in expected

    assert await eventually(check)


async def test_every_request_of_the_table_is_valid(every: EveryOperation) -> None:
    """Else the tests below would try the validation of requests."""
    answers = await asked(every)
    wrong = [
        told(request, answer)
        for request, answer in answers
        if answer.status >= 400 and answer.code not in NOTHING_TO_DO and request.operation.path not in READING
    ]
    assert not wrong, "\n".join(wrong)


async def test_of_a_database_that_is_read_only_every_writing_operation_says_so(
    every: EveryOperation, owner: Owner
) -> None:
    """Nothing was written, and that is certain: no outcome is unknown."""
    await until_ready(every.api, (200, None))
    await set_for_database(owner, "default_transaction_read_only", "on")
    await afresh(every.api, owner)
    answers = await asked(every)
    require_no_defect(answers)
    unsaid = [
        told(request, answer)
        for request, answer in answers
        if writes(request)
        and (answer.status, answer.code) != (503, "DATABASE_UNAVAILABLE")
        and answer.code not in NOTHING_TO_DO
    ]
    assert not unsaid, "\n".join(unsaid)
    assert {answer.headers["Retry-After"] for _, answer in answers if answer.code == "DATABASE_UNAVAILABLE"} == {"5"}
    reads = [
        answer.status for request, answer in answers if not writes(request) and "health" not in request.operation.tags
    ]
    assert max(reads) < 500
    await until_ready(every.api, (503, "read_only"))
    checks = (await every.api.get("/health")).json()["checks"]
    assert (checks["database"]["status"], checks["sales"]["status"]) == ("up", "down")
    await set_for_database(owner, "default_transaction_read_only", None)
    await afresh(every.api, owner)
    await until_ready(every.api, (200, None))
    await sell(Pos(every.api, every.arena.seller), ticket(every.arena))


async def hold_everything(owner: Owner) -> asyncpg.transaction.Transaction:
    """As a migration does that has got its locks, or as a long reader and a migration that waits for it."""
    transaction = owner.transaction()
    await transaction.start()
    names = await owner.fetch(
        "SELECT quote_ident(relname) AS name FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"
    )
    await owner.execute(f"LOCK TABLE {', '.join(row['name'] for row in names)} IN ACCESS EXCLUSIVE MODE")
    return transaction


async def test_of_tables_that_others_hold_nothing_is_waited_for_without_end(
    every: EveryOperation, owner: Owner
) -> None:
    transaction = await hold_everything(owner)
    # Many at once: they wait for connections, too.
    gate = asyncio.Semaphore(20)

    async def ask(request: Request) -> tuple[Request, Answer]:
        async with gate, asyncio.timeout(ANSWER_MAX_S):
            return request, await every.ask(request)

    answers = await asyncio.gather(*(ask(request) for request in every.requests))
    require_no_defect(answers)
    assert all(answer.status == 503 for request, answer in answers if writes(request))
    await until_ready(every.api, (503, "busy"), (503, "timeout"))
    await transaction.rollback()
    await until_ready(every.api, (200, None))


async def revoke(owner: Owner) -> None:
    await owner.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM banca_api")
    await owner.execute("REVOKE SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public FROM banca_api")


async def hide(owner: Owner) -> None:
    """As for a process of another release: its functions and tables are not there."""
    await owner.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC, banca_api")


async def limit_connections(owner: Owner) -> None:
    name = await owner.fetchval("SELECT current_database()")
    await owner.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")


async def cancel_soon(owner: Owner) -> None:
    await set_for_database(owner, "statement_timeout", "1")


async def wait_for_no_lock(owner: Owner) -> None:
    await set_for_database(owner, "lock_timeout", "20")
    await hold_everything(owner)


@pytest.mark.parametrize(
    ("make_trouble", "reasons"),
    [
        (revoke, {"refused"}),
        (hide, {"outdated"}),
        (limit_connections, {"overloaded"}),
        (cancel_soon, {"timeout", None}),
        (wait_for_no_lock, {"busy", None}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_whatever_ails_the_database_no_operation_answers_500(
    every: EveryOperation, owner: Owner, make_trouble: Callable[[Owner], Awaitable[None]], reasons: set[str | None]
) -> None:
    await make_trouble(owner)
    await afresh(every.api, owner)
    require_no_defect(await asked(every))
    await until_ready(
        every.api, *((503, reason) for reason in reasons if reason), *((200, None) for r in reasons if not r)
    )


@pytest.fixture
async def postgres(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A server of its own, whose files a test may replace."""
    server = EmbeddedPostgres(tmp_path, settings={"fsync": "off"})
    server.start()
    try:
        await migrate(server.owner_url, api_password=API_PASSWORD, worker_password=WORKER_PASSWORD)
        yield server
    finally:
        server.stop()
        server.remove()


EMPTY_FILES = """
SELECT current_setting('data_directory') || '/' || pg_relation_filepath(oid) FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'm') AND pg_relation_size(oid) = 0
"""


@contextmanager
def full_disk(paths: list[Path]) -> Iterator[None]:
    """Tables that have no page yet get none: the kernel says that there is no space left on their device."""
    for path in paths:
        path.rename(path.with_suffix(".kept"))
        path.symlink_to("/dev/full")
    yield
    for path in paths:
        path.unlink()
        path.with_suffix(".kept").rename(path)


async def test_a_full_disk_is_said_and_found_by_readiness(postgres: EmbeddedPostgres) -> None:
    settings = api_settings(database_url=TestDatabase(postgres.owner_url).api_url, db_timeout_s=5.0)
    owner = await asyncpg.connect(postgres.owner_url)
    arena = await Arena.create(owner, settings)
    async with RunningApi(settings) as api:
        every = await EveryOperation.create(api, arena)
        # Of a month that has no ticket yet.
        arena.sorteo_ids[0] = await arena.add_sorteo(minutes=70 * 24 * 60)
        pos = Pos(api, arena.seller)
        await until_ready(api, (200, None))
        # Readiness looks for room where this process has met a full disk before: in another test, too.
        await owner.execute("TRUNCATE space_probe")
        await owner.execute("CHECKPOINT")
        with full_disk([Path(row[0]) for row in await owner.fetch(EMPTY_FILES)]):
            await afresh(api, owner)
            key = new_key()
            answer = await pos.post("/api/v1/tickets", ticket(arena), key=key)
            assert (answer.status, answer.code) == (503, "DATABASE_UNAVAILABLE"), answer.body
            require_no_defect(await asked(every))
            await until_ready(api, (503, "full"))
        await afresh(api, owner)
        await until_ready(api, (200, None))
        assert (await pos.post("/api/v1/tickets", ticket(arena), key=key)).status == 201
    await owner.close()
