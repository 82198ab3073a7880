"""A database of before draws had slots: what the migration makes of its draws."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from core.migrations import migrate
from core.queries import SQL_ROOT
from tests.databases import database_of, in_server

SUBJECT = "sorteo_slots"
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
SLOT = NOW + timedelta(days=3)


@pytest.fixture
async def old_database(server_url: str, tmp_path: Path) -> AsyncIterator[str]:
    """One that lacks the migration, and those after it."""
    name = f"banca_old_{uuid4().hex[:12]}"
    await in_server(server_url, f"CREATE DATABASE {name}")
    url = database_of(server_url, name)
    (tmp_path / "migrations").mkdir()
    files = sorted((SQL_ROOT / "migrations").glob("*.sql"))
    place = next(place for place, file in enumerate(files) if SUBJECT in file.name)
    for file in files[:place]:
        shutil.copy(file, tmp_path / "migrations")
    await migrate(url, root=tmp_path)
    yield url
    await in_server(server_url, f"DROP DATABASE {name} WITH (FORCE)")


async def test_draws_keep_the_slot_that_the_trail_knows_and_the_name_that_they_got(old_database: str) -> None:
    owner = await asyncpg.connect(old_database)
    banca_id, loteria_id = uuid4(), uuid4()
    await owner.execute("INSERT INTO bancas (id, name, code) VALUES ($1, 'Banca', 'B1')", banca_id)
    await owner.execute("INSERT INTO loterias (banca_id, id, name) VALUES ($1, $2, 'Tica')", banca_id, loteria_id)

    async def draw(name: str, at: datetime, made_at: datetime | None = None, *, age_h: int = 1) -> UUID:
        """made_at: as the trail tells it; None: it does not."""
        sorteo_id = uuid4()
        await owner.execute(
            "INSERT INTO sorteos (banca_id, id, loteria_id, name, scheduled_at, created_at)"
            " VALUES ($1, $2, $3, $4, $5, now() - make_interval(hours => $6))",
            banca_id, sorteo_id, loteria_id, name, at, age_h,
        )  # fmt: skip
        if made_at is not None:
            details = {"after": {"loteriaId": str(loteria_id), "scheduledAt": made_at.isoformat()}}
            await owner.execute(
                "INSERT INTO activity_log (banca_id, occurred_on, event_id, line, occurred_at, action, target_id, layer,"
                " details) VALUES ($1, now()::date, $2, 1, now(), 'SORTEO_CREATE', $3, 'api', $4)",
                banca_id, sorteo_id.int % 2**60, sorteo_id, json.dumps(details),
            )  # fmt: skip
        return sorteo_id

    hour = timedelta(hours=1)
    long_ago = await draw("Tica 12:55", NOW - timedelta(days=100))
    untold = await draw("Gordo", SLOT + 2 * hour)
    moved = await draw(f"Tica {SLOT - 6 * hour:%H:%M}", SLOT - hour, SLOT, age_h=9)
    again = await draw(f"Tica {SLOT - 6 * hour:%H:%M}", SLOT, SLOT)
    await owner.close()

    applied = await migrate(old_database)
    assert any(SUBJECT in name for name in applied)
    owner = await asyncpg.connect(old_database)
    rows = {row["id"]: row for row in await owner.fetch("SELECT * FROM sorteos")}
    assert {sorteo_id: row["slot_at"] for sorteo_id, row in rows.items()} == {
        long_ago: NOW - timedelta(days=100), untold: SLOT + 2 * hour, moved: SLOT, again: None,
    }  # fmt: skip
    assert {row["slot_loteria_id"] for row in rows.values()} == {loteria_id, None}
    assert [rows[each]["name_is_chosen"] for each in (long_ago, untold, moved, again)] == [False, True, False, False]
    # As a process of the release before calls it: it makes no slot twice either.
    made = await owner.fetch(
        "SELECT is_new FROM create_sorteos($1, $2, 2::smallint, NULL, NULL, true, NULL, 'old', $3, $4, $5)",
        banca_id, loteria_id, [uuid4(), uuid4()], [SLOT, SLOT + 24 * hour], ["Tica 12:00", "Tica 12:00"],
    )  # fmt: skip
    assert [row["is_new"] for row in made] == [False, True]
    await owner.close()
