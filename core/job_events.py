"""Events of jobs, as sql/functions/job_runs.sql writes them."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

import msgspec

from core.instants import Instant


class JobsRequested(msgspec.Struct, frozen=True, rename="camel"):
    """A run is to be done. actor_id: null where the scheduler found it due."""

    action: ClassVar[str] = "JOB_REQUEST"
    target_type: ClassVar[str] = "CRON_JOB"

    at: Instant
    run_id: UUID
    job: str
    period: str
    trigger: str
    layer: str
    actor_id: UUID | None = None
    reason: str | None = None
    request_id: str | None = None

    @property
    def target_id(self) -> UUID:
        return self.run_id
