"""Health and metrics, for machines."""

from __future__ import annotations

from typing import Literal

from aiohttp import web

from api.context import PublicContext
from api.health import Report
from api.keys import DATABASE, HEALTH
from api.models.health import CheckAnswer, HealthAnswer, LiveAnswer
from api.operations import PUBLIC, Operation
from core.metrics import CONTENT_TYPE, render_metrics, show_pool


async def is_live(context: PublicContext) -> LiveAnswer:
    """Whether the process answers; it asks nobody else."""
    return LiveAnswer()


async def is_ready(context: PublicContext) -> web.Response:
    """Whether the process can sell: its database takes a sale's writes. The other parts are told, and do not count."""
    return health_response(await context.app[HEALTH].report())


async def get_health(context: PublicContext) -> web.Response:
    """Health of every dependency."""
    return health_response(await context.app[HEALTH].report())


async def get_metrics(context: PublicContext) -> web.Response:
    """Metrics in Prometheus' text format."""
    pool = context.app[DATABASE].pool
    show_pool(size=pool.get_size(), idle=pool.get_idle_size())
    await context.app[HEALTH].report()
    return web.Response(body=render_metrics(), headers={"Content-Type": CONTENT_TYPE})


def overall_status(report: Report) -> Literal["up", "degraded", "down"]:
    return "up" if report.is_whole else "degraded" if report.is_ready else "down"


def health_response(report: Report) -> web.Response:
    checks = {
        name: CheckAnswer(
            status=check.status,
            ms=check.ms,
            detail=check.detail,
            reason=check.reason,
            since=check.since,
            consequence=check.consequence,
        )
        for name, check in report.checks.items()
    }
    answer = HealthAnswer(status=overall_status(report), checks=checks)
    return web.Response(
        text=answer.model_dump_json(), status=200 if report.is_ready else 503, content_type="application/json"
    )


TAGS = ("health",)
OPERATIONS = (
    Operation(
        method="GET",
        path="/health/live",
        handler=is_live,
        permission=PUBLIC,
        tags=TAGS,
        responses={200: LiveAnswer},
    ),
    Operation(
        method="GET",
        path="/health/ready",
        handler=is_ready,
        permission=PUBLIC,
        tags=TAGS,
        responses={200: HealthAnswer, 503: HealthAnswer},
    ),
    Operation(
        method="GET",
        path="/health",
        handler=get_health,
        permission=PUBLIC,
        tags=TAGS,
        responses={200: HealthAnswer, 503: HealthAnswer},
    ),
    Operation(
        method="GET",
        path="/metrics",
        handler=get_metrics,
        permission=PUBLIC,
        tags=TAGS,
        responses={200: None},
        media=("text/plain",),
    ),
)
