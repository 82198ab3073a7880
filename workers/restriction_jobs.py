"""The job of auto-date rules. Nothing has to be set for them: each sale takes the day of the month for their number, by
Costa Rica's calendar. So it notes daily that they are there and what they mean, for whoever looks after them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.queries import sql
from workers.job_steps import JobRun, Step

if TYPE_CHECKING:
    from core.database import Connection


async def note_auto_dates(connection: Connection, run: JobRun) -> Step:
    rules = await connection.fetchval(sql("jobs/auto_date_rules"), run.banca_id)
    counts = {
        "success": True,
        "activeRules": rules,
        "date": run.day.isoformat(),
        "numberInForce": f"{run.day.day:02d}",
        "executedAt": run.executed_at,
    }
    return Step({}, counts, is_done=True)
