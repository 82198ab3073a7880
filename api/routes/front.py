"""What runs here, and what its refusals mean: for people as pages, for programs as JSON."""

from __future__ import annotations

from functools import cache, partial

from aiohttp import web

from api.context import PublicContext
from api.documentation import own_version
from api.html.front import front_page
from api.html.page import HTML, negotiated
from api.html.problems import problem_page, problems_page
from api.keys import HEALTH, STARTED_AT
from api.models.front import FrontAnswer, FrontLinks, ProblemExplained, ProblemList
from api.operations import PUBLIC, Operation
from api.problem_catalogue import ADDRESS, KINDS, ProblemKind, kind_of, plain, type_of
from api.problems import refuse
from api.routes.health import overall_status

# Asked again each time, and answered with 304 while nothing has changed.
FRESH = "no-cache"
# They change with a release only.
LASTING = "public, max-age=3600"
LINKS = FrontLinks(docs="/api-docs", openapi="/openapi.json", problems=ADDRESS, health="/health/ready")


async def show_front_page(context: PublicContext) -> web.Response:
    """What runs here, since when, and how it is. For people a page, when they ask for `text/html`."""
    report = await context.app[HEALTH].report()
    answer = FrontAnswer(
        name="Banca",
        version=own_version(),
        since=context.app[STARTED_AT],
        status=overall_status(report),
        links=LINKS,
    )
    return negotiated(context.request, answer, front_page(answer, report), cache_control=FRESH)


async def list_problems(context: PublicContext) -> web.Response:
    """Every code that a refusal carries. For people a page, when they ask for `text/html`."""
    return negotiated(context.request, all_problems(), problems_page(), cache_control=LASTING)


async def explain_problem(context: PublicContext) -> web.Response:
    """What one code means, and what a client does: the `type` of a refusal leads here.

    For people a page, when they ask for `text/html`.
    """
    kind = kind_of(context.request.match_info["code"])
    if kind is None:
        raise refuse(404, "PROBLEM_NOT_FOUND", f"No refusal has such a code; all are listed at {ADDRESS}.")
    return negotiated(context.request, explained(kind), problem_page(kind), cache_control=LASTING)


@cache
def all_problems() -> ProblemList:
    return ProblemList(data=[explained(kind) for kind in KINDS.values()])


def explained(kind: ProblemKind) -> ProblemExplained:
    return ProblemExplained(
        type=type_of(kind.code),
        code=kind.code,
        title=kind.title,
        statuses=list(kind.statuses),
        meaning=plain(kind.meaning),
        action=plain(kind.action) or None,
        is_recorded=kind.is_recorded,
    )


SHOWING = partial(Operation, method="GET", permission=PUBLIC, media=(HTML,))
OPERATIONS = (
    SHOWING(path="/", handler=show_front_page, tags=("health",), responses={200: FrontAnswer, 304: None}),
    SHOWING(path=ADDRESS, handler=list_problems, tags=("problems",), responses={200: ProblemList, 304: None}),
    SHOWING(
        path=f"{ADDRESS}/{{code}}",
        handler=explain_problem,
        tags=("problems",),
        responses={200: ProblemExplained, 304: None},
    ),
)
