"""Which job does what."""

from __future__ import annotations

from collections.abc import Mapping

from core.domain.jobs import JobName
from core.settings import Settings
from workers.cleanup_jobs import trim_keys, trim_runs, trim_trail, webhook
from workers.job_steps import Work
from workers.restriction_jobs import note_auto_dates
from workers.sorteo_jobs import close_unsold_sorteos, create_sorteos, open_sorteos
from workers.statement_jobs import close_month, settle, tell_what_remains


def works(settings: Settings) -> Mapping[JobName, Work]:
    return {
        JobName.SORTEOS_AUTO_OPEN: Work(open_sorteos),
        JobName.SORTEOS_AUTO_CREATE: Work(create_sorteos),
        JobName.SORTEOS_AUTO_CLOSE: Work(close_unsold_sorteos),
        JobName.SETTLEMENT: Work(settle, tell_what_remains),
        JobName.MONTHLY_CLOSING: Work(close_month),
        JobName.ACTIVITY_LOG_CLEANUP: Work(trim_trail, webhook(settings.cleanup_webhook_url)),
        JobName.IDEMPOTENCY_CLEANUP: Work(trim_keys),
        JobName.JOB_RUNS_CLEANUP: Work(trim_runs),
        JobName.RESTRICTIONS_AUTO_DATE: Work(note_auto_dates),
    }
