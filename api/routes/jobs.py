"""The scheduled jobs of a banca: what they are set to, what they did, and one more run."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from api.conditional import IfMatch
from api.context import RequestContext
from api.job_desk import ask_for, change_settings, read_jobs, run_answer
from api.keys import DATABASE
from api.models.jobs import JobAnswer, JobList, JobRunAnswer, JobRunIn, JobRunQuery, JobSettingsChange
from api.operations import Operation
from api.pages import Page, cursor_instant, page_of
from api.problems import refuse
from api.rule_refusals import require_change
from core.domain.jobs import JOBS, Job, JobName
from core.domain.permissions import Permission
from core.queries import sql


async def list_jobs(context: RequestContext) -> JobList:
    """All jobs, with their last run and their next."""
    return JobList(data=await read_jobs(context))


async def get_job(context: RequestContext) -> JobAnswer:
    """One job, with its last run and its next."""
    [answer] = await read_jobs(context, [named_job(context).name])
    return answer


async def change_job(context: RequestContext, body: JobSettingsChange) -> JobAnswer:
    """Change a job's settings.

    What was due before it was switched on is not made up, nor what a daily job would have done at its new hour today.
    """
    require_change(body)
    name = named_job(context).name
    changes = {name: body.model_dump(exclude_unset=True)}
    return await change_settings(context, changes, shown_with=(name,), answer_of=only)


def only(answers: list[JobAnswer]) -> JobAnswer:
    [answer] = answers
    return answer


async def list_job_runs(context: RequestContext, query: JobRunQuery) -> Page[JobRunAnswer]:
    """A job's runs, the newest first."""
    job = named_job(context)
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        rows = await connection.fetch(
            sql("jobs/runs_page"),
            context.banca_id,
            job.name,
            query.state,
            *query.after(cursor_instant, UUID),
            query.page_size + 1,
            query.offset,
        )
    shown, meta = page_of(query, rows, keys=("requested_at", "id"))
    return Page[JobRunAnswer](data=[run_answer(row) for row in shown], meta=meta)


async def run_job(context: RequestContext, body: JobRunIn) -> JobRunAnswer:
    """Run a job now, also one that is off.

    A worker does it after the answer; ask for its runs until it is `DONE`. While such a run is unfinished, asking again
    gives the same.
    """
    return await ask_for(context, named_job(context), body)


async def trigger_job(context: RequestContext, body: JobRunIn) -> JobRunAnswer:
    """The same as run, by the name that the documents use."""
    return await run_job(context, body)


def named_job(context: RequestContext) -> Job:
    try:
        return JOBS[JobName(context.request.match_info["name"])]
    except ValueError:
        known = ", ".join(JobName)
        raise refuse(404, "JOB_NOT_FOUND", f"There is no such job; there are {known}.") from None


ALL = "/api/v1/admin/jobs"
ONE = f"{ALL}/{{name}}"
READING = partial(Operation, method="GET", permission=Permission.JOBS_READ, tags=("jobs",))
RUNNING = partial(
    Operation,
    method="POST",
    permission=Permission.JOBS_RUN,
    tags=("jobs",),
    body=JobRunIn,
    body_optional=True,
    responses={202: JobRunAnswer},
)
OPERATIONS = (
    READING(path=ALL, handler=list_jobs, responses={200: JobList}),
    READING(path=ONE, handler=get_job, responses={200: JobAnswer}, tagged=True),
    READING(path=f"{ONE}/runs", handler=list_job_runs, query=JobRunQuery, responses={200: Page[JobRunAnswer]}),
    Operation(
        method="PATCH",
        path=ONE,
        handler=change_job,
        permission=Permission.JOBS_ADMINISTER,
        tags=("jobs",),
        body=JobSettingsChange,
        responses={200: JobAnswer},
        tagged=True,
        if_match=IfMatch.OPTIONAL,
    ),
    RUNNING(path=f"{ONE}/run", handler=run_job),
    RUNNING(path=f"{ONE}/trigger", handler=trigger_job),
)
