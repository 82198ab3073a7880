"""The history that clients write, and its check against the database: a clean one is clean, and each break is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from loadtests.history import Event, History, Kind, Operation, read_entries, unsettled
from loadtests.history_check import CHECKS, check_history
from loadtests.pos import Done, Pos, Refused, new_key
from loadtests.session import Credentials
from loadtests.wire import PlainWire
from tests.api.selling import jugada, ticket
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.running_api import RunningApi

SELLER = "0f7c2a52-0000-4000-8000-000000000001"
SALE = Operation(Kind.SALE, SELLER, "sale-key-1", {"sorteoId": "x"})
CANCEL = Operation(Kind.CANCEL, SELLER, "cancel-key-1", {"saleKey": "sale-key-1"})


def test_what_was_begun_and_not_answered_is_unsettled_whichever_file_it_is_in(tmp_path: Path) -> None:
    first, second = tmp_path / "history-1.jsonl", tmp_path / "history-2.jsonl"
    with History(first) as history:
        for operation in (SALE, CANCEL):
            history.invoked(operation)
        history.unknown(SALE, "CONNECTION_LOST")
    assert unsettled([first]) == [SALE, CANCEL]
    with History(second) as history:
        history.ok(SALE, {"id": "1", "ticketNumber": "T", "totalAmount": "1.00", "status": "ACTIVE", "jugadas": []})
        history.refused(CANCEL, "SALES_CUTOFF_REACHED")
    assert unsettled([first, second]) == []
    assert [entry.event for entry in read_entries([second])] == [Event.OK, Event.REFUSED]


def test_a_line_that_a_killed_process_left_unfinished_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "history-1.jsonl"
    with History(path) as history:
        history.invoked(SALE)
    path.write_bytes(path.read_bytes() + b'{"event": "ok", "ki')
    assert [entry.event for entry in read_entries([path])] == [Event.INVOKED]


@pytest.fixture
async def path(api: RunningApi, arena: Arena, tmp_path: Path) -> AsyncIterator[Path]:
    """Of a seller who sold three tickets, the second of them cancelled, cancelled one that never came, and was refused."""
    seller = arena.seller
    credentials = Credentials(
        str(seller.id), seller.username, str(seller.terminal.id), "", seller.terminal.secret, seller.token
    )
    closed = await arena.add_sorteo(minutes=-1)

    def sell() -> None:
        pos = Pos(credentials, PlainWire(api.url), history)
        keys = []
        for number in ("01", "02", "03"):
            sold = pos.sell(ticket(arena, jugada(number)))
            assert isinstance(sold, Done)
            keys.append(sold.operation.key)
        assert isinstance(pos.cancel(keys[1]), Done)
        assert isinstance(pos.cancel(new_key()), Done)
        assert isinstance(pos.sell(ticket(arena, jugada("04"), sorteoId=str(closed))), Refused)

    with History(tmp_path / "history-1.jsonl") as history:
        await asyncio.to_thread(sell)
        yield history.path


async def findings(database: TestDatabase, path: Path) -> set[str]:
    return {finding.check for finding in await check_history(database.owner_url, [path])}


async def test_an_honest_history_has_no_findings(database: TestDatabase, path: Path) -> None:
    assert await findings(database, path) == set()


# What goes wrong in the database, and the checks that must say so.
BREAKS = {
    "a ticket is lost": ("DELETE FROM tickets WHERE status = 'ACTIVE'", {"sales_stored"}),
    "a cancelled ticket is lost": ("DELETE FROM tickets WHERE status = 'CANCELLED'", {"sales_stored", "cancels_stored"}),
    "a total is another": ("UPDATE tickets SET total_cents = total_cents + 1 WHERE sequence = 1", {"sales_stored"}),
    "a sequence is another": ("UPDATE tickets SET sequence = 9 WHERE sequence = 1", {"sales_stored", "nothing_else"}),
    "a key is forgotten": (
        "DELETE FROM idempotency WHERE outcome = 'SOLD' AND sequence = 1", {"sales_stored", "nothing_else"},
    ),
    "a cancel is undone": (
        "UPDATE tickets SET status = 'ACTIVE', cancelled_at = null, cancelled_by = null", {"cancels_stored"},
    ),
    "a ticket is cancelled by nobody": (
        "UPDATE tickets SET status = 'CANCELLED', cancelled_at = now(), cancelled_by = created_by", {"nothing_else"},
    ),
    "a tombstone is lost": ("DELETE FROM idempotency WHERE outcome = 'TOMBSTONE'", {"cancels_stored"}),
    "a refused sale was sold": (
        """UPDATE idempotency SET outcome = 'SOLD', business_date = CURRENT_DATE, sorteo_id = gen_random_uuid(),
           sequence = 77 WHERE outcome = 'CLOSED'""", {"refusals_hold"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKS)
async def test_what_is_broken_in_the_database_is_found(
    database: TestDatabase, owner: asyncpg.Connection[asyncpg.Record], path: Path, name: str
) -> None:
    statement, expected = BREAKS[name]
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        assert (await owner.execute(statement)).split()[-1] != "0"
    assert await findings(database, path) == expected


async def test_what_is_missing_or_wrong_in_the_history_is_found(database: TestDatabase, path: Path) -> None:
    lines = lines_of(path)
    sold = [line for line in lines if b'"event":"ok","kind":"SALE"' in line]
    cancelled = [line for line in lines if b'"event":"ok","kind":"CANCEL"' in line]
    key = next(read_entries([path])).operation
    for name, changed, expected in (
        ("an answer was never heard of", [line for line in lines if line != sold[0]], {"settled"}),
        ("a sale was never begun", [line for line in lines if key.key.encode() not in line], {"nothing_else"}),
        ("a cancel was never begun", without(lines, cancelled[0]), {"nothing_else"}),
        ("a ticket went to two keys", [*lines, sold[0].replace(key.key.encode(), b"another-key")], {"sold_once", "sales_stored"}),
        ("a key got two tickets", [*lines, sold[2].replace(key_in(sold[2]), key.key.encode())],
         {"answered_once", "sales_stored", "sold_once"}),
        ("it was sold and refused", [*lines, sold[0].replace(b'"event":"ok"', b'"event":"refused","code":"SORTEO_CLOSED"')],
         {"answered_once"}),
    ):  # fmt: skip
        rewrite(path, changed)
        assert await findings(database, path) == expected, name
    assert set(BREAKS_OF_ROWS | {"settled", "answered_once", "sold_once"}) == set(CHECKS), "each check has a case"


BREAKS_OF_ROWS = {check for _, checks in BREAKS.values() for check in checks}


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def rewrite(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(lines))


def without(lines: list[bytes], answer: bytes) -> list[bytes]:
    """All of the operation that got this answer."""
    return [line for line in lines if key_in(answer) not in line]


def key_in(line: bytes) -> bytes:
    return line.partition(b'"key":"')[2].partition(b'"')[0]
