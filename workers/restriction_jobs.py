"""The job of auto-date rules.

Nothing has to be set for them: each sale takes the day of the month for their number, by Costa Rica's calendar, of the
sale or of the draw as the rule says. The job records daily how many such rules are active and which number today is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.queries import sql
from workers.job_steps import JobRun, Step

if TYPE_CHECKING:
    from core.database import Connection


async def note_auto_dates(connection: Connection, run: JobRun) -> Step:
    rules = await connection.fetchrow(sql("jobs/auto_date_rules"), run.banca_id)
    assert rules is not None, "a count has a row"
    counts = {
        "success": True,
        "activeRules": rules["all_rules"],
        "activeRulesOfSorteo": rules["of_sorteo_days"],
        "date": run.day.isoformat(),
        "numberInForce": f"{run.day.day:02d}",
        "executedAt": run.executed_at,
    }
    return Step({}, counts, is_done=True)
