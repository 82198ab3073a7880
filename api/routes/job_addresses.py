"""Jobs by the addresses that clients of the banca know: the same as /admin/jobs, in smaller answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType

from api.conditional import IfMatch
from api.context import RequestContext
from api.job_desk import ask_for, change_settings, read_jobs
from api.models.jobs import (
    CronHealth,
    JobAnswer,
    JobRunAnswer,
    JobRunIn,
    JobStatus,
    JobStatusList,
    SettlementConfig,
    SettlementConfigChange,
    SorteosAutoConfig,
    SorteosAutoConfigChange,
)
from api.operations import Operation
from api.rule_refusals import require_change
from core.domain.calendar import costa_rica_date
from core.domain.jobs import JOBS, JobName
from core.domain.permissions import Permission

FLAGS: Mapping[str, JobName] = MappingProxyType(
    {
        "auto_open_enabled": JobName.SORTEOS_AUTO_OPEN,
        "auto_create_enabled": JobName.SORTEOS_AUTO_CREATE,
        "auto_close_enabled": JobName.SORTEOS_AUTO_CLOSE,
    }
)


async def execute_auto_open(context: RequestContext, body: JobRunIn) -> JobRunAnswer:
    """Open the draws of the day now, also while that job is off."""
    return await ask_for(context, JOBS[JobName.SORTEOS_AUTO_OPEN], body)


async def execute_auto_create(context: RequestContext, body: JobRunIn) -> JobRunAnswer:
    """Make the draws of the days ahead now, also while that job is off."""
    return await ask_for(context, JOBS[JobName.SORTEOS_AUTO_CREATE], body)


async def execute_auto_close(context: RequestContext, body: JobRunIn) -> JobRunAnswer:
    """Close the draws that nobody sold now, also while that job is off."""
    return await ask_for(context, JOBS[JobName.SORTEOS_AUTO_CLOSE], body)


async def execute_settlement(context: RequestContext, body: JobRunIn) -> JobRunAnswer:
    """Settle statements now, also while that job is off."""
    return await ask_for(context, JOBS[JobName.SETTLEMENT], body)


async def execute_auto_date(context: RequestContext, body: JobRunIn) -> JobRunAnswer:
    """Note now which rules have the day of the month for their number. Sales do not wait for it: they derive it."""
    return await ask_for(context, JOBS[JobName.RESTRICTIONS_AUTO_DATE], body)


async def sorteos_auto_status(context: RequestContext) -> JobStatusList:
    """The jobs of draws: whether they run, when they ran, whether they are well."""
    return JobStatusList(data=[status_of(job) for job in await read_jobs(context, FLAGS.values())])


def status_of(job: JobAnswer) -> JobStatus:
    return JobStatus(
        name=job.name,
        enabled=job.enabled,
        last_execution=job.last_run and job.last_run.started_at,
        last_state=job.last_run and job.last_run.state,
        next_run=job.next_run,
        count=job.count,
        healthy=job.healthy,
    )


async def settlement_status(context: RequestContext) -> JobAnswer:
    """The settlement: whether it runs, when it ran, whether it is well."""
    [answer] = await read_jobs(context, [JobName.SETTLEMENT])
    return answer


async def sorteos_auto_config(context: RequestContext) -> SorteosAutoConfig:
    """Which jobs of draws are on."""
    return flags_of(await read_jobs(context, FLAGS.values()))


def flags_of(answers: list[JobAnswer]) -> SorteosAutoConfig:
    jobs = {job.name: job.enabled for job in answers}
    return SorteosAutoConfig(**{flag: jobs[name] for flag, name in FLAGS.items()})


async def change_sorteos_auto_config(context: RequestContext, body: SorteosAutoConfigChange) -> SorteosAutoConfig:
    """Switch jobs of draws on or off."""
    require_change(body)
    flags = body.model_dump(exclude_unset=True)
    changes = {FLAGS[flag]: {"enabled": enabled} for flag, enabled in flags.items()}
    return await change_settings(context, changes, shown_with=tuple(FLAGS.values()), answer_of=flags_of)


async def settlement_config(context: RequestContext) -> SettlementConfig:
    """What the settlement is set to."""
    return config_of(await settlement_status(context))


async def change_settlement_config(context: RequestContext, body: SettlementConfigChange) -> SettlementConfig:
    """Change what the settlement is set to."""
    require_change(body)
    settlement = JobName.SETTLEMENT
    changes = {settlement: body.model_dump(exclude_unset=True)}
    return await change_settings(context, changes, shown_with=(settlement,), answer_of=lambda jobs: config_of(jobs[0]))


def config_of(job: JobAnswer) -> SettlementConfig:
    assert job.settlement_age_days is not None
    assert job.batch_size is not None
    return SettlementConfig(
        enabled=job.enabled,
        settlement_age_days=job.settlement_age_days,
        batch_size=job.batch_size,
        cron_schedule=job.schedule,
    )


async def restrictions_cron_health(context: RequestContext) -> CronHealth:
    """Rules whose number is the day of the month: which number that is today, and whether the daily note was made."""
    [job] = await read_jobs(context, [JobName.RESTRICTIONS_AUTO_DATE])
    counts = {} if job.last_run is None else job.last_run.counts
    return CronHealth(
        healthy=job.healthy,
        number_in_force=f"{costa_rica_date(datetime.now(UTC)).day:02d}",
        active_rules=counts.get("activeRules"),
        active_rules_of_sorteo=counts.get("activeRulesOfSorteo"),
        last_execution=job.last_success_at,
    )


SORTEOS = "/api/v1/sorteos"
STATEMENTS = "/api/v1/account-statements"
CRON_HEALTH = "/api/v1/restrictions/cron-health"
NAMED = partial(Operation, tags=("jobs",))
READING = partial(NAMED, method="GET")
SETTING = partial(
    NAMED,
    method="PATCH",
    permission=Permission.JOBS_ADMINISTER,
    tagged=True,
    if_match=IfMatch.OPTIONAL,
)
EXECUTING = partial(
    NAMED,
    method="POST",
    permission=Permission.JOBS_RUN,
    body=JobRunIn,
    body_optional=True,
    responses={202: JobRunAnswer},
)
OPERATIONS = (
    EXECUTING(path=f"{SORTEOS}/auto-open/execute", handler=execute_auto_open),
    EXECUTING(path=f"{SORTEOS}/auto-create/execute", handler=execute_auto_create),
    EXECUTING(path=f"{SORTEOS}/auto-close/execute", handler=execute_auto_close),
    EXECUTING(path=f"{STATEMENTS}/execute", handler=execute_settlement),
    EXECUTING(path=f"{CRON_HEALTH}/execute", handler=execute_auto_date),
    READING(
        path=f"{SORTEOS}/auto-status",
        handler=sorteos_auto_status,
        permission=Permission.SORTEOS_READ,
        responses={200: JobStatusList},
    ),
    READING(
        path=f"{SORTEOS}/auto-config",
        handler=sorteos_auto_config,
        permission=Permission.JOBS_READ,
        responses={200: SorteosAutoConfig, 304: None},
        tagged=True,
    ),
    SETTING(
        path=f"{SORTEOS}/auto-config",
        handler=change_sorteos_auto_config,
        body=SorteosAutoConfigChange,
        responses={200: SorteosAutoConfig},
    ),
    READING(
        path=f"{STATEMENTS}/auto-status",
        handler=settlement_status,
        permission=Permission.JOBS_READ,
        responses={200: JobAnswer},
    ),
    READING(
        path=f"{STATEMENTS}/auto-config",
        handler=settlement_config,
        permission=Permission.JOBS_READ,
        responses={200: SettlementConfig, 304: None},
        tagged=True,
    ),
    SETTING(
        path=f"{STATEMENTS}/auto-config",
        handler=change_settlement_config,
        body=SettlementConfigChange,
        responses={200: SettlementConfig},
    ),
    READING(
        path=CRON_HEALTH,
        handler=restrictions_cron_health,
        permission=Permission.RESTRICTIONS_READ,
        responses={200: CronHealth},
    ),
)
